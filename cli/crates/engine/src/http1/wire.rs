//! The transport of HTTP/1.1: each user has a connection of its own to each replica, opened when it is first
//! needed.

use std::{pin::pin, rc::Rc};

use tokio::time::Instant;

use super::{
    connection::{After, Connection, Failure},
    deadline::Deadline,
    diagnosis,
};
use crate::{
    busy,
    clock::RunClock,
    connect::{
        dial::Dialer,
        lifetime::Lifetime,
        resolve::{Resolve, System},
        stream::Stream,
    },
    exchange::{Exchange, Response, SendError, Transport},
    self_monitor::response_timeout::ResponseTimeout,
};
use saasbench_model::scenario::http::ConnectionScope;
use saasbench_record::sample::{NoResponseReason, NotSentReason};

/// Sends requests by HTTP/1.1.
#[derive(Debug)]
pub struct Http1<R = System> {
    dialer: Rc<Dialer<R>>,
    timeout: ResponseTimeout,
    clock: RunClock,
}

/// The connections of one user.
#[derive(Debug)]
pub struct UserConnections {
    /// The idle ones, those to one replica together. One in use is taken out, and put back only if it can be
    /// reused.
    idle: Vec<Option<Connection<Stream>>>,
    /// How many to each replica are used in turn, at least one, and whose turn it is.
    in_turn: usize,
    turn: usize,
    deadline: Deadline,
}

impl<R: Resolve> Http1<R> {
    /// Uses connections of `dialer`; a request may take `timeout`, connecting included.
    pub fn new(dialer: Rc<Dialer<R>>, timeout: ResponseTimeout, clock: RunClock) -> Self {
        Self { dialer, timeout, clock }
    }

    /// A new connection, or the end of the attempt.
    async fn connect(
        &self,
        deadline: &mut Deadline,
        at: Instant,
        replica: usize,
    ) -> Result<Connection<Stream>, SendError> {
        let begun = self.clock.now();
        // Boxed, so that users need no memory for a handshake while they have a connection.
        let dialling = Box::pin(self.dialer.dial(replica));
        let dialled = deadline.limit(at, dialling).await;
        match dialled {
            Some(stream) => {
                let life = Lifetime::new(begun, self.clock.now());
                let connection = stream.map(|stream| Connection::new(stream, life));
                connection.map_err(|error| SendError::NotSent(NotSentReason::from(error)))
            }
            None => Err(SendError::NotSent(NotSentReason::ConnectTimeout)),
        }
    }
}

impl UserConnections {
    /// The place of the next connection to a replica.
    fn next_place(&mut self, replica: usize) -> usize {
        self.turn = (self.turn + 1) % self.in_turn;
        replica * self.in_turn + self.turn
    }
}

#[cfg(test)]
impl UserConnections {
    /// Whether there is a usable idle connection to the replica.
    pub(super) async fn is_idle(&mut self, replica: usize) -> bool {
        match &mut self.idle[replica] {
            Some(connection) => connection.is_idle().await,
            None => false,
        }
    }

    /// Makes writes on the idle connection to the replica fail, without the connection noticing.
    pub(super) async fn reject_writes(&mut self, replica: usize) {
        if let Some(connection) = &mut self.idle[replica] {
            connection.reject_writes().await;
        }
    }
}

impl<R: Resolve> Transport for Http1<R> {
    type UserConnections = UserConnections;

    fn connect_user(&self, in_turn: usize) -> UserConnections {
        let in_turn = in_turn.max(1);
        let all = self.dialer.endpoints().replicas().len() * in_turn;
        UserConnections {
            idle: (0..all).map(|_| None).collect(),
            in_turn,
            turn: 0,
            deadline: Deadline::default(),
        }
    }

    fn end_iteration(&self, connections: &mut UserConnections) {
        if self.dialer.endpoints().reuse().scope == Some(ConnectionScope::PerIteration) {
            connections.idle.fill_with(|| None);
        }
    }

    async fn send(
        &self,
        connections: &mut UserConnections,
        exchange: &mut Exchange,
    ) -> Result<(), SendError> {
        let sent = self.clock.now();
        (exchange.sent, exchange.connection, exchange.problem) = (sent, 0, None);
        let at = self.timeout.deadline(sent);
        let replica = exchange.request.replica;
        let reuse = self.dialer.endpoints().reuse();
        let place = connections.next_place(replica);
        let mut kept = connections.idle.get_mut(place).and_then(Option::take);
        if let Some(connection) = &mut kept {
            let is_usable =
                !exchange.request.on_new_connection && connection.life().takes_another(&reuse, 0, sent);
            if !is_usable || !connection.is_idle().await {
                kept = None;
            }
        }
        let mut is_new = kept.is_none();
        loop {
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => self.connect(&mut connections.deadline, at, replica).await?,
            };
            exchange.connection = connection.number();
            exchange.response.first_byte = Response::NOT_BEGUN;
            let written = if is_new { self.clock.now() } else { sent };
            let outcome = {
                let mut exchanging = pin!(connection.exchange(exchange, &self.clock));
                match connections.deadline.limit(at, exchanging.as_mut()).await {
                    None => self.timeout.beyond(sent, exchanging).await,
                    done => done,
                }
            };
            return match outcome {
                Some(Ok(after)) => {
                    exchange.queued = written - sent + busy::since(written, exchange.response.done);
                    if let (After::Reuse, Some(place)) = (after, connections.idle.get_mut(place)) {
                        let connection = connection.after(&exchange.response);
                        *place = connection
                            .life()
                            .takes_another(&reuse, 0, exchange.response.done)
                            .then_some(connection);
                    }
                    Ok(())
                }
                // Not a byte was sent, and a connection that was closed while idle is not a failure of the
                // replica.
                Some(Err(Failure::Unsent)) if !is_new => {
                    (is_new, exchange.connection) = (true, 0);
                    continue;
                }
                Some(Err(Failure::Unsent)) => Err(SendError::NotSent(NotSentReason::ConnectFailed)),
                Some(Err(Failure::Lost)) => {
                    let now = self.clock.now();
                    let lost = now - self.timeout.share(sent, now);
                    let closed =
                        connection.life().closed_idle(sent, lost).filter(|_| !exchange.response.has_begun());
                    Err(SendError::NoResponse(match closed {
                        Some(idle) => {
                            exchange.problem = Some(diagnosis::of_closed_idle(idle));
                            NoResponseReason::ClosedIdle
                        }
                        None => NoResponseReason::ConnectionLost,
                    }))
                }
                Some(Err(Failure::Malformed(why))) => {
                    exchange.problem = Some(diagnosis::of_malformed(why, &exchange.input));
                    Err(SendError::NoResponse(NoResponseReason::Malformed))
                }
                None => Err(SendError::NoResponse(NoResponseReason::Timeout)),
            };
        }
    }
}

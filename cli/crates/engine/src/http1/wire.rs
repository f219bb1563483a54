//! The transport of HTTP/1.1: each user has a connection of its own to each replica, made when it is first needed.

use std::{rc::Rc, time::Duration};

use tokio::time::Instant;

use super::{
    connection::{After, Connection, Failure},
    deadline::Deadline,
};
use crate::{
    clock::RunClock,
    connect::{
        dial::Dialer,
        resolve::{Resolve, System},
        stream::Stream,
    },
    exchange::{Exchange, NoAnswer, Transport},
};
use saasbench_model::units::Nanos;
use saasbench_record::sample::{NoResponseReason, NotSentReason};

/// Sends requests by HTTP/1.1.
#[derive(Debug)]
pub struct Http1<R = System> {
    dialer: Rc<Dialer<R>>,
    timeout: Nanos,
    clock: RunClock,
}

/// The connections of one user.
#[derive(Debug)]
pub struct Line {
    /// One for each replica: those that lie idle. One in use is taken out, and comes back only if it can be used again.
    idle: Vec<Option<Connection<Stream>>>,
    deadline: Deadline,
}

impl<R: Resolve> Http1<R> {
    /// Over connections of `dialer`; a request may take `timeout`, connecting included.
    pub fn new(dialer: Rc<Dialer<R>>, timeout: Duration, clock: RunClock) -> Self {
        Self { dialer, timeout: timeout.into(), clock }
    }

    /// A new connection, or the end of the attempt.
    async fn connect(
        &self,
        deadline: &mut Deadline,
        at: Instant,
        replica: usize,
    ) -> Result<Connection<Stream>, NoAnswer> {
        // Apart, so that users need no room for a handshake while they have a connection.
        let dialling = Box::pin(self.dialer.dial(replica));
        let dialled = deadline.limit(at, dialling).await;
        match dialled {
            Some(stream) => {
                stream.map(Connection::new).map_err(|error| NoAnswer::NotSent(NotSentReason::from(error)))
            }
            None => Err(NoAnswer::NotSent(NotSentReason::ConnectTimeout)),
        }
    }
}

#[cfg(test)]
impl Line {
    /// Whether there is a connection to the replica that lies idle as it should.
    pub(super) async fn is_idle(&mut self, replica: usize) -> bool {
        match &mut self.idle[replica] {
            Some(connection) => connection.is_idle().await,
            None => false,
        }
    }

    /// Lets no write to the replica succeed on the connection that lies idle, which shows nothing of it.
    pub(super) async fn reject_writes(&mut self, replica: usize) {
        if let Some(connection) = &mut self.idle[replica] {
            connection.reject_writes().await;
        }
    }
}

impl<R: Resolve> Transport for Http1<R> {
    type Line = Line;

    fn line(&self) -> Line {
        let replicas = self.dialer.endpoints().replicas();
        Line { idle: replicas.iter().map(|_| None).collect(), deadline: Deadline::default() }
    }

    async fn send(&self, line: &mut Line, exchange: &mut Exchange) -> Result<(), NoAnswer> {
        exchange.sent = self.clock.now();
        let at = self.clock.instant(exchange.sent + self.timeout);
        let replica = exchange.request.replica;
        let mut kept = line.idle.get_mut(replica).and_then(Option::take);
        if let Some(connection) = &mut kept
            && !connection.is_idle().await
        {
            kept = None;
        }
        let mut is_new = kept.is_none();
        loop {
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => self.connect(&mut line.deadline, at, replica).await?,
            };
            let outcome = line.deadline.limit(at, connection.exchange(exchange, &self.clock)).await;
            return match outcome {
                Some(Ok(after)) => {
                    if let (After::Reuse, Some(place)) = (after, line.idle.get_mut(replica)) {
                        *place = Some(connection);
                    }
                    Ok(())
                }
                // Not a byte has left, and a connection that was left idle is no witness against the replica.
                Some(Err(Failure::Unsent)) if !is_new => {
                    is_new = true;
                    continue;
                }
                Some(Err(Failure::Unsent)) => Err(NoAnswer::NotSent(NotSentReason::ConnectFailed)),
                Some(Err(Failure::Lost)) => Err(NoAnswer::Unknown(NoResponseReason::ConnectionLost)),
                Some(Err(Failure::Malformed(_))) => Err(NoAnswer::Unknown(NoResponseReason::Malformed)),
                None => Err(NoAnswer::Unknown(NoResponseReason::Timeout)),
            };
        }
    }
}

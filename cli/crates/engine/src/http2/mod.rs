//! The transport of HTTP/2: the users of a worker share one connection to each replica.
//!
//! `h2` implements the protocol; `message` converts requests and responses; `connection` keeps to the number
//! of streams that the server allows, so that a request that waits for one has not been sent yet.

mod connection;
mod message;
#[cfg(test)]
mod tests;

use std::{cell::RefCell, pin::pin, rc::Rc};

use bytes::Bytes;
use tokio::{
    sync::Mutex,
    time::{timeout, timeout_at},
};

use self::{
    connection::{Connection, Slot},
    message::{read_body, read_head, request},
};
use super::{
    connect::{
        dial::Dialer,
        lifetime::Lifetime,
        resolve::{Resolve, System},
        stream::Stream,
    },
    exchange::{Exchange, Response, SendError, Transport},
    http1::diagnosis,
    self_monitor::response_timeout::ResponseTimeout,
};
use crate::{busy, clock::RunClock};
use saasbench_model::scenario::http::ConnectionScope;
use saasbench_record::sample::{NoResponseReason, NotSentReason};

/// How often a request is sent that the server leaves unprocessed. A server that closes each connection after
/// some requests leaves out those that exceed them, and with many users some are left out several times.
const MOST_ATTEMPTS: u32 = 20;

/// Sends requests by HTTP/2.
#[derive(Debug)]
pub struct Http2<R = System> {
    dialer: Rc<Dialer<R>>,
    replicas: Vec<Shared>,
    timeout: ResponseTimeout,
    clock: RunClock,
}

/// The connection to one replica that all users share, or that one user has for itself.
#[derive(Debug, Default)]
struct Shared {
    current: RefCell<Option<Rc<Connection>>>,
    /// Held while a connection is being opened: other users wait for it.
    making: Mutex<()>,
}

/// The connections that one user has for itself, by replica; none if all users share them.
#[derive(Debug, Default)]
pub struct UserConnections(Vec<Shared>);

/// Whether the other side of a connection speaks HTTP/2: it acknowledges a ping.
pub async fn is_spoken(stream: Stream) -> bool {
    let Ok((_handle, mut driver)) = h2::client::handshake(stream).await else { return false };
    let Some(mut pings) = driver.ping_pong() else { return false };
    tokio::select! {
        pong = pings.ping(h2::Ping::opaque()) => pong.is_ok(),
        _ = driver => false,
    }
}

/// Why an exchange has no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// Not a byte was sent.
    Unsent,
    /// The server declared that it had not processed it: the connection takes no more streams.
    LeftOut,
    /// The same of this stream only.
    Refused,
    /// The server ended the stream, so it had received the request.
    Reset,
    /// The connection broke.
    Lost,
    /// What was received is not a response.
    Malformed,
}

impl Failure {
    /// The meaning of a failure before the response has started. By RFC 9113, 8.7, a rejected stream, and one
    /// with a number above that of a GOAWAY, were not processed in any way; only the latter is a remote
    /// GOAWAY error in `h2`.
    fn of(error: &h2::Error) -> Self {
        if error.is_remote() && error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM) {
            Self::Refused
        } else if error.is_remote() && error.is_go_away() {
            Self::LeftOut
        } else if error.is_remote() && error.is_reset() {
            Self::Reset
        } else if error.is_library() {
            Self::Malformed
        } else {
            Self::Lost
        }
    }

    /// The meaning once the response has started: the server has processed the request, whatever it declares.
    fn after_head(error: &h2::Error) -> Self {
        match Self::of(error) {
            Self::LeftOut | Self::Refused => Self::Lost,
            other => other,
        }
    }
}

impl<R: Resolve> Http2<R> {
    /// Uses connections of `dialer`; a request may take `timeout`, connecting included.
    pub fn new(dialer: Rc<Dialer<R>>, timeout: ResponseTimeout, clock: RunClock) -> Self {
        let replicas = dialer.endpoints().replicas().iter().map(|_| Shared::default()).collect();
        Self { dialer, replicas, timeout, clock }
    }

    /// A connection that takes another request at this moment.
    fn usable(&self, shared: &Shared) -> Option<Rc<Connection>> {
        let (reuse, now) = (self.dialer.endpoints().reuse(), self.clock.now());
        shared.current.borrow().as_ref().filter(|connection| connection.is_usable(&reuse, now)).cloned()
    }

    /// The connection to a replica; a new one if none is usable.
    async fn connection(&self, shared: &Shared, replica: usize) -> Result<Rc<Connection>, NotSentReason> {
        if let Some(connection) = self.usable(shared) {
            return Ok(connection);
        }
        let _making = shared.making.lock().await;
        // Another user may have opened one meanwhile.
        if let Some(connection) = self.usable(shared) {
            return Ok(connection);
        }
        let begun = self.clock.now();
        let stream = self.dialer.dial(replica).await?;
        let life = Lifetime::new(begun, self.clock.now());
        let opening =
            timeout(self.dialer.endpoints().connect_timeout(), Connection::open(stream, life)).await;
        let opened = opening.map_err(|_| NotSentReason::ConnectTimeout)?;
        let connection = opened.map_err(|_| NotSentReason::ConnectFailed)?;
        shared.current.replace(Some(Rc::clone(&connection)));
        Ok(connection)
    }

    /// Permission for a stream on a connection to a replica.
    async fn slot(&self, own: &UserConnections, replica: usize) -> Result<Slot, NotSentReason> {
        let shared = own.0.get(replica).or_else(|| self.replicas.get(replica));
        let shared = shared.ok_or(NotSentReason::RenderFailed)?;
        let reuse = self.dialer.endpoints().reuse();
        loop {
            // A connection may end while one of its streams is waited for.
            if let Some(slot) = self.connection(shared, replica).await?.slot(&reuse, &self.clock).await {
                return Ok(slot);
            }
        }
    }

    /// Sends the request on a stream of its own and reads the response.
    async fn exchange(
        &self,
        slot: &Slot,
        head: http::Request<()>,
        exchange: &mut Exchange,
    ) -> Result<(), Failure> {
        let Exchange { request, response, .. } = exchange;
        let body = request.bytes.get(request.body_at..).unwrap_or_default();
        let (received, mut outgoing) = slot.send(head, body.is_empty()).ok_or(Failure::Unsent)?;
        if !body.is_empty() {
            // A server that rejects it does so by its response, or by a reset, which is the response future's
            // error.
            let _ = outgoing.send_data(Bytes::copy_from_slice(body), true);
        }
        let received = received.await.map_err(|error| Failure::of(&error))?;
        response.first_byte = self.clock.now();
        let incoming = read_head(received, request, self.clock.zero_unix(), response);
        read_body(incoming, request.keep_body, response)
            .await
            .map_err(|error| Failure::after_head(&error))?;
        response.done = self.clock.now();
        Ok(())
    }
}

impl<R: Resolve> Transport for Http2<R> {
    type UserConnections = UserConnections;

    fn connect_user(&self, _in_turn: usize) -> UserConnections {
        let is_shared = matches!(self.dialer.endpoints().reuse().scope, None | Some(ConnectionScope::Reuse));
        let own = self.replicas.iter().filter(|_| !is_shared);
        UserConnections(own.map(|_| Shared::default()).collect())
    }

    fn end_iteration(&self, connections: &mut UserConnections) {
        connections.0.fill_with(Shared::default);
    }

    async fn send(&self, own: &mut UserConnections, exchange: &mut Exchange) -> Result<(), SendError> {
        let sent = self.clock.now();
        (exchange.sent, exchange.connection, exchange.problem) = (sent, 0, None);
        let at = self.timeout.deadline(sent);
        let replica = exchange.request.replica;
        let scheme = match self.dialer.endpoints().replicas().get(replica) {
            Some(endpoint) => endpoint.target().scheme(),
            None => return Err(SendError::NotSent(NotSentReason::RenderFailed)),
        };
        let head =
            request(&exchange.request, scheme).ok_or(SendError::NotSent(NotSentReason::RenderFailed))?;
        let (mut attempts, mut refused) = (1, false);
        loop {
            let slot = timeout_at(at, self.slot(own, replica)).await;
            let slot = slot.unwrap_or(Err(NotSentReason::ConnectTimeout)).map_err(SendError::NotSent)?;
            exchange.connection = slot.connection_number();
            exchange.response.first_byte = Response::NOT_BEGUN;
            let written = self.clock.now();
            let outcome = {
                let mut exchanging = pin!(self.exchange(&slot, head.clone(), exchange));
                match timeout_at(at, exchanging.as_mut()).await {
                    Ok(done) => Some(done),
                    Err(_) => self.timeout.beyond(sent, exchanging).await,
                }
            };
            return match outcome {
                Some(Ok(())) => {
                    slot.respond(exchange.response.done);
                    exchange.queued = written - sent + busy::since(written, exchange.response.done);
                    Ok(())
                }
                // The server has not seen it, or declared that it had not processed it, so it goes out again.
                Some(Err(Failure::Unsent | Failure::LeftOut)) if attempts < MOST_ATTEMPTS => {
                    slot.retire();
                    attempts += 1;
                    continue;
                }
                // Whoever is refused at once again sends more than the server wants.
                Some(Err(Failure::Refused)) if !refused => {
                    refused = true;
                    continue;
                }
                Some(Err(Failure::Unsent)) => Err(SendError::NotSent(NotSentReason::ConnectFailed)),
                Some(Err(Failure::LeftOut | Failure::Refused)) => {
                    Err(SendError::NotSent(NotSentReason::StreamRejected))
                }
                Some(Err(Failure::Lost)) => {
                    let now = self.clock.now();
                    let lost = now - self.timeout.share(written, now);
                    let closed = slot.closed_idle(written, lost).filter(|_| !exchange.response.has_begun());
                    slot.retire();
                    Err(SendError::NoResponse(match closed {
                        Some(idle) => {
                            exchange.problem = Some(diagnosis::of_closed_idle(idle));
                            NoResponseReason::ClosedIdle
                        }
                        None => NoResponseReason::ConnectionLost,
                    }))
                }
                Some(Err(Failure::Reset)) => Err(SendError::NoResponse(NoResponseReason::ConnectionLost)),
                Some(Err(Failure::Malformed)) => Err(SendError::NoResponse(NoResponseReason::Malformed)),
                None => Err(SendError::NoResponse(NoResponseReason::Timeout)),
            };
        }
    }
}

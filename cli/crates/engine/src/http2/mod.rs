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
        resolve::{Resolve, System},
        stream::Stream,
    },
    exchange::{Exchange, SendError, Transport},
    self_monitor::response_timeout::ResponseTimeout,
};
use crate::{busy, clock::RunClock};
use saasbench_record::sample::{NoResponseReason, NotSentReason};

/// Sends requests by HTTP/2.
#[derive(Debug)]
pub struct Http2<R = System> {
    dialer: Rc<Dialer<R>>,
    replicas: Vec<Shared>,
    timeout: ResponseTimeout,
    clock: RunClock,
}

/// The connection to one replica that all users share.
#[derive(Debug, Default)]
struct Shared {
    current: RefCell<Option<Rc<Connection>>>,
    /// Held while a connection is being opened: other users wait for it.
    making: Mutex<()>,
}

impl Shared {
    fn usable(&self) -> Option<Rc<Connection>> {
        self.current.borrow().as_ref().filter(|connection| connection.is_usable()).cloned()
    }
}

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
    /// The server declared that it had not processed it.
    Rejected,
    /// The stream or the connection broke.
    Lost,
    /// What was received is not a response.
    Malformed,
}

impl Failure {
    /// The meaning of a failure before the response has started. By RFC 9113, 8.7, a rejected stream, and one
    /// with a number above that of a GOAWAY, were not processed in any way; only the latter is a remote
    /// GOAWAY error in `h2`.
    fn of(error: &h2::Error) -> Self {
        let rejected = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
        if error.is_remote() && (rejected || error.is_go_away()) {
            Self::Rejected
        } else if error.is_library() {
            Self::Malformed
        } else {
            Self::Lost
        }
    }

    /// The meaning once the response has started: the server has processed the request, whatever it declares.
    fn after_head(error: &h2::Error) -> Self {
        match Self::of(error) {
            Self::Rejected => Self::Lost,
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

    /// The connection to a replica; a new one if none is usable.
    async fn connection(&self, replica: usize) -> Result<Rc<Connection>, NotSentReason> {
        let shared = self.replicas.get(replica).ok_or(NotSentReason::RenderFailed)?;
        if let Some(connection) = shared.usable() {
            return Ok(connection);
        }
        let _making = shared.making.lock().await;
        // Another user may have opened one meanwhile.
        if let Some(connection) = shared.usable() {
            return Ok(connection);
        }
        let stream = self.dialer.dial(replica).await?;
        let opening = timeout(self.dialer.endpoints().connect_timeout(), Connection::open(stream)).await;
        let opened = opening.map_err(|_| NotSentReason::ConnectTimeout)?;
        let connection = opened.map_err(|_| NotSentReason::ConnectFailed)?;
        shared.current.replace(Some(Rc::clone(&connection)));
        Ok(connection)
    }

    /// Permission for a stream on a connection to a replica.
    async fn slot(&self, replica: usize) -> Result<Slot, NotSentReason> {
        loop {
            // A connection may end while one of its streams is waited for.
            if let Some(slot) = self.connection(replica).await?.slot().await {
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
    type UserConnections = ();

    fn connect_user(&self) {}

    async fn send(&self, (): &mut (), exchange: &mut Exchange) -> Result<(), SendError> {
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
        let mut again = true;
        loop {
            let slot = timeout_at(at, self.slot(replica)).await;
            let slot = slot.unwrap_or(Err(NotSentReason::ConnectTimeout)).map_err(SendError::NotSent)?;
            exchange.connection = slot.connection_number();
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
                    exchange.queued = written - sent + busy::since(written, exchange.response.done);
                    Ok(())
                }
                // Not a byte was sent, and the next attempt opens a new connection.
                Some(Err(Failure::Unsent)) if again => {
                    again = false;
                    continue;
                }
                Some(Err(Failure::Unsent)) => Err(SendError::NotSent(NotSentReason::ConnectFailed)),
                Some(Err(Failure::Rejected)) => Err(SendError::NotSent(NotSentReason::StreamRejected)),
                Some(Err(Failure::Lost)) => Err(SendError::NoResponse(NoResponseReason::ConnectionLost)),
                Some(Err(Failure::Malformed)) => Err(SendError::NoResponse(NoResponseReason::Malformed)),
                None => Err(SendError::NoResponse(NoResponseReason::Timeout)),
            };
        }
    }
}

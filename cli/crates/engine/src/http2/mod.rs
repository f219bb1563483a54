//! The transport of HTTP/2: the users of a worker share one connection to each replica.
//!
//! `h2` speaks the protocol; `message` turns requests and answers into what it understands, and `connection` keeps to the number
//! of streams that the server allows, so that a request that waits for one has not been sent yet.

mod connection;
mod message;
#[cfg(test)]
mod tests;

use std::{cell::RefCell, rc::Rc, time::Duration};

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
    exchange::{Exchange, NoAnswer, Transport},
};
use crate::clock::RunClock;
use saasbench_model::units::Nanos;
use saasbench_record::sample::{NoResponseReason, NotSentReason};

/// Sends requests by HTTP/2.
#[derive(Debug)]
pub struct Http2<R = System> {
    dialer: Rc<Dialer<R>>,
    replicas: Vec<Shared>,
    timeout: Nanos,
    clock: RunClock,
}

/// The connection to one replica that all users share.
#[derive(Debug, Default)]
struct Shared {
    current: RefCell<Option<Rc<Connection>>>,
    /// Held by who makes one: the others wait for it.
    making: Mutex<()>,
}

impl Shared {
    fn usable(&self) -> Option<Rc<Connection>> {
        self.current.borrow().as_ref().filter(|connection| connection.is_usable()).cloned()
    }
}

/// Whether the other side of a connection speaks HTTP/2: it answers a ping.
pub async fn is_spoken(stream: Stream) -> bool {
    let Ok((_handle, mut driver)) = h2::client::handshake(stream).await else { return false };
    let Some(mut pings) = driver.ping_pong() else { return false };
    tokio::select! {
        pong = pings.ping(h2::Ping::opaque()) => pong.is_ok(),
        _ = driver => false,
    }
}

/// Why an exchange came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// Not a byte has left.
    Unsent,
    /// The server said that it had not looked at it.
    Rejected,
    /// The stream or the connection broke.
    Lost,
    /// What came was no answer.
    Malformed,
}

impl Failure {
    /// What a failure means before the answer has begun. RFC 9113, 8.7: a rejected stream, and one with a number above that of a
    /// GOAWAY, were not processed in any way; `h2` calls only the latter away-going by the other side.
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

    /// What it means once the answer has begun: then the server has looked at it, whatever it says.
    fn after_head(error: &h2::Error) -> Self {
        match Self::of(error) {
            Self::Rejected => Self::Lost,
            other => other,
        }
    }
}

impl<R: Resolve> Http2<R> {
    /// Over connections of `dialer`; a request may take `timeout`, connecting included.
    pub fn new(dialer: Rc<Dialer<R>>, timeout: Duration, clock: RunClock) -> Self {
        let replicas = dialer.endpoints().replicas().iter().map(|_| Shared::default()).collect();
        Self { dialer, replicas, timeout: timeout.into(), clock }
    }

    /// The connection to a replica; a new one where there is none that can be used.
    async fn connection(&self, replica: usize) -> Result<Rc<Connection>, NotSentReason> {
        let shared = self.replicas.get(replica).ok_or(NotSentReason::RenderFailed)?;
        if let Some(connection) = shared.usable() {
            return Ok(connection);
        }
        let _making = shared.making.lock().await;
        // Somebody else may have made one meanwhile.
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

    /// Room for a stream on a connection to a replica.
    async fn slot(&self, replica: usize) -> Result<Slot, NotSentReason> {
        loop {
            // A connection may come to its end while a stream of it is waited for.
            if let Some(slot) = self.connection(replica).await?.slot().await {
                return Ok(slot);
            }
        }
    }

    /// Sends the request on a stream of its own and takes in the answer.
    async fn exchange(
        &self,
        slot: &Slot,
        head: http::Request<()>,
        exchange: &mut Exchange,
    ) -> Result<(), Failure> {
        let Exchange { request, answer, .. } = exchange;
        let body = request.bytes.get(request.body_at..).unwrap_or_default();
        let (response, mut outgoing) = slot.send(head, body.is_empty()).ok_or(Failure::Unsent)?;
        if !body.is_empty() {
            // A server that does not want it says so in its answer, or by a reset that the answer's future tells.
            let _ = outgoing.send_data(Bytes::copy_from_slice(body), true);
        }
        let response = response.await.map_err(|error| Failure::of(&error))?;
        answer.first_byte = self.clock.now();
        let incoming = read_head(response, request, self.clock.zero_unix(), answer);
        read_body(incoming, request.keep_body, answer).await.map_err(|error| Failure::after_head(&error))?;
        answer.done = self.clock.now();
        Ok(())
    }
}

impl<R: Resolve> Transport for Http2<R> {
    type Line = ();

    fn line(&self) {}

    async fn send(&self, (): &mut (), exchange: &mut Exchange) -> Result<(), NoAnswer> {
        exchange.sent = self.clock.now();
        let at = self.clock.instant(exchange.sent + self.timeout);
        let replica = exchange.request.replica;
        let scheme = match self.dialer.endpoints().replicas().get(replica) {
            Some(endpoint) => endpoint.target().scheme(),
            None => return Err(NoAnswer::NotSent(NotSentReason::RenderFailed)),
        };
        let head =
            request(&exchange.request, scheme).ok_or(NoAnswer::NotSent(NotSentReason::RenderFailed))?;
        let mut again = true;
        loop {
            let slot = timeout_at(at, self.slot(replica)).await;
            let slot = slot.unwrap_or(Err(NotSentReason::ConnectTimeout)).map_err(NoAnswer::NotSent)?;
            let outcome = timeout_at(at, self.exchange(&slot, head.clone(), exchange)).await;
            return match outcome {
                Ok(Ok(())) => Ok(()),
                // Not a byte has left, and the next attempt makes a new connection.
                Ok(Err(Failure::Unsent)) if again => {
                    again = false;
                    continue;
                }
                Ok(Err(Failure::Unsent)) => Err(NoAnswer::NotSent(NotSentReason::ConnectFailed)),
                Ok(Err(Failure::Rejected)) => Err(NoAnswer::NotSent(NotSentReason::StreamRejected)),
                Ok(Err(Failure::Lost)) => Err(NoAnswer::Unknown(NoResponseReason::ConnectionLost)),
                Ok(Err(Failure::Malformed)) => Err(NoAnswer::Unknown(NoResponseReason::Malformed)),
                Err(_) => Err(NoAnswer::Unknown(NoResponseReason::Timeout)),
            };
        }
    }
}

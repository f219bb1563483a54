//! The interface between loads and transports: a request is sent, and its response is returned, or the reason
//! why there is none.
//!
//! An [`Exchange`] holds the buffers of both and is reused, so that a request costs no allocation. Workers
//! keep them in a pool: a waiting user holds no buffers.

use std::{future::Future, sync::Arc};

use saasbench_model::units::Nanos;
use saasbench_record::sample::{LimiterHeaders, NoResponseReason, NotSentReason};

/// The longest body that is kept for checks, saves and canaries.
pub const BODY_KEPT: usize = 1 << 20;

/// Buffers of one request and its response, for reuse.
#[derive(Debug, Default)]
pub struct Exchange {
    /// The request.
    pub request: Request,
    /// When it was handed to its connection, connecting included: the service cannot have seen it earlier,
    /// and later delays are not the generator's lateness. Set by the transport.
    pub sent: Nanos,
    /// Number of the connection that it was last sent over, unique within the process; 0 if it was not sent.
    /// Set by the transport.
    pub connection: u32,
    /// The most that the generator itself may have added to the time from sent to the response: connecting,
    /// and other work before the response was read. Set by the transport with a response.
    pub queued: Nanos,
    /// What was wrong, in words, where a response that was begun is none. Set by the transport.
    pub problem: Option<String>,
    /// The response; undefined if there was none.
    pub response: Response,
    /// Scratch buffer for received bytes; empty between exchanges.
    pub input: Vec<u8>,
}

/// Capacity that an exchange keeps for bodies.
const CAPACITY_KEPT: usize = 64 << 10;

impl Exchange {
    /// Frees the memory of a large body.
    pub fn shrink(&mut self) {
        for buffer in [&mut self.response.body, &mut self.input] {
            if buffer.capacity() > CAPACITY_KEPT {
                buffer.clear();
                buffer.shrink_to(CAPACITY_KEPT);
            }
        }
    }
}

/// A rendered request.
#[derive(Debug, Default)]
pub struct Request {
    /// Index of the replica.
    pub replica: usize,
    /// Whether it must go over a new connection.
    pub on_new_connection: bool,
    /// The whole HTTP/1.1 message: request line, fields (including `host`, `content-length`, …), empty line,
    /// body.
    pub bytes: Vec<u8>,
    /// Where its body starts.
    pub body_at: usize,
    /// Whether it is a HEAD request, whose response has no body whatever its fields state.
    pub is_head: bool,
    /// Whether the response's fields are needed.
    pub keep_head: bool,
    /// Whether the response's body is needed; if not, it is read and discarded.
    pub keep_body: bool,
}

/// A complete response.
#[derive(Debug, Default)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// When its first byte arrived, on the run's clock.
    pub first_byte: Nanos,
    /// When its last byte arrived.
    pub done: Nanos,
    /// The limiter's fields.
    pub limiter: LimiterHeaders,
    /// The last `RateLimit-Policy` seen, in this response or an earlier one.
    pub policy_before: Option<Arc<str>>,
    /// `timeout` of `Keep-Alive`: how long the server keeps the connection while it is idle.
    pub kept_for: Option<Nanos>,
    /// `Retry-After` in either form, as the time after the arrival of the response's head.
    pub retry_after: Option<Nanos>,
    /// Length of its body, without transfer coding.
    pub body_bytes: u64,
    /// Its fields if requested: `name: value\r\n` each, names as received.
    pub head: Vec<u8>,
    /// Its body if requested, at most [`BODY_KEPT`] bytes.
    pub body: Vec<u8>,
}

impl Response {
    /// [`Self::first_byte`] of a response of which no byte has arrived: earlier than every instant of a run.
    pub const NOT_BEGUN: Nanos = Nanos(-1);

    /// Whether a byte of it arrived.
    pub fn has_begun(&self) -> bool {
        self.first_byte != Self::NOT_BEGUN
    }
}

/// Why there is no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    /// Nothing was sent: the service cannot have counted it.
    NotSent(NotSentReason),
    /// It was sent, or may have been.
    NoResponse(NoResponseReason),
}

/// Sends requests for the users of one worker. It never sends anything twice that may have been received
/// (whoever may do so learns of it by [`NoResponseReason::ClosedIdle`]), follows no redirect, and uses no proxy.
pub trait Transport: 'static {
    /// The connections that one user keeps between requests.
    type UserConnections: 'static;

    /// The connections of a new user: none yet. It will use `in_turn` of them to each replica.
    fn connect_user(&self, in_turn: usize) -> Self::UserConnections;

    /// Ends an iteration of a user: its connections are closed if each iteration has its own.
    fn end_iteration(&self, _connections: &mut Self::UserConnections) {}

    /// Sends `exchange.request` and waits for the whole response.
    fn send(
        &self,
        line: &mut Self::UserConnections,
        exchange: &mut Exchange,
    ) -> impl Future<Output = Result<(), SendError>>;
}

//! The interface between the load and its transports: one request is sent, and its response is returned, or
//! the reason why there is none.
//!
//! An [`Exchange`] holds the buffers of both and is reused, so that a request costs no allocation. Workers
//! keep them in a pool: a user that waits holds no buffers.

use std::{future::Future, sync::Arc};

use saasbench_model::units::Nanos;
use saasbench_record::sample::{LimiterHeaders, NoResponseReason, NotSentReason};

/// The longest body that is kept to be checked, to take values from, and to be searched for canaries.
pub const BODY_KEPT: usize = 1 << 20;

/// One request and its response: buffers that are reused.
#[derive(Debug, Default)]
pub struct Exchange {
    /// The request.
    pub request: Request,
    /// When it was taken up to be sent, connecting included: the service cannot have seen it earlier, and
    /// what comes after is not the generator's own lateness. Set by the transport.
    pub sent: Nanos,
    /// The response; meaningless when there was none.
    pub response: Response,
    /// Scratch for what is read; empty between exchanges.
    pub input: Vec<u8>,
}

/// Scratch that an exchange keeps for bodies.
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

/// A request, rendered.
#[derive(Debug, Default)]
pub struct Request {
    /// Index of the replica.
    pub replica: usize,
    /// The whole message as HTTP/1.1 has it: request line, fields (`host`, `content-length`, … included),
    /// empty line, body.
    pub bytes: Vec<u8>,
    /// Where the body begins in it.
    pub body_at: usize,
    /// Whether it is a HEAD request, whose response has no body whatever its fields say.
    pub is_head: bool,
    /// Whether the response's fields are needed.
    pub keep_head: bool,
    /// Whether the response's body is needed; if not, it is read and discarded.
    pub keep_body: bool,
}

/// A whole response.
#[derive(Debug, Default)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// When its first byte arrived, on the run's clock.
    pub first_byte: Nanos,
    /// When its last byte arrived.
    pub done: Nanos,
    /// The limiter's fields in it.
    pub limiter: LimiterHeaders,
    /// The `RateLimit-Policy` that was read last, in this response or in one before it.
    pub policy_before: Option<Arc<str>>,
    /// `Retry-After` in either form: the time after the arrival of the response's head.
    pub retry_after: Option<Nanos>,
    /// Length of its body, transfer coding taken off.
    pub body_bytes: u64,
    /// Its fields where they were requested: `name: value\r\n` each, names as they came.
    pub head: Vec<u8>,
    /// Its body where it was requested, at most [`BODY_KEPT`] bytes.
    pub body: Vec<u8>,
}

/// Why there is no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    /// Nothing was sent: the service cannot have counted it.
    NotSent(NotSentReason),
    /// It was sent, or may have been.
    NoResponse(NoResponseReason),
}

/// Sends requests, for the users of one worker. It never sends twice what may have left, follows no redirect,
/// and takes no proxy from the environment.
pub trait Transport: 'static {
    /// The connections that one user keeps between its requests.
    type UserConnections: 'static;

    /// The connections of a new user: none yet.
    fn connect_user(&self) -> Self::UserConnections;

    /// Sends `exchange.request` and waits for the whole response.
    fn send(
        &self,
        line: &mut Self::UserConnections,
        exchange: &mut Exchange,
    ) -> impl Future<Output = Result<(), SendError>>;
}

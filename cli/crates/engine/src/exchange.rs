//! The seam between the load and the wire: one request goes out, one answer or the lack of it comes back.
//!
//! An [`Exchange`] holds the buffers of both and is used again and again, so that a request costs no allocation. It belongs
//! to the worker while nobody needs it: users who pause hold no buffers.

use std::{future::Future, sync::Arc};

use saasbench_model::units::Nanos;
use saasbench_record::sample::{LimiterHeaders, NoResponseReason, NotSentReason};

/// The longest body that is kept to be checked, to take values from, and to be searched for canaries.
pub const BODY_KEPT: usize = 1 << 20;

/// One request and its answer: buffers that are used again and again.
#[derive(Debug, Default)]
pub struct Exchange {
    /// What goes out.
    pub request: Request,
    /// When it was taken up to be sent, connecting included: the service cannot have seen it earlier, and what comes after
    /// is not the generator's own lateness. Whoever sends sets it.
    pub sent: Nanos,
    /// What came back; of no meaning when there was no answer.
    pub answer: Answer,
    /// Room for what is read; empty between exchanges.
    pub input: Vec<u8>,
}

/// Room that an exchange keeps for bodies.
const ROOM_KEPT: usize = 64 << 10;

impl Exchange {
    /// Gives back the room that a great body took.
    pub fn shrink(&mut self) {
        for buffer in [&mut self.answer.body, &mut self.input] {
            if buffer.capacity() > ROOM_KEPT {
                buffer.clear();
                buffer.shrink_to(ROOM_KEPT);
            }
        }
    }
}

/// A request, rendered.
#[derive(Debug, Default)]
pub struct Request {
    /// Index of the replica.
    pub replica: usize,
    /// The whole message as HTTP/1.1 has it: request line, fields (`host`, `content-length`, … included), empty line, body.
    pub bytes: Vec<u8>,
    /// Where the body begins in it.
    pub body_at: usize,
    /// Whether it is a HEAD request, whose answer has no body whatever its fields say.
    pub is_head: bool,
    /// Whether the answer's fields are needed.
    pub keep_head: bool,
    /// Whether the answer's body is needed; if not, it is read and forgotten.
    pub keep_body: bool,
}

/// A whole answer.
#[derive(Debug, Default)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// When its first byte was here, on the run's clock.
    pub first_byte: Nanos,
    /// When its last byte was here.
    pub done: Nanos,
    /// What the limiter said in it.
    pub limiter: LimiterHeaders,
    /// The `RateLimit-Policy` that was read last, in this answer or in one before it.
    pub policy_before: Option<Arc<str>>,
    /// `Retry-After` in either form: how long after the head of the answer was here.
    pub retry_after: Option<Nanos>,
    /// Length of its body, transfer coding taken off.
    pub body_bytes: u64,
    /// Its fields where they were asked for: `name: value\r\n` each, names as they came.
    pub head: Vec<u8>,
    /// Its body where it was asked for, at most [`BODY_KEPT`] bytes.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// Nothing left: it cannot have counted.
    NotSent(NotSentReason),
    /// It was sent, or may have been.
    Unknown(NoResponseReason),
}

/// Sends requests, for the users of one worker. It never sends twice what may have left, follows no redirect, and takes no
/// proxy from the environment.
pub trait Transport: 'static {
    /// What one user keeps between its requests: its connections.
    type Line: 'static;

    /// The connections of a new user: none yet.
    fn line(&self) -> Self::Line;

    /// Sends `exchange.request` and waits for the whole answer.
    fn send(
        &self,
        line: &mut Self::Line,
        exchange: &mut Exchange,
    ) -> impl Future<Output = Result<(), NoAnswer>>;
}

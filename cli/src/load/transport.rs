//! The seam between the load and the wire: one request goes out, one answer or the lack of it comes back.
//!
//! [`super::http::Http`] sends for real; the engine's tests put a service of their own behind it, under a paused clock.

use std::future::Future;

use bytes::Bytes;

use crate::{
    record::sample::{LimiterHeaders, Obstacle, Silence},
    units::Nanos,
};

/// A request, rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Index of the replica.
    pub replica: usize,
    /// Upper-case method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Names (lower case) and values.
    pub headers: Vec<(String, String)>,
    /// The body, if any.
    pub body: Option<String>,
    /// Whether the answer's body is needed; if not, it is read and forgotten.
    pub keep_body: bool,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// When its head was here, on the run's clock.
    pub first_byte: Nanos,
    /// What the limiter said in it.
    pub limiter: LimiterHeaders,
    /// `Retry-After` in either form: how long after the head of the answer was here.
    pub retry_after: Option<Nanos>,
    /// Length of its body.
    pub body_bytes: u64,
    /// Its body where it was asked for, at most [`BODY_KEPT`] bytes.
    pub body: Bytes,
}

/// The longest body that is kept to take values from, and to be searched for canaries.
pub const BODY_KEPT: usize = 1 << 20;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// Nothing left: it cannot have counted.
    NotSent(Obstacle),
    /// It was sent, or may have been.
    Unknown(Silence),
}

/// Sends requests. It never retries what was sent, follows no redirect, and takes no proxy from the environment.
pub trait Transport: Send + Sync + 'static {
    /// Sends one request and waits for the whole answer.
    fn send(&self, request: Request) -> impl Future<Output = Result<Answer, NoAnswer>> + Send;
}

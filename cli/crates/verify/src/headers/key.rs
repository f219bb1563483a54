//! The history of one key with the headers of its responses, indexed for the tests.

use saasbench_limiter::{Decision, Request};

/// Marks a number that was not stated; greater than any plausible one.
const NOTHING: u32 = u32::MAX;

/// What one response stated about the limit; only what the tests need, in 24 bytes, because a run can have
/// millions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct HeaderValue {
    /// Number of the sample.
    pub(super) id: u64,
    remaining: u32,
    retry_after: u32,
    /// NaN if not stated.
    reset: f64,
}

impl HeaderValue {
    /// What the response of sample `id` stated.
    pub(super) fn new(id: u64, remaining: Option<u32>, retry_after: Option<u32>, reset: Option<f64>) -> Self {
        Self {
            id,
            remaining: remaining.unwrap_or(NOTHING),
            retry_after: retry_after.unwrap_or(NOTHING),
            reset: reset.unwrap_or(f64::NAN),
        }
    }

    /// Requests that would still be admitted.
    pub(super) fn remaining(&self) -> Option<u32> {
        (self.remaining != NOTHING).then_some(self.remaining)
    }

    /// Seconds until a request will be admitted.
    pub(super) fn retry_after(&self) -> Option<u32> {
        (self.retry_after != NOTHING).then_some(self.retry_after)
    }

    /// When the window ends, in seconds since the epoch.
    pub(super) fn reset(&self) -> Option<f64> {
        (!self.reset.is_nan()).then_some(self.reset)
    }
}

#[derive(Debug)]
pub(super) struct Key<'a> {
    /// Sorted by `sent`.
    pub(super) requests: Vec<Request>,
    /// Sorted by id.
    said: &'a [HeaderValue],
    /// `sent` of all requests that may have been admitted, sorted.
    possible_sent: Vec<i64>,
    /// `done` of the same requests, sorted.
    possible_done: Vec<i64>,
}

impl<'a> Key<'a> {
    /// From a key's requests in any order, and what their responses stated, sorted by id.
    pub(super) fn new(requests: &[Request], said: &'a [HeaderValue]) -> Self {
        let mut requests = requests.to_vec();
        requests.sort_by_key(|request| (request.sent, request.id));
        let possible = || requests.iter().filter(|request| request.decision != Decision::Rejected);
        let mut possible_done: Vec<i64> = possible().map(|request| request.done.0).collect();
        possible_done.sort_unstable();
        let possible_sent = possible().map(|request| request.sent.0).collect();
        Self { requests, said, possible_sent, possible_done }
    }

    /// What the response to a request stated, if anything.
    pub(super) fn said(&self, request: &Request) -> Option<&'a HeaderValue> {
        let at = self.said.binary_search_by_key(&request.id, |said| said.id).ok()?;
        self.said.get(at)
    }

    /// Requests with this decision, sorted by `sent`.
    pub(super) fn decided(&self, decision: Decision) -> impl Iterator<Item = &Request> {
        self.requests.iter().filter(move |request| request.decision == decision)
    }

    /// How many requests may have been admitted at some instant of `[from, to]`.
    pub(super) fn possible_in(&self, from: i64, to: i64) -> u64 {
        let started = self.possible_sent.partition_point(|sent| *sent <= to);
        let over = self.possible_done.partition_point(|done| *done < from);
        started.saturating_sub(over) as u64
    }

    /// Whether no other request may have been admitted while this admission was in flight: then all requests
    /// sent before it were decided before it.
    pub(super) fn is_quiet(&self, admission: &Request) -> bool {
        self.possible_in(admission.sent.0, admission.done.0) == 1
    }
}

//! Judges whether a history of requests can have come from the rate limiter that was promised.
//!
//! One call, [`judge`], takes the history of one key (tenant × route × limit), the promise, and what may be
//! assumed about the environment; the result names violations with the requests that prove them. A request's
//! decision instant is unknown but lies in `[sent, done]`: a violation is reported only if no conforming
//! limiter could have produced the history, and a rejection is called wrong only if no conforming limiter could
//! have given it.
//!
//! Inside: each algorithm has its own judge over one index of the `history`; `spans` has the rules that need
//! no state; [`certificate`] reduces a proof to the requests that it needs; [`diagnose`] names the known failure
//! mode that explains all keys of a limit. The tests compare the judges with simulated limiters (`simulate`)
//! and with exhaustive search (`brute_force`).
//!
//! Related crates: `saasbench-model` for units and algorithms; `saasbench-verify` builds the histories from a
//! recorded run.
//!
#![doc = include_str!("../README.md")]

pub mod aligned_window;
pub mod certificate;
pub mod diagnose;
pub mod fixed_window;
mod grid;
mod history;
pub mod sensitivity;
pub mod sliding_counter;
pub mod sliding_log;
mod spans;
pub mod token_bucket;

#[cfg(test)]
mod brute_force;
#[cfg(any(test, feature = "testing"))]
pub mod simulate;
#[cfg(test)]
mod tests;

pub use saasbench_model::units::Tolerance;
use saasbench_model::{
    scenario::{Algorithm, Anchor},
    units::{Nanos, Quota},
};

/// Judges the history of one key, sorted by `sent`, by the rules of the promised algorithm.
pub fn judge(requests: &[Request], promise: Promise, context: &HistoryContext) -> Judgement {
    let Promise { quota, algorithm } = promise;
    match algorithm {
        Algorithm::FixedWindow => fixed_window::judge(requests, quota, context),
        Algorithm::SlidingLog => sliding_log::judge(requests, quota, context),
        Algorithm::AlignedWindow => aligned_window::judge(requests, quota, context),
        Algorithm::SlidingCounter { anchor, estimate } => {
            sliding_counter::judge(requests, quota, anchor, estimate, context)
        }
        Algorithm::TokenBucket { burst, refill } => {
            token_bucket::judge(requests, quota, burst, refill, context)
        }
    }
}

/// Whether there are provably too many admissions, by the admissions alone.
fn over_admits(requests: &[Request], promise: Promise, context: &HistoryContext) -> bool {
    let Promise { quota, algorithm } = promise;
    let weight = match algorithm {
        Algorithm::AlignedWindow => Some((Anchor::Epoch, grid::Weight::Nothing)),
        Algorithm::SlidingCounter { anchor, estimate } => Some((anchor, estimate.into())),
        _ => None,
    };
    if let Some((anchor, weight)) = weight {
        return grid::over_admits(requests, quota, anchor, weight, context);
    }
    let other_limits = match context.other_limits {
        OtherLimits::None => OtherLimits::Atomic,
        others => others,
    };
    let context = HistoryContext { other_limits, ..context.clone() };
    !judge(requests, promise, &context).violations.is_empty()
}

/// What was promised for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promise {
    /// How many requests in which window.
    pub quota: Quota,
    /// How they are counted.
    pub algorithm: Algorithm,
}

impl Promise {
    /// How many requests are admitted at once for a key that was never used.
    pub fn room(&self) -> u64 {
        match self.algorithm {
            Algorithm::TokenBucket { burst: Some(burst), .. } => burst,
            _ => self.quota.limit,
        }
    }
}

/// What the limiter did with a request, as far as its response shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Admitted for certain.
    Admitted,
    /// Rejected for certain.
    Rejected,
    /// Admitted, rejected, or never decided: no response, or one that is neither.
    Unknown,
}

/// A request as the limiter's judge sees it: 32 bytes, because a run can have millions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Number of the sample in the recorded run.
    pub id: u64,
    /// The decision was not before this instant.
    pub sent: Nanos,
    /// The decision was not after this instant (for an unanswered request: sent + the service's declared
    /// timeout).
    pub done: Nanos,
    /// What the response shows.
    pub decision: Decision,
    /// Index of the replica that it was sent to.
    pub replica: u16,
    /// Number of the connection that it was sent over, unique within the run; 0 if it is not known. All
    /// requests of a connection are decided by one process.
    pub connection: u32,
}

/// What may be assumed about the environment of a history.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryContext {
    /// No other client uses the key. If not, a rejection can never be proven wrong.
    pub exclusive: bool,
    /// The key's state was empty at the start. If not, anything may have happened in the window before
    /// `since`.
    pub fresh: bool,
    /// Start of the history: none of our requests was sent before. In an exclusive environment, nothing that
    /// others sent earlier (another run, aborted) was decided later.
    pub since: Nanos,
    /// The history is complete for decisions before this instant (`Nanos::MAX` unless the run was cut off);
    /// later rejections cannot be proven wrong.
    pub complete_until: Nanos,
    /// Spans `[from, to]` within which the limiter's store lost its state, once or more, or may have (an
    /// observed restart).
    pub memory_losses: Vec<(Nanos, Nanos)>,
    /// How far the client's and the limiter's clocks may drift apart.
    pub tolerance: Tolerance,
    /// One tick of the limiter's clock.
    pub resolution: Nanos,
    /// The run's zero, since the Unix epoch by the client's clock; aligned windows start relative to it, up
    /// to the tolerance's offset.
    pub unix_zero: Nanos,
    /// Whether the route has other limits, too.
    pub other_limits: OtherLimits,
}

/// The other limits of a route: each may have given a rejection, which then says nothing about this limit's
/// state. Whether this limit can have given it is reported in [`Judgement::wrong_rejections`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherLimits {
    /// There are none: every rejection is this limit's.
    None,
    /// A request that another limit rejects consumes nothing of this one.
    Atomic,
    /// A request that another limit rejects may have consumed quota of this one: it was asked before.
    Chained,
}

impl HistoryContext {
    /// Whether a rejection may be another limit's.
    pub(crate) fn has_other_limits(&self) -> bool {
        self.other_limits != OtherLimits::None
    }

    /// Whether a request with this response may have consumed quota of this limit.
    pub(crate) fn may_consume(&self, decision: Decision) -> bool {
        decision != Decision::Rejected || self.is_chained()
    }

    /// Whether rejections count among the requests that may have consumed quota. A rejection that is judged
    /// by itself is one of those, too, and has to be left out of its own count.
    pub(crate) fn is_chained(&self) -> bool {
        self.other_limits == OtherLimits::Chained
    }
}

/// The outcome of judging a history.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// Certain admissions.
    pub admitted: u64,
    /// Certain rejections.
    pub rejected: u64,
    /// All other requests.
    pub unknown: u64,
    /// Proven violations, the first of each kind; empty if none is proven.
    pub violations: Vec<Violation>,
    /// Under [`HistoryContext::other_limits`]: ids of the rejections that this limit cannot have given, each
    /// proven independently of other rejections; in the order of the history. They are not violations of this
    /// limit (a rejection is wrong only if no limit can have given it). Otherwise empty.
    pub wrong_rejections: Vec<u64>,
    /// Numbers of rejections that could not be judged, and why.
    pub unjudged_rejections: Vec<(u64, Unjudged)>,
    /// Under [`HistoryContext::other_limits`]: ids of those rejections, in the order of the history, for which
    /// this limit excuses the others. Otherwise empty.
    pub unjudged: Vec<u64>,
}

/// Why rejections could not be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unjudged {
    /// Others may use the key.
    NotExclusive,
    /// What happened in the window before the run is unknown.
    UnknownStart,
    /// The run was cut off: requests near its end are not in the record.
    CutOff,
    /// The clocks may differ by so much that nothing can be proven about windows of this length.
    Tolerance,
}

/// A proven violation and the requests that prove it.
#[derive(Debug, Clone, PartialEq)]
pub enum Violation {
    /// More admissions than any conforming limiter could have granted.
    OverAdmission {
        /// What was promised.
        quota: Quota,
        /// The earliest `sent` of `requests`.
        from: Nanos,
        /// The latest `done` of `requests`.
        to: Nanos,
        /// How many of `requests` a conforming limiter could have admitted at most.
        allowed: u64,
        /// The certain admissions, more than `allowed`; sorted by `sent`.
        requests: Vec<Request>,
        /// Other responses that the proof depends on, because they determine the limiter's state; sorted by
        /// `sent`. Completed by [`certificate::completed`]; empty where `requests` suffice.
        given: Vec<Request>,
        /// One sentence: why no conforming limiter could have granted them.
        because: String,
    },
    /// A rejection that no conforming limiter could have given.
    WrongRejection {
        /// What was promised.
        quota: Quota,
        /// The rejected request.
        request: Request,
        /// Admissions that can have counted against it at most (fewer than the limit).
        counted: u64,
        /// How many rejections of the history are proven wrong, including this one. There may be more:
        /// proving later ones may need the evidence of earlier ones.
        of: u64,
        /// The requests that may have been admitted and may have counted against it, sorted by `sent`: at
        /// most `counted` of them at any one instant.
        against: Vec<Request>,
        /// As in [`Self::OverAdmission`].
        given: Vec<Request>,
        /// One sentence: why no conforming limiter could have rejected it.
        because: String,
    },
}

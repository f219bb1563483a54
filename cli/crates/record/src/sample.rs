//! One request as it happened.

use std::sync::Arc;

use saasbench_model::{
    scenario::{StepIndex, TenantIndex},
    units::Nanos,
};

/// One request as it happened. All instants are on the run's clock.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// When it was due: its arrival, or the instant its user was ready.
    pub intended: Nanos,
    /// When it was taken up to be sent, connecting included; the service cannot have seen it earlier.
    pub sent: Nanos,
    /// When the head of the answer was here; `None` without an answer.
    pub first_byte: Option<Nanos>,
    /// When its outcome was known.
    pub done: Nanos,
    /// The user's tenant.
    pub tenant: TenantIndex,
    /// The step it belongs to (which names journey and route).
    pub step: StepIndex,
    /// Index of the load in the scenario.
    pub load: usize,
    /// Number of the user within its load, from 1.
    pub user: u64,
    /// Number of the request among its user's, from 1; 0 for a dropped arrival. Load, user and this name a sample for good,
    /// wherever in the record it comes to stand.
    pub request: u64,
    /// Number of the iteration within its load, from 1; 0 for start steps.
    pub iteration: u64,
    /// Index of the replica that it was sent to.
    pub replica: usize,
    /// What came of it.
    pub outcome: Outcome,
    /// Body bytes of the request.
    pub bytes_out: u64,
    /// Body bytes of the answer.
    pub bytes_in: u64,
    /// What was wrong with the answer, if anything.
    pub failed_check: Option<String>,
    /// What the limiter said in the answer's headers.
    pub limiter: LimiterHeaders,
    /// The `request` of the same load and user that this one repeats, because that was rejected for the time being.
    pub retry_of: Option<u64>,
    /// Whose canary came back with the answer: another tenant's before the one's own.
    pub canary: Option<TenantIndex>,
}

impl Sample {
    /// Latency from the intended instant.
    pub fn latency_intended(&self) -> Nanos {
        self.done - self.intended
    }

    /// Latency from the instant of sending.
    pub fn latency_sent(&self) -> Nanos {
        self.done - self.sent
    }

    /// Whether it counts as an error: not answered, or not as its step expects.
    pub fn is_error(&self) -> bool {
        self.failed_check.is_some() || !matches!(self.outcome, Outcome::Status(_))
    }
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Answered with this status.
    Status(u16),
    /// Sent, and no whole answer came: it may or may not have counted.
    Unknown(NoResponseReason),
    /// Rejected before a byte left: it cannot have counted.
    NotSent(NotSentReason),
    /// The generator could not send it in time.
    Dropped,
}

/// Why there was no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoResponseReason {
    /// None within the scenario's `timeout`.
    Timeout,
    /// The connection broke.
    ConnectionLost,
    /// What came is no answer that HTTP knows.
    Malformed,
}

/// Why a request was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotSentReason {
    /// No connection could be made.
    ConnectFailed,
    /// No connection was there within the scenario's `timeout`.
    ConnectTimeout,
    /// This machine had no port or file descriptor left for a connection.
    Exhausted,
    /// HTTP/2: it was rejected before the server looked at it (`REFUSED_STREAM`, or a `GOAWAY` that leaves it out).
    StreamRejected,
    /// It could not be built: a saved value does not fit where the template puts it.
    RenderFailed,
}

impl Outcome {
    /// The words for it in files: kind, status, cause.
    pub fn to_words(self) -> (&'static str, Option<u16>, Option<&'static str>) {
        match self {
            Self::Status(status) => ("answered", Some(status), None),
            Self::Unknown(silence) => (
                "unknown",
                None,
                Some(match silence {
                    NoResponseReason::Timeout => "timeout",
                    NoResponseReason::ConnectionLost => "connection-lost",
                    NoResponseReason::Malformed => "malformed",
                }),
            ),
            Self::NotSent(obstacle) => (
                "not-sent",
                None,
                Some(match obstacle {
                    NotSentReason::ConnectFailed => "connect-failed",
                    NotSentReason::ConnectTimeout => "connect-timeout",
                    NotSentReason::Exhausted => "exhausted",
                    NotSentReason::StreamRejected => "stream-rejected",
                    NotSentReason::RenderFailed => "unbuildable",
                }),
            ),
            Self::Dropped => ("dropped", None, None),
        }
    }

    /// The inverse of [`Self::to_words`]; `None` for words that it never writes.
    pub fn from_words(kind: &str, status: Option<u16>, cause: Option<&str>) -> Option<Self> {
        let reads = |outcome: &Self| {
            let (its_kind, _, its_cause) = outcome.to_words();
            its_kind == kind && (its_cause.is_none() || its_cause == cause)
        };
        match Self::KINDS.into_iter().find(reads)? {
            Self::Status(_) => status.map(Self::Status),
            other => Some(other),
        }
    }

    /// One outcome of each kind, at its [`Self::kind`].
    pub(super) const KINDS: [Self; 10] = [
        Self::Status(0),
        Self::Unknown(NoResponseReason::Timeout),
        Self::Unknown(NoResponseReason::ConnectionLost),
        Self::Unknown(NoResponseReason::Malformed),
        Self::NotSent(NotSentReason::ConnectFailed),
        Self::NotSent(NotSentReason::ConnectTimeout),
        Self::NotSent(NotSentReason::Exhausted),
        Self::NotSent(NotSentReason::StreamRejected),
        Self::NotSent(NotSentReason::RenderFailed),
        Self::Dropped,
    ];

    /// The number of its kind: statuses are all of one kind.
    pub(super) fn kind(self) -> u32 {
        match self {
            Self::Status(_) => 0,
            Self::Unknown(NoResponseReason::Timeout) => 1,
            Self::Unknown(NoResponseReason::ConnectionLost) => 2,
            Self::Unknown(NoResponseReason::Malformed) => 3,
            Self::NotSent(NotSentReason::ConnectFailed) => 4,
            Self::NotSent(NotSentReason::ConnectTimeout) => 5,
            Self::NotSent(NotSentReason::Exhausted) => 6,
            Self::NotSent(NotSentReason::StreamRejected) => 7,
            Self::NotSent(NotSentReason::RenderFailed) => 8,
            Self::Dropped => 9,
        }
    }
}

/// Limiter headers of an answer, as far as they could be read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LimiterHeaders {
    /// `X-RateLimit-Limit`.
    pub limit: Option<u64>,
    /// `X-RateLimit-Remaining`.
    pub remaining: Option<u64>,
    /// `X-RateLimit-Reset`: seconds since the epoch.
    pub reset: Option<f64>,
    /// `Retry-After`, where it is a number of seconds.
    pub retry_after: Option<u64>,
    /// `RateLimit-Policy` as it came.
    pub policy: Option<Arc<str>>,
    /// `RateLimit` as it came.
    pub state: Option<Arc<str>>,
}

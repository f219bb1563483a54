//! The record of one request.

use std::sync::Arc;

use saasbench_model::{
    scenario::{StepIndex, TenantIndex},
    units::Nanos,
};

/// The record of one request. All instants are on the run's clock.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// When it was due: its arrival, or the instant its user was ready.
    pub intended: Nanos,
    /// When it was handed to its connection, connecting included; the service cannot have seen it earlier.
    pub sent: Nanos,
    /// When the head of the response had arrived; `None` without a response.
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
    /// Number of the request among its user's, from 1; 0 for a dropped arrival. Load, user and request
    /// identify a sample wherever in the record it is stored.
    pub request: u64,
    /// Number of the iteration within its load, from 1; 0 for start steps.
    pub iteration: u64,
    /// Index of the replica that it was sent to.
    pub replica: usize,
    /// Number of the connection that it was last sent over, unique within the run; 0 if it was not sent, or if
    /// the record does not say.
    pub connection: u32,
    /// The most that the generator itself may have added to the latency from sent: connecting, and other work
    /// before the response was read. Zero without a response, or if the record does not say.
    pub queued: Nanos,
    /// How it ended.
    pub outcome: RequestOutcome,
    /// Size of the request body in bytes.
    pub bytes_out: u64,
    /// Size of the response body in bytes.
    pub bytes_in: u64,
    /// What was wrong with the response, if anything.
    pub failed_check: Option<String>,
    /// The limiter's headers in the response.
    pub limiter: LimiterHeaders,
    /// The `request` of the same load and user that this one repeats, because that one was rejected, or was
    /// sent on a connection that the server was closing ([`NoResponseReason::Resent`]).
    pub retry_of: Option<u64>,
    /// Whose canary the response contained; another tenant's takes precedence over the user's own.
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

    /// Whether it counts as an error: no response, or not as its step expects. A connection that was closed
    /// while it was idle is none, nor is a response that nobody waited for.
    pub fn is_error(&self) -> bool {
        match self.outcome {
            RequestOutcome::Status(_) => self.failed_check.is_some(),
            outcome => !outcome.tells_nothing(),
        }
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestOutcome {
    /// A response with this status.
    Status(u16),
    /// Sent, but no complete response arrived: it may or may not have counted.
    NoResponse(NoResponseReason),
    /// Failed before a byte was sent: it cannot have counted.
    NotSent(NotSentReason),
    /// An arrival that found no idle user; never sent.
    Dropped,
}

/// Why there was no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoResponseReason {
    /// No response within the scenario's `timeout`.
    Timeout,
    /// The connection broke.
    ConnectionLost,
    /// The response is not valid HTTP.
    Malformed,
    /// The server closed a connection that had lain idle just when the request was sent on it, as it may at any
    /// time (RFC 9112, section 9.5): no failure by itself.
    ClosedIdle,
    /// The same, and as the request is idempotent, it was sent once more on a new connection. That sending is a
    /// sample of its own, so for every judge there is one request of unknown effect more.
    Resent,
    /// The run was interrupted, and nobody waited for the response any longer: no failure.
    GivenUp,
}

/// Why a request was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotSentReason {
    /// No connection could be made.
    ConnectFailed,
    /// No connection was available within the scenario's `timeout`.
    ConnectTimeout,
    /// This machine had no port or file descriptor left for a connection.
    Exhausted,
    /// HTTP/2: rejected before the server processed it (`REFUSED_STREAM`, or a `GOAWAY` that excludes it).
    StreamRejected,
    /// It could not be rendered: a saved value does not fit where the template puts it.
    RenderFailed,
}

impl RequestOutcome {
    /// Whether it shows neither that the service responded nor that it failed: the connection was being closed, or
    /// nobody waited.
    pub fn tells_nothing(self) -> bool {
        use NoResponseReason::{ClosedIdle, GivenUp, Resent};
        matches!(self, Self::NoResponse(ClosedIdle | Resent | GivenUp))
    }

    /// Its representation in files: kind, status, cause.
    pub fn to_words(self) -> (&'static str, Option<u16>, Option<&'static str>) {
        match self {
            Self::Status(status) => ("answered", Some(status), None),
            Self::NoResponse(silence) => (
                "unknown",
                None,
                Some(match silence {
                    NoResponseReason::Timeout => "timeout",
                    NoResponseReason::ConnectionLost => "connection-lost",
                    NoResponseReason::Malformed => "malformed",
                    NoResponseReason::ClosedIdle => "connection-closed-idle",
                    NoResponseReason::Resent => "resent",
                    NoResponseReason::GivenUp => "given-up",
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
                    NotSentReason::RenderFailed => "render-failed",
                }),
            ),
            Self::Dropped => ("dropped", None, None),
        }
    }

    /// The inverse of [`Self::to_words`]; `None` for anything that it never writes.
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

    /// One outcome of each kind, at the index [`Self::kind`].
    pub(super) const KINDS: [Self; 13] = [
        Self::Status(0),
        Self::NoResponse(NoResponseReason::Timeout),
        Self::NoResponse(NoResponseReason::ConnectionLost),
        Self::NoResponse(NoResponseReason::Malformed),
        Self::NotSent(NotSentReason::ConnectFailed),
        Self::NotSent(NotSentReason::ConnectTimeout),
        Self::NotSent(NotSentReason::Exhausted),
        Self::NotSent(NotSentReason::StreamRejected),
        Self::NotSent(NotSentReason::RenderFailed),
        Self::Dropped,
        Self::NoResponse(NoResponseReason::ClosedIdle),
        Self::NoResponse(NoResponseReason::Resent),
        Self::NoResponse(NoResponseReason::GivenUp),
    ];

    /// Number of its kind; all statuses are one kind.
    pub(super) fn kind(self) -> u32 {
        match self {
            Self::Status(_) => 0,
            Self::NoResponse(NoResponseReason::Timeout) => 1,
            Self::NoResponse(NoResponseReason::ConnectionLost) => 2,
            Self::NoResponse(NoResponseReason::Malformed) => 3,
            Self::NotSent(NotSentReason::ConnectFailed) => 4,
            Self::NotSent(NotSentReason::ConnectTimeout) => 5,
            Self::NotSent(NotSentReason::Exhausted) => 6,
            Self::NotSent(NotSentReason::StreamRejected) => 7,
            Self::NotSent(NotSentReason::RenderFailed) => 8,
            Self::Dropped => 9,
            Self::NoResponse(NoResponseReason::ClosedIdle) => 10,
            Self::NoResponse(NoResponseReason::Resent) => 11,
            Self::NoResponse(NoResponseReason::GivenUp) => 12,
        }
    }
}

/// Limiter headers of a response, as far as they could be parsed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LimiterHeaders {
    /// `X-RateLimit-Limit`.
    pub limit: Option<u64>,
    /// `X-RateLimit-Remaining`.
    pub remaining: Option<u64>,
    /// `X-RateLimit-Reset`: seconds since the epoch.
    pub reset: Option<f64>,
    /// `Retry-After`, if it is a number of seconds.
    pub retry_after: Option<u64>,
    /// `RateLimit-Policy`, unparsed.
    pub policy: Option<Arc<str>>,
    /// `RateLimit`, unparsed.
    pub state: Option<Arc<str>>,
    /// Those that could not be read, as `name: value`, one a line, and a `Retry-After` that is a date.
    pub unread: Option<Arc<str>>,
}

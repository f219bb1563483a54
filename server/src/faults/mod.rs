//! Faults: deliberate defects, each switched on by name. With one the service breaks one of its promises as a
//! real bug would, and a verifier has to detect it. [`CATALOGUE`] lists them, `parse` parses their names and
//! values, and a `FaultInjector` carries them out in one replica. A conforming replica has no injector.

mod catalogue;
mod config_faults;
mod exposition;
mod injector;
mod limiter;
mod metrics;
mod parse;
mod state;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use catalogue::{CATALOGUE, FaultInfo};
pub(crate) use injector::FaultInjector;
pub use parse::FaultError;
use state::ProcessState;

/// One fault with its parameter; [`CATALOGUE`] states what each does. Parsed from `NAME[=VALUE]`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// `limit-per-replica`.
    LimitPerReplica,
    /// `limit-off-by-one`.
    LimitOffByOne {
        /// Added to the quota; may be negative.
        more: i32,
    },
    /// `limit-short-window`.
    LimitShortWindow {
        /// Of the window; above 1 it becomes longer.
        factor: f64,
    },
    /// `limit-race`.
    LimitRace {
        /// Between checking and counting.
        delay: Duration,
    },
    /// `limit-false-rejection`.
    LimitFalseRejection {
        /// Every N-th chat that should be admitted; at least 1.
        every: u32,
    },
    /// `limit-shared-key`.
    LimitSharedKey,
    /// `limit-no-expiry`.
    LimitNoExpiry,
    /// `limit-fail-open`.
    LimitFailOpen {
        /// Start, since the process's first chat.
        from: Duration,
        /// End, since the process's first chat.
        to: Duration,
    },
    /// `limit-skewed-clock`.
    LimitSkewedClock {
        /// Between each replica and the one before.
        skew: Skew,
    },
    /// `limit-counts-rejections`.
    LimitCountsRejections,
    /// `retry-after-early`.
    RetryAfterEarly {
        /// Of the wait that is needed; between 0 and 1.
        factor: f64,
    },
    /// `remaining-too-high`.
    RemainingTooHigh,
    /// `session-crosses-tenants`.
    SessionCrossesTenants,
    /// `reply-leaks`.
    ReplyLeaks {
        /// Every N-th chat; at least 1.
        every: u32,
    },
    /// `noisy-neighbour`.
    NoisyNeighbour {
        /// How long each chat holds the lock.
        pause: Duration,
    },
    /// `count-lost`.
    CountLost {
        /// Every N-th request of a replica; at least 1.
        every: u32,
    },
    /// `count-double`.
    CountDouble {
        /// Every N-th request of a replica; at least 1.
        every: u32,
    },
    /// `status-mislabelled`.
    StatusMislabelled,
    /// `tenant-mislabelled`.
    TenantMislabelled {
        /// Every N-th request of that tenant at a replica; at least 1.
        every: u32,
    },
    /// `handler-raw-path`.
    HandlerRawPath,
    /// `duration-in-ms`.
    DurationInMs,
    /// `duration-excludes-wait`.
    DurationExcludesWait {
        /// Before the clock starts.
        wait: Duration,
    },
    /// `bucket-not-cumulative`.
    BucketNotCumulative,
    /// `inf-mismatch`.
    InfMismatch,
    /// `sum-wrong`.
    SumWrong,
    /// `gauge-stuck`.
    GaugeStuck {
        /// Every N-th request of a replica; at least 1.
        every: u32,
    },
    /// `counter-reset`.
    CounterReset {
        /// Since the replica's first request of a tenant.
        after: Duration,
    },
    /// `metrics-stale`.
    MetricsStale {
        /// For how long an exposition is cached.
        age: Duration,
    },
    /// `metrics-truncated`.
    MetricsTruncated {
        /// The part of the exposition that is left; between 0 and 1.
        factor: f64,
    },
    /// `scrape-slow`.
    ScrapeSlow {
        /// How long an exposition takes.
        delay: Duration,
    },
    /// `redis-keys-leak`.
    RedisKeysLeak,
}

/// By how much a clock is ahead of another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Skew {
    /// A fixed time.
    By(Duration),
    /// A part of the tenant's shortest window.
    OfWindow(f64),
}

/// A set of faults, at most one of each name; empty by default. Clones share the state of the faults (a lock,
/// the last replies), as the replicas of one process do.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    list: Vec<Fault>,
    process: Arc<ProcessState>,
}

impl Faults {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The faults, in the order they were given.
    pub fn iter(&self) -> impl Iterator<Item = Fault> {
        self.list.iter().copied()
    }
}

/// Of two faults of one name the later counts.
impl FromIterator<Fault> for Faults {
    fn from_iter<I: IntoIterator<Item = Fault>>(faults: I) -> Self {
        let mut list: Vec<Fault> = Vec::new();
        for fault in faults {
            list.retain(|other| other.name() != fault.name());
            list.push(fault);
        }
        Self { list, process: Arc::default() }
    }
}

/// Compares the faults, not their state.
impl PartialEq for Faults {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

/// `limit-race=5ms, remaining-too-high`, which [`FromStr`](std::str::FromStr) parses.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.list.iter().enumerate() {
            write!(f, "{}{fault}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

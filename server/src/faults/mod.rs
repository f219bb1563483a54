//! Deliberate defects, off unless switched on by name: with them the service breaks one of its promises, as an conforming
//! mistake would, and whoever judges it has to notice. [`CATALOGUE`] lists them, `parse` reads their names and values,
//! `Faulty` is what is at work in one replica. An conforming replica has none of it but an empty `Option`.

mod catalogue;
mod distort;
mod faulty;
mod limiter;
mod metrics;
mod page;
mod parse;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use catalogue::{CATALOGUE, Entry};
pub(crate) use faulty::Faulty;
use faulty::Process;
pub use parse::FaultError;

/// One fault with its parameter; [`CATALOGUE`] says what each does. Read from `NAME[=VALUE]`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// `limit-per-replica`.
    LimitPerReplica,
    /// `limit-off-by-one`.
    LimitOffByOne {
        /// Admitted beyond the quota; negative if it is fewer.
        more: i32,
    },
    /// `limit-short-window`.
    LimitShortWindow {
        /// What is kept of the window; above 1 it is too long.
        factor: f64,
    },
    /// `limit-race`.
    LimitRace {
        /// Between the check and the act.
        delay: Duration,
    },
    /// `limit-false-rejection`.
    LimitFalseRefusal {
        /// Every so many of those that should be admitted; at least 1.
        every: u32,
    },
    /// `limit-shared-key`.
    LimitSharedKey,
    /// `limit-no-expiry`.
    LimitNoExpiry,
    /// `limit-fail-open`.
    LimitFailOpen {
        /// Since the process's first chat.
        from: Duration,
        /// Since the process's first chat.
        to: Duration,
    },
    /// `limit-skewed-clock`.
    LimitSkewedClock {
        /// Of each replica to the one before.
        skew: Skew,
    },
    /// `limit-counts-rejections`.
    LimitCountsRefusals,
    /// `retry-after-early`.
    RetryAfterEarly {
        /// What is reported the needed wait; between 0 and 1.
        factor: f64,
    },
    /// `remaining-lies`.
    RemainingLies,
    /// `session-crosses-tenants`.
    SessionCrossesTenants,
    /// `reply-leaks`.
    ReplyLeaks {
        /// Every so many answers; at least 1.
        every: u32,
    },
    /// `noisy-neighbour`.
    NoisyNeighbour {
        /// How long each chat holds the lock.
        pause: Duration,
    },
    /// `count-lost`.
    CountLost {
        /// Every so many requests of a replica; at least 1.
        every: u32,
    },
    /// `count-double`.
    CountDouble {
        /// Every so many requests of a replica; at least 1.
        every: u32,
    },
    /// `status-mislabelled`.
    StatusMislabelled,
    /// `tenant-mislabelled`.
    TenantMislabelled {
        /// Every so many requests of that tenant at a replica; at least 1.
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
        /// Every so many requests of a replica; at least 1.
        every: u32,
    },
    /// `counter-reset`.
    CounterReset {
        /// Since the replica's first request that was no scrape.
        after: Duration,
    },
    /// `metrics-stale`.
    MetricsStale {
        /// For how long a page is shown again.
        age: Duration,
    },
    /// `metrics-truncated`.
    MetricsTruncated {
        /// What is left of the page; between 0 and 1.
        factor: f64,
    },
    /// `scrape-slow`.
    ScrapeSlow {
        /// How long a page takes.
        delay: Duration,
    },
    /// `redis-keys-leak`.
    RedisKeysLeak,
}

/// By how much a clock is ahead.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Skew {
    /// That long.
    By(Duration),
    /// That part of the tenant's shortest window.
    OfWindow(f64),
}

/// A set of faults, at most one of a name; none by default. Clones share what the faults remember (a lock, the last
/// replies), as the replicas of one process do.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    list: Vec<Fault>,
    process: Arc<Process>,
}

impl Faults {
    /// Whether all is conforming.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The faults, in the order they were given.
    pub fn iter(&self) -> impl Iterator<Item = Fault> {
        self.list.iter().copied()
    }
}

/// The later of two of one name counts.
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

/// The same faults, whatever they remember.
impl PartialEq for Faults {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

/// `limit-race=5ms, remaining-lies`: what [`FromStr`](std::str::FromStr) reads.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.list.iter().enumerate() {
            write!(f, "{}{fault}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

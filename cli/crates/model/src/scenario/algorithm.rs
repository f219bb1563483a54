//! How a promised limit is counted: the five algorithms that services use, and the variants that have to be
//! declared because a client sees the difference.

use crate::units::Nanos;

/// How a limiter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// `fixed-window`: a window begins at the first hit and admits `limit` requests.
    FixedWindow,
    /// `aligned-window`: windows begin at the whole multiples of their length since the Unix epoch, and admit
    /// `limit` requests each.
    AlignedWindow,
    /// `sliding-log`: at most `limit` admissions in every span of one window.
    SlidingLog,
    /// `sliding-counter`: the previous window's count, weighted by its share of the last window's length,
    /// plus the current one's must leave room for one more.
    SlidingCounter {
        /// Where windows begin.
        anchor: Anchor,
        /// How the weighted count is rounded.
        estimate: Estimate,
    },
    /// `token-bucket` (GCRA is the same): each admission takes a token; `limit` come back per window.
    TokenBucket {
        /// Tokens that a full bucket holds; `None`: as many as the quota admits per window.
        burst: Option<u64>,
        /// How tokens come back.
        refill: Refill,
    },
}

/// Where the windows of a sliding counter begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// `epoch`: at the whole multiples of their length since the Unix epoch.
    Epoch,
    /// `first-hit`: at the first hit, and then one after the other until both counts are gone.
    FirstHit,
}

/// How a sliding counter rounds the previous window's weighted count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Estimate {
    /// `exact`: not at all; admitted if previous · weight + current + 1 ≤ limit.
    Exact,
    /// `floored`: down to a whole number before the current count is added.
    Floored,
}

/// How tokens come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refill {
    /// `continuous`: all the time.
    Continuous,
    /// In steps of this length, each bringing at once what has come together.
    Steps(Nanos),
}

impl std::fmt::Display for Algorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::FixedWindow => "fixed-window",
            Self::AlignedWindow => "aligned-window",
            Self::SlidingLog => "sliding-log",
            Self::SlidingCounter { .. } => "sliding-counter",
            Self::TokenBucket { .. } => "token-bucket",
        })
    }
}

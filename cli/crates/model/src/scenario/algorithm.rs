//! The limiter algorithms that a scenario can declare: the five that services use, and the variants whose
//! difference a client can see.

use crate::units::Nanos;

/// How a limiter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// `fixed-window`: a window starts at the first hit and admits `limit` requests.
    FixedWindow,
    /// `aligned-window`: windows start at whole multiples of their length since the Unix epoch, and admit
    /// `limit` requests each.
    AlignedWindow,
    /// `sliding-log`: at most `limit` admissions in every span of one window.
    SlidingLog,
    /// `sliding-counter`: admits while the previous window's count, weighted by its share of the sliding
    /// window, plus the current window's count is below the limit.
    SlidingCounter {
        /// Where windows start.
        anchor: Anchor,
        /// How the weighted count is rounded.
        estimate: Estimate,
    },
    /// `token-bucket` (equivalent to GCRA): each admission takes a token; `limit` are refilled per window.
    TokenBucket {
        /// Capacity of the bucket; `None`: as many as the quota admits per window.
        burst: Option<u64>,
        /// How tokens are refilled.
        refill: Refill,
    },
}

/// Where the windows of a sliding counter start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// `epoch`: at whole multiples of their length since the Unix epoch.
    Epoch,
    /// `first-hit`: at the first hit, and then back to back until both counts are zero.
    FirstHit,
}

/// How a sliding counter rounds the previous window's weighted count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Estimate {
    /// `exact`: not at all; admits if previous · weight + current + 1 ≤ limit.
    Exact,
    /// `floored`: down to a whole number before the current count is added.
    Floored,
}

/// How tokens are refilled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refill {
    /// `continuous`: at a constant rate.
    Continuous,
    /// In steps of this length, each adding at once what has accumulated.
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

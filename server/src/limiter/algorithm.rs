//! The algorithms of limits. All are exact, and none counts a rejected request. With several limits on a
//! tenant a request is admitted only if each of them admits it, and otherwise no limit counts it.

/// How a limit with quota L and window W counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// At most L in a window that starts with its first admission: [first, first + W).
    FixedWindow,
    /// At most L in each window that starts at a multiple of W since the Unix epoch.
    AlignedWindow,
    /// Rejects if and only if L admissions are in (now − W, now].
    SlidingLog,
    /// Counts admissions in buckets of length W aligned to the Unix epoch. With `elapsed` of the current one
    /// past, the estimate of those in the last W is previous · (W − elapsed) / W + current, not rounded.
    /// Admits if the estimate plus 1 is at most L.
    SlidingCounter,
    /// A bucket of `burst` tokens, full at first, refilled evenly with L in W; each admission takes one
    /// token.
    TokenBucket {
        /// The capacity of the bucket; by default the quota.
        burst: u32,
    },
}

impl Algorithm {
    /// The names for `algorithm` in a tenants file.
    pub const NAMES: [&str; 5] =
        ["fixed-window", "aligned-window", "sliding-log", "sliding-counter", "token-bucket"];

    /// The algorithm with this name; `burst` is for the token bucket.
    pub(super) fn named(name: &str, burst: u32) -> Option<Self> {
        let all = [
            Self::FixedWindow,
            Self::AlignedWindow,
            Self::SlidingLog,
            Self::SlidingCounter,
            Self::TokenBucket { burst },
        ];
        all.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// One of [`NAMES`](Self::NAMES).
    #[must_use]
    pub const fn name(&self) -> &'static str {
        let [fixed, aligned, log, counter, bucket] = Self::NAMES;
        match self {
            Self::FixedWindow => fixed,
            Self::AlignedWindow => aligned,
            Self::SlidingLog => log,
            Self::SlidingCounter => counter,
            Self::TokenBucket { .. } => bucket,
        }
    }
}

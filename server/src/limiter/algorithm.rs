//! The ways in which a limit can count. All are exact, and none counts a refused request. With several limits on a
//! tenant a request is admitted only if each of them admits it, and otherwise no limit counts it.

/// How a limit of quota L and window W counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// At most L in a window that begins with its first admission: [first, first + W).
    FixedWindow,
    /// At most L in each of the windows that begin at multiples of W since the Unix epoch.
    AlignedWindow,
    /// Refused if and only if L admissions lie in (now − W, now].
    SlidingLog,
    /// Admissions are counted in buckets of W aligned to the Unix epoch. With `elapsed` of the current one gone by, those
    /// in the last W are estimated as previous · (W − elapsed) / W + current; one more has to fit under L. The estimate
    /// is not rounded.
    SlidingCounter,
    /// A bucket of `burst` tokens, full at first, refilled evenly with L in W; each admission takes a whole token.
    TokenBucket {
        /// What the bucket holds; the quota unless given.
        burst: u32,
    },
}

impl Algorithm {
    /// The names by which tenants choose one.
    pub const NAMES: [&str; 5] =
        ["fixed-window", "aligned-window", "sliding-log", "sliding-counter", "token-bucket"];

    /// The algorithm of that name; `burst` is for the token bucket.
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

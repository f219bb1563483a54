//! Simulated token buckets of three kinds. Levels are integers: a token is worth the window's nanoseconds.

use saasbench_model::units::Quota;

/// How a bucket stores its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As a level and its instant.
    Level,
    /// Refilled in steps of this many nanoseconds since the first hit, or since the bucket was last full.
    Steps(i64, FromFull),
    /// GCRA: the theoretical arrival time of the next request.
    ArrivalTime,
}

/// Whether the steps restart when a full bucket is hit.
pub type FromFull = bool;

/// The bucket of one key; its times are those of the replicas' clocks.
#[derive(Debug, Clone)]
pub struct Bucket {
    quota: Quota,
    size: u64,
    kind: Kind,
    /// The level or the arrival time, in units of tokens, and the level's instant. `None` if full.
    state: Option<(i128, i64)>,
}

impl Bucket {
    /// A full bucket of `size` tokens, refilled by `quota.limit` per `quota.window`.
    pub fn new(quota: Quota, size: u64, kind: Kind) -> Self {
        Self { quota, size, kind, state: None }
    }

    pub(super) fn forget(&mut self) {
        self.state = None;
    }

    pub(super) fn admits(&mut self, now: i64) -> bool {
        let token = i128::from(self.quota.window.0);
        let full = token * i128::from(self.size);
        let worth = |span: i64| i128::from(span) * i128::from(self.quota.limit);
        if self.kind == Kind::ArrivalTime {
            let next = self.state.map_or(worth(now), |(next, _)| next.max(worth(now))) + token;
            let admitted = next <= worth(now) + full;
            if admitted {
                self.state = Some((next, now));
            }
            return admitted;
        }
        let (mut level, mut at) = self.state.unwrap_or((full, now));
        let since = (now - at).max(0);
        let (step, anew) = if let Kind::Steps(step, anew) = self.kind { (step, anew) } else { (1, false) };
        at += since / step * step;
        level = (level + worth(since / step * step)).min(full);
        if anew && level == full {
            at = at.max(now);
        }
        let admitted = level >= token;
        self.state = Some((if admitted { level - token } else { level }, at));
        admitted
    }
}

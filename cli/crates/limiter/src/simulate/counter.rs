//! Simulated limiters that count per window on a grid: aligned windows and sliding counters.

use saasbench_model::{
    scenario::{Anchor, Estimate},
    units::Quota,
};

/// The counter of one key.
#[derive(Debug, Clone)]
pub struct Counter {
    quota: Quota,
    /// Where its windows start.
    pub anchor: Anchor,
    /// `None`: the previous window has no weight.
    estimate: Option<Estimate>,
    /// Unix time of the clock's zero.
    unix_zero: i64,
    /// Start of the current window, by the clock.
    pub begin: Option<i64>,
    previous: u64,
    count: u64,
}

impl Counter {
    /// A counter at zero; `unix_zero` is the Unix time of its clock's zero, in nanoseconds.
    pub fn new(quota: Quota, anchor: Anchor, estimate: Option<Estimate>, unix_zero: i64) -> Self {
        Self { quota, anchor, estimate, unix_zero, begin: None, previous: 0, count: 0 }
    }

    pub(super) fn forget(&mut self) {
        (self.begin, self.previous, self.count) = (None, 0, 0);
    }

    pub(super) fn admits(&mut self, now: i64) -> bool {
        let window = self.quota.window.0;
        if self.anchor == Anchor::Epoch {
            let since_epoch = now + self.unix_zero;
            let begin = now - since_epoch.rem_euclid(window);
            match self.begin {
                Some(before) if before == begin => {}
                Some(before) if before + window == begin => (self.previous, self.count) = (self.count, 0),
                _ => (self.previous, self.count) = (0, 0),
            }
            self.begin = Some(begin);
        } else if let Some(begin) = self.begin {
            // Keys expire after two windows; any hit in the second makes the current count the previous one.
            if now - begin >= 2 * window {
                self.forget();
            } else if now - begin >= window {
                (self.begin, self.previous, self.count) = (Some(begin + window), self.count, 0);
            }
        }
        let left = self.begin.map_or(window, |begin| begin + window - now);
        let weighted = self.previous as i128 * i128::from(left);
        let (limit, count) = (i128::from(self.quota.limit), i128::from(self.count));
        let admits = match self.estimate {
            None => count < limit,
            Some(Estimate::Exact) => {
                weighted + (count + 1) * i128::from(window) <= limit * i128::from(window)
            }
            Some(Estimate::Floored) => weighted / i128::from(window) + count < limit,
        };
        if admits {
            self.begin.get_or_insert(now);
            self.count += 1;
        }
        admits
    }
}

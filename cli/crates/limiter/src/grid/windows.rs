//! Where windows start, and how many admissions they have room for.

use super::super::HistoryContext;
use saasbench_model::{
    scenario::Estimate,
    units::{Nanos, Quota},
};

/// Pieces that a range is cut into per window, and in all.
const PIECES_PER_WINDOW: i64 = 8;
const MOST_PIECES: i64 = 16;

/// Weight of the previous window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Weight {
    /// None: each window is counted by itself.
    Nothing,
    /// Its count times the share of it that the sliding window still covers.
    Exact,
    /// The same, rounded down.
    Floored,
}

impl From<Estimate> for Weight {
    fn from(estimate: Estimate) -> Self {
        match estimate {
            Estimate::Exact => Self::Exact,
            Estimate::Floored => Self::Floored,
        }
    }
}

/// The windows of one limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    pub(super) limit: u64,
    /// W, the length.
    pub(super) length: i64,
    pub(super) weight: Weight,
    /// Whether windows start with a hit, not at multiples of W.
    pub(super) first_hit: bool,
    /// By how much the limiter's clock may be ahead of where a state has its windows …
    pub(super) early: i64,
    /// … or behind; in both cases without the unknown constant that the state's range covers.
    pub(super) late: i64,
    /// One tick of the limiter's clock.
    pub(super) tick: i64,
    /// By how much the clocks can drift apart within one window.
    pub(super) clock_skew: i64,
    /// A multiple of W, minus `unix_zero`.
    base: i64,
    offset: i64,
}

impl Windows {
    pub(super) fn new(quota: Quota, weight: Weight, first_hit: bool, context: &HistoryContext) -> Self {
        let length = quota.window.0.max(1);
        let drift = context.tolerance.drift.clamp(0.0, 0.5);
        let tick = context.resolution.0.max(0);
        let offset = context.tolerance.offset.0.max(0);
        // A constant offset merely shifts windows at multiples of W. One that varies, such as that of a
        // store's clock read through several hosts, matters between a first hit and the end of its window.
        let varies = if first_hit { offset } else { 0 };
        Self {
            limit: quota.limit,
            length,
            weight,
            first_hit,
            early: varies,
            late: tick.saturating_add(varies),
            tick,
            clock_skew: (length as f64 * (drift / (1.0 - drift))).ceil() as i64,
            base: -context.unix_zero.0.rem_euclid(length),
            offset,
        }
    }

    /// Where the aligned window before that of `instant` starts, by the limiter's clock; `None` if anywhere.
    pub(super) fn aligned(&self, instant: Nanos) -> Option<(i64, i64)> {
        let windows = (instant.0.saturating_sub(self.base)).div_euclid(self.length);
        let drift = self.clock_skew.saturating_mul(windows.saturating_abs().saturating_add(2));
        let (earlier, later) =
            (self.offset.saturating_add(self.tick).saturating_add(drift), self.offset.saturating_add(drift));
        let start = self.base.saturating_add((windows - 1).saturating_mul(self.length));
        (earlier.saturating_add(later) < self.length).then_some((start - earlier, start + later))
    }

    /// Whether a window's start is so uncertain compared with its length that nothing can be proven.
    pub(super) fn are_ambiguous(&self) -> bool {
        self.early.saturating_add(self.late).saturating_add(self.clock_skew).saturating_mul(2) >= self.length
    }

    /// Where a window can have started, if that was at most `lengths` of it before `instant`.
    pub(super) fn around(&self, instant: i64, lengths: i64) -> (i64, i64) {
        let longest = self.length.saturating_mul(lengths).saturating_add(self.late);
        (instant.saturating_sub(longest), instant.saturating_add(self.early))
    }

    /// Where the next window starts.
    pub(super) fn next(&self, (lo, hi): (i64, i64)) -> (i64, i64) {
        let shift = |instant: i64, by: i64| instant.saturating_add(self.length).saturating_add(by);
        (shift(lo, -self.clock_skew), shift(hi, self.clock_skew))
    }

    /// How many may be admitted in a window until only `left` of it remains.
    pub(super) fn room(&self, previous: u64, left: i64) -> u64 {
        self.limit.saturating_sub(self.weighed(previous, left))
    }

    /// The previous window's weight, rounded so that it reduces the room by a whole number of admissions.
    fn weighed(&self, previous: u64, left: i64) -> u64 {
        if previous == 0 || self.weight == Weight::Nothing {
            return 0;
        }
        let (length, left) = (self.length as u64, left.max(0) as u64);
        match (previous.checked_mul(left), self.weight) {
            (Some(product), Weight::Exact) => product.div_ceil(length),
            (Some(product), _) => product / length,
            (None, weight) => {
                let product = u128::from(previous) * u128::from(left);
                let weighed = match weight {
                    Weight::Exact => product.div_ceil(u128::from(length)),
                    _ => product / u128::from(length),
                };
                u64::try_from(weighed).unwrap_or(u64::MAX)
            }
        }
    }

    /// The shortest possible remainder of a window that starts in this range.
    pub(super) fn least_left(&self, (lo, _): (i64, i64), at: i64) -> i64 {
        self.left(at.saturating_sub(lo).saturating_add(self.early + self.clock_skew))
    }

    /// The longest possible remainder.
    pub(super) fn most_left(&self, (_, hi): (i64, i64), at: i64) -> i64 {
        self.left(at.saturating_sub(hi).saturating_sub(self.late + self.clock_skew))
    }

    fn left(&self, elapsed: i64) -> i64 {
        self.length - elapsed.clamp(0, self.length - 1)
    }

    /// Cuts a range of instants into pieces that are short compared with a window, if few suffice.
    pub(super) fn pieces(&self, (lo, hi): (i64, i64)) -> impl Iterator<Item = (i64, i64)> + use<> {
        let width = hi.saturating_sub(lo).saturating_add(1).max(1);
        let wanted = width.saturating_mul(PIECES_PER_WINDOW) / self.length;
        let each = width.div_euclid(wanted.clamp(1, MOST_PIECES).min(width)).max(1);
        let each = if width % each == 0 { each } else { each + 1 };
        (0..)
            .map(move |piece| lo + piece * each)
            .take_while(move |from| *from <= hi)
            .map(move |from| (from, hi.min(from + each - 1)))
    }
}

//! The state of a limit in the memory store, for each algorithm. The Redis scripts store the same in hashes
//! and sorted sets and apply the same rules; both pass the same tests. Times are durations since the Unix
//! epoch.
//!
//! A state may come from a clock that is ahead of `now`; its times never go back.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Algorithm, Limit, LimitUsage};

/// The state of a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LimitState {
    /// `opened` is the first of the `used` admissions.
    Fixed { opened: Duration, used: u32 },
    /// The window that starts at `index` · W.
    Aligned { index: u128, used: u32 },
    /// The instants of the admissions, in order.
    Log(VecDeque<Duration>),
    /// The bucket that starts at `index` · W, and the one before.
    Counter { index: u128, previous: u32, current: u32 },
    /// As [`LimitUsage::Bucket`], at an instant.
    Bucket { at: Duration, debt: u128 },
}

impl LimitState {
    /// A state without admissions.
    pub(crate) fn new(limit: &Limit) -> Self {
        match limit.algorithm {
            Algorithm::FixedWindow => Self::Fixed { opened: Duration::ZERO, used: 0 },
            Algorithm::AlignedWindow => Self::Aligned { index: 0, used: 0 },
            Algorithm::SlidingLog => Self::Log(VecDeque::new()),
            Algorithm::SlidingCounter => Self::Counter { index: 0, previous: 0, current: 0 },
            Algorithm::TokenBucket { .. } => Self::Bucket { at: Duration::ZERO, debt: 0 },
        }
    }

    /// Advances the state to `now`, dropping what has expired. Counts nothing and opens no window.
    pub(crate) fn advance(&mut self, now: Duration, limit: &Limit) {
        let window = limit.window;
        let now_index = now.as_nanos() / window.as_nanos();
        match self {
            Self::Fixed { opened, used } => {
                if now >= *opened + window {
                    *used = 0;
                }
            }
            Self::Aligned { index, used } => {
                if now_index > *index {
                    (*index, *used) = (now_index, 0);
                }
            }
            Self::Log(entries) => {
                while entries.front().is_some_and(|entry| *entry + window <= now) {
                    entries.pop_front();
                }
            }
            Self::Counter { index, previous, current } => {
                if now_index > *index {
                    *previous = if now_index == *index + 1 { *current } else { 0 };
                    (*index, *current) = (now_index, 0);
                }
            }
            Self::Bucket { at, debt } => {
                let refilled = now.saturating_sub(*at).as_nanos() * u128::from(limit.quota);
                *debt = debt.saturating_sub(refilled);
                *at = now.max(*at);
            }
        }
    }

    /// Counts one admission at `now`, to which the state has been advanced.
    pub(crate) fn admit(&mut self, now: Duration, limit: &Limit) {
        match self {
            Self::Fixed { opened, used } => {
                if *used == 0 {
                    *opened = now;
                }
                *used = used.saturating_add(1);
            }
            Self::Aligned { used, .. } => *used = used.saturating_add(1),
            Self::Log(entries) => {
                let position = entries.partition_point(|entry| *entry <= now);
                entries.insert(position, now);
            }
            Self::Counter { current, .. } => *current = current.saturating_add(1),
            Self::Bucket { debt, .. } => *debt += limit.window.as_nanos(),
        }
    }

    /// Caps what counted rejections add up to: a log at its quota, a debt at two buckets. The former has no
    /// visible effect; without the latter a flood would lock a tenant out long after its end.
    pub(crate) fn cap_rejections(&mut self, limit: &Limit) {
        match self {
            Self::Log(entries) => {
                let excess = entries.len().saturating_sub(limit.quota as usize);
                entries.drain(..excess);
            }
            Self::Bucket { debt, .. } => {
                *debt = (*debt).min(2 * u128::from(limit.burst()) * limit.window.as_nanos());
            }
            Self::Fixed { .. } | Self::Aligned { .. } | Self::Counter { .. } => {}
        }
    }

    /// The usage at `now`, to which the state has been advanced.
    pub(crate) fn usage(&self, now: Duration, limit: &Limit) -> LimitUsage {
        let window = limit.window;
        let since_start = |index: u128| now.saturating_sub(times(window, index));
        match self {
            // No window is open: the next request would open one.
            Self::Fixed { used: 0, .. } => LimitUsage::Window { used: 0, left: window },
            Self::Fixed { opened, used } => {
                LimitUsage::Window { used: *used, left: (*opened + window).saturating_sub(now) }
            }
            Self::Aligned { index, used } => {
                LimitUsage::Window { used: *used, left: times(window, index + 1).saturating_sub(now) }
            }
            Self::Log(entries) => {
                let leaves_in = |entry: &Duration| (*entry + window).saturating_sub(now);
                // With a full log there is room once the quota-th newest entry has left.
                let blocking = entries.len().checked_sub(limit.quota as usize);
                LimitUsage::Log {
                    held: u32::try_from(entries.len()).unwrap_or(u32::MAX),
                    room_in: blocking.and_then(|index| entries.get(index)).map_or(Duration::ZERO, leaves_in),
                    clear_in: entries.back().map_or(Duration::ZERO, leaves_in),
                }
            }
            Self::Counter { index, previous, current } => {
                LimitUsage::Counter { previous: *previous, current: *current, elapsed: since_start(*index) }
            }
            Self::Bucket { debt, .. } => LimitUsage::Bucket { debt: *debt },
        }
    }
}

fn times(window: Duration, count: u128) -> Duration {
    let nanos = window.as_nanos() * count;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

//! What the memory store keeps of a limit, for each algorithm. The Redis scripts keep the same in hashes and sorted sets
//! and follow the same rules; the same tests hold for both. Time is the span since the Unix epoch.
//!
//! A state that was stored by a clock ahead of `now` is believed: time never runs backwards in it.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Algorithm, Limit, Standing};

/// The state of a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// Opened by the first of `used`.
    Fixed { opened: Duration, used: u32 },
    /// The window from `index` · W on.
    Aligned { index: u128, used: u32 },
    /// Instants of admissions, in order.
    Log(VecDeque<Duration>),
    /// The bucket from `index` · W on, and the one before.
    Counter { index: u128, previous: u32, current: u32 },
    /// As [`Standing::Bucket`], at an instant.
    Bucket { at: Duration, debt: u128 },
}

impl State {
    /// As if nobody had ever come.
    pub(crate) fn fresh(limit: &Limit) -> Self {
        match limit.algorithm {
            Algorithm::FixedWindow => Self::Fixed { opened: Duration::ZERO, used: 0 },
            Algorithm::AlignedWindow => Self::Aligned { index: 0, used: 0 },
            Algorithm::SlidingLog => Self::Log(VecDeque::new()),
            Algorithm::SlidingCounter => Self::Counter { index: 0, previous: 0, current: 0 },
            Algorithm::TokenBucket { .. } => Self::Bucket { at: Duration::ZERO, debt: 0 },
        }
    }

    /// Brings it up to `now`: what is over is forgotten. Counts nothing and opens nothing.
    pub(crate) fn roll(&mut self, now: Duration, limit: &Limit) {
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

    /// Counts one admission at `now`, to which it has been rolled.
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
                let place = entries.partition_point(|entry| *entry <= now);
                entries.insert(place, now);
            }
            Self::Counter { current, .. } => *current = current.saturating_add(1),
            Self::Bucket { debt, .. } => *debt += limit.window.as_nanos(),
        }
    }

    /// Bounds what counted refusals can pile up to: a log to its quota, a debt to two buckets. The first changes nothing
    /// that could be seen; without the second a flood would shut a tenant out for as long again.
    pub(crate) fn bound(&mut self, limit: &Limit) {
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

    /// Where it stands at `now`, to which it has been rolled.
    pub(crate) fn standing(&self, now: Duration, limit: &Limit) -> Standing {
        let window = limit.window;
        let since_start = |index: u128| now.saturating_sub(times(window, index));
        match self {
            // A window that nobody has opened would be opened by whoever comes now.
            Self::Fixed { used: 0, .. } => Standing::Window { used: 0, left: window },
            Self::Fixed { opened, used } => {
                Standing::Window { used: *used, left: (*opened + window).saturating_sub(now) }
            }
            Self::Aligned { index, used } => {
                Standing::Window { used: *used, left: times(window, index + 1).saturating_sub(now) }
            }
            Self::Log(entries) => {
                let leaves_in = |entry: &Duration| (*entry + window).saturating_sub(now);
                // With as many as the quota there is room once the quota-th newest has left.
                let in_the_way = entries.len().checked_sub(limit.quota as usize);
                Standing::Log {
                    held: u32::try_from(entries.len()).unwrap_or(u32::MAX),
                    room_in: in_the_way
                        .and_then(|index| entries.get(index))
                        .map_or(Duration::ZERO, leaves_in),
                    clear_in: entries.back().map_or(Duration::ZERO, leaves_in),
                }
            }
            Self::Counter { index, previous, current } => {
                Standing::Counter { previous: *previous, current: *current, elapsed: since_start(*index) }
            }
            Self::Bucket { debt, .. } => Standing::Bucket { debt: *debt },
        }
    }
}

fn times(window: Duration, count: u128) -> Duration {
    let nanos = window.as_nanos() * count;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

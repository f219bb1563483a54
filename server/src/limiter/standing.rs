//! Where a limit stands at an instant, and what follows for clients: how many more it admits, how long a refused one has
//! to wait, when the whole quota is there again. Both stores answer in these terms, so this arithmetic exists once. It is
//! exact: whole nanoseconds, and products of counts and nanoseconds in 128 bits.

use std::time::Duration;

use super::{Algorithm, Limit, Reading};

/// A limit's state, seen at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// A fixed or aligned window: admissions in it, and how long it still lasts.
    Window { used: u32, left: Duration },
    /// A log: the admissions in it; until fewer than the quota are left, if there are as many; until none is left.
    Log { held: u32, room_in: Duration, clear_in: Duration },
    /// A sliding counter: the last bucket, the current one, and how much of it has gone by.
    Counter { previous: u32, current: u32, elapsed: Duration },
    /// A bucket: the tokens that are missing, times the window in nanoseconds. A unit is refilled in 1 / quota ns.
    Bucket { debt: u128 },
}

impl Standing {
    /// How many more would be admitted at this instant.
    pub(crate) fn remaining(&self, limit: &Limit) -> u32 {
        let window = limit.window.as_nanos();
        match *self {
            Self::Window { used, .. } => limit.quota.saturating_sub(used),
            Self::Log { held, .. } => limit.quota.saturating_sub(held),
            Self::Counter { previous, current, elapsed } => {
                let rest = window.saturating_sub(elapsed.as_nanos());
                let counted = u128::from(previous) * rest + u128::from(current) * window;
                whole((u128::from(limit.quota) * window).saturating_sub(counted), window)
            }
            Self::Bucket { debt } => whole((u128::from(limit.burst()) * window).saturating_sub(debt), window),
        }
    }

    /// How long until one is admitted if nobody else comes; meaningful where none is admitted now.
    fn wait(&self, limit: &Limit) -> Duration {
        let window = limit.window.as_nanos();
        match *self {
            Self::Window { left, .. } => left,
            Self::Log { room_in, .. } => room_in,
            Self::Counter { previous, current, elapsed } => {
                let quota = u128::from(limit.quota);
                let (bucket, weight, room) = match quota.checked_sub(u128::from(current) + 1) {
                    // Enough of the last bucket has to slide out of sight.
                    Some(room) => (0, u128::from(previous), room),
                    // The current bucket is too full: it has to become the last one first.
                    None => (window, u128::from(current), quota.saturating_sub(1)),
                };
                let needed = (weight.saturating_sub(room) * window).div_ceil(weight.max(1));
                nanos((bucket + needed).saturating_sub(elapsed.as_nanos()))
            }
            Self::Bucket { debt } => {
                let excess = (debt + window).saturating_sub(u128::from(limit.burst()) * window);
                nanos(excess.div_ceil(u128::from(limit.quota)))
            }
        }
    }

    /// How long until the whole quota is there again if nobody comes. A window's end, even if nothing was used of it.
    fn resets_in(&self, limit: &Limit) -> Duration {
        match *self {
            Self::Window { left, .. } => left,
            Self::Log { clear_in, .. } => clear_in,
            Self::Counter { previous: 0, current: 0, .. } => Duration::ZERO,
            Self::Counter { current: 0, elapsed, .. } => limit.window.saturating_sub(elapsed),
            Self::Counter { elapsed, .. } => (limit.window * 2).saturating_sub(elapsed),
            Self::Bucket { debt } => nanos(debt.div_ceil(u128::from(limit.quota))),
        }
    }

    /// What a client is reported; `refuses` is what the limit said before the request was counted, if it was.
    pub(crate) fn reading(&self, limit: &Limit, refuses: bool) -> Reading {
        Reading {
            remaining: self.remaining(limit),
            resets_in: self.resets_in(limit),
            wait: refuses.then(|| self.wait(limit)),
        }
    }
}

impl Limit {
    /// The most that can be admitted at one instant.
    pub(crate) fn burst(&self) -> u32 {
        match self.algorithm {
            Algorithm::TokenBucket { burst } => burst,
            _ => self.quota,
        }
    }
}

fn whole(amount: u128, unit: u128) -> u32 {
    u32::try_from(amount / unit).unwrap_or(u32::MAX)
}

/// Whatever is longer than the longest `u64` of nanoseconds, 584 years, is as good as that.
fn nanos(count: u128) -> Duration {
    Duration::from_nanos(u64::try_from(count).unwrap_or(u64::MAX))
}

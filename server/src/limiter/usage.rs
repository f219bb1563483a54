//! How much of a limit is used at an instant, and what follows from it: how many more requests it admits, how
//! long a rejected one has to wait, when the whole quota is available again. Both stores return usage, so
//! this arithmetic exists once. It is exact: whole nanoseconds, and products of counts and nanoseconds in 128
//! bits.

use std::time::Duration;

use super::{Limit, LimitResult};

/// How much of a limit is used at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LimitUsage {
    /// A fixed or aligned window: the admissions in it, and how long it still lasts.
    Window { used: u32, left: Duration },
    /// A log: the admissions in it, the time until fewer than the quota are left (0 if they already are), and
    /// the time until none is left.
    Log { held: u32, room_in: Duration, clear_in: Duration },
    /// A sliding counter: the counts of the previous bucket and of the current one, and how much of that is
    /// past.
    Counter { previous: u32, current: u32, elapsed: Duration },
    /// A token bucket: the missing tokens, times the window in nanoseconds. One unit is refilled in 1 / quota
    /// ns.
    Bucket { debt: u128 },
}

impl LimitUsage {
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

    /// How long until one is admitted without other requests; meaningful only if none is admitted now.
    fn retry_after(&self, limit: &Limit) -> Duration {
        let window = limit.window.as_nanos();
        match *self {
            Self::Window { left, .. } => left,
            Self::Log { room_in, .. } => room_in,
            Self::Counter { previous, current, elapsed } => {
                let quota = u128::from(limit.quota);
                let (bucket, weight, room) = match quota.checked_sub(u128::from(current) + 1) {
                    // Enough of the previous bucket has to leave the window.
                    Some(room) => (0, u128::from(previous), room),
                    // The current bucket is too full: it has to become the previous one first.
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

    /// How long until the whole quota is available again without requests. For a window its end, even if it
    /// is unused.
    fn reset_after(&self, limit: &Limit) -> Duration {
        match *self {
            Self::Window { left, .. } => left,
            Self::Log { clear_in, .. } => clear_in,
            Self::Counter { previous: 0, current: 0, .. } => Duration::ZERO,
            Self::Counter { current: 0, elapsed, .. } => limit.window.saturating_sub(elapsed),
            Self::Counter { elapsed, .. } => (limit.window * 2).saturating_sub(elapsed),
            Self::Bucket { debt } => nanos(debt.div_ceil(u128::from(limit.quota))),
        }
    }

    /// The result for a client; `rejects` is whether the limit rejected the request, as it was before
    /// counting it.
    pub(crate) fn result(&self, limit: &Limit, rejects: bool) -> LimitResult {
        LimitResult {
            remaining: self.remaining(limit),
            reset_after: self.reset_after(limit),
            retry_after: rejects.then(|| self.retry_after(limit)),
        }
    }
}

fn whole(amount: u128, unit: u128) -> u32 {
    u32::try_from(amount / unit).unwrap_or(u32::MAX)
}

/// Saturates at `u64::MAX` nanoseconds, which are 584 years.
fn nanos(count: u128) -> Duration {
    Duration::from_nanos(u64::try_from(count).unwrap_or(u64::MAX))
}

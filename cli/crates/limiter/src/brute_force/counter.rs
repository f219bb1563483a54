//! Exact search for limiters that count per window on a grid.
//!
//! The clock shows `d + φ` at `d`, or up to a tick less, and never goes back. φ is constant, within the
//! offset plus one tick, because clocks may round up.

use std::collections::HashSet;

use super::{Decision, HistoryContext, Request, World};
use saasbench_model::{
    scenario::{Anchor, Estimate},
    units::Quota,
};

/// Start of the current window, and the counts of the previous and the current one.
type Key = Option<(i64, u64, u64)>;

/// Search states already tried: instant, decided requests, clock reading, key.
type Tried = HashSet<(i64, u32, i64, Key)>;

struct Counter<'a> {
    world: World<'a>,
    window: i64,
    anchor: Anchor,
    estimate: Option<Estimate>,
    unix_zero: i64,
    tick: i64,
    phase: i64,
}

/// Whether some conforming limiter of this kind can have this history.
pub(in super::super) fn counter_explains(
    requests: &[Request],
    quota: Quota,
    anchor: Anchor,
    estimate: Option<Estimate>,
    context: &HistoryContext,
) -> bool {
    let (offset, tick) = (context.tolerance.offset.0, context.resolution.0);
    let phases = if anchor == Anchor::Epoch { -offset..=offset + tick } else { 0..=0 };
    phases.into_iter().any(|phase| {
        let world = World::new(requests, quota, context);
        let counter = Counter {
            world,
            window: quota.window.0,
            anchor,
            estimate,
            unix_zero: context.unix_zero.0,
            tick,
            phase,
        };
        let mut tried = HashSet::new();
        let is_empty = context.fresh && context.exclusive;
        let starts = counter.starts(context.since.0, is_empty);
        starts.into_iter().any(|(shown, key)| counter.explains(i64::MIN, 0, shown, key, &mut tried))
    })
}

impl Counter<'_> {
    fn starts(&self, since: i64, is_empty: bool) -> Vec<(i64, Key)> {
        let mut starts = vec![(i64::MIN, None)];
        if is_empty {
            return starts;
        }
        for shown in since + self.phase - self.tick..=since + self.phase {
            let begins = match self.anchor {
                Anchor::Epoch => {
                    let begin = shown - (shown + self.unix_zero).rem_euclid(self.window);
                    begin..=begin
                }
                Anchor::FirstHit => shown - 2 * self.window + 1..=shown,
            };
            for begin in begins {
                for previous in 0..=self.world.limit {
                    starts
                        .extend((0..=self.world.limit).map(|count| (shown, Some((begin, previous, count)))));
                }
            }
        }
        starts
    }

    /// The key after a hit at this clock reading; `None` if the limiter would decide otherwise.
    fn hit(&self, shown: i64, key: Key, admitted: bool) -> Option<Key> {
        let key = match (self.anchor, key) {
            (Anchor::Epoch, key) => {
                let begin = shown - (shown + self.unix_zero).rem_euclid(self.window);
                let (before, previous, count) = key.unwrap_or((begin, 0, 0));
                match begin - before {
                    0 => Some((begin, previous, count)),
                    apart if apart == self.window => Some((begin, count, 0)),
                    _ => Some((begin, 0, 0)),
                }
            }
            (Anchor::FirstHit, None) => None,
            (Anchor::FirstHit, Some((begin, previous, count))) => match (shown - begin) / self.window {
                0 => Some((begin, previous, count)),
                1 => Some((begin + self.window, count, 0)),
                _ => None,
            },
        };
        let (begin, previous, count) = key.unwrap_or((shown, 0, 0));
        let weighted = previous as i64 * (begin + self.window - shown);
        let (limit, current) = (self.world.limit as i64, count as i64);
        let admits = match self.estimate {
            None => current < limit,
            Some(Estimate::Exact) => weighted + (current + 1) * self.window <= limit * self.window,
            Some(Estimate::Floored) => weighted / self.window + current < limit,
        };
        match (admits, admitted) {
            (true, true) => Some(Some((begin, previous, count + 1))),
            (false, false) => Some(key),
            _ => None,
        }
    }

    fn explains(&self, now: i64, decided: u32, shown: i64, key: Key, tried: &mut Tried) -> bool {
        let world = &self.world;
        let Some(deadline) = world.deadline(decided) else { return true };
        if now > deadline || !tried.insert((now, decided, shown, key)) {
            return false;
        }
        let shows = |at: i64| shown.max(at + self.phase - self.tick)..=at + self.phase;
        for (rank, request) in
            world.requests.iter().enumerate().filter(|(rank, _)| decided & (1 << rank) == 0)
        {
            let answers: &[bool] = match request.decision {
                Decision::Admitted => &[true],
                Decision::Rejected => &[false],
                Decision::Unknown => &[true, false],
            };
            for at in now.max(request.sent.0)..=request.done.0.min(deadline) {
                for shown in shows(at) {
                    for key in answers.iter().filter_map(|admitted| self.hit(shown, key, *admitted)) {
                        if self.explains(at, decided | 1 << rank, shown, key, tried) {
                            return true;
                        }
                    }
                }
            }
        }
        for at in now.max(world.shared_from)..=world.until.min(deadline) {
            for shown in shows(at) {
                for key in [true, false].into_iter().filter_map(|admitted| self.hit(shown, key, admitted)) {
                    if self.explains(at, decided, shown, key, tried) {
                        return true;
                    }
                }
            }
        }
        for (from, to) in &world.losses {
            for at in now.max(*from)..=(*to).min(deadline) {
                if key.is_some() && self.explains(at, decided, shown, None, tried) {
                    return true;
                }
            }
        }
        false
    }
}

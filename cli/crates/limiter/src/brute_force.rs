//! Exact judgement of tiny histories on a grid of whole nanoseconds, by trying every order, every instant,
//! and every outcome of unknown requests. All conditions are differences of instants with integer bounds, so
//! a conforming run exists if and only if one exists on the grid.

mod counter;
pub(super) mod token_bucket;

use std::collections::HashSet;

pub(super) use self::counter::counter_explains;

use super::{Decision, HistoryContext, Request, history::Lifetime};
use saasbench_model::units::Quota;

/// Whether some conforming fixed window (from the first hit) can have this history.
pub(super) fn fixed_window_explains(requests: &[Request], quota: Quota, context: &HistoryContext) -> bool {
    let mut starts = vec![None];
    let lifetime = Lifetime::of(quota.window, context);
    if !(context.fresh && context.exclusive) {
        let since = context.since.0;
        for ends in since..=since + lifetime.most {
            starts.extend((0..=quota.limit).map(|count| Some((ends, count))));
        }
    }
    let mut tried = HashSet::new();
    let world = World::new(requests, quota, context);
    starts.into_iter().any(|live| world.fixed_window(i64::MIN, 0, live, &mut tried))
}

/// Whether some conforming sliding log can have this history.
pub(super) fn sliding_log_explains(requests: &[Request], quota: Quota, context: &HistoryContext) -> bool {
    let mut starts = vec![Vec::new()];
    let lifetime = Lifetime::of(quota.window, context);
    if !(context.fresh && context.exclusive) {
        let since = context.since.0;
        for _ in 0..quota.limit {
            let longer: Vec<Vec<i64>> = starts
                .iter()
                .flat_map(|log| {
                    let first = log.last().copied().unwrap_or(since - lifetime.most);
                    (first..=since).map(|at| [log.as_slice(), &[at]].concat())
                })
                .collect();
            starts.extend(longer);
            starts.sort();
            starts.dedup();
        }
    }
    let mut tried = HashSet::new();
    let world = World::new(requests, quota, context);
    starts.into_iter().any(|log| world.sliding_log(i64::MIN, 0, &log, &mut tried))
}

/// End and count of the current window, if there is one.
type Window = Option<(i64, u64)>;

struct World<'a> {
    requests: &'a [Request],
    limit: u64,
    lifetime: Lifetime,
    losses: Vec<(i64, i64)>,
    shared_from: i64,
    until: i64,
}

impl<'a> World<'a> {
    fn new(requests: &'a [Request], quota: Quota, context: &HistoryContext) -> Self {
        let shared_from = if context.exclusive { context.complete_until.0 } else { context.since.0 };
        Self {
            requests,
            limit: quota.limit,
            lifetime: Lifetime::of(quota.window, context),
            losses: context.memory_losses.iter().map(|(from, to)| (from.0, to.0)).collect(),
            shared_from,
            until: requests.iter().map(|request| request.done.0).max().unwrap_or(0),
        }
    }

    /// The latest instant at which the next response must be decided; `None` if all are.
    fn deadline(&self, decided: u32) -> Option<i64> {
        let open = self.requests.iter().enumerate().filter(|(rank, _)| decided & (1 << rank) == 0);
        open.filter(|(_, request)| request.decision != Decision::Unknown)
            .map(|(_, request)| request.done.0)
            .min()
    }

    fn fixed_window(
        &self,
        now: i64,
        decided: u32,
        live: Window,
        tried: &mut HashSet<(i64, u32, Window)>,
    ) -> bool {
        let Some(deadline) = self.deadline(decided) else { return true };
        if now > deadline || !tried.insert((now, decided, live)) {
            return false;
        }
        // The possible states after a hit at `at` that is admitted, or rejected.
        let hit = |at: i64, admitted: bool| -> Vec<Window> {
            let mut after = Vec::new();
            if let Some((ends, count)) = live.filter(|(ends, _)| at <= *ends)
                && admitted == (count < self.limit)
            {
                after.push(Some((ends, if admitted { count + 1 } else { count })));
            }
            if admitted && live.is_none_or(|(ends, _)| at >= ends) {
                after
                    .extend((at + self.lifetime.least..=at + self.lifetime.most).map(|ends| Some((ends, 1))));
            }
            after
        };
        for (rank, request) in self.requests.iter().enumerate().filter(|(rank, _)| decided & (1 << rank) == 0)
        {
            for at in now.max(request.sent.0)..=request.done.0.min(deadline) {
                for live in hit(at, request.decision != Decision::Rejected) {
                    if self.fixed_window(at, decided | 1 << rank, live, tried) {
                        return true;
                    }
                }
            }
        }
        for at in now.max(self.shared_from)..=self.until.min(deadline) {
            if hit(at, true).into_iter().any(|live| self.fixed_window(at, decided, live, tried)) {
                return true;
            }
        }
        for (from, to) in &self.losses {
            for at in now.max(*from)..=(*to).min(deadline) {
                if live.is_some() && self.fixed_window(at, decided, None, tried) {
                    return true;
                }
            }
        }
        false
    }

    fn sliding_log(
        &self,
        now: i64,
        decided: u32,
        log: &[i64],
        tried: &mut HashSet<(i64, u32, Vec<i64>)>,
    ) -> bool {
        let Some(deadline) = self.deadline(decided) else { return true };
        if now > deadline || !tried.insert((now, decided, log.to_vec())) {
            return false;
        }
        // The state after a hit at `at` that is admitted, or rejected; `None` if that is impossible.
        let hit = |at: i64, admitted: bool| -> Option<Vec<i64>> {
            if admitted {
                let certain = log.iter().filter(|before| at - **before < self.lifetime.least).count();
                let rest = log.iter().copied().filter(|before| at - before <= self.lifetime.most);
                ((certain as u64) < self.limit).then(|| rest.chain([at]).collect())
            } else {
                let possible = log.iter().filter(|before| at - **before <= self.lifetime.most).count();
                (possible as u64 >= self.limit).then(|| log.to_vec())
            }
        };
        for (rank, request) in self.requests.iter().enumerate().filter(|(rank, _)| decided & (1 << rank) == 0)
        {
            for at in now.max(request.sent.0)..=request.done.0.min(deadline) {
                if let Some(log) = hit(at, request.decision != Decision::Rejected)
                    && self.sliding_log(at, decided | 1 << rank, &log, tried)
                {
                    return true;
                }
            }
        }
        for at in now.max(self.shared_from)..=self.until.min(deadline) {
            if let Some(log) = hit(at, true)
                && log.len() as u64 <= 2 * self.limit
                && self.sliding_log(at, decided, &log, tried)
            {
                return true;
            }
        }
        for (from, to) in &self.losses {
            for at in now.max(*from)..=(*to).min(deadline) {
                if !log.is_empty() && self.sliding_log(at, decided, &[], tried) {
                    return true;
                }
            }
        }
        false
    }
}

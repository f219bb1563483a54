//! Exact judgement of token buckets: tries every order and every outcome; for each, the instants are solved
//! for as real numbers, because every condition bounds a difference of two of them.
//!
//! A nanosecond is worth `limit`, so that the time for one token, `window`, is a whole number, too.

use crate::{Decision, HistoryContext, Request};
use saasbench_model::units::Quota;

/// Whether some conforming bucket can have this history. Each decision may read any instant from its own to
/// `slack` later, but not before an earlier reading if all clocks agree. In a shared environment, every
/// rejection may be due to tokens that others took.
pub(in super::super) fn explains(
    requests: &[Request],
    quota: Quota,
    size: u64,
    slack: i64,
    context: &HistoryContext,
) -> bool {
    let scale = quota.limit as i64;
    let world =
        World { requests, scale, token: quota.window.0, size: size as i64, slack: slack * scale, context };
    let mut run = Run::default();
    let zero = run.instants.add();
    run.last = zero;
    if !(context.fresh && context.exclusive) {
        let start = run.instants.add();
        let latest = context.since.0 * scale + world.slack + world.size * world.token;
        run.instants.at_most(start, zero, latest);
        run.takings.push((start, 0));
    }
    world.explains(&run)
}

struct World<'a> {
    requests: &'a [Request],
    scale: i64,
    token: i64,
    size: i64,
    slack: i64,
    context: &'a HistoryContext,
}

/// The events so far.
#[derive(Clone, Default)]
struct Run {
    instants: Instants,
    decided: u32,
    /// Index of the last event's instant.
    last: usize,
    /// Index of the last reading.
    read: usize,
    lost: bool,
    /// Since the bucket was new: readings at which it had at most B tokens, and how many were taken since
    /// each.
    takings: Vec<(usize, i64)>,
}

const ZERO: usize = 0;

impl World<'_> {
    fn explains(&self, run: &Run) -> bool {
        let open = |rank: &usize| run.decided & (1 << rank) == 0;
        let certain = |rank: &usize| self.requests[*rank].decision != Decision::Unknown;
        let ranks = || (0..self.requests.len()).filter(open);
        if !ranks().any(|rank| certain(&rank)) {
            return true;
        }
        let deadline =
            ranks().filter(certain).map(|rank| self.requests[rank].done.0).min().unwrap_or(i64::MAX);
        // Of two identical requests, the one with the earlier interval can be taken to be first.
        let later = |rank: usize| {
            ranks().any(|other| {
                let (one, other_one) = (&self.requests[rank], &self.requests[other]);
                let alike = one.decision == other_one.decision
                    || one.decision == Decision::Unknown && other_one.decision == Decision::Admitted;
                let (mine, theirs) = ((one.sent, one.done), (other_one.sent, other_one.done));
                alike && theirs.0 <= mine.0 && theirs.1 <= mine.1 && (theirs != mine || other < rank)
            })
        };
        ranks()
            .filter(|rank| self.requests[*rank].sent.0 <= deadline && !later(*rank))
            .any(|rank| self.decide(run, rank))
            || !run.lost && self.context.memory_losses.iter().any(|loss| self.lose(run, (loss.0.0, loss.1.0)))
    }

    /// Adds an event that is not before the last one.
    fn event(&self, run: &Run, from: i64, to: i64) -> Option<(Run, usize)> {
        let mut next = run.clone();
        let at = next.instants.add();
        let feasible = next.instants.at_least(at, run.last, 0)
            && next.instants.at_least(at, ZERO, from * self.scale)
            && next.instants.at_most(at, ZERO, to * self.scale);
        (next.last, next.lost) = (at, false);
        feasible.then_some((next, at))
    }

    fn lose(&self, run: &Run, (from, to): (i64, i64)) -> bool {
        let Some((mut next, _)) = self.event(run, from, to) else { return false };
        next.lost = true;
        next.takings.clear();
        self.explains(&next)
    }

    fn decide(&self, run: &Run, rank: usize) -> bool {
        let request = &self.requests[rank];
        let Some((mut next, at)) = self.event(run, request.sent.0, request.done.0) else { return false };
        next.decided |= 1 << rank;
        let mut read = at;
        if self.slack > 0 {
            read = next.instants.add();
            next.instants.at_least(read, at, 0);
            next.instants.at_most(read, at, self.slack);
            let one_clock = self.context.tolerance.offset.0 == 0;
            if one_clock && !next.instants.at_least(read, run.read, 0) {
                return false;
            }
        }
        next.read = read;
        if request.decision == Decision::Rejected {
            self.reject(&next, at, read)
        } else {
            self.admit(next, read)
        }
    }

    fn admit(&self, mut next: Run, read: usize) -> bool {
        next.takings.push((read, 0));
        next.takings.iter_mut().for_each(|(_, taken)| *taken += 1);
        let Run { instants, takings, .. } = &mut next;
        takings.iter().all(|(since, taken)| instants.at_least(read, *since, (taken - self.size) * self.token))
            && self.explains(&next)
    }

    fn reject(&self, run: &Run, at: usize, read: usize) -> bool {
        let by_ours = run.takings.iter().any(|(since, taken)| {
            let mut next = run.clone();
            next.instants.less(read, *since, (taken + 1 - self.size) * self.token) && self.explains(&next)
        });
        by_ours || {
            let shared_from =
                if self.context.exclusive { self.context.complete_until.0 } else { self.context.since.0 };
            let mut next = run.clone();
            let since = next.instants.add();
            next.takings.push((since, 0));
            shared_from < i64::MAX
                && next.instants.at_least(at, ZERO, shared_from * self.scale)
                && next.instants.less(read, since, (1 - self.size) * self.token)
                && next.instants.at_most(since, read, self.size * self.token)
                && self.explains(&next)
        }
    }
}

/// Bounds on the differences of instants, closed under addition. A bound `≤ v` is stored as `2v + 1`, `< v`
/// as `2v`.
#[derive(Clone, Default)]
struct Instants {
    count: usize,
    bounds: Vec<i64>,
}

const MOST: usize = 32;
const NO_BOUND: i64 = i64::MAX / 4;

fn sum(one: i64, other: i64) -> i64 {
    if one >= NO_BOUND || other >= NO_BOUND {
        return NO_BOUND;
    }
    2 * ((one >> 1) + (other >> 1)) + (one & other & 1)
}

impl Instants {
    fn add(&mut self) -> usize {
        assert!(self.count < MOST, "too many instants");
        self.bounds.extend([NO_BOUND; MOST]);
        self.bounds[self.count * MOST + self.count] = 1;
        self.count += 1;
        self.count - 1
    }

    fn at_most(&mut self, one: usize, after: usize, span: i64) -> bool {
        self.bound(one, after, 2 * span + 1)
    }

    fn less(&mut self, one: usize, after: usize, span: i64) -> bool {
        self.bound(one, after, 2 * span)
    }

    fn at_least(&mut self, one: usize, after: usize, span: i64) -> bool {
        self.bound(after, one, -2 * span + 1)
    }

    /// Bounds `one − other`; false if that leaves no solution.
    fn bound(&mut self, one: usize, other: usize, bound: i64) -> bool {
        if sum(self.bounds[other * MOST + one], bound) < 1 {
            return false;
        }
        if bound >= self.bounds[one * MOST + other] {
            return true;
        }
        for from in 0..self.count {
            let through = sum(self.bounds[from * MOST + one], bound);
            for to in 0..self.count {
                let sum = sum(through, self.bounds[other * MOST + to]);
                let held = &mut self.bounds[from * MOST + to];
                *held = sum.min(*held);
            }
        }
        true
    }
}

//! Faults that are not a conforming limiter of something else: rejections that count, and replicas with
//! clocks of their own.
//!
//! The history is replayed: what the responses say was admitted is what counts, and each response is compared
//! with the least and the greatest count that its interval and those of the others permit. A single response
//! that contradicts both rejects the hypothesis. The replay starts with an empty store, and requires that no
//! state was lost.

mod bucket;
mod grid;
mod ledger;
mod opened;

use self::ledger::Ledger;
use super::{Case, Hypothesis, Key, first};
use crate::{Decision, Promise, Request};
use saasbench_model::{
    scenario::{Algorithm, Anchor},
    units::Nanos,
};

/// Requests of each key that are replayed per clock offset.
const MOST_REPLAYED: usize = 4_000;
/// How many clock offsets are tried in each direction.
const MOST_DISTANCES: i64 = 1_000;

/// How the hypothetical limiter counts.
#[derive(Debug, Clone)]
struct World {
    /// By how much the clock of each replica is ahead; less than a window.
    offsets: Vec<i64>,
    /// Whether rejected requests are counted.
    rejections_count: bool,
    /// Whether the store follows the clock that is furthest ahead: a window that has ended by it, or an entry
    /// that has expired, is gone for all replicas. Otherwise each replica compares stored times with its own
    /// clock.
    believed: bool,
    /// By how much instants and lengths may be off.
    slack: i64,
    /// The run's zero, since the Unix epoch.
    zero: i64,
}

impl World {
    fn of(case: &Case<'_>, window: Nanos) -> Self {
        let replicas = case.answering().last().map_or(0, |last| usize::from(*last) + 1);
        let slack = crate::history::Lifetime::of(window, &case.context);
        Self {
            offsets: vec![0; replicas],
            rejections_count: false,
            believed: false,
            slack: slack.most.saturating_sub(window.0),
            zero: case.context.unix_zero.0,
        }
    }

    /// By how much the clock that decided a request is ahead.
    fn offset(&self, request: &Request) -> i64 {
        self.offsets.get(usize::from(request.replica)).copied().unwrap_or(0)
    }

    /// Whether such a limiter can have given all these responses.
    fn explains(&self, promise: Promise, requests: &[Request]) -> bool {
        let quota = promise.quota;
        match promise.algorithm {
            Algorithm::FixedWindow => opened::explains(requests, quota, self),
            Algorithm::AlignedWindow => grid::aligned(requests, quota, self),
            Algorithm::SlidingLog => self.log_explains(requests, quota.limit, quota.window.0),
            Algorithm::SlidingCounter { anchor: Anchor::Epoch, estimate } => {
                grid::counter(requests, quota, estimate, self)
            }
            Algorithm::SlidingCounter { anchor: Anchor::FirstHit, estimate } => {
                grid::counter_from_first(requests, quota, estimate, self)
            }
            Algorithm::TokenBucket { burst, .. } => {
                bucket::explains(requests, quota, burst.unwrap_or(quota.limit), self)
            }
        }
    }

    /// Sliding log: an entry counts while it is younger than the window, by the clock of the reading replica.
    fn log_explains(&self, requests: &[Request], limit: u64, window: i64) -> bool {
        let ledger = Ledger::new(requests, self);
        let pruned = self.believed.then(|| ledger::LongestPrefix::new(requests, self));
        requests.iter().all(|request| {
            let (s, r) = (request.sent.0, request.done.0);
            let clock = self.offset(request) - window;
            let (mut early, mut late) = (s + clock, r + clock);
            if let Some(pruned) = &pruned {
                (early, late) = (early.max(pruned.least(s) - window), late.max(pruned.most(r) - window));
            }
            match request.decision {
                Decision::Admitted => ledger.certain((late + self.slack, i64::MAX), s) < limit,
                Decision::Rejected => {
                    let own = u64::from(self.rejections_count);
                    ledger.possible((early - self.slack, i64::MAX), r) >= limit.saturating_add(own)
                }
                Decision::Unknown => true,
            }
        })
    }
}

/// Whether a limiter that counts too much can explain these responses.
pub(super) fn explains(case: &Case<'_>, promise: Promise, requests: &[Request]) -> bool {
    replayable(case) && World::of(case, promise.quota.window).explains(promise, requests)
}

/// Rejected requests are counted, too: added to the log or the counter, or charged a token.
pub(super) fn counts_rejections(case: &Case<'_>) -> Option<Hypothesis> {
    let known = replayable(case)
        && !case
            .keys
            .iter()
            .any(|key| matches!(key.promise.algorithm, Algorithm::FixedWindow | Algorithm::AlignedWindow));
    let explained = |key: &Key<'_>| {
        let world = World { rejections_count: true, ..World::of(case, key.promise.quota.window) };
        world.explains(key.promise, key.requests)
    };
    (known && case.broken().chain(case.kept()).all(explained)).then_some(Hypothesis::CountsRejections)
}

/// More is admitted than fits, but each admission is right given the responses before it was sent.
pub(super) fn race(case: &Case<'_>) -> Option<Hypothesis> {
    let explained = |key: &Key<'_>| explains(case, key.promise, key.requests);
    (case.over_admits(|promise| promise) && case.broken().all(explained)).then_some(Hypothesis::Race)
}

/// One replica's clock is ahead of the others', and the store keeps times of the writing replica.
pub(super) fn skewed_clocks(case: &Case<'_>) -> Option<Hypothesis> {
    let replicas = case.answering();
    if !replayable(case) || replicas.len() < 2 {
        return None;
    }
    let window = case.broken().next()?.promise.quota.window;
    let world = World::of(case, window);
    let step = step(case, window.0, world.slack);
    // One replica differs from all others, or each by the same amount from the previous one.
    let last = i64::from(*replicas.last()?);
    let apart = |pattern: i64, replica: i64| match pattern {
        _ if pattern > last => replica,
        _ => i64::from(replica == pattern),
    };
    let patterns: Vec<i64> = if last == 1 { vec![1] } else { (0..=last + 1).collect() };
    let mut ranges = Vec::new();
    for believed in [true, false] {
        for (pattern, sign) in patterns.iter().flat_map(|pattern| [(*pattern, 1), (*pattern, -1)]) {
            let explains = |steps: i64| {
                let offsets = (0..=last).map(|replica| apart(pattern, replica) * sign * steps * step);
                let world = World { believed, offsets: offsets.collect(), ..world.clone() };
                case.broken().chain(case.kept()).all(|key| {
                    let (requests, _) = first(key.requests, MOST_REPLAYED);
                    world.explains(key.promise, requests)
                })
            };
            let most = (window.0 / step).min(MOST_DISTANCES);
            let Some(least) = (1..=most).find(|steps| explains(*steps)) else { continue };
            let greatest = (least..=most).take_while(|steps| explains(*steps)).last().unwrap_or(least);
            ranges.push((Nanos(least * step), Nanos(greatest * step)));
        }
    }
    // A narrow range may be a coincidence.
    let range = ranges.into_iter().max_by_key(|(from, to)| *to - *from)?;
    Some(Hypothesis::SkewedClocks { range })
}

/// Whether the replay can start with an empty store, and no state was lost.
fn replayable(case: &Case<'_>) -> bool {
    case.context.fresh && case.context.memory_losses.is_empty()
}

/// Offsets closer than this explain the same: half a typical latency, plus what clocks may be off by.
fn step(case: &Case<'_>, window: i64, slack: i64) -> i64 {
    let requests = case.keys.iter().flat_map(|key| key.requests);
    let mut taken: Vec<i64> = requests.map(|request| (request.done - request.sent).0).collect();
    taken.sort_unstable();
    let median = taken.get(taken.len() / 2).copied().unwrap_or(0);
    (median / 4 + slack / 2).max(window / MOST_DISTANCES).max(1)
}

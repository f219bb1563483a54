//! Mistakes that no conforming limiter of anything else has: rejections that count, and replicas with clocks
//! of their own.
//!
//! The history is replayed: what was answered is what was counted (the replay is led by the responses, not by
//! a limiter), and each response is compared with the least and the greatest count that its interval and
//! those of the others permit. A single response that both contradict rules the hypothesis out. The replay
//! begins with an empty store, and nothing is lost on the way.

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

/// This many requests of each key are replayed for each distance of the clocks.
const MOST_REPLAYED: usize = 4_000;
/// This many distances are tried in each direction.
const MOST_DISTANCES: i64 = 1_000;

/// How the limiter is supposed to count.
#[derive(Debug, Clone)]
struct World {
    /// How far the clock of each replica is ahead; shorter than a window.
    offsets: Vec<i64>,
    /// Rejected requests are counted.
    rejections_count: bool,
    /// The clock that is furthest ahead is believed by all: what it ends is over, what it forgets is gone.
    /// Otherwise each sees the store's times by its own.
    believed: bool,
    /// Instants and lengths are off by as much.
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

    /// How far the clock that decided a request is ahead.
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

    /// An entry counts while it is younger than the window, by the clock of the replica that reads.
    fn log_explains(&self, requests: &[Request], limit: u64, window: i64) -> bool {
        let ledger = Ledger::new(requests, self);
        let pruned = self.believed.then(|| ledger::Furthest::new(requests, self));
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

/// Whether a limiter that counts more than it may explains these responses.
pub(super) fn explains(case: &Case<'_>, promise: Promise, requests: &[Request]) -> bool {
    replayable(case) && World::of(case, promise.quota.window).explains(promise, requests)
}

/// What is rejected is counted, too: entered into the log, added to the counter, paid with a token.
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

/// More is admitted than fits, but each admission is right by what had been answered when it was sent.
pub(super) fn race(case: &Case<'_>) -> Option<Hypothesis> {
    let explained = |key: &Key<'_>| explains(case, key.promise, key.requests);
    (case.over_admits(|promise| promise) && case.broken().all(explained)).then_some(Hypothesis::Race)
}

/// One replica's clock is ahead of the others', and the store keeps the times of the replica that writes.
pub(super) fn skewed_clocks(case: &Case<'_>) -> Option<Hypothesis> {
    let replicas = case.answering();
    if !replayable(case) || replicas.len() < 2 {
        return None;
    }
    let window = case.broken().next()?.promise.quota.window;
    let world = World::of(case, window);
    let step = step(case, window.0, world.slack);
    // One replica apart from all others, or each as far from the one before.
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
    // What a narrow range explains may be chance.
    let range = ranges.into_iter().max_by_key(|(from, to)| *to - *from)?;
    Some(Hypothesis::SkewedClocks { range })
}

/// Whether the replay can begin with nothing, and nothing is lost.
fn replayable(case: &Case<'_>) -> bool {
    case.context.fresh && case.context.memory_losses.is_empty()
}

/// Distances nearer than this explain the same: half of what answers usually take, and what clocks are off
/// by.
fn step(case: &Case<'_>, window: i64, slack: i64) -> i64 {
    let requests = case.keys.iter().flat_map(|key| key.requests);
    let mut taken: Vec<i64> = requests.map(|request| (request.done - request.sent).0).collect();
    taken.sort_unstable();
    let median = taken.get(taken.len() / 2).copied().unwrap_or(0);
    (median / 4 + slack / 2).max(window / MOST_DISTANCES).max(1)
}

//! Hypotheses that the promise is kept with another number: another limit, another window, another algorithm.

use super::{Case, Hypothesis};
use crate::{Promise, history::Lifetime};
use saasbench_model::{
    scenario::{Algorithm, Anchor, Estimate, Refill},
    units::{Nanos, Quota},
};

/// Windows must be at least this many times as long as clocks may differ.
const WIDER: i64 = 20;
/// How many windows are tried, downwards from the longest possible one.
const PROBES: i32 = 64;
/// A window this close to the promised one does not count as another: a single intermittent fault could
/// explain it.
const ALIKE: f64 = 0.02;
/// Windows are tried up to this many times shorter or longer.
const FURTHEST: f64 = 64.0;

/// The limit differs by the smallest number that explains everything: for all tenants, or only for those
/// whose promise was broken.
pub(super) fn off_by_one(case: &Case<'_>) -> Option<Hypothesis> {
    let of_all = off_by(case);
    of_all.or_else(|| case.kept().next().and_then(|_| off_by(&case.of_broken())))
}

fn off_by(case: &Case<'_>) -> Option<Hypothesis> {
    let limits = || case.keys.iter().map(|key| key.promise.quota.limit);
    let (over, wrong) = case.found(|promise| promise);
    for change in [capacity, limit] {
        let by = match (over, wrong) {
            (true, false) => {
                let most = i64::try_from(limits().max()?).ok()?;
                least(most, |by| !case.over_admits(|promise| change(promise, by)))
            }
            (false, true) => {
                let most = i64::try_from(limits().min()?).ok()? - 1;
                least(most, |by| !case.found(|promise| change(promise, -by)).1).map(|by| -by)
            }
            _ => None,
        };
        if let Some(by) = by.filter(|by| case.all_explained(|promise| change(promise, *by))) {
            let tenants = case.keys.iter().map(|key| key.tenant.to_owned()).collect();
            return Some(Hypothesis::OffByOne { by, tenants });
        }
    }
    None
}

/// The promise with another capacity (token buckets, at the same refill rate) or another limit (other
/// algorithms).
fn capacity(promise: Promise, by: i64) -> Promise {
    match promise.algorithm {
        Algorithm::TokenBucket { burst, refill } => {
            let burst = Some(burst.unwrap_or(promise.quota.limit).saturating_add_signed(by));
            Promise { algorithm: Algorithm::TokenBucket { burst, refill }, ..promise }
        }
        _ => limit(promise, by),
    }
}

fn limit(promise: Promise, by: i64) -> Promise {
    let limit = promise.quota.limit.saturating_add_signed(by);
    Promise { quota: Quota { limit, ..promise.quota }, ..promise }
}

/// The least number of `1..=most` for which `holds`, given that it then holds for all greater ones.
fn least(most: i64, holds: impl Fn(i64) -> bool) -> Option<i64> {
    if most < 1 || !holds(most) {
        return None;
    }
    let (mut below, mut at) = (0, most);
    while at - below > 1 {
        let middle = below + (at - below) / 2;
        if holds(middle) { at = middle } else { below = middle }
    }
    Some(at)
}

/// The window is shorter or longer. The longer it is, the fewer admissions and the more rejections it allows.
pub(super) fn other_window(case: &Case<'_>) -> Option<Hypothesis> {
    let promised = case.keys.first()?.promise.quota.window;
    if case.keys.iter().any(|key| key.promise.quota.window != promised) {
        return None;
    }
    // About a window that clocks cannot tell from zero, nothing can be proven.
    let slack = Lifetime::of(promised, &case.context).most - promised.0;
    let shortest = (slack.saturating_mul(WIDER) as f64 / promised.0 as f64).max(1.0 / FURTHEST);
    let explains = |ratio: f64| ratio >= shortest && case.all_explained(|promise| scaled(promise, ratio));
    let on_grid = case.keys.iter().any(|key| {
        matches!(key.promise.algorithm, Algorithm::AlignedWindow | Algorithm::SlidingCounter { .. })
    });
    let (from, to) = if on_grid {
        // Where windows start changes with their length, so only guesses work.
        let ratio = guesses().find(|ratio| explains(*ratio))?;
        (ratio, ratio)
    } else {
        let ratio = probes(case, shortest, true)
            .chain(probes(case, shortest, false))
            .chain(guesses())
            .find(|ratio| explains(*ratio))?;
        (bound(ratio, shortest, explains), bound(ratio, FURTHEST, explains))
    };
    let length = |ratio: f64| Nanos((promised.0 as f64 * ratio).round() as i64);
    if (from - 1.0).abs().max((to - 1.0).abs()) < ALIKE {
        return None;
    }
    let range = (length(from), length(to));
    Some(Hypothesis::OtherWindow { promised, window: roundest(range), range })
}

fn scaled(promise: Promise, ratio: f64) -> Promise {
    let window = Nanos(((promise.quota.window.0 as f64 * ratio).round() as i64).max(1));
    Promise { quota: Quota { window, ..promise.quota }, ..promise }
}

/// Simple fractions first, then twentieths, then wrong units.
fn guesses() -> impl Iterator<Item = f64> {
    let simple = [(1, 2), (2, 1), (2, 3), (3, 2), (3, 4), (4, 3), (4, 5), (5, 4)];
    let units = [(1, 60), (60, 1), (1, 10), (10, 1)];
    let twentieths = (2..=60).filter(|part| *part != 20).map(|part| (part, 20));
    simple.into_iter().chain(units).chain(twentieths).map(|(part, of)| f64::from(part) / f64::from(of))
}

/// Ratios downwards from the longest window that does not admit too much, by the admissions alone or by all
/// responses. A window that is too long usually fails; one that is out of phase with the true one may fail
/// even if it is too short.
fn probes(case: &Case<'_>, shortest: f64, all: bool) -> impl Iterator<Item = f64> {
    let admits = |ratio: f64| {
        let change = |promise| scaled(promise, ratio);
        if all { !case.found(change).0 } else { !case.over_admits(change) }
    };
    let most = admits(shortest).then(|| bound(shortest, FURTHEST, admits));
    most.into_iter().flat_map(|most| (0..PROBES).map(move |step| most * 0.985_f64.powi(step)))
}

/// The last ratio from `good` towards `bad` for which this holds; `bad` itself, if it holds there, too.
fn bound(good: f64, bad: f64, holds: impl Fn(f64) -> bool) -> f64 {
    if holds(bad) { bad } else { edge(good, bad, holds) }
}

/// The last ratio from `good` towards `bad` for which this holds, to a thousandth.
fn edge(mut good: f64, mut bad: f64, holds: impl Fn(f64) -> bool) -> f64 {
    while (good / bad - 1.0).abs() > 1e-3 {
        let middle = (good * bad).sqrt();
        if holds(middle) { good = middle } else { bad = middle }
    }
    good
}

/// The length with the fewest digits in a range.
fn roundest((from, to): (Nanos, Nanos)) -> Nanos {
    let middle = from.0 + (to.0 - from.0) / 2;
    let mut step = 1_000_000_000_000;
    while step > 1 {
        let round = (middle + step / 2) / step * step;
        if round > 0 && (from.0..=to.0).contains(&round) {
            return Nanos(round);
        }
        step /= if step.to_string().starts_with('1') { 2 } else { 5 };
    }
    Nanos(middle)
}

/// The same quota by another algorithm, or another variant of the same.
pub(super) fn other_algorithm(case: &Case<'_>) -> Option<Hypothesis> {
    let refill = Refill::Continuous;
    let mut algorithms = vec![
        Algorithm::FixedWindow,
        Algorithm::AlignedWindow,
        Algorithm::SlidingLog,
        Algorithm::TokenBucket { burst: None, refill },
    ];
    for anchor in [Anchor::Epoch, Anchor::FirstHit] {
        algorithms.extend(
            [Estimate::Floored, Estimate::Exact]
                .map(|estimate| Algorithm::SlidingCounter { anchor, estimate }),
        );
    }
    let promised = case.keys.first()?.promise.algorithm;
    let explains = |algorithm: &Algorithm| {
        *algorithm != promised
            && judged(*algorithm)
            && case.all_explained(|promise| Promise { algorithm: *algorithm, ..promise })
    };
    algorithms.into_iter().find(explains).map(Hypothesis::OtherAlgorithm)
}

/// Whether the judge of this algorithm is implemented: every judge finds that an empty store must not reject
/// the first request.
pub(super) fn judged(algorithm: Algorithm) -> bool {
    use crate::{Decision, HistoryContext, OtherLimits, Request, Tolerance, judge};
    let rejected = Request {
        id: 0,
        sent: Nanos::from_secs(10),
        done: Nanos::from_secs(10),
        decision: Decision::Rejected,
        replica: 0,
        connection: 0,
    };
    let alone = HistoryContext {
        exclusive: true,
        fresh: true,
        since: Nanos::ZERO,
        complete_until: Nanos::MAX,
        memory_losses: Vec::new(),
        tolerance: Tolerance { offset: Nanos::ZERO, drift: 0.0 },
        resolution: Nanos::ZERO,
        unix_zero: Nanos::ZERO,
        other_limits: OtherLimits::None,
    };
    let quota = Quota { limit: 1, window: Nanos::from_secs(1) };
    !judge(&[rejected], Promise { quota, algorithm }, &alone).violations.is_empty()
}

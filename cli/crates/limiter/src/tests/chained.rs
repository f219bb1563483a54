//! Several limits on a route, each of which consumes before the next one rejects.

use super::{
    super::{
        simulate::Counter,
        simulate::bucket::{Bucket, Kind},
    },
    grid::KINDS,
    *,
};
use crate::brute_force::counter_explains;
use saasbench_model::scenario::{Anchor, Estimate, Refill};

/// A limit of any algorithm that keeps its quota, and the promise.
fn any_limit(quota: Quota, kept: Quota, unix_zero: i64, random: &mut Random) -> (Promise, Limiter) {
    let counter = |anchor, estimate| Limiter::Counter(Counter::new(kept, anchor, estimate, unix_zero));
    let anchor = random.pick(&[Anchor::Epoch, Anchor::FirstHit]);
    let estimate = random.pick(&[Estimate::Exact, Estimate::Floored]);
    let (algorithm, limiter) = match random.draw() % 5 {
        0 => (Algorithm::FixedWindow, Limiter::fixed_window(kept, false)),
        1 => (Algorithm::SlidingLog, Limiter::sliding_log(kept, false)),
        2 => (Algorithm::AlignedWindow, counter(Anchor::Epoch, None)),
        3 => (Algorithm::SlidingCounter { anchor, estimate }, counter(anchor, Some(estimate))),
        _ => (
            Algorithm::TokenBucket { burst: None, refill: Refill::Continuous },
            Limiter::TokenBucket(Bucket::new(kept, kept.limit, Kind::Level)),
        ),
    };
    (Promise { quota, algorithm }, limiter)
}

/// Two or three limits of a route under any load, the first with the smallest window.
fn chain(random: &mut Random) -> (Vec<Promise>, Vec<Limiter>, Load) {
    let window = random.pick(&[50 * MS, SECOND, 10 * SECOND]);
    let limit = random.pick(&[1, 2, 3, 5, 8]);
    let mut load = any_load(window, limit, random);
    // The limiters read one clock, without an offset of their own.
    load.tolerance.offset = Nanos::ZERO;
    load.unix_zero = random.within(0, 3 * window);
    let limits = (0..random.within(2, 3)).map(|number| {
        let wider = 1 + number * random.within(1, 6);
        let limit = random.within(limit as i64, limit as i64 * wider) as u64;
        let quota = Quota { limit, window: Nanos(window * wider) };
        any_limit(quota, quota, load.unix_zero, random)
    });
    let (promises, limiters) = limits.collect::<Vec<_>>().into_iter().unzip();
    (promises, limiters, load)
}

/// Over-admissions of each limit, and the rejections that none of them can have given.
fn judged(
    history: &[Request],
    promises: &[Promise],
    context: &HistoryContext,
    other_limits: OtherLimits,
) -> (usize, Vec<u64>) {
    let context = HistoryContext { other_limits, ..context.clone() };
    let judgements: Vec<Judgement> =
        promises.iter().map(|promise| judge(history, *promise, &context)).collect();
    let over = judgements.iter().filter(|judgement| !judgement.violations.is_empty()).count();
    let mut denied = judgements[0].wrong_rejections.clone();
    denied.retain(|id| judgements.iter().all(|judgement| judgement.wrong_rejections.contains(id)));
    (over, denied)
}

#[test]
fn conforming_chains_are_not_accused() {
    let mut denied_by_one = 0;
    for seed in 0..cases(40_000) {
        let random = &mut Random(seed);
        let (promises, limiters, load) = chain(random);
        let history = load.run(&mut Limiter::Chain(limiters), random);
        let found = judged(&history, &promises, &load.context(), OtherLimits::Chained);
        assert_eq!(found, (0, vec![]), "seed {seed}: {promises:?} {load:?}\n{}", table(&history));
        let context = HistoryContext { other_limits: OtherLimits::Chained, ..load.context() };
        denied_by_one += judge(&history, promises[0], &context).wrong_rejections.len();
    }
    assert!(denied_by_one > 0, "some rejections are certainly the other limit's");
}

/// What would be said of the same chains if they had promised that rejections consume nothing.
#[test]
fn chains_break_the_promise_of_atomic_limits() {
    let broken = (0..cases(5_000)).filter(|seed| {
        let random = &mut Random(*seed);
        let (promises, limiters, load) = chain(random);
        let history = load.run(&mut Limiter::Chain(limiters), random);
        judged(&history, &promises, &load.context(), OtherLimits::Atomic) != (0, vec![])
    });
    assert!(broken.count() > 0);
}

/// A flood against a short and a long limit: the short one lets too much through, then the long one.
#[test]
fn every_defect_of_a_chain_is_found() {
    for seed in 0..40 {
        for (name, changes) in [("the first admits more", [1, 0]), ("the second admits more", [0, 1])] {
            let random = &mut Random(seed);
            let unix_zero = random.within(0, 5 * SECOND);
            let quotas = [(5, SECOND), (12, 10 * SECOND)]
                .map(|(limit, window)| Quota { limit, window: Nanos(window) });
            let (promises, limiters): (Vec<_>, Vec<_>) = (0..2)
                .map(|at| {
                    let limit = quotas[at].limit + changes[at];
                    any_limit(quotas[at], Quota { limit, ..quotas[at] }, unix_zero, random)
                })
                .unzip();
            let mut load = Load::new(Arrivals::Flood(SECOND / 200), 4_000, MS as f64);
            load.unix_zero = unix_zero;
            // A window of the epoch may end between the first admissions; later ones are full.
            let history = load.run(&mut Limiter::Chain(limiters), random);
            let found = judged(&history, &promises, &load.context(), OtherLimits::Chained);
            assert!(found.0 > 0, "{name}, seed {seed}: {promises:?}");
        }
    }
}

/// Rejections at random are no limit's, where no limit can be used up.
#[test]
fn rejections_that_none_of_a_chain_can_have_given_are_found() {
    for seed in 0..40 {
        let random = &mut Random(seed);
        let quota = |limit, window| Quota { limit, window: Nanos(window) };
        let limits =
            [quota(20, SECOND), quota(100, 10 * SECOND)].map(|quota| any_limit(quota, quota, 0, random));
        let promises = limits.clone().map(|(promise, _)| promise);
        let mut chain = Limiter::Chain(limits.map(|(_, limiter)| limiter).to_vec());
        let load = Load::new(Arrivals::Flood(SECOND / 8), 80, MS as f64);
        let mut history = load.run(&mut chain, random);
        let wrong = 10 + random.draw() as usize % 60;
        history[wrong].decision = R;
        let found = judged(&history, &promises, &load.context(), OtherLimits::Chained);
        assert_eq!(found, (0, vec![history[wrong].id]), "seed {seed}: {promises:?}");
    }
}

type Explains = Box<dyn Fn(&[Request], Quota, &HistoryContext) -> bool>;
type Kept = Box<dyn Fn(Quota, bool) -> Limiter>;

/// Tiny histories: no exact search explains what is proven, whatever each rejected request consumed.
#[test]
fn chained_limits_agree_with_brute_force() {
    let mut algorithms: Vec<(Algorithm, Explains, Kept)> = vec![
        (
            Algorithm::FixedWindow,
            Box::new(brute_force::fixed_window_explains),
            Box::new(Limiter::fixed_window),
        ),
        (Algorithm::SlidingLog, Box::new(brute_force::sliding_log_explains), Box::new(Limiter::sliding_log)),
        (
            Algorithm::TokenBucket { burst: None, refill: Refill::Continuous },
            Box::new(|requests, quota, context| {
                let slack = context.resolution.0 + context.tolerance.offset.0;
                brute_force::token_bucket::explains(requests, quota, quota.limit, slack, context)
            }),
            Box::new(super::token_bucket::of_quota),
        ),
    ];
    for kind in KINDS {
        let algorithm = match kind.estimate {
            None => Algorithm::AlignedWindow,
            Some(estimate) => Algorithm::SlidingCounter { anchor: kind.anchor, estimate },
        };
        let explains: Explains = Box::new(move |requests, quota, context| {
            counter_explains(requests, quota, kind.anchor, kind.estimate, context)
        });
        algorithms.push((algorithm, explains, Box::new(move |quota, _| kind.limiter(quota, 0))));
    }
    for (algorithm, explains, make) in algorithms {
        let (mut over, mut denied, mut open) = (0, 0, 0);
        for seed in 0..cases(20_000) {
            let random = &mut Random(seed);
            let (history, quota, context) = tiny(random, &make);
            let context = HistoryContext { other_limits: OtherLimits::Chained, ..context };
            let judgement = judge(&history, Promise { quota, algorithm }, &context);
            let unknown = |request: &Request| match request.decision {
                R => Request { decision: U, ..*request },
                _ => *request,
            };
            let consumed: Vec<Request> = history.iter().map(unknown).collect();
            let alone = HistoryContext { other_limits: OtherLimits::None, ..context.clone() };
            let failed =
                || format!("{algorithm} {seed}: {quota:?} {context:?}\n{}{judgement:?}", table(&history));
            if !judgement.violations.is_empty() {
                over += 1;
                assert!(!explains(&consumed, quota, &alone), "{}", failed());
            }
            for request in history.iter().filter(|request| request.decision == R) {
                let this = |other: &Request| if other.id == request.id { *other } else { unknown(other) };
                let by_itself: Vec<Request> = history.iter().map(this).collect();
                if judgement.wrong_rejections.contains(&request.id) {
                    denied += 1;
                    assert!(!explains(&by_itself, quota, &alone), "{} denied: {}", request.id, failed());
                } else if judgement.violations.is_empty() && !explains(&by_itself, quota, &alone) {
                    open += 1;
                }
            }
        }
        println!(
            "{algorithm}: {over} over-admissions, {denied} rejections denied, {open} not denied though wrong"
        );
        assert!(over > 0 && denied > 0 && open <= denied, "{algorithm}: {over} {denied} {open}");
    }
}

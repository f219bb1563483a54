//! Simulated conforming limiters with exact headers: none may ever fail.

use super::{
    key::{HeaderValue, Key},
    remaining, retry_after,
};
use saasbench_limiter::{
    Promise,
    simulate::{
        Counter, Limiter, Random, any_load,
        bucket::{Bucket, Kind},
    },
};
use saasbench_model::{
    scenario::{Algorithm, Anchor, Estimate, Refill},
    units::{Nanos, Quota},
};

fn any_limiter(quota: Quota, random: &mut Random, unix_zero: i64) -> (Algorithm, Limiter) {
    let step = quota.window.0 / random.within(1, 6);
    let burst = random.pick(&[quota.limit, quota.limit, 1, quota.limit + 3]);
    let bucket = |kind| Limiter::TokenBucket(Bucket::new(quota, burst, kind));
    let tokens = |refill| Algorithm::TokenBucket { burst: Some(burst), refill };
    let counter = |anchor, estimate| Limiter::Counter(Counter::new(quota, anchor, estimate, unix_zero));
    let inclusive = random.chance(0.5);
    match random.draw() % 10 {
        0 | 1 => (Algorithm::FixedWindow, Limiter::fixed_window(quota, inclusive)),
        2 => (Algorithm::SlidingLog, Limiter::sliding_log(quota, inclusive)),
        3 => (Algorithm::AlignedWindow, counter(Anchor::Epoch, None)),
        4 | 5 => {
            let anchor = random.pick(&[Anchor::Epoch, Anchor::FirstHit]);
            let estimate = random.pick(&[Estimate::Exact, Estimate::Floored]);
            (Algorithm::SlidingCounter { anchor, estimate }, counter(anchor, Some(estimate)))
        }
        6 => (tokens(Refill::Continuous), bucket(Kind::Level)),
        7 => (tokens(Refill::Continuous), bucket(Kind::ArrivalTime)),
        8 => (tokens(Refill::Steps(Nanos(step))), bucket(Kind::Steps(step, false))),
        _ => (tokens(Refill::Steps(Nanos(step))), bucket(Kind::Steps(step, true))),
    }
}

/// How many more requests it would admit at this instant.
fn left(limiter: &Limiter, ticks: i64, replica: u16) -> u32 {
    let mut probe = limiter.clone();
    (0..).take_while(|_| probe.admits(ticks, replica)).count() as u32
}

/// Seconds until it admits again: the soonest whole second, at least one.
fn soonest(limiter: &Limiter, ticks: i64, replica: u16) -> u32 {
    (1..).find(|k| limiter.clone().admits(ticks + i64::from(*k) * 1_000_000_000, replica)).unwrap()
}

fn ends(limiter: &Limiter, window: Nanos) -> Option<i64> {
    match limiter {
        Limiter::FixedWindow { ends, live, .. } => live.then_some(*ends),
        Limiter::Counter(counter) => counter.begin.map(|begin| begin + window.0),
        _ => None,
    }
}

#[test]
fn no_conforming_limiter_fails() {
    let mut held = [0u64; 4];
    for seed in 0..10_000 {
        let mut random = Random(seed);
        let limit = random.within(1, 9) as u64;
        let window = Nanos::from_secs(random.pick(&[1, 3, 5, 10, 60]));
        let quota = Quota { limit, window };
        let mut load = any_load(window.0, limit, &mut random);
        load.unix_zero = 1_700_000_000_000_000_000 + random.within(0, 60_000_000_000);
        let (algorithm, mut limiter) = any_limiter(quota, &mut random, load.unix_zero);
        let whole = random.chance(0.3);
        let unix_zero = load.unix_zero;
        let mut reported: Vec<HeaderValue> = Vec::new();
        let history = load.run_seen(&mut limiter, &mut random, |id, limiter, ticks, replica, admits| {
            let reset = ends(limiter, window).map(|ends| (unix_zero + ends) as f64 / 1e9);
            let retry_after = (!admits).then(|| soonest(limiter, ticks, replica));
            let reset = reset.map(|reset| if whole { reset.ceil() } else { reset });
            reported.push(HeaderValue::new(id, Some(left(limiter, ticks, replica)), retry_after, reset));
        });
        reported.sort_by_key(|said| said.id);
        let context = load.context();
        let key = Key::new(&history, &reported);
        let promise = Promise { quota, algorithm };
        let tested = [
            retry_after::come_back(&key, &context),
            retry_after::not_before(&key, &context),
            remaining::not_more(&key, promise, &context),
            remaining::as_announced(&key, &context),
        ];
        for (rule, tested) in tested.iter().enumerate() {
            held[rule] += tested.held;
            assert!(tested.first.is_none(), "seed {seed} rule {rule} {promise:?}: {tested:?} {context:?}");
        }
    }
    assert!(held.iter().all(|held| *held > 1000), "every rule is put to the test: {held:?}");
}

//! Token buckets: judged by hand, against honest and broken ones, and against exact search.

use super::{
    super::brute_force::token_bucket::explains,
    super::simulate::bucket::{Bucket, Kind},
    super::token_bucket::judge,
    *,
};
use crate::scenario::Refill;

/// An honest history, or a tiny one; with the promise that it is judged by.
fn any_kind(window: i64, random: &mut Random) -> (Kind, Refill) {
    let step = window / random.within(1, 30);
    match random.next() % 4 {
        0 => (Kind::Level, Refill::Continuous),
        1 => (Kind::ArrivalTime, Refill::Continuous),
        2 => (Kind::Steps(step, true), Refill::Steps(Nanos(step))),
        _ => (Kind::Steps(step, false), Refill::Steps(Nanos(step))),
    }
}

#[test]
fn an_honest_token_bucket_is_never_accused() {
    for seed in 0..cases(20_000) {
        let random = &mut Random(seed);
        let window = random.pick(&[50 * MS, SECOND, 10 * SECOND]);
        let limit = random.pick(&[1, 2, 3, 5, 8, 8, 20]);
        let size = random.pick(&[limit, limit, 1, 2, 2 * limit]);
        let quota = Quota { limit, window: Nanos(window) };
        let (kind, refill) = any_kind(window, random);
        let load = any_load(window, size, random);
        let history = load.run(&mut Limiter::TokenBucket(Bucket::new(quota, size, kind)), random);
        let circumstances = Circumstances { other_limits: random.chance(0.1), ..load.circumstances() };
        let judgement = judge(&history, quota, Some(size), refill, &circumstances);
        assert!(
            judgement.violations.is_empty() && judgement.wrong_refusals.is_empty(),
            "seed {seed}: {quota:?} of {size} {kind:?} {load:?}\n{}\n{judgement:?}",
            table(&history),
        );
    }
}

#[test]
fn the_token_bucket_agrees_with_brute_force() {
    let (mut broken, mut missed) = (0, 0);
    for seed in 0..cases(4_000) {
        let random = &mut Random(seed);
        let size = random.within(1, 4) as u64;
        let kind = random.pick(&[Kind::Level, Kind::ArrivalTime]);
        let (history, quota, mut circumstances) =
            tiny(random, |quota, _| Limiter::TokenBucket(Bucket::new(quota, size, kind)));
        circumstances.tolerance.offset = Nanos(random.pick(&[0, 0, 0, 1]));
        let slack = circumstances.resolution.0 + circumstances.tolerance.offset.0;
        let explained = explains(&history, quota, size, slack, &circumstances);
        let judgement = judge(&history, quota, Some(size), Refill::Continuous, &circumstances);
        assert!(
            !explained || judgement.violations.is_empty(),
            "seed {seed}: {quota:?} of {size} {circumstances:?}\n{}\n{:?}",
            table(&history),
            judgement.violations
        );
        broken += u64::from(!explained);
        if !explained && judgement.violations.is_empty() {
            missed += 1;
            if std::env::var("SHOW").is_ok() {
                println!("seed {seed}: {quota:?} of {size} {circumstances:?}\n{}", table(&history));
            }
        }
    }
    println!("{broken} broken, {missed} missed");
    assert!(missed * 20 <= broken, "{missed} of {broken} missed");
}

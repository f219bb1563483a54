//! Aligned windows and sliding counters: the same duties as of the other judges.

use super::{
    super::{
        aligned_window,
        brute_force::counter_explains,
        simulate::{Counter, any_load},
        sliding_counter,
    },
    *,
};
use crate::scenario::{Anchor, Estimate};

/// One kind of limiter on a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    anchor: Anchor,
    estimate: Option<Estimate>,
}

const ALIGNED: Kind = Kind { anchor: Anchor::Epoch, estimate: None };
const EXACT: Kind = Kind { anchor: Anchor::Epoch, estimate: Some(Estimate::Exact) };
const FLOORED: Kind = Kind { anchor: Anchor::Epoch, estimate: Some(Estimate::Floored) };
const FIRST_EXACT: Kind = Kind { anchor: Anchor::FirstHit, estimate: Some(Estimate::Exact) };
const FIRST_FLOORED: Kind = Kind { anchor: Anchor::FirstHit, estimate: Some(Estimate::Floored) };
const KINDS: [Kind; 5] = [ALIGNED, EXACT, FLOORED, FIRST_EXACT, FIRST_FLOORED];

impl Kind {
    fn judge(self, requests: &[Request], quota: Quota, circumstances: &Circumstances) -> Judgement {
        match self.estimate {
            None => aligned_window::judge(requests, quota, circumstances),
            Some(estimate) => sliding_counter::judge(requests, quota, self.anchor, estimate, circumstances),
        }
    }

    fn limiter(self, quota: Quota, unix_zero: i64) -> Limiter {
        Limiter::Counter(Counter::new(quota, self.anchor, self.estimate, unix_zero))
    }

    fn make(self) -> Make {
        match self {
            ALIGNED => |quota, _| ALIGNED.limiter(quota, 0),
            EXACT => |quota, _| EXACT.limiter(quota, 0),
            FLOORED => |quota, _| FLOORED.limiter(quota, 0),
            FIRST_EXACT => |quota, _| FIRST_EXACT.limiter(quota, 0),
            _ => |quota, _| FIRST_FLOORED.limiter(quota, 0),
        }
    }

    fn explains(self, requests: &[Request], quota: Quota, circumstances: &Circumstances) -> bool {
        counter_explains(requests, quota, self.anchor, self.estimate, circumstances)
    }

    fn name(self) -> String {
        let anchor = if self.anchor == Anchor::Epoch { "epoch" } else { "first hit" };
        match self.estimate {
            None => "aligned window".to_owned(),
            Some(estimate) => format!("sliding counter, {anchor}, {estimate:?}").to_lowercase(),
        }
    }
}

#[test]
fn honest_grids_are_never_accused() {
    for kind in KINDS {
        for seed in 0..cases(20_000) {
            let random = &mut Random(seed);
            let window = random.pick(&[50 * MS, SECOND, 10 * SECOND]);
            let limit = random.pick(&[1, 2, 3, 5, 8, 8, 20]);
            let quota = Quota { limit, window: Nanos(window) };
            let mut load = any_load(window, limit, random);
            load.unix_zero = random.within(0, 3 * window);
            let mut limiter = kind.limiter(quota, load.unix_zero);
            let history = load.run(&mut limiter, random);
            let mut circumstances = load.circumstances();
            circumstances.other_limits = random.chance(0.1);
            let judgement = kind.judge(&history, quota, &circumstances);
            assert!(
                judgement.violations.is_empty() && judgement.wrong_refusals.is_empty(),
                "{}, seed {seed}: {quota:?} {load:?}\n{}\n{:?}",
                kind.name(),
                table(&history),
                judgement.violations
            );
        }
    }
}

/// Tiny histories against exact search; how many were broken, and how many of them were missed.
fn agreement(kind: Kind, ordinary: u64) -> (u64, u64) {
    let (mut broken, mut missed) = (0, 0);
    for seed in 0..cases(ordinary) {
        let random = &mut Random(seed);
        let (history, quota, mut circumstances) = tiny(random, kind.make());
        if random.chance(0.2) {
            circumstances.unix_zero = Nanos(random.within(-20, 20));
        }
        if kind.anchor == Anchor::Epoch && random.chance(0.1) {
            circumstances.tolerance.offset = Nanos(1);
        }
        let explained = kind.explains(&history, quota, &circumstances);
        let judgement = kind.judge(&history, quota, &circumstances);
        assert!(
            !explained || judgement.violations.is_empty(),
            "{}, seed {seed}: {quota:?} {circumstances:?}\n{}\n{:?}",
            kind.name(),
            table(&history),
            judgement.violations
        );
        broken += u64::from(!explained);
        if !explained && judgement.violations.is_empty() {
            missed += 1;
            if std::env::var("SAASBENCH_SHOW").is_ok() {
                println!("missed {seed}: {quota:?} {circumstances:?}\n{}", table(&history));
            }
        }
    }
    println!("{}: {broken} broken, {missed} missed", kind.name());
    (broken, missed)
}

#[test]
fn grids_agree_with_brute_force() {
    for kind in KINDS {
        let (broken, missed) = agreement(kind, 2_000);
        assert!(missed * 20 <= broken, "{}: {missed} of {broken} missed", kind.name());
    }
}

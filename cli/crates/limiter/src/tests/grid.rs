//! Aligned windows and sliding counters: the same properties as for the other judges.

mod by_hand;

use super::{
    super::{
        aligned_window,
        brute_force::counter_explains,
        simulate::{Counter, any_load},
        sliding_counter,
    },
    *,
};
use saasbench_model::scenario::{Anchor, Estimate};

/// One kind of limiter on a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GridKind {
    pub(super) anchor: Anchor,
    pub(super) estimate: Option<Estimate>,
}

const ALIGNED: GridKind = GridKind { anchor: Anchor::Epoch, estimate: None };
const EXACT: GridKind = GridKind { anchor: Anchor::Epoch, estimate: Some(Estimate::Exact) };
const FLOORED: GridKind = GridKind { anchor: Anchor::Epoch, estimate: Some(Estimate::Floored) };
const FIRST_EXACT: GridKind = GridKind { anchor: Anchor::FirstHit, estimate: Some(Estimate::Exact) };
const FIRST_FLOORED: GridKind = GridKind { anchor: Anchor::FirstHit, estimate: Some(Estimate::Floored) };
pub(super) const KINDS: [GridKind; 5] = [ALIGNED, EXACT, FLOORED, FIRST_EXACT, FIRST_FLOORED];

impl GridKind {
    fn judge(self, requests: &[Request], quota: Quota, context: &HistoryContext) -> Judgement {
        match self.estimate {
            None => aligned_window::judge(requests, quota, context),
            Some(estimate) => sliding_counter::judge(requests, quota, self.anchor, estimate, context),
        }
    }

    pub(super) fn limiter(self, quota: Quota, unix_zero: i64) -> Limiter {
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

    fn explains(self, requests: &[Request], quota: Quota, context: &HistoryContext) -> bool {
        counter_explains(requests, quota, self.anchor, self.estimate, context)
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
fn no_violation_is_reported_of_conforming_grids() {
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
            let mut context = load.context();
            context.other_limits = any_others(0.1, random);
            let judgement = kind.judge(&history, quota, &context);
            assert!(
                judgement.violations.is_empty() && judgement.wrong_rejections.is_empty(),
                "{}, seed {seed}: {quota:?} {load:?}\n{}\n{:?}",
                kind.name(),
                table(&history),
                judgement.violations
            );
        }
    }
}

/// Compares tiny histories with exact search; returns how many were broken, and how many of those were
/// missed.
fn agreement(kind: GridKind, thorough: u64) -> (u64, u64) {
    let (mut broken, mut missed) = (0, 0);
    for seed in 0..cases(thorough) {
        let random = &mut Random(seed);
        let (history, quota, mut context) = tiny(random, kind.make());
        if random.chance(0.2) {
            context.unix_zero = Nanos(random.within(-20, 20));
        }
        if kind.anchor == Anchor::Epoch && random.chance(0.1) {
            context.tolerance.offset = Nanos(1);
        }
        let explained = kind.explains(&history, quota, &context);
        let judgement = kind.judge(&history, quota, &context);
        assert!(
            !explained || judgement.violations.is_empty(),
            "{}, seed {seed}: {quota:?} {context:?}\n{}\n{:?}",
            kind.name(),
            table(&history),
            judgement.violations
        );
        broken += u64::from(!explained);
        if !explained && judgement.violations.is_empty() {
            missed += 1;
        }
    }
    println!("{}: {broken} broken, {missed} missed", kind.name());
    (broken, missed)
}

#[test]
fn grids_agree_with_brute_force() {
    for kind in KINDS {
        let (broken, missed) = agreement(kind, 100_000);
        assert!(missed * 20 <= broken, "{}: {missed} of {broken} missed", kind.name());
    }
}

/// The certificate alone is a proof: exact search finds no explanation, whatever happened to all other
/// requests.
#[test]
fn certificates_are_proofs_by_themselves() {
    let (mut crowds, mut rejections) = (0, 0);
    for kind in KINDS {
        for seed in 0..cases(100_000) {
            let random = &mut Random(seed);
            let (history, quota, context) = tiny(random, kind.make());
            for violation in kind.judge(&history, quota, &context).violations {
                let needed: Vec<Request> = match &violation {
                    // Admissions and rejections contradict each other only in combination.
                    Violation::OverAdmission { allowed: 0, .. } => continue,
                    Violation::WrongRejection { because, .. } if !because.starts_with("at no instant") => {
                        continue;
                    }
                    Violation::OverAdmission { requests, .. } => {
                        crowds += 1;
                        let unknown = |request: &Request| match requests.contains(request) {
                            true => *request,
                            false => Request { decision: U, ..*request },
                        };
                        history.iter().map(unknown).collect()
                    }
                    // Rejected hits keep a first-hit grid going, so they cannot be left out.
                    Violation::WrongRejection { .. } if kind.anchor == Anchor::FirstHit => continue,
                    Violation::WrongRejection { request, against, counted, .. } => {
                        rejections += 1;
                        assert!(*counted < quota.limit);
                        let counts = |other: &&Request| *other == request || against.contains(other);
                        history.iter().filter(counts).copied().collect()
                    }
                };
                assert!(
                    !kind.explains(&needed, quota, &context),
                    "{}, seed {seed}: {quota:?} {context:?}\n{}\n{violation:?}",
                    kind.name(),
                    table(&history),
                );
            }
        }
    }
    println!("{crowds} crowds, {rejections} rejections");
    assert!(crowds > 0 && rejections > 0);
}

#[test]
fn every_defect_of_a_grid_is_found() {
    for kind in KINDS {
        for seed in 0..cases(20).min(20) {
            let random = &mut Random(seed);
            let window = random.pick(&[SECOND, 2 * SECOND]);
            let quota = Quota { limit: random.within(4, 8) as u64, window: Nanos(window) };
            let rate = random.within(20, 200);
            let latency = random.pick(&[MS, 5 * MS, 10 * MS]) as f64;
            let mut load = Load::new(Arrivals::Flood(SECOND / rate), 20 * rate as u64, latency);
            (load.since, load.lost) = (random.pick(&[0, 5 * SECOND]), random.pick(&[0.0, 0.000_2]));
            load.tail = random.pick(&[0.0, 0.02]);
            load.tolerance = Tolerance { offset: Nanos(MS), drift: 1e-4 };
            load.unix_zero = random.within(0, 5 * SECOND);
            let with = |quota: Quota, shift: i64| kind.limiter(quota, load.unix_zero + shift);
            let per_window = |limit: u64| Quota { limit, ..quota };
            let length = |share: i64| Quota { window: Nanos(window / 5 * share), ..quota };
            let mut broken = vec![
                ("one too many", with(per_window(quota.limit + 1), 0)),
                ("one too few", with(per_window(quota.limit - 1), 0)),
                ("too short", with(length(4), 0)),
                ("too long", with(length(6), 0)),
                ("per replica", Limiter::PerReplica(vec![with(quota, 0), with(quota, 0)])),
            ];
            // In a steady flood admissions are evenly spaced, so some shifts leave no trace.
            let spacing = match kind.estimate {
                None => 1,
                Some(Estimate::Exact) => quota.limit - 1,
                Some(Estimate::Floored) => quota.limit,
            };
            if kind.anchor == Anchor::Epoch && spacing % 3 != 0 {
                broken.push(("shifted", with(quota, window / 3)));
            }
            for (name, mut limiter) in broken {
                let history = load.run(&mut limiter, random);
                let judgement = kind.judge(&history, quota, &load.context());
                assert!(
                    !judgement.violations.is_empty(),
                    "{}: {name} at {quota}, seed {seed}: {load:?}",
                    kind.name()
                );
            }
        }
    }
}

/// The same as `hard_loads_are_judged_soundly_and_their_cost_is_printed`, for grids.
#[test]
fn hard_loads_of_grids_are_judged_soundly_and_their_cost_is_printed() {
    let requests = cases(5_000);
    let quota = |limit| Quota { limit, window: Nanos::from_secs(10) };
    let in_flight = 30.0 * SECOND as f64 * 500.0 / requests as f64;
    let (short, long) = (30 * SECOND, SECOND * requests as i64);
    let shapes = [
        ("a flood", quota(8), quota(8), short, MS as f64),
        ("a flood, one too many", quota(8), quota(9), short, MS as f64),
        ("a flood, one too few", quota(8), quota(7), short, MS as f64),
        ("a thousand in flight", quota(1_000), quota(1_000), short, in_flight),
        ("a thousand in flight, too many", quota(1_000), quota(1_200), short, in_flight),
        ("a great quota", quota(requests / 10), quota(requests / 10), short, MS as f64),
        ("a great quota, too few", quota(requests / 10), quota(requests / 20), short, MS as f64),
        ("many windows", quota(2), quota(2), 10 * SECOND * requests as i64 / 8, SECOND as f64),
        ("latencies as long as windows", quota(8), quota(8), long, 10.0 * SECOND as f64),
        ("latencies as long as windows, broken", quota(8), quota(6), long, 10.0 * SECOND as f64),
        ("no limit kept", quota(8), quota(u64::MAX / 4), short, MS as f64),
        ("nothing admitted", quota(8), quota(0), short, MS as f64),
    ];
    for (name, promised, kept, span, latency) in shapes {
        for kind in KINDS {
            for since in [0, span / 3] {
                let mut load = Load::new(Arrivals::Flood(span / requests as i64), requests, latency);
                (load.since, load.tail) = (since, 0.01);
                let history = load.run(&mut kind.limiter(kept, 0), &mut Random(1));
                let judgement = kind.judge(&history, promised, &load.context());
                assert!(
                    kept != promised || judgement.violations.is_empty(),
                    "{name}: {:?}",
                    judgement.violations
                );
            }
        }
    }
}

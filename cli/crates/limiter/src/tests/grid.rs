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
use saasbench_model::scenario::{Anchor, Estimate};

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
    fn judge(self, requests: &[Request], quota: Quota, context: &HistoryContext) -> Judgement {
        match self.estimate {
            None => aligned_window::judge(requests, quota, context),
            Some(estimate) => sliding_counter::judge(requests, quota, self.anchor, estimate, context),
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
            let mut context = load.context();
            context.other_limits = random.chance(0.1);
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

/// Tiny histories against exact search; how many were broken, and how many of them were missed.
fn agreement(kind: Kind, ordinary: u64) -> (u64, u64) {
    let (mut broken, mut missed) = (0, 0);
    for seed in 0..cases(ordinary) {
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

fn check_kind(kind: Kind, cases: &[Case]) {
    for (name, change, requests, expected) in cases {
        let mut context = alone();
        change(&mut context);
        let quota = Quota { limit: 2, window: Nanos::from_secs(1) };
        let judgement = kind.judge(&history(requests), quota, &context);
        assert_eq!(found(&judgement), *expected, "{}, {name}: {:?}", kind.name(), judgement.violations);
    }
}

/// The quota is 2/1s; windows begin at whole seconds.
#[test]
fn aligned_windows_by_hand() {
    let cases: &[Case] = &[
        ("nothing", |_| (), &[], ""),
        ("as promised", |_| (), &[(0, 0, A), (10, 10, A), (20, 20, R), (1_000, 1_000, A)], ""),
        ("one too many", |_| (), &[(0, 0, A), (10, 10, A), (999, 999, A)], "+ 0 1 2"),
        (
            "twice as many around an edge",
            |_| (),
            &[(900, 900, A), (990, 990, A), (1_000, 1_000, A), (1_010, 1_010, A)],
            "",
        ),
        (
            "windows of Unix time",
            |c| c.unix_zero = Nanos(300 * MS),
            &[(600, 600, A), (650, 650, A), (700, 700, A), (1_000, 1_000, A), (1_699, 1_699, A)],
            "+ 2 3 4",
        ),
        (
            "one tick is granted",
            |c| c.resolution = Nanos(MS),
            &[(1_000, 1_000, A), (1_500, 1_500, A), (1_999, 1_999, A)],
            "",
        ),
        (
            "so is the offset",
            |c| c.tolerance.offset = Nanos(MS),
            &[(1_000, 1_000, A), (1_500, 1_500, A), (1_999, 1_999, A)],
            "",
        ),
        (
            "but it is one and the same",
            |c| c.tolerance.offset = Nanos(MS),
            &[
                (1_000, 1_000, A),
                (1_500, 1_500, A),
                (1_999, 1_999, A),
                (2_001, 2_001, A),
                (2_500, 2_500, A),
                (3_000, 3_000, A),
            ],
            "+ 0 1 2 3 4 5",
        ),
        (
            "nobody is admitted twice",
            |_| (),
            &[(0, 0, A), (10, 10, A), (950, 1_050, A), (960, 1_040, A), (1_500, 1_500, A)],
            "+ 0 1 2 3 4",
        ),
        ("rejected too early", |_| (), &[(0, 0, A), (10, 10, R), (20, 20, A)], "- 1 (1) of 1"),
        (
            "nothing is left of the window before",
            |_| (),
            &[(0, 0, A), (10, 10, A), (1_000, 1_000, R)],
            "- 2 (0) of 1",
        ),
        ("an unknown one may have counted", |_| (), &[(0, 0, A), (5, 900, U), (10, 10, R)], ""),
        ("a full window stays full", |_| (), &[(0, 0, A), (10, 10, U), (20, 20, R), (30, 30, A)], "+ 3"),
        ("an old window", |c| c.fresh = false, &[(0, 0, R), (999, 999, R)], ""),
        ("ends where the next begins", |c| c.fresh = false, &[(0, 0, R), (1_000, 1_000, R)], "- 1 (0) of 1"),
        ("company may have filled it", |c| c.exclusive = false, &[(0, 0, R), (5_000, 5_000, R)], ""),
        ("but gives nothing", |c| c.exclusive = false, &[(0, 0, A), (1, 1, A), (2, 2, A)], "+ 0 1 2"),
        (
            "behind the cut anyone may have",
            |c| c.complete_until = Nanos(5 * MS),
            &[(0, 0, A), (10, 10, R)],
            "",
        ),
        (
            "memory may be lost",
            |c| c.memory_losses = vec![(Nanos(15 * MS), Nanos(15 * MS))],
            &[(0, 0, A), (10, 10, A), (20, 20, A), (30, 30, A), (40, 40, R)],
            "",
        ),
        (
            "more than once",
            |c| c.memory_losses = vec![(Nanos(15 * MS), Nanos(25 * MS))],
            &[(20, 20, A), (20, 20, A), (20, 20, A), (20, 20, A), (20, 20, A), (20, 20, A), (20, 20, A)],
            "",
        ),
        (
            "but only once",
            |c| c.memory_losses = vec![(Nanos(15 * MS), Nanos(15 * MS))],
            &[(0, 0, A), (10, 10, A), (20, 20, A), (30, 30, A), (40, 40, A)],
            "+ 2 3 4",
        ),
    ];
    check_kind(ALIGNED, cases);
}

/// The quota is 2/1s; windows begin at whole seconds.
#[test]
fn sliding_counters_by_hand() {
    const FULL: (i64, i64, Decision) = (0, 10, A);
    check_kind(
        EXACT,
        &[
            ("2 · 0.501 + 1 > 2", |_| (), &[FULL, FULL, (1_499, 1_499, A)], "+ 0 1 2"),
            ("2 · 0.500 + 1 = 2", |_| (), &[FULL, FULL, (1_500, 1_500, A)], ""),
            ("1 · 0.001 + 2 > 2", |_| (), &[FULL, FULL, (1_500, 1_500, A), (1_999, 1_999, A)], "+ 1 2 3"),
            ("1 · 0.999 + 1 + 1 > 2", |_| (), &[FULL, (1_001, 1_001, A), (1_002, 1_002, R)], ""),
            ("rejected rightly", |_| (), &[FULL, FULL, (1_499, 1_499, R)], ""),
            ("rejected wrongly", |_| (), &[FULL, FULL, (1_500, 1_500, R)], "- 2 (1) of 1"),
            ("two windows ago", |_| (), &[FULL, FULL, (2_000, 2_000, R)], "- 2 (0) of 1"),
            ("an old window may weigh", |c| c.fresh = false, &[(1_499, 1_499, R)], ""),
            ("as long as it does", |c| c.fresh = false, &[(2_000, 2_000, R)], "- 0 (0) of 1"),
        ],
    );
    check_kind(
        FLOORED,
        &[
            ("⌊2 · 1.000⌋ + 1 > 2", |_| (), &[FULL, FULL, (1_000, 1_000, A)], "+ 0 1 2"),
            ("⌊2 · 0.999⌋ + 1 = 2", |_| (), &[FULL, FULL, (1_001, 1_001, A)], ""),
            ("⌊2 · 0.500⌋ + 2 > 2", |_| (), &[FULL, FULL, (1_001, 1_001, A), (1_500, 1_500, A)], "+ 0 1 2 3"),
            ("⌊2 · 0.499⌋ + 2 = 2", |_| (), &[FULL, FULL, (1_001, 1_001, A), (1_501, 1_501, A)], ""),
            ("rejected wrongly", |_| (), &[FULL, FULL, (1_001, 1_001, R)], "- 2 (1) of 1"),
        ],
    );
    check_kind(
        FIRST_FLOORED,
        &[
            ("from the first hit", |_| (), &[(300, 300, A), (310, 310, A), (1_300, 1_300, A)], "+ 0 1 2"),
            ("rounded down", |_| (), &[(300, 300, A), (310, 310, A), (1_301, 1_301, A)], ""),
            (
                "gone after two windows",
                |_| (),
                &[(300, 300, A), (310, 310, A), (2_300, 2_300, R)],
                "- 2 (0) of 1",
            ),
            (
                "a rejection keeps the grid",
                |_| (),
                &[
                    (300, 300, A),
                    (310, 310, A),
                    (1_300, 1_300, R),
                    (2_100, 2_100, A),
                    (2_299, 2_299, A),
                    (2_310, 2_310, A),
                    (2_320, 2_320, R),
                ],
                "",
            ),
            (
                "a grid that began while nothing else happened",
                |_| (),
                &[
                    (0, 0, A),
                    (100, 2_600, A),
                    (2_650, 2_650, A),
                    (2_700, 2_700, R),
                    (3_100, 3_100, R),
                    (3_300, 3_300, A),
                ],
                "",
            ),
            (
                "a new grid",
                |_| (),
                &[(300, 300, A), (2_400, 2_400, A), (3_399, 3_399, A), (3_400, 3_400, R), (3_401, 3_401, A)],
                "",
            ),
            (
                "and not two in it",
                |_| (),
                &[(300, 300, A), (2_400, 2_400, A), (3_399, 3_399, A), (3_399, 3_399, A)],
                "+ 1 2 3",
            ),
        ],
    );
}

#[test]
fn a_grids_certificate_can_be_checked_by_hand() {
    let because = |kind: Kind, limit, requests: &[(i64, i64, Decision)]| {
        let judgement =
            kind.judge(&history(requests), Quota { limit, window: Nanos::from_secs(10) }, &alone());
        let because = judgement.violations.into_iter().map(|violation| match violation {
            Violation::OverAdmission { because, .. } | Violation::WrongRejection { because, .. } => because,
        });
        because.collect::<Vec<_>>().join("\n")
    };
    let requests = [(4, 4, A), (10, 12, A), (20, 25, A), (14_000, 14_000, A), (14_010, 14_010, R)];
    insta::assert_snapshot!("aligned_too_many", because(ALIGNED, 2, &requests));
    insta::assert_snapshot!("aligned_too_few", because(ALIGNED, 4, &requests));
    insta::assert_snapshot!("counter_too_many", because(EXACT, 2, &requests));
    insta::assert_snapshot!("counter_too_few", because(FLOORED, 4, &requests));
    insta::assert_snapshot!(
        "counter_first_hit",
        because(FIRST_FLOORED, 3, &[&requests[..3], &[(10_003, 10_003, A), (10_004, 10_004, A)]].concat())
    );
    insta::assert_snapshot!(
        "together",
        because(ALIGNED, 2, &[(0, 0, A), (10, 10, U), (20, 20, R), (30, 30, A)])
    );
}

#[test]
fn rejections_by_another_limit_are_told_one_by_one() {
    let requests = history(&[(0, 0, A), (10, 10, R), (20, 20, A), (30, 30, R), (1_000, 1_000, R)]);
    let context = HistoryContext { other_limits: true, ..alone() };
    let quota = Quota { limit: 2, window: Nanos::from_secs(1) };
    for (kind, wrong) in
        [(ALIGNED, vec![1, 4]), (EXACT, vec![1]), (FLOORED, vec![1]), (FIRST_FLOORED, vec![1])]
    {
        let judgement = kind.judge(&requests, quota, &context);
        assert_eq!(
            (judgement.violations, judgement.wrong_rejections),
            (Vec::new(), wrong),
            "{}",
            kind.name()
        );
    }
}

/// The proof is in the certificate: exact search finds no explanation, whatever became of all other requests.
#[test]
fn certificates_are_proofs_by_themselves() {
    let (mut crowds, mut rejections) = (0, 0);
    for kind in KINDS {
        for seed in 0..cases(100_000) {
            let random = &mut Random(seed);
            let (history, quota, context) = tiny(random, kind.make());
            for violation in kind.judge(&history, quota, &context).violations {
                let needed: Vec<Request> = match &violation {
                    // Admissions and rejections contradict each other only together.
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
                    // Rejected hits keep a grid going, so they cannot be left out there.
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
            // In a steady flood admissions are spaced evenly, so that some shifts leave no trace.
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

/// As of the other judges: see there.
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

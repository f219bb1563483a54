//! No conforming limiter is reported; every known defect is found; tiny histories are judged as by exact
//! search.

mod by_hand;
mod chained;
mod grid;
mod hard_loads;
mod sensitivity;
mod token_bucket;

use proptest::prelude::*;

use super::{
    Decision, HistoryContext, Judgement, OtherLimits, Promise, Request, Tolerance, Unjudged, Violation,
    brute_force, certificate, fixed_window, judge,
    simulate::{Arrivals, Limiter, Load, Random, any_load},
    sliding_log,
};
use saasbench_model::{
    scenario::Algorithm,
    units::{Nanos, Quota},
};

type Judge = fn(&[Request], Quota, &HistoryContext) -> Judgement;
type Make = fn(Quota, bool) -> Limiter;

const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;

const A: Decision = Decision::Admitted;
const R: Decision = Decision::Rejected;
const U: Decision = Decision::Unknown;

/// Requests `(sent, done, decision)` in milliseconds, numbered from 0.
fn history(requests: &[(i64, i64, Decision)]) -> Vec<Request> {
    let request = |(id, (sent, done, decision)): (u64, &(i64, i64, Decision))| Request {
        id,
        sent: Nanos::from_millis(*sent),
        done: Nanos::from_millis(*done),
        decision: *decision,
        replica: 0,
        connection: 0,
    };
    (0..).zip(requests).map(request).collect()
}

/// A fresh, exclusive store, with exact clocks and no ticks.
fn alone() -> HistoryContext {
    HistoryContext {
        exclusive: true,
        fresh: true,
        since: Nanos::ZERO,
        complete_until: Nanos::MAX,
        memory_losses: Vec::new(),
        tolerance: Tolerance { offset: Nanos::ZERO, drift: 0.0 },
        resolution: Nanos::ZERO,
        unix_zero: Nanos::ZERO,
        other_limits: OtherLimits::None,
    }
}

/// Other limits, with this probability.
fn any_others(probability: f64, random: &mut Random) -> OtherLimits {
    match random.chance(probability) {
        true => random.pick(&[OtherLimits::Atomic, OtherLimits::Chained]),
        false => OtherLimits::None,
    }
}

/// Formats violations: `+ ids` for an over-admission, `- id of` for a wrong rejection.
fn found(judgement: &Judgement) -> String {
    let name = |violation: &Violation| match violation {
        Violation::OverAdmission { requests, .. } => {
            let ids: Vec<String> = requests.iter().map(|request| request.id.to_string()).collect();
            format!("+ {}", ids.join(" "))
        }
        Violation::WrongRejection { request, counted, of, .. } => {
            format!("- {} ({counted}) of {of}", request.id)
        }
    };
    judgement.violations.iter().map(name).collect::<Vec<_>>().join(", ")
}

type Case = (&'static str, fn(&mut HistoryContext), &'static [(i64, i64, Decision)], &'static str);

fn check(judge: Judge, cases: &[Case]) {
    for (name, change, requests, expected) in cases {
        let mut context = alone();
        change(&mut context);
        let judgement = judge(&history(requests), Quota { limit: 2, window: Nanos::from_secs(1) }, &context);
        assert_eq!(found(&judgement), *expected, "{name}: {:?}", judgement.violations);
    }
}

prop_compose! {
    fn any_request()(
        sent in 0..4_000i64,
        lasts in prop_oneof![Just(0), 0..20i64, 0..3_000i64],
        decision in prop_oneof![Just(A), Just(R), Just(U)],
    ) -> (i64, i64, Decision) {
        (sent, sent + lasts, decision)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Whatever is recorded and found, the evidence is in the history, and is consistent with the violation.
    #[test]
    fn certificates_are_true(
        mut requests in prop::collection::vec(any_request(), 0..60),
        limit in 1..6u64,
        (exclusive, fresh) in any::<(bool, bool)>(),
        losses in prop::collection::vec((0..5_000i64, 0..300i64), 0..3),
        until in prop_oneof![Just(i64::MAX), 0..4_000i64],
        resolution in 0..3i64,
    ) {
        requests.sort_by_key(|(sent, ..)| *sent);
        let requests = history(&requests);
        let quota = Quota { limit, window: Nanos::from_secs(1) };
        let mut losses: Vec<_> = losses
            .into_iter()
            .map(|(from, length)| (Nanos::from_millis(from), Nanos::from_millis(from + length)))
            .collect();
        losses.sort();
        let context = HistoryContext {
            exclusive,
            fresh,
            complete_until: Nanos::from_millis(until),
            memory_losses: losses,
            resolution: Nanos::from_millis(resolution),
            ..alone()
        };
        for judge in [fixed_window::judge, sliding_log::judge] {
            let judgement = judge(&requests, quota, &context);
            for violation in &judgement.violations {
                match violation {
                    Violation::OverAdmission { requests: crowd, allowed, from, to, .. } => {
                        prop_assert_eq!(crowd.len() as u64, allowed + 1);
                        prop_assert!(crowd.iter().all(|one| one.decision == A && requests.contains(one)));
                        prop_assert!(crowd.windows(2).all(|pair| (pair[0].sent, pair[0].id) < (pair[1].sent, pair[1].id)));
                        prop_assert!(crowd.iter().all(|one| *from <= one.sent && one.done <= *to));
                    }
                    Violation::WrongRejection { request, counted, of, .. } => {
                        prop_assert!(request.decision == R && requests.contains(request));
                        prop_assert!(*counted < limit && (1..=judgement.rejected).contains(of));
                        prop_assert!(exclusive && request.done < context.complete_until);
                    }
                }
            }
        }
    }
}

/// How many histories a property test tries: `SAASBENCH_CASES`, or `thorough` with `SAASBENCH_THOROUGH`
/// (`ci/nightly`); otherwise a fifth of that, and a fiftieth without optimisation.
fn cases(thorough: u64) -> u64 {
    let share = match std::env::var_os("SAASBENCH_THOROUGH") {
        Some(_) => 1,
        None if cfg!(debug_assertions) => 50,
        None => 5,
    };
    let chosen = std::env::var("SAASBENCH_CASES").ok().and_then(|cases| cases.parse().ok());
    chosen.unwrap_or((thorough / share).max(1))
}

/// One line per request.
fn table(history: &[Request]) -> String {
    let line = |request: &Request| {
        let Request { id, sent, done, decision, .. } = request;
        format!("  {id:3} [{}, {}] {decision:?}\n", sent.0, done.0)
    };
    history.iter().map(line).collect()
}

fn no_violation_is_reported_of_a_conforming_limiter(judge: Judge, make: Make) {
    for seed in 0..cases(20_000) {
        let random = &mut Random(seed);
        let window = random.pick(&[50 * MS, SECOND, 10 * SECOND]);
        let limit = random.pick(&[1, 2, 3, 5, 8, 8, 20]);
        let quota = Quota { limit, window: Nanos(window) };
        let load = any_load(window, limit, random);
        let mut limiter = make(quota, random.chance(0.5));
        let history = load.run(&mut limiter, random);
        let judgement = judge(&history, quota, &load.context());
        assert!(
            judgement.violations.is_empty(),
            "seed {seed}: {quota:?} {load:?}\n{}\n{:?}",
            table(&history),
            judgement.violations
        );
    }
}

#[test]
fn no_violation_is_reported_of_a_conforming_fixed_window() {
    no_violation_is_reported_of_a_conforming_limiter(fixed_window::judge, Limiter::fixed_window);
}

#[test]
fn no_violation_is_reported_of_a_conforming_sliding_log() {
    no_violation_is_reported_of_a_conforming_limiter(sliding_log::judge, Limiter::sliding_log);
}

/// A tiny history: responses of a limiter on the grid, some of them changed, or arbitrary ones.
fn tiny(random: &mut Random, make: impl Fn(Quota, bool) -> Limiter) -> (Vec<Request>, Quota, HistoryContext) {
    let quota = Quota { limit: random.within(1, 3) as u64, window: Nanos(random.within(3, 8)) };
    let since = if random.chance(0.6) { 0 } else { random.within(1, 6) };
    let most = random.pick(&[0, 0, 1, 3, 6]);
    let length = random.within(6, 22);
    let mut limiter = make(quota, random.chance(0.5));
    let wild = random.chance(0.3);
    let mut calls: Vec<(i64, i64, i64)> = (0..random.within(3, 7))
        .map(|_| {
            let sent = since + random.within(0, length);
            let decided = sent + random.within(0, most);
            (decided, sent, decided + random.within(0, most))
        })
        .collect();
    calls.sort_unstable();
    let mut history: Vec<Request> = (0..)
        .zip(calls)
        .map(|(id, (decided, sent, done))| {
            let mut decision =
                if limiter.admits(decided, 0) { Decision::Admitted } else { Decision::Rejected };
            if wild || random.chance(0.1) {
                decision = random.pick(&[Decision::Admitted, Decision::Rejected]);
            }
            if random.chance(0.08) {
                decision = Decision::Unknown;
            }
            Request { id, sent: Nanos(sent), done: Nanos(done), decision, replica: 0, connection: 0 }
        })
        .collect();
    history.sort_by_key(|request| (request.sent, request.id));
    let loss = random.chance(0.1).then(|| {
        let from = random.within(since, since + length);
        (Nanos(from), Nanos(from + random.within(0, 3)))
    });
    let context = HistoryContext {
        exclusive: random.chance(0.9),
        fresh: random.chance(0.7),
        since: Nanos(since),
        complete_until: if random.chance(0.9) {
            Nanos::MAX
        } else {
            Nanos(random.within(since, since + length))
        },
        memory_losses: loss.into_iter().collect(),
        tolerance: Tolerance { offset: Nanos::ZERO, drift: 0.0 },
        resolution: Nanos(random.within(0, 1)),
        unix_zero: Nanos::ZERO,
        other_limits: OtherLimits::None,
    };
    (history, quota, context)
}

/// Returns how many histories brute force proves broken, and how many of them the judge missed.
fn agrees_with_brute_force(
    algorithm: Algorithm,
    explains: fn(&[Request], Quota, &HistoryContext) -> bool,
    make: Make,
    ordinary: u64,
) -> (u64, u64) {
    let (mut broken, mut missed) = (0, 0);
    for seed in 0..cases(ordinary) {
        let random = &mut Random(seed);
        let (history, quota, context) = tiny(random, make);
        let explained = explains(&history, quota, &context);
        let promise = Promise { quota, algorithm };
        let judgement = judge(&history, promise, &context);
        assert!(
            !explained || judgement.violations.is_empty(),
            "seed {seed}: {quota:?} {context:?}\n{}\n{:?}",
            table(&history),
            judgement.violations
        );
        for violation in judgement.violations.iter().cloned() {
            let violation = certificate::completed(violation, &history, promise, &context);
            let (Violation::OverAdmission { given, .. } | Violation::WrongRejection { given, .. }) =
                &violation;
            let certified = certificate::relaxed(&history, &certificate::core(&violation), given, &context);
            assert!(
                !explains(&certified, quota, &context),
                "seed {seed}: {quota:?} {context:?}\n{}is no proof, of\n{}\n{violation:?}",
                table(&certified),
                table(&history),
            );
        }
        broken += u64::from(!explained);
        if !explained && judgement.violations.is_empty() {
            missed += 1;
        }
    }
    println!("{broken} broken, {missed} missed");
    (broken, missed)
}

#[test]
fn the_fixed_window_agrees_with_brute_force() {
    let (broken, missed) = agrees_with_brute_force(
        Algorithm::FixedWindow,
        brute_force::fixed_window_explains,
        Limiter::fixed_window,
        100_000,
    );
    assert!(missed * 20 <= broken, "{missed} of {broken} missed");
}

#[test]
fn the_sliding_log_agrees_with_brute_force() {
    let (broken, missed) = agrees_with_brute_force(
        Algorithm::SlidingLog,
        brute_force::sliding_log_explains,
        Limiter::sliding_log,
        100_000,
    );
    assert!(missed * 20 <= broken, "{missed} of {broken} missed");
}

/// A defect of a limiter with a promised quota.
#[derive(Debug, Clone, Copy)]
enum Defect {
    OneTooMany,
    OneTooFew,
    WindowTooShort,
    WindowTooLong,
    PerReplica,
}

const DEFECTS: [Defect; 5] = [
    Defect::OneTooMany,
    Defect::OneTooFew,
    Defect::WindowTooShort,
    Defect::WindowTooLong,
    Defect::PerReplica,
];

impl Defect {
    fn limiter(self, quota: Quota, make: Make) -> Limiter {
        let Quota { limit, window: Nanos(window) } = quota;
        match self {
            Self::OneTooMany => make(Quota { limit: limit + 1, ..quota }, false),
            Self::OneTooFew => make(Quota { limit: limit - 1, ..quota }, false),
            Self::WindowTooShort => make(Quota { window: Nanos(window * 4 / 5), ..quota }, false),
            Self::WindowTooLong => make(Quota { window: Nanos(window * 6 / 5), ..quota }, false),
            Self::PerReplica => Limiter::PerReplica(vec![make(quota, false), make(quota, false)]),
        }
    }

    fn is_over_admission(self) -> bool {
        matches!(self, Self::OneTooMany | Self::WindowTooShort | Self::PerReplica)
    }
}

/// A 28 s flood at 100 to 200 requests/s, with latencies of 1 to 50 ms.
fn flood(random: &mut Random, since: i64, lost: f64, tail: f64) -> Load {
    let rate = random.within(100, 200);
    let requests = ((since / SECOND + 28) * rate) as u64;
    let mut load =
        Load::new(Arrivals::Flood(SECOND / rate), requests, random.pick(&[MS, 5 * MS, 25 * MS]) as f64);
    (load.since, load.lost, load.tail) = (since, lost, tail);
    load.tolerance = Tolerance { offset: Nanos(MS), drift: 1e-4 };
    load
}

fn every_defect_is_found(judge: Judge, make: Make, since: i64) {
    for defect in DEFECTS {
        for seed in 0..20 {
            let random = &mut Random(seed);
            let quota = Quota { limit: random.within(4, 8) as u64, window: Nanos::from_secs(10) };
            let (lost, tail) = (random.pick(&[0.0, 0.000_2]), random.pick(&[0.0, 0.02]));
            let load = flood(random, since, lost, tail);
            let history = load.run(&mut defect.limiter(quota, make), random);
            let judgement = judge(&history, quota, &load.context());
            let found = judgement.violations.iter().any(|violation| {
                matches!(violation, Violation::OverAdmission { .. }) == defect.is_over_admission()
            });
            assert!(found, "{defect:?} at {quota}, seed {seed}: {:?} {load:?}", judgement.violations);
        }
    }
}

#[test]
fn every_defect_of_a_fixed_window_is_found() {
    every_defect_is_found(fixed_window::judge, Limiter::fixed_window, 0);
}

#[test]
fn every_defect_of_a_fixed_window_is_found_from_an_unknown_start() {
    every_defect_is_found(fixed_window::judge, Limiter::fixed_window, 13 * SECOND);
}

#[test]
fn every_defect_of_a_sliding_log_is_found() {
    every_defect_is_found(sliding_log::judge, Limiter::sliding_log, 0);
}

#[test]
fn every_defect_of_a_sliding_log_is_found_from_an_unknown_start() {
    every_defect_is_found(sliding_log::judge, Limiter::sliding_log, 13 * SECOND);
}

//! Comparisons of hand-made runs.

mod waiting;

use super::{
    gather::{BLOCKS, Cell},
    interval::Pair,
    judge::Subject,
    *,
};
use crate::testing::Judge as _;
use saasbench_model::scenario::testing::SCENARIO;
use saasbench_record::{
    event::{Event, Pace, PaceChange},
    manifest::State,
    sample::{NotSentReason, RequestOutcome, Sample},
    testing::{TestRun, sample, stall},
};

/// 2,000 requests in ten seconds; `micros` gives the duration of each, by its number from 0.
fn samples(micros: impl Fn(i64) -> i64) -> Vec<Sample> {
    let each = |i: i64| {
        let mut sample = sample(i * 5, 0, RequestOutcome::Status(200));
        sample.done = sample.sent + Nanos(micros(i) * 1000);
        sample
    };
    (0..2000).map(each).collect()
}

/// Between 10 and 20 ms, in an order that repeats within a block.
fn usual(i: i64) -> i64 {
    10_000 + i * 7919 % 10_007
}

/// Compares a run with others, by way of the files.
fn held(baselines: &[&TestRun], new: &TestRun, terms: Terms) -> Result<Comparison, CompareError> {
    let open = |made: &TestRun| {
        made.judge();
        RecordedRun::open(made.dir.path()).unwrap()
    };
    let baselines: Vec<RecordedRun> = baselines.iter().map(|made| open(made)).collect();
    compare(&baselines, &open(new), terms)
}

fn against(base: &TestRun, new: &TestRun) -> Comparison {
    held(&[base], new, Terms::default()).unwrap()
}

fn made(micros: impl Fn(i64) -> i64) -> TestRun {
    TestRun::new("", &samples(micros))
}

fn reported(comparison: &Comparison) -> Vec<(&'static str, Change)> {
    let all = comparison.rows.iter().flat_map(|row| &row.quantities);
    all.map(|quantity| (quantity.name, quantity.outcome)).collect()
}

#[test]
fn a_run_is_as_fast_as_itself() {
    use Change::{Regressed, Unchanged};
    let comparison = against(&made(usual), &made(usual));
    assert_eq!(
        reported(&comparison),
        [
            ("p50", Unchanged),
            ("p90", Unchanged),
            ("p99", Unchanged),
            ("errors", Unchanged),
            ("served", Unchanged)
        ],
        "{comparison:#?}"
    );
    assert_eq!(comparison.outcome, Outcome::Pass);

    let comparison = against(&made(usual), &made(|i| usual(i) * 13 / 10));
    assert_eq!(
        reported(&comparison)[..3],
        [("p50", Regressed), ("p90", Regressed), ("p99", Regressed)],
        "{comparison:#?}"
    );
    assert_eq!(comparison.outcome, Outcome::Fail);
    let p50 = &comparison.rows[0].quantities[0];
    assert!(p50.low.unwrap() < 0.3 && 0.3 < p50.high.unwrap(), "{p50:?}");
}

#[test]
fn errors_and_throughput_are_compared_too() {
    let mut failed = samples(usual);
    for sample in failed.iter_mut().step_by(20) {
        sample.failed_check = Some("status 200, expected 201".to_owned());
    }
    let outcome = |comparison: &Comparison, name: &str| {
        comparison.rows[0].quantities.iter().find(|quantity| quantity.name == name).unwrap().outcome
    };
    let comparison = against(&made(usual), &TestRun::new("", &failed));
    assert_eq!(outcome(&comparison, "errors"), Change::Regressed);
    assert_eq!(outcome(&comparison, "p50"), Change::Unchanged);
    let mut rejected = samples(usual);
    rejected.iter_mut().for_each(|sample| sample.outcome = RequestOutcome::Status(429));
    let comparison = against(&made(usual), &TestRun::new("", &rejected));
    assert_eq!(outcome(&comparison, "served"), Change::Regressed);
    assert_eq!(outcome(&comparison, "errors"), Change::Unchanged, "a 429 that the step expects is none");
}

#[test]
fn few_requests_prove_nothing_and_the_needed_number_is_reported() {
    let few = TestRun::new("", &samples(usual)[..40]);
    let comparison = against(&few, &few);
    let p99 = &comparison.rows[0].quantities[2];
    assert_eq!((p99.outcome, p99.needed), (Change::TooFew, Some(1000)));
    let vague = made(|i| 1000 + i * 7919 % 100_003);
    let comparison = against(&vague, &vague);
    let p50 = &comparison.rows[0].quantities[0];
    assert_eq!(p50.outcome, Change::Inconclusive, "{p50:?}");
    assert!(p50.needed.unwrap() > 2000, "{p50:?}");
    assert_eq!(comparison.outcome, Outcome::Inconclusive);
}

#[test]
fn responses_during_a_stall_are_excluded() {
    // For a second, all responses arrive at the end of a stall; before and after it as usual.
    let mut stalled = samples(usual);
    for sample in &mut stalled[800..1000] {
        sample.done = Nanos::from_millis(5000);
    }
    let mut new = TestRun::new("", &stalled);
    new.self_monitor.stalls = vec![stall(4000, 1000)];
    let comparison = against(&made(usual), &new);
    assert!(
        reported(&comparison)[..4].iter().all(|(_, change)| *change == Change::Unchanged),
        "{comparison:#?}"
    );
    // All that were due in the stall, its last instant included, and three that were in flight when it
    // started.
    assert_eq!(comparison.rows[0].excluded, 204);
    new.self_monitor.stalls.clear();
    // A service that hung once may do so more often now or not: that is unknown, but it is not ignored.
    assert_eq!(against(&made(usual), &new).outcome, Outcome::Inconclusive);
}

fn changes(comparison: &Comparison, name: &str) -> Change {
    comparison.rows[0].quantities.iter().find(|quantity| quantity.name == name).unwrap().outcome
}

#[test]
fn a_generator_that_did_not_keep_up_makes_everything_inconclusive() {
    let mut slower = samples(|i| usual(i) * 13 / 10);
    for sample in slower.iter_mut().step_by(150) {
        sample.outcome = RequestOutcome::Dropped;
    }
    let comparison = against(&made(usual), &TestRun::new("", &slower));
    assert_eq!(comparison.outcome, Outcome::Fail, "less than 1 % is no reason for doubt: {comparison:#?}");
    assert_eq!(changes(&comparison, "errors"), Change::Unchanged, "what was dropped is no error");
    assert_eq!((comparison.rows[0].dropped, comparison.rows[0].new_requests), (14, 1986));
    for sample in slower.iter_mut().step_by(40) {
        sample.outcome = RequestOutcome::Dropped;
    }
    // Drops are not the only problem: this machine ran out of ports.
    slower[1].outcome = RequestOutcome::NotSent(NotSentReason::Exhausted);
    let slower = TestRun::new("", &slower);
    for [base, new] in [[&made(usual), &slower], [&slower, &made(usual)], [&slower, &slower]] {
        let comparison = against(base, new);
        assert!(
            reported(&comparison).iter().all(|(_, change)| *change == Change::Inconclusive),
            "{comparison:#?}"
        );
        assert_eq!(comparison.outcome, Outcome::Inconclusive);
    }
    let comparison = against(&made(usual), &slower);
    let reason = comparison.generator[0].replace(&slower.dir.path().display().to_string(), "DIR");
    insta::assert_snapshot!(reason, @"DIR: 60 of 1999 arrivals were dropped");
    assert!(comparison.waiting.is_empty());
}

#[test]
fn the_generators_own_lateness_makes_no_run_slower() {
    let mut late = samples(usual);
    for sample in &mut late {
        // Less than the permitted lateness, but half as long as a response takes.
        let by = Nanos::from_millis(6);
        (sample.sent, sample.done) = (sample.sent + by, sample.done + by);
    }
    let comparison = against(&made(usual), &TestRun::new("", &late));
    let p50 = &comparison.rows[0].quantities[0];
    assert_eq!((p50.outcome, p50.by_lateness, p50.needed), (Change::Inconclusive, true, None), "{p50:?}");
    assert_eq!((comparison.outcome, comparison.generator.len()), (Outcome::Inconclusive, 0));
    let by_sent = Terms { clock: Clock::Sent, ..Terms::default() };
    let comparison = held(&[&made(usual)], &TestRun::new("", &late), by_sent).unwrap();
    assert_eq!(comparison.outcome, Outcome::Pass, "{comparison:#?}");
    // What is slower without the lateness, too, is slower.
    late.iter_mut().for_each(|sample| sample.done = sample.done + Nanos::from_millis(6));
    assert_eq!(against(&made(usual), &TestRun::new("", &late)).outcome, Outcome::Fail);
}

#[test]
fn a_service_that_no_longer_serves_anyone_does_not_pass() {
    let rejected = |count: usize, status: u16| {
        let mut samples = samples(usual)[..count].to_vec();
        samples.iter_mut().for_each(|sample| sample.outcome = RequestOutcome::Status(status));
        samples
    };
    let served = |count: usize| TestRun::new("", &samples(usual)[..count]);
    for step in [1, 10, 100] {
        let [served, rejected] =
            [samples(usual), rejected(2000, 429)].map(|all| TestRun::new("", &each(step, &all)));
        let comparison = against(&served, &rejected);
        assert_eq!(changes(&comparison, "served"), Change::Regressed, "{comparison:#?}");
    }
    // 60 responses all lie in one block of the ten seconds: the variation is unknown.
    for count in [1, 12, 60] {
        let comparison = against(&served(count), &TestRun::new("", &rejected(count, 429)));
        assert_eq!(changes(&comparison, "served"), Change::Inconclusive, "{comparison:#?}");
        assert_eq!(comparison.outcome, Outcome::Inconclusive);
    }
    let mut failed = rejected(12, 500);
    failed.iter_mut().for_each(|sample| sample.failed_check = Some("status 500".to_owned()));
    let comparison = against(&served(12), &TestRun::new("", &failed));
    assert_eq!(changes(&comparison, "errors"), Change::Inconclusive, "{comparison:#?}");
}

/// Every `step`-th sample, over the whole time.
fn each(step: usize, samples: &[Sample]) -> Vec<Sample> {
    samples.iter().step_by(step).cloned().collect()
}

#[test]
fn few_events_are_judged_exactly() {
    let half = |sample: &mut Sample| sample.outcome = RequestOutcome::Status(429);
    let usual = each(50, &samples(usual));
    let mut fewer = usual.clone();
    fewer.iter_mut().skip(1).step_by(2).for_each(half);
    let comparison = against(&TestRun::new("", &usual), &TestRun::new("", &fewer));
    assert_eq!(changes(&comparison, "served"), Change::Inconclusive, "20 in place of 40: {comparison:#?}");
    fewer.iter_mut().skip(4).for_each(half);
    let comparison = against(&TestRun::new("", &usual), &TestRun::new("", &fewer));
    assert_eq!(changes(&comparison, "served"), Change::Regressed, "2 in place of 40: {comparison:#?}");
    let comparison = against(&TestRun::new("", &fewer), &TestRun::new("", &usual));
    assert_eq!(changes(&comparison, "served"), Change::Improved, "{comparison:#?}");
}

#[test]
fn missing_rows_count_and_new_ones_are_reported() {
    let two = SCENARIO.replace("\"acme\"", "\"acme\"\n[[tenant]]\nid = \"globex\"");
    let of = |step: usize| {
        let mut samples = samples(usual);
        for sample in samples.iter_mut().step_by(step) {
            sample.tenant = 1;
        }
        TestRun::of(two.clone(), &samples)
    };
    let (both, hardly, alone) = (of(2), of(1000), TestRun::of(two.clone(), &samples(usual)));
    let comparison = against(&both, &alone);
    let gone = &comparison.rows[0];
    assert_eq!(
        (&*gone.tenant, gone.new_requests, gone.quantities[0].outcome),
        ("globex", 0, Change::Regressed)
    );
    assert_eq!(gone.quantities.len(), 1);
    let comparison = against(&hardly, &alone);
    let gone = comparison.rows.iter().find(|row| row.tenant == "globex").unwrap();
    assert_eq!(
        (gone.quantities[0].outcome, comparison.outcome),
        (Change::Inconclusive, Outcome::Inconclusive)
    );

    let comparison = against(&alone, &both);
    assert_eq!(comparison.rows.len(), 1);
    insta::assert_snapshot!(comparison.warnings.join("\n"), @"requests in the new run only, so there is nothing to compare: globex, chat/POST /chat");
    // The service cannot have lost what the scenario no longer has.
    let forced = Terms { force: true, ..Terms::default() };
    let comparison = held(&[&hardly], &made(usual), forced).unwrap();
    assert_eq!(comparison.outcome, Outcome::Pass, "{comparison:#?}");
    insta::assert_snapshot!(comparison.warnings.join("\n"), @"
    tenants: acme, globex, now acme
    not in the new run's scenario, so there is nothing to compare: globex, chat/POST /chat
    ");
}

#[test]
fn a_response_that_hangs_shifts_no_block() {
    let mut hung = samples(usual);
    hung[1000].done = Nanos::from_secs(40);
    let mut new = TestRun::new("", &hung);
    new.manifest.load.as_mut().unwrap().to_ns = Nanos::from_secs(40);
    let comparison = against(&made(usual), &new);
    assert_eq!(comparison.outcome, Outcome::Pass, "{comparison:#?}");
}

#[test]
fn a_run_that_ended_early_is_compared_over_the_common_time() {
    // The load of both runs doubles after five seconds, and its latency with it.
    let growing = |i: i64| if i < 1000 { usual(i) } else { 2 * usual(i) };
    let mut new = TestRun::new("", &samples(growing)[..900]);
    new.manifest.state = State::Interrupted;
    new.manifest.load.as_mut().unwrap().to_ns = Nanos::from_millis(4600);
    let comparison = against(&made(growing), &new);
    assert_eq!(comparison.rows[0].base_requests, 900);
    assert_eq!(
        (changes(&comparison, "p50"), changes(&comparison, "served")),
        (Change::Unchanged, Change::Unchanged)
    );
    assert_eq!(comparison.outcome, Outcome::Inconclusive, "half of the load was not compared");
    let why = comparison.cut_short.unwrap().replace(&new.dir.path().display().to_string(), "DIR");
    insta::assert_snapshot!(why);
    // A baseline that ended early is reported, and only its half is compared.
    let comparison = against(&new, &made(growing));
    assert_eq!((comparison.outcome, comparison.cut_short), (Outcome::Pass, None));
    let reported = comparison.warnings.join("\n").replace(&new.dir.path().display().to_string(), "DIR");
    insta::assert_snapshot!(reported);
    // A regression in the compared part counts.
    let mut slow = TestRun::new("", &samples(|i| 2 * growing(i))[..900]);
    slow.manifest.state = State::Running;
    assert_eq!(against(&made(growing), &slow).outcome, Outcome::Fail);
}

#[test]
fn a_pause_does_not_lower_the_rate_of_responses() {
    let mut later = samples(usual);
    for sample in &mut later[1000..] {
        for at in [&mut sample.intended, &mut sample.sent, &mut sample.done] {
            *at = *at + Nanos::from_secs(20);
        }
    }
    let mut new = TestRun::new("", &later);
    let paused = Pace { paused: true, factor: 1.0 };
    for (at, [from, to]) in [(5, [Pace::default(), paused]), (25, [paused, Pace::default()])] {
        new.manifest.events.push(Event::PaceChanged(PaceChange { at_ns: Nanos::from_secs(at), from, to }));
    }
    let comparison = held(&[&made(usual)], &new, Terms { force: true, ..Terms::default() }).unwrap();
    assert_eq!(comparison.outcome, Outcome::Pass, "{comparison:#?}");
}

#[test]
fn the_ends_that_are_shown_hold_together() {
    // Three of four got worse. Holm's method leaves the fourth a larger share, but the intervals of the three
    // use the equal share.
    let subject = |change: f64| {
        let (base, new) = (cell(1.0), cell(change));
        let pair = Pair::latency(&base, &[&base], &new, 0, 0.5);
        Subject::latency("p50", 0.5, (0.05, Nanos::ZERO), 2000, pair)
    };
    let ends = |quantity: &Quantity| (quantity.low.unwrap(), quantity.high.unwrap());
    let many: Vec<Subject> = [1.3, 1.3, 1.3, 1.0].map(subject).into_iter().collect();
    let (together, one) = (judge::judge(&many, 0.05), judge::judge(&[subject(1.3)], 0.05 / 4.0));
    assert_eq!(together[0].outcome, Change::Regressed);
    assert_eq!(ends(&together[0]), ends(&one[0]), "as if each were alone with a quarter of the doubt");
}

/// A row of responses as [`usual`], times a factor.
fn cell(factor: f64) -> Cell {
    let mut cell = Cell::default();
    for i in 0..2000 {
        let latency = Nanos::from_secs_f64(factor * usual(i) as f64 / 1e6);
        cell.blocks[i as usize * BLOCKS / 2000].latencies[0].add(latency);
    }
    cell.blocks.iter_mut().for_each(|block| block.latencies[0].settle());
    cell
}

#[test]
fn a_run_within_the_range_of_its_baselines_has_not_regressed() {
    let (quick, slow) = (made(usual), made(|i| usual(i) * 13 / 10));
    let comparison = held(&[&quick, &slow], &slow, Terms::default()).unwrap();
    assert!(reported(&comparison).iter().all(|(_, change)| *change != Change::Regressed), "{comparison:#?}");
    let comparison = held(&[&quick, &quick], &slow, Terms::default()).unwrap();
    assert_eq!(comparison.outcome, Outcome::Fail, "two baselines are no worse than one");
}

#[test]
fn runs_of_different_things_are_not_compared_and_differences_are_reported() {
    let renamed = SCENARIO.replace("\"acme\"", "\"globex\"").replace("\"test\"", "\"other\"");
    let other = TestRun::of(renamed, &samples(usual));
    let rejected = |new: &TestRun| {
        let error = held(&[&made(usual)], new, Terms::default()).unwrap_err().to_string();
        error.lines().skip(1).map(|line| format!("{line}\n")).collect::<String>()
    };
    insta::assert_snapshot!(rejected(&other), @"
    scenario: test, now other
    tenants: acme, now globex
    ");
    insta::assert_snapshot!(rejected(&TestRun::new("# a comment\n", &samples(usual))), @"the scenario's text has changed");
    let mut faster = made(usual);
    faster.manifest.scenario.overrides.rate = Some(20.0);
    let paused = Pace { paused: true, factor: 1.0 };
    let change = PaceChange { at_ns: Nanos::from_secs(1), from: Pace::default(), to: paused };
    faster.manifest.events.push(Event::PaceChanged(change));
    insta::assert_snapshot!(rejected(&faster), @"
    changed by the command line: nothing, now 20/s
    changed by hand: nothing, now paused at 1.0 s
    ");
    let forced = Terms { force: true, ..Terms::default() };
    let error = held(&[&made(usual)], &other, forced).unwrap_err();
    assert!(matches!(error, CompareError::NothingInCommon { .. }), "{error}");

    let mut new = TestRun::new("# a comment\n", &samples(usual));
    new.manifest.environment.name = "staging".to_owned();
    new.manifest.environment.faults = vec!["count-lost=10".to_owned()];
    new.manifest.environment.http2 = vec!["a".to_owned()];
    new.manifest.saasbench = "0.2.0".to_owned();
    new.manifest.machine.cpus = 64;
    new.manifest.scenario.overrides.rate = Some(20.0);
    new.manifest.state = State::Interrupted;
    let comparison = held(&[&made(usual), &made(usual)], &new, forced).unwrap();
    insta::assert_snapshot!(comparison.warnings.join("\n"), @"
    the scenario's text has changed
    changed by the command line: nothing, now 20/s
    environment: test, replicas: 2, now staging, replicas: 2
    faults: none, now count-lost=10
    HTTP/2: none, now a
    version of saasbench: 0.1.0, now 0.2.0
    machine: test test with 1 processors, now test test with 64 processors
    how the run ended: finished, now interrupted
    ");
}

#[test]
fn a_comparison_serializes() {
    let mut json = serde_json::to_value(against(&made(usual), &made(usual))).unwrap();
    for key in ["new", "baselines"] {
        json[key] = "DIR".into();
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&json).unwrap());
}

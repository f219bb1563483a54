//! Comparisons of hand-made runs.

use super::*;
use crate::{
    record::{
        manifest::{Event, Pace},
        sample::{Outcome as SampleOutcome, Sample},
    },
    verify::testing::{Made, SCENARIO, sample, stall},
};

/// 2,000 requests in ten seconds, to whose number, from 0, this says how long each took, in microseconds.
fn samples(micros: impl Fn(i64) -> i64) -> Vec<Sample> {
    let each = |i: i64| {
        let mut sample = sample(i * 5, 0, SampleOutcome::Status(200));
        sample.done = sample.sent + Nanos(micros(i) * 1000);
        sample
    };
    (0..2000).map(each).collect()
}

/// Between 10 and 20 ms, in an order that repeats itself within a block.
fn usual(i: i64) -> i64 {
    10_000 + i * 7919 % 10_007
}

/// Holds a run against others, by way of the files.
fn held(baselines: &[&Made], new: &Made, terms: Terms) -> Result<Comparison, CompareError> {
    let open = |made: &Made| {
        made.judge();
        RecordedRun::open(made.dir.path()).unwrap()
    };
    let baselines: Vec<RecordedRun> = baselines.iter().map(|made| open(made)).collect();
    compare(&baselines, &open(new), terms)
}

fn against(base: &Made, new: &Made) -> Comparison {
    held(&[base], new, Terms::default()).unwrap()
}

fn made(micros: impl Fn(i64) -> i64) -> Made {
    Made::new("", &samples(micros))
}

fn told(comparison: &Comparison) -> Vec<(&'static str, Change)> {
    let all = comparison.rows.iter().flat_map(|row| &row.quantities);
    all.map(|quantity| (quantity.name, quantity.outcome)).collect()
}

#[test]
fn a_run_is_as_quick_as_itself() {
    use Change::{Same, Worse};
    let comparison = against(&made(usual), &made(usual));
    assert_eq!(
        told(&comparison),
        [("p50", Same), ("p90", Same), ("p99", Same), ("errors", Same), ("served", Same)],
        "{comparison:#?}"
    );
    assert_eq!(comparison.outcome, Outcome::Pass);

    let comparison = against(&made(usual), &made(|i| usual(i) * 13 / 10));
    assert_eq!(told(&comparison)[..3], [("p50", Worse), ("p90", Worse), ("p99", Worse)], "{comparison:#?}");
    assert_eq!(comparison.outcome, Outcome::Fail);
    let p50 = &comparison.rows[0].quantities[0];
    assert!(p50.low.unwrap() < 0.3 && 0.3 < p50.high.unwrap(), "{p50:?}");
}

#[test]
fn errors_and_what_is_served_are_compared_too() {
    let mut failed = samples(usual);
    for sample in failed.iter_mut().step_by(20) {
        sample.failed_check = Some("status 200, expected 201".to_owned());
    }
    let outcome = |comparison: &Comparison, name: &str| {
        comparison.rows[0].quantities.iter().find(|quantity| quantity.name == name).unwrap().outcome
    };
    let comparison = against(&made(usual), &Made::new("", &failed));
    assert_eq!(outcome(&comparison, "errors"), Change::Worse);
    assert_eq!(outcome(&comparison, "p50"), Change::Same);
    let mut refused = samples(usual);
    refused.iter_mut().for_each(|sample| sample.outcome = SampleOutcome::Status(429));
    let comparison = against(&made(usual), &Made::new("", &refused));
    assert_eq!(outcome(&comparison, "served"), Change::Worse);
    assert_eq!(outcome(&comparison, "errors"), Change::Same, "a 429 that the step expects is none");
}

#[test]
fn few_requests_prove_nothing_and_it_is_said_how_many_would() {
    let few = Made::new("", &samples(usual)[..40]);
    let comparison = against(&few, &few);
    let p99 = &comparison.rows[0].quantities[2];
    assert_eq!((p99.outcome, p99.needed), (Change::TooFew, Some(1000)));
    let vague = made(|i| 1000 + i * 7919 % 100_003);
    let comparison = against(&vague, &vague);
    let p50 = &comparison.rows[0].quantities[0];
    assert_eq!(p50.outcome, Change::Unknown, "{p50:?}");
    assert!(p50.needed.unwrap() > 2000, "{p50:?}");
    assert_eq!(comparison.outcome, Outcome::Inconclusive);
}

#[test]
fn what_came_while_the_generator_stood_still_is_left_out() {
    // For a second, all are answered at the end of a stall; before and after it as ever.
    let mut stalled = samples(usual);
    for sample in &mut stalled[800..1000] {
        sample.done = Nanos::from_millis(5000);
    }
    let mut new = Made::new("", &stalled);
    new.watched.stalls = vec![stall(4000, 1000)];
    let comparison = against(&made(usual), &new);
    assert!(told(&comparison)[..4].iter().all(|(_, change)| *change == Change::Same), "{comparison:#?}");
    // All that were due in the stall, its last instant among them, and three that were under way when it began.
    assert_eq!(comparison.rows[0].left_out, 204);
    new.watched.stalls.clear();
    // Of a service that stood still once, nobody knows whether it does so now more often: it is not passed over, though.
    assert_eq!(against(&made(usual), &new).outcome, Outcome::Inconclusive);
}

#[test]
fn runs_of_different_things_are_not_compared_and_differences_are_told() {
    let renamed = SCENARIO.replace("\"acme\"", "\"globex\"").replace("\"test\"", "\"other\"");
    let other = Made::of(renamed, &samples(usual));
    let refused = |new: &Made| {
        let error = held(&[&made(usual)], new, Terms::default()).unwrap_err().to_string();
        error.lines().skip(1).map(|line| format!("{line}\n")).collect::<String>()
    };
    insta::assert_snapshot!(refused(&other), @"
    scenario: test, now other
    tenants: acme, now globex
    ");
    insta::assert_snapshot!(refused(&Made::new("# a comment\n", &samples(usual))), @"the scenario's text has changed");
    let mut faster = made(usual);
    faster.manifest.scenario.overrides.rate = Some(20.0);
    let paused = Pace { paused: true, factor: 1.0 };
    faster.manifest.events.push(Event::of_pace(Nanos::from_secs(1), Pace::default(), paused));
    insta::assert_snapshot!(refused(&faster), @"
    changed by the command line: nothing, now 20/s
    changed by hand: nothing, now paused at 1.0 s
    ");
    let forced = Terms { force: true, ..Terms::default() };
    let error = held(&[&made(usual)], &other, forced).unwrap_err();
    assert!(matches!(error, CompareError::NothingInCommon { .. }), "{error}");

    let mut new = Made::new("# a comment\n", &samples(usual));
    new.manifest.environment.name = "staging".to_owned();
    new.manifest.environment.faults = vec!["count-lost=10".to_owned()];
    new.manifest.environment.http2 = vec!["a".to_owned()];
    new.manifest.saasbench = "0.2.0".to_owned();
    new.manifest.machine.cpus = 64;
    new.manifest.scenario.overrides.rate = Some(20.0);
    new.manifest.state = crate::record::manifest::State::Interrupted;
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

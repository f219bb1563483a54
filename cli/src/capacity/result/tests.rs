//! Searches made by hand: what limits, and what the exit code tells.

use super::*;

fn step(level: f64, ending: Ending) -> Step {
    Step {
        level,
        run: format!("steps/{level}"),
        ending,
        why: (ending != Ending::Held).then(|| format!("why at {level}")),
        planned_ns: Nanos::from_secs(10),
        cut_short: false,
        requests: 1000,
        answered_per_s: level,
        errors: 0,
        p50: Some(Nanos::from_millis(1)),
        p99: Some(Nanos::from_millis(if ending == Ending::Held { 2 } else { 200 })),
        generator_busy: Some(0.2),
        machine_busy: Some(0.95),
    }
}

/// 1,000 held and 1,050 ended so, five times each.
pub(crate) fn count(replicas: usize, scale: f64, ending: Ending, stopped: Stopped, share: bool) -> Count {
    let steps = (0..5).flat_map(|_| [step(1000.0 * scale, Ending::Held), step(1050.0 * scale, ending)]);
    let bracket = Bracket {
        held: Some(1000.0 * scale),
        held_is_sure: true,
        broke: Some(1050.0 * scale),
        broke_is_sure: true,
    };
    Count::new(replicas, steps.collect(), bracket, stopped, share, Nanos::from_secs(99))
}

const FOUND: Stopped = Stopped::Search(End::Found);

#[test]
fn what_limits_is_told_apart() {
    let told = |ending, stopped, share| {
        let count = count(1, 1.0, ending, stopped, share);
        (count.limit, count.capacity.is_some(), count.outcome())
    };
    let pass = Outcome::Pass;
    assert_eq!(told(Ending::Broke, FOUND, false), (Limit::Service, true, pass));
    assert_eq!(told(Ending::Broke, FOUND, true), (Limit::Machine, true, pass));
    let unknown = Outcome::Inconclusive;
    assert_eq!(told(Ending::Generator, FOUND, false), (Limit::Generator, false, unknown));
    assert_eq!(told(Ending::Unsure, FOUND, false), (Limit::Generator, false, unknown));
    assert_eq!(told(Ending::Broke, Stopped::Budget, false), (Limit::Budget, true, unknown));
    assert_eq!(told(Ending::Broke, Stopped::Interrupted, false), (Limit::Interrupted, true, unknown));
    assert_eq!(
        told(Ending::Broke, Stopped::Search(End::BrokenAtLeast), false),
        (Limit::Lowest, true, Outcome::Fail)
    );
    assert_eq!(told(Ending::Broke, Stopped::Search(End::HeldAtMost), false), (Limit::Most, true, unknown));
}

pub(crate) fn report(counts: Vec<Count>, at_least: Option<f64>) -> CapacityReport {
    let report = CapacityReport {
        version: VERSION,
        scenario: "shop".to_owned(),
        environment: "embedded".to_owned(),
        directory: "runs/x-shop-capacity".to_owned(),
        by: By::Rate,
        objectives: vec!["p99 < 50ms".to_owned(), "it keeps up".to_owned()],
        precision: 0.05,
        counts,
        scaling: None,
        scaling_note: None,
        at_least,
        outcome: Outcome::Inconclusive,
        interrupted: false,
    };
    report.concluded()
}

#[test]
fn a_gate_is_sure_or_says_that_it_is_not() {
    let outcome =
        |ending, at_least| report(vec![count(1, 1.0, ending, FOUND, false)], Some(at_least)).outcome;
    assert_eq!(outcome(Ending::Broke, 1000.0), Outcome::Pass);
    assert_eq!(outcome(Ending::Broke, 1020.0), Outcome::Inconclusive);
    assert_eq!(outcome(Ending::Broke, 1050.0), Outcome::Fail);
    assert_eq!(outcome(Ending::Generator, 900.0), Outcome::Pass);
    assert_eq!(
        outcome(Ending::Generator, 2000.0),
        Outcome::Inconclusive,
        "the generator's limit says nothing"
    );
}

#[test]
fn three_counts_are_fitted_and_fewer_are_not() {
    let counts = |of: &[(usize, f64)]| {
        let one = |&(replicas, scale): &(usize, f64)| count(replicas, scale, Ending::Broke, FOUND, false);
        report(of.iter().map(one).collect(), None)
    };
    let fitted = counts(&[(1, 1.0), (2, 1.9), (4, 3.4)]).scaling.unwrap();
    assert!(fitted.lambda.covers(1025.0) && fitted.next == 5, "{fitted:?}");
    assert!(fitted.next_capacity.low > 3400.0 && fitted.next_gain.value > 400.0, "{fitted:?}");
    let note = counts(&[(1, 1.0), (2, 1.9)]).scaling_note.unwrap();
    insta::assert_snapshot!(note, @"the Universal Scalability Law needs the capacity of at least 3 numbers of replicas, and 2 are known");
    assert_eq!(counts(&[(1, 1.0)]).scaling_note, None);
}

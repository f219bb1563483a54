//! Hand-made searches: what limits a capacity, and which outcome follows.

use super::{
    testing::{count, report, step},
    *,
};

const FOUND: Stopped = Stopped::Search(End::Found);

#[test]
fn limits_are_distinguished() {
    let reported = |ending, stopped, share| {
        let count = count(1, 1.0, ending, stopped, share);
        (count.limit, count.capacity.is_some(), count.outcome())
    };
    let pass = Outcome::Pass;
    assert_eq!(reported(Ending::Broke, FOUND, false), (Limit::Service, true, pass));
    assert_eq!(reported(Ending::Broke, FOUND, true), (Limit::Machine, true, pass));
    let unknown = Outcome::Inconclusive;
    assert_eq!(reported(Ending::Generator, FOUND, false), (Limit::Generator, false, unknown));
    assert_eq!(reported(Ending::Unsure, FOUND, false), (Limit::Generator, false, unknown));
    assert_eq!(reported(Ending::Broke, Stopped::Budget, false), (Limit::Budget, true, unknown));
    assert_eq!(reported(Ending::Broke, Stopped::Interrupted, false), (Limit::Interrupted, true, unknown));
    let lowest = Stopped::Search(End::BrokenAtLeast);
    assert_eq!(reported(Ending::Broke, lowest, false), (Limit::Lowest, false, Outcome::Fail));
    assert_eq!(reported(Ending::Broke, lowest, true), (Limit::Machine, false, unknown));
    for spoiled in [Ending::Generator, Ending::Unsure] {
        assert_eq!(
            reported(spoiled, lowest, false),
            (Limit::Generator, false, unknown),
            "nobody accuses the service"
        );
    }
    assert_eq!(reported(Ending::Broke, Stopped::Failed, false), (Limit::Failure, true, unknown));
    assert_eq!(
        reported(Ending::Broke, Stopped::Search(End::HeldAtMost), false),
        (Limit::Most, true, unknown)
    );
}

#[test]
fn a_gate_is_certain_or_inconclusive() {
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
fn only_certain_failures_of_the_service_fail_a_gate() {
    let outcome = |change: &dyn Fn(&mut Count), at_least| {
        let mut count = count(1, 1.0, Ending::Broke, FOUND, false);
        change(&mut count);
        report(vec![count], at_least).outcome
    };
    let lower_end_is_unsure = |count: &mut Count| (count.held_is_sure, count.sure) = (false, false);
    assert_eq!(outcome(&lower_end_is_unsure, Some(2000.0)), Outcome::Fail, "the upper end is sure");
    assert_eq!(outcome(&lower_end_is_unsure, Some(1000.0)), Outcome::Inconclusive);
    assert_eq!(outcome(&lower_end_is_unsure, None), Outcome::Inconclusive, "no capacity was found");
    let upper_end_is_unsure = |count: &mut Count| (count.broke_is_sure, count.sure) = (false, false);
    assert_eq!(outcome(&upper_end_is_unsure, Some(2000.0)), Outcome::Inconclusive);
    assert_eq!(outcome(&upper_end_is_unsure, Some(1000.0)), Outcome::Pass, "the lower end is sure");
    let machine_is_full = |count: &mut Count| (count.limit, count.machine_is_full) = (Limit::Machine, true);
    assert_eq!(outcome(&machine_is_full, Some(2000.0)), Outcome::Inconclusive);
    assert_eq!(outcome(&machine_is_full, Some(1000.0)), Outcome::Pass);
}

#[test]
fn an_interrupted_search_fails_no_gate() {
    let report = report(vec![count(1, 1.0, Ending::Broke, FOUND, false)], Some(2000.0));
    assert_eq!(report.outcome, Outcome::Fail);
    assert_eq!(report.concluded(false).outcome, Outcome::Inconclusive, "two replicas were not searched");
}

#[test]
fn the_capacity_lies_where_half_of_the_steps_hold() {
    let bracket = Bracket {
        held: Some(2794.0),
        held_is_sure: true,
        broke: Some(3064.0),
        broke_is_sure: true,
        is_spoiled: false,
        middle: Some(2998.0),
    };
    let count = Count::new(1, Vec::new(), bracket, FOUND, false, Nanos::ZERO);
    assert_eq!(count.capacity, Some(Estimate { value: 2998.0, low: 2794.0, high: 3064.0 }));
}

#[test]
fn a_report_round_trips() {
    let counts = [(1, 1.0), (2, 2.0), (4, 4.0)];
    let counts = counts.map(|(replicas, scale)| count(replicas, scale, Ending::Broke, FOUND, false));
    let report = report(counts.into(), Some(1000.0));
    assert_eq!(report.scaling.as_ref().unwrap().peak.value, f64::INFINITY);
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<CapacityReport>(&text).unwrap(), report);
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
    let mut unsure = counts(&[(1, 1.0), (2, 1.9), (4, 3.4)]);
    (unsure.counts[1].sure, unsure.scaling) = (false, None);
    assert_eq!(unsure.concluded(true).scaling, None, "what is not sure is not fitted");
}

#[test]
fn a_gate_is_about_the_most_replicas_in_whatever_order_they_were_searched() {
    let outcome = |order: [(usize, f64); 2], with| {
        let counts = order.map(|(replicas, scale)| count(replicas, scale, Ending::Broke, FOUND, false));
        let mut report = report(counts.into(), Some(1500.0));
        report.at_least_with = with;
        report.concluded(true).outcome
    };
    assert_eq!(outcome([(4, 2.0), (1, 1.0)], Some(4)), Outcome::Pass);
    assert_eq!(outcome([(1, 1.0), (4, 2.0)], Some(4)), Outcome::Pass);
    assert_eq!(outcome([(1, 2.0), (4, 1.0)], Some(4)), Outcome::Fail);
    assert_eq!(outcome([(1, 2.0), (2, 2.0)], Some(4)), Outcome::Inconclusive, "it was not searched");
}

#[test]
fn a_budget_too_small_for_a_longer_step_is_explained() {
    let stopped_after = |last: Ending| {
        let mut steps = vec![step(100.0, Ending::Held), step(100.0, last)];
        steps[1].why = Some("9 answers; a p99 needs 1000".to_owned());
        let bracket = Bracket {
            held: Some(100.0),
            held_is_sure: false,
            broke: None,
            broke_is_sure: false,
            is_spoiled: false,
            middle: None,
        };
        limit(&steps, bracket, Stopped::Budget, None)
    };
    assert_eq!(stopped_after(Ending::Unsure), (Limit::Budget, "9 answers; a p99 needs 1000".to_owned()));
    assert_eq!(stopped_after(Ending::Broke), (Limit::Budget, String::new()));
}

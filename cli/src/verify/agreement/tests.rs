//! Counters against the ledger, by hand-made runs.

use serde_json::json;

use super::*;
use crate::{
    record::sample::{Outcome as SampleOutcome, Sample, Silence},
    units::Nanos,
    verify::testing::{Made, sample},
};

/// Status and count.
type Counts<'a> = &'a [(&'a str, u32)];
/// Seconds and value.
type Series<'a> = &'a [(f64, &'a str)];

/// Three answers 200 by replica a, and so many requests that went unanswered.
fn samples(unknown: usize) -> Vec<Sample> {
    let answered = (0..3).map(|i| sample(i * 100, 0, SampleOutcome::Status(200)));
    let silent = (0..unknown as i64).map(|i| sample(1000 + i, 0, SampleOutcome::Unknown(Silence::Timeout)));
    answered.chain(silent).collect()
}

fn counts(pairs: &[(&str, u32)]) -> String {
    pairs
        .iter()
        .map(|(status, n)| {
            format!("http_requests_total{{handler=\"/chat\",method=\"POST\",status=\"{status}\"}} {n}\n")
        })
        .collect()
}

fn judged(unknown: usize, after: &[(&str, u32)], change: impl FnOnce(&mut Made)) -> Verdict {
    let mut made = Made::new("", &samples(unknown));
    made.settled("a", &counts(after));
    change(&mut made);
    made.verdict(Claim::Counters, "http_requests_total of a by scrape")
}

#[test]
fn a_counter_lies_between_what_was_answered_and_what_was_sent() {
    use Outcome::{Fail, Pass};
    let table: &[(usize, Counts, Outcome)] = &[
        (0, &[("200", 3)], Pass),
        (0, &[("200", 2)], Fail),
        (0, &[("200", 4)], Fail),
        (0, &[("200", 3), ("500", 1)], Fail),
        (0, &[("429", 3)], Fail),
        (0, &[("200", 3), ("500", 0)], Pass),
        (2, &[("200", 3)], Pass),
        (2, &[("200", 5)], Pass),
        (2, &[("200", 6)], Fail),
        (2, &[("200", 2), ("500", 2)], Fail),
        (2, &[("200", 4), ("500", 1)], Pass),
        // Each status alone could be explained, all of them together cannot.
        (2, &[("200", 5), ("500", 1)], Fail),
    ];
    for (unknown, after, expected) in table {
        let verdict = judged(*unknown, after, |_| {});
        assert_eq!(verdict.outcome, *expected, "{unknown} unanswered, {after:?}: {verdict:#?}");
    }
}

#[test]
fn in_company_a_surplus_cannot_be_told_but_a_lack_can() {
    let company = |made: &mut Made| made.manifest.environment.exclusive = false;
    assert_eq!(judged(0, &[("200", 9)], company).outcome, Outcome::Inconclusive);
    assert_eq!(judged(0, &[("200", 2)], company).outcome, Outcome::Fail);
    assert_eq!(judged(0, &[("200", 3)], company).outcome, Outcome::Pass);
}

#[test]
fn a_restart_takes_the_lower_bound_away_but_not_the_upper_one() {
    let start = |at: u32| format!("process_start_time_seconds {at}\n");
    let restarted = |count: u32| {
        let mut made = Made::new("", &samples(0));
        let after = counts(&[("200", count)]) + &start(2);
        let before = counts(&[("200", 1000)]) + &start(1);
        made.scrape("a", "before", &before).scrape("a", "after", &after).scrape("a", "after", &after);
        made.verdict(Claim::Counters, "http_requests_total of a by scrape").outcome
    };
    assert_eq!(restarted(1), Outcome::Inconclusive);
    assert_eq!(restarted(4), Outcome::Fail);
}

#[test]
fn what_stood_there_before_the_load_is_taken_off() {
    let mut made = Made::new("", &samples(0));
    let after = counts(&[("200", 10), ("404", 5)]);
    made.scrape("a", "before", &counts(&[("200", 7), ("404", 5)]));
    made.scrape("a", "after", &after).scrape("a", "after", &after);
    assert_eq!(made.verdict(Claim::Counters, "of a by scrape").outcome, Outcome::Pass);
}

#[test]
fn without_data_nothing_passes() {
    let silent = Made::new("", &samples(0));
    let verdict = silent.verdict(Claim::Counters, "of a by scrape");
    assert_eq!(verdict.outcome, Outcome::Inconclusive);
    insta::assert_snapshot!(verdict.summary, @"there is no scrape from before the load: none was made");
    let other = judged(0, &[], |_| {});
    insta::assert_snapshot!(other.summary, @"there is no series http_requests_total: the service may name its counter otherwise ([metrics])");
    let mut moving = Made::new("", &samples(0));
    moving.scrape("a", "before", "");
    moving.scrape("a", "after", &counts(&[("200", 2)])).scrape("a", "after", &counts(&[("200", 3)]));
    insta::assert_snapshot!(moving.verdict(Claim::Counters, "of a by scrape").summary, @"its metrics did not come to rest after the load");
}

#[test]
fn metrics_that_cannot_be_read_are_a_failure() {
    let mut made = Made::new("", &samples(0));
    made.settled("a", "http_requests_total{ 3\n");
    let verdict = made.verdict(Claim::Counters, "of a by scrape");
    assert_eq!(verdict.outcome, Outcome::Fail);
    insta::assert_snapshot!(verdict.summary, @"observations/scrapes/000002-a.prom is not in the text format: line 1, column 23: expected a label name or `}`");
}

/// Answers of a Prometheus that scraped replica a at these seconds after the run's zero.
fn by_prometheus(up: &[(f64, &str)], counter: &[(f64, &str)], exclusive: bool) -> Verdict {
    let zero = 1_000_000_000.0;
    let record = |metric: &str, labels: serde_json::Value, samples: &[(f64, &str)]| {
        let values: Vec<serde_json::Value> = samples.iter().map(|(at, v)| json!([zero + at, v])).collect();
        let mut metric_labels = labels;
        metric_labels["instance"] = json!("127.0.0.1:1");
        AnswerRecord {
            at_ns: Nanos::ZERO,
            query: format!("{metric}[60s]"),
            time_unix_s: zero,
            answer: Some(json!({"data": {"result": [{"metric": metric_labels, "values": values}]}})),
            error: None,
        }
    };
    let answers = [
        record("up", json!({}), up),
        record(
            "http_requests_total",
            json!({"handler": "/chat", "method": "POST", "status": "200"}),
            counter,
        ),
    ];
    let made = Made::new("", &samples(0));
    let mut ledger = crate::verify::ledger::Ledger::new(2, [], Vec::new());
    let scenario = crate::verify::testing::scenario(crate::verify::testing::SCENARIO);
    for sample in samples(0) {
        ledger.add(&scenario, &sample);
    }
    let contract = scenario.metrics.as_ref().unwrap();
    let assumptions = Assumptions { exclusive, restarted: false, complete: true };
    let views = ledger.replica(0).unwrap();
    let replica = &made.manifest.environment.replicas[0];
    by_prometheus_of(contract, replica, views, &answers, (zero, zero + 10.0), assumptions)
}

fn by_prometheus_of(
    contract: &MetricsContract,
    replica: &Replica,
    views: &Views,
    answers: &[AnswerRecord],
    span: (f64, f64),
    assumptions: Assumptions,
) -> Verdict {
    super::by_prometheus(contract, replica, views, answers, span, assumptions).remove(0)
}

#[test]
fn prometheus_is_judged_by_its_raw_samples() {
    let up = [(-5.0, "1"), (5.0, "1"), (11.0, "1")];
    let table: &[(Series, Series, Outcome)] = &[
        (&up, &[(-5.0, "7"), (5.0, "8"), (11.0, "10")], Outcome::Pass),
        // A series that is new began at zero.
        (&up, &[(5.0, "1"), (11.0, "3")], Outcome::Pass),
        (&up, &[(5.0, "1"), (11.0, "2")], Outcome::Fail),
        // A reset: 2 before it, 1 after it.
        (&up, &[(-5.0, "7"), (5.0, "9"), (11.0, "1")], Outcome::Pass),
        (&up[1..], &[(5.0, "1"), (11.0, "3")], Outcome::Inconclusive),
        (&up[..2], &[(5.0, "1"), (11.0, "3")], Outcome::Inconclusive),
        (&[(-5.0, "1"), (11.0, "0")], &[(5.0, "3")], Outcome::Inconclusive),
    ];
    for (up, counter, expected) in table {
        let verdict = by_prometheus(up, counter, true);
        assert_eq!(verdict.outcome, *expected, "{up:?} {counter:?}: {verdict:#?}");
    }
}

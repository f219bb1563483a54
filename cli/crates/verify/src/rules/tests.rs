//! Verdicts about recording rules: recorded values, compared with the rule's expression.

use serde_json::{Value, json};

use super::*;
use crate::testing::Judge as _;
use saasbench_model::units::Nanos;
use saasbench_record::{
    sample::RequestOutcome,
    testing::{TestRun, sample},
};

fn record(query: &str, at: f64, data: &Value) -> String {
    let record = ResponseRecord {
        at_ns: Nanos::from_secs(12),
        query: query.to_owned(),
        time_unix_s: 1e9 + at,
        range_s: None,
        answer: Some(json!({"status": "success", "data": data})),
        error: None,
    };
    serde_json::to_string(&record).unwrap() + "\n"
}

fn rules(health: &str, took: f64) -> String {
    let rule = json!({
        "type": "recording", "name": "tenant:rate", "query": "sum by (tenant) (rate(http_requests_total[1m]))", "health": health,
        "lastError": if health == "err" { "many-to-many matching" } else { "" }, "labels": {"by": "us"},
    });
    let groups =
        json!([{"name": "tenants", "file": "f", "interval": 5, "evaluationTime": took, "rules": [rule]}]);
    record("/api/v1/rules", 12.0, &json!({ "groups": groups }))
}

fn matrix(name: &str, labels: Value, samples: &[(f64, &str)]) -> Value {
    let mut metric = labels;
    metric["__name__"] = json!(name);
    let values: Vec<Value> = samples.iter().map(|(at, value)| json!([1e9 + at, value])).collect();
    json!({"resultType": "matrix", "result": [{"metric": metric, "values": values}]})
}

/// The verdict, given what the rule recorded, what its expression gives for the same instants, and when
/// scrapes started.
fn judged(rules: &str, recorded: &[(f64, &str)], asked: &[(f64, &str)], scrapes: &[(f64, &str)]) -> Verdict {
    made(rules, recorded, asked, scrapes).verdict(Claim::Rules, "rules of tenants")
}

fn made(rules: &str, recorded: &[(f64, &str)], asked: &[(f64, &str)], scrapes: &[(f64, &str)]) -> TestRun {
    let made = TestRun::new("", &[sample(0, 0, RequestOutcome::Status(200))]);
    let mut lines = rules.to_owned();
    lines += &record("up[60s]", 12.0, &matrix("up", json!({"instance": "h"}), scrapes));
    lines += &record(
        "tenant:rate[60s]",
        12.0,
        &matrix("tenant:rate", json!({"tenant": "acme", "by": "us"}), recorded),
    );
    for (at, value) in asked {
        let result = json!([{"metric": {"tenant": "acme"}, "value": [1e9 + at, value]}]);
        let data = json!({"resultType": "vector", "result": result});
        lines += &record("sum by (tenant) (rate(http_requests_total[1m]))", *at, &data);
    }
    std::fs::write(made.dir.path().join("observations/prometheus.jsonl"), lines).unwrap();
    made
}

#[test]
fn recorded_values_are_compared_with_the_expression() {
    let good = [(0.0, "1"), (5.0, "0.30000000000000004"), (10.0, "NaN")];
    let (ok, far) = (rules("ok", 0.01), [(2.0, "1"), (7.0, "1")]);
    let asked = [(0.0, "1"), (5.0, "0.3"), (10.0, "NaN")];
    let wrong = [(0.0, "2"), (5.0, "0.6"), (10.0, "NaN")];
    let table = [
        (Outcome::Pass, judged(&ok, &good, &asked, &far)),
        (Outcome::Fail, judged(&ok, &good, &wrong, &far)),
        // One difference may be late samples; where a scrape was in progress, it says nothing at all.
        (Outcome::Inconclusive, judged(&ok, &good, &[(0.0, "1"), (5.0, "0.6"), (10.0, "NaN")], &far)),
        (Outcome::Pass, judged(&ok, &good, &wrong, &[(-0.05, "1"), (4.95, "1")])),
        (Outcome::Fail, judged(&rules("err", 0.01), &good, &asked, &far)),
        (Outcome::Inconclusive, judged(&rules("ok", 7.5), &good, &asked, &far)),
    ];
    let mut reported = String::new();
    for (expected, verdict) in table {
        assert_eq!(verdict.outcome, expected, "{verdict:#?}");
        reported += &format!("{}: {}\n", verdict.outcome, verdict.summary);
    }
    insta::assert_snapshot!(reported);
}

#[test]
fn rules_without_samples_and_of_others_are_not_judged() {
    let judged = |rules: &str| {
        let verdicts = made(rules, &[], &[], &[]).judge().verdicts;
        verdicts
            .into_iter()
            .filter(|verdict| verdict.claim == Claim::Rules)
            .map(|v| v.outcome)
            .collect::<Vec<_>>()
    };
    assert_eq!(judged(&rules("ok", 0.01)), []);
    assert_eq!(judged(&rules("err", 0.01)), [Outcome::Fail]);
    let others = rules("err", 0.01).replace("http_requests_total", "their_requests_total");
    assert_eq!(judged(&others), []);
    let redis = others.replace("their_requests_total", "redis_up");
    assert_eq!(judged(&redis), [Outcome::Fail]);
}

#[test]
fn rules_on_rules_of_the_run_are_about_the_run() {
    let group = |name: &str, rules: &[(&str, &str)]| Group {
        name: name.to_owned(),
        interval: 5.0,
        evaluation_time: 0.0,
        rules: rules
            .iter()
            .map(|(name, query)| Rule {
                kind: "recording".to_owned(),
                name: (*name).to_owned(),
                query: (*query).to_owned(),
                labels: BTreeMap::new(),
                health: "ok".to_owned(),
                last_error: String::new(),
            })
            .collect(),
    };
    let made = TestRun::new("", &[sample(0, 0, RequestOutcome::Status(200))]);
    made.judge();
    let run = RecordedRun::open(made.dir.path()).unwrap();
    let groups = vec![
        group("late", &[("b", "sum(a:rate)"), ("theirs", "sum(other_total)")]),
        group("ours", &[("a:rate", "rate(http_request_duration_seconds_count[1m])")]),
        group("others", &[("c", "sum(theirs)")]),
    ];
    let kept = concerned(&groups, &run.scenario);
    let names: Vec<&str> =
        kept.iter().flat_map(|group| &group.rules).map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["b", "a:rate"]);
}

//! Verdicts about PromQL expectations, for one instant and for a range.

use serde_json::{Value, json};

use super::*;
use crate::testing::Judge as _;
use saasbench_record::{
    sample::RequestOutcome,
    testing::{TestRun, sample},
};

const EXPECT: &str = r#"
[[expect]]
promql = "sum by (tenant) (rate(http_requests_total[$__run]))"
is = "<= 5"
"#;
const FILLED: &str = "sum by (tenant) (rate(http_requests_total[10s]))";

fn record(answer: Option<Value>, range_s: Option<(f64, f64)>) -> String {
    let error = answer.is_none().then(|| "parse error".to_owned());
    let record = ResponseRecord {
        at_ns: Nanos::from_secs(11),
        query: FILLED.to_owned(),
        time_unix_s: 1e9 + 10.0,
        range_s,
        answer,
        error,
    };
    serde_json::to_string(&record).unwrap() + "\n"
}

fn judged(expect: &str, prometheus: bool, record: &str) -> Verdict {
    let mut made = TestRun::new(expect, &[sample(0, 0, RequestOutcome::Status(200))]);
    made.manifest.environment.prometheus = prometheus.then(|| "http://p".to_owned());
    std::fs::write(made.dir.path().join("observations/prometheus.jsonl"), record).unwrap();
    made.verdict(Claim::Promql, "sum by (tenant)")
}

fn vector(values: &[(&str, &str)]) -> Option<Value> {
    let result: Vec<Value> = values
        .iter()
        .map(|(tenant, value)| json!({"metric": {"tenant": tenant}, "value": [1e9 + 10.0, value]}))
        .collect();
    Some(json!({"status": "success", "data": {"resultType": "vector", "result": result}}))
}

#[test]
fn every_series_must_keep_the_bound_and_no_value_is_inconclusive() {
    let scalar = json!({"status": "success", "data": {"resultType": "scalar", "result": [1e9 + 10.0, "4"]}});
    let text = json!({"status": "success", "data": {"resultType": "string", "result": [1e9 + 10.0, "4"]}});
    let mut partial = vector(&[("acme", "3")]).unwrap();
    partial["isPartial"] = json!(true);
    let table = [
        (Outcome::Pass, judged(EXPECT, true, &record(vector(&[("acme", "3")]), None))),
        (Outcome::Pass, judged(EXPECT, true, &record(vector(&[("acme", "3"), ("globex", "5")]), None))),
        (Outcome::Fail, judged(EXPECT, true, &record(vector(&[("acme", "3"), ("globex", "+Inf")]), None))),
        (Outcome::Inconclusive, judged(EXPECT, true, &record(vector(&[("acme", "NaN")]), None))),
        (Outcome::Pass, judged(EXPECT, true, &record(Some(scalar), None))),
        (Outcome::Inconclusive, judged(EXPECT, true, &record(Some(text), None))),
        (Outcome::Inconclusive, judged(EXPECT, true, &record(vector(&[]), None))),
        (Outcome::Inconclusive, judged(EXPECT, true, &record(Some(partial), None))),
        (Outcome::Inconclusive, judged(EXPECT, true, &record(None, None))),
        (Outcome::Inconclusive, judged(EXPECT, true, "")),
        (Outcome::Inconclusive, judged(EXPECT, false, "")),
    ];
    let mut reported = String::new();
    for (expected, verdict) in table {
        assert_eq!(verdict.outcome, expected, "{verdict:#?}");
        reported += &format!("{}: {}\n", verdict.outcome, verdict.summary);
    }
    insta::assert_snapshot!(reported);
}

#[test]
fn at_every_instant_the_worst_value_counts() {
    let expect = format!("{EXPECT}at = \"every\"\n");
    let answer = |values: &[&str]| {
        let values: Vec<Value> =
            values.iter().zip(0..).map(|(v, at)| json!([1e9 + 2.0 * f64::from(at), v])).collect();
        let result = json!([{"metric": {}, "values": values}]);
        Some(json!({"status": "success", "data": {"resultType": "matrix", "result": result}}))
    };
    let range = Some((10.0, 5.0));
    let good = judged(&expect, true, &record(answer(&["1", "4.5", "2"]), range));
    insta::assert_snapshot!(good.summary, @"4.5 at 2.0 s of 3 values is the closest");
    let bad = judged(&expect, true, &record(answer(&["1", "6", "9", "2"]), range));
    assert_eq!(bad.outcome, Outcome::Fail);
    insta::assert_snapshot!(bad.summary, @"9 at 4.0 s; 2 of 4 values are not <= 5");
    // Undefined values at some instants neither hide a violation at others, nor pass.
    let bad = judged(&expect, true, &record(answer(&["NaN", "6", "NaN", "2"]), range));
    assert_eq!(bad.outcome, Outcome::Fail);
    insta::assert_snapshot!(bad.summary, @"6 at 2.0 s; 1 of 4 values are not <= 5");
    let unclear = judged(&expect, true, &record(answer(&["1", "NaN"]), range));
    assert_eq!(unclear.outcome, Outcome::Inconclusive);
    // The instant query of the same text belongs to another expectation.
    assert_eq!(judged(&expect, true, &record(answer(&["1"]), None)).outcome, Outcome::Inconclusive);
}

//! Verdicts about Redis: keys without a TTL, evictions, and what each source of its metrics permits.

use super::*;
use crate::testing::Judge as _;
use saasbench_record::{
    sample::RequestOutcome,
    testing::{TestRun, sample},
};

fn look(at: i64, keys: u64, expiring: u64, evicted: u64) -> String {
    let (from, to) = (Nanos::from_secs(at).0, Nanos::from_secs(at).0 + 1_000_000);
    let health = serde_json::json!({"keys": keys, "expiring": expiring, "evicted": evicted, "memory": 1_000_000 + keys * 100});
    serde_json::json!({"from_ns": from, "to_ns": to, "run_id": "x", "uptime_s": 9, "health": health})
        .to_string()
        + "\n"
}

fn judged(exclusive: bool, looks: &[String]) -> Verdict {
    let mut made = TestRun::new("", &[sample(0, 0, RequestOutcome::Status(200))]);
    made.manifest.environment.redis = Some("redis://h".to_owned());
    made.manifest.environment.exclusive = exclusive;
    std::fs::write(made.dir.path().join("observations/store.jsonl"), looks.concat()).unwrap();
    made.verdict(Claim::Redis, "Redis by polling")
}

#[test]
fn keys_without_ttl_and_evicted_keys_fail() {
    let table = [
        (Outcome::Pass, judged(true, &[look(0, 3, 2, 5), look(9, 40, 39, 5)])),
        (Outcome::Fail, judged(true, &[look(0, 3, 2, 5), look(5, 9, 3, 5), look(9, 40, 20, 5)])),
        (Outcome::Inconclusive, judged(false, &[look(0, 3, 2, 5), look(9, 40, 20, 5)])),
        (Outcome::Fail, judged(true, &[look(0, 3, 3, 5), look(9, 2, 2, 12)])),
        // A key that is seen before its TTL is set is not a leak.
        (Outcome::Pass, judged(true, &[look(0, 3, 3, 5), look(5, 9, 8, 5), look(9, 9, 9, 5)])),
        (Outcome::Inconclusive, judged(true, &[look(0, 3, 3, 5)])),
        // Nor is one that is written once, or two that wait for their TTL.
        (Outcome::Inconclusive, judged(true, &[look(0, 3, 3, 5), look(5, 9, 4, 5), look(9, 9, 4, 5)])),
        (Outcome::Inconclusive, judged(true, &[look(0, 3, 3, 5), look(5, 9, 8, 5), look(9, 9, 7, 5)])),
        (
            Outcome::Fail,
            judged(true, &[look(0, 3, 3, 5), look(3, 4, 3, 5), look(6, 5, 3, 5), look(9, 6, 3, 5)]),
        ),
    ];
    let mut reported = String::new();
    for (expected, verdict) in table {
        assert_eq!(verdict.outcome, expected, "{verdict:#?}");
        reported += &format!("{}: {}\n", verdict.outcome, verdict.summary);
    }
    insta::assert_snapshot!(reported);
}

fn silent(at: i64) -> String {
    let (from, to) = (Nanos::from_secs(at).0, Nanos::from_secs(at).0 + 200_000_000);
    serde_json::json!({"from_ns": from, "to_ns": to, "run_id": null, "uptime_s": null}).to_string() + "\n"
}

#[test]
fn outages_are_reported() {
    let [first, back, last] = [look(0, 3, 3, 5), look(9, 4, 4, 5), look(12, 4, 4, 5)];
    let once = judged(true, &[first.clone(), silent(3), silent(5), silent(8), back.clone(), last.clone()]);
    let twice = judged(true, &[first, silent(3), back, silent(11), last]);
    insta::assert_snapshot!(format!("{}: {}\n{}: {}", once.outcome, once.summary, twice.outcome, twice.summary), @r"
    Pass: 4 keys, 0 of them without a TTL; memory 1.00 MB before, 1.00 MB after; no response from 3.0 s to 8.2 s (5.2 s)
    Pass: 4 keys, 0 of them without a TTL; memory 1.00 MB before, 1.00 MB after; no response from 11.0 s to 11.2 s (200 ms, the longest of 2 times)
    ");
}

/// The outcome by redis_exporter for a Redis that gains a key without a TTL every second.
fn by_exporter(redis: Option<&str>) -> Outcome {
    let mut made = TestRun::new("", &[sample(0, 0, RequestOutcome::Status(200))]);
    made.manifest.environment.redis = redis.map(str::to_owned);
    made.manifest.environment.prometheus = Some("http://p".to_owned());
    let mut lines = String::new();
    for (metric, growth) in [
        ("redis_up", 0),
        ("redis_db_keys", 1),
        ("redis_db_keys_expiring", 0),
        ("redis_evicted_keys_total", 0),
        ("redis_memory_used_bytes", 0),
    ] {
        let values: Vec<_> = (0..9)
            .map(|at| serde_json::json!([1e9 + f64::from(at), (1 + growth * at).to_string()]))
            .collect();
        let result = serde_json::json!([{"metric": {"instance": "r"}, "values": values}]);
        let answer =
            serde_json::json!({"status": "success", "data": {"resultType": "matrix", "result": result}});
        let record = serde_json::json!({"at_ns": 0, "query": format!("{metric}[60s]"), "time_unix_s": 1e9, "answer": answer, "error": null});
        lines += &format!("{record}\n");
    }
    std::fs::write(made.dir.path().join("observations/prometheus.jsonl"), lines).unwrap();
    made.verdict(Claim::Redis, "Redis by redis_exporter").outcome
}

#[test]
fn a_redis_that_only_prometheus_knows_never_fails() {
    assert_eq!(by_exporter(Some("redis://h")), Outcome::Fail);
    assert_eq!(by_exporter(None), Outcome::Inconclusive);
}

#[test]
fn an_eviction_is_a_loss_of_memory_for_limits() {
    let looks: Vec<redis_samples::RedisSample> = [look(0, 3, 3, 0), look(2, 3, 3, 0), look(4, 3, 3, 7)]
        .iter()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let losses = redis_samples::losses(&looks);
    assert_eq!(losses, [(looks[1].from_ns, looks[2].to_ns)]);
}

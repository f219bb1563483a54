//! Components of the stack that fail during a run: the run ends by itself, counts unknown outcomes as
//! unknown, and reports no false violation.

use std::fs;

use rustix::process::Signal;
use saasbench_record::{reader::RecordedRun, redis_samples};

use crate::support::{
    Ended, Prometheus, Redis, Replica, Report, Running, Sandbox, TENANTS, bytes_wait_at, disturbed, short,
    wait_for,
};

fn report_of(sandbox: &Sandbox, ended: &Ended) -> Report {
    let text = fs::read_to_string(sandbox.path().join("report.json"));
    Report::parse(&text.unwrap_or_else(|error| panic!("no report ({error}): {ended:?}")))
}

/// Starts the scenario against two replicas used by this test alone.
fn against(sandbox: &Sandbox, replicas: [&str; 2], more: &[&str]) -> Running {
    let [a, b] = replicas;
    let fixed =
        ["run", "scenario.toml", "--json", "report.json", "--target", a, "--target", b, "--exclusive"];
    sandbox.start(&[&fixed, more].concat())
}

/// Panics if a limit failed.
#[track_caller]
fn assert_no_accusation(report: &Report) {
    let limits = report.verdicts("limit");
    assert!(!limits.is_empty() && limits.iter().all(|(_, outcome, _)| *outcome != "fail"), "{limits:?}");
}

#[test]
fn a_killed_replica_makes_claims_inconclusive() {
    let redis = Redis::start();
    let [a, mut b] = Replica::pair(&redis, TENANTS);
    let sandbox = Sandbox::with(&disturbed("5s"), TENANTS);
    let (at_a, at_b, at_redis) = (a.url(), b.url(), redis.url());
    let mut running = against(&sandbox, [&at_a, &at_b], &["--redis", &at_redis, "--fresh"]);
    running.wait_for_segments(1);
    // Stopped first, so that requests are in flight when it is killed.
    b.signal(Signal::STOP);
    wait_for("a request that the replica has not read", || bytes_wait_at(b.port));
    b.kill();
    let ended = running.end();

    ended.assert_code(3);
    let report = report_of(&sandbox, &ended);
    assert_eq!(report.0["state"], "finished");
    assert!(report.count("/replicas/1/counts/unknown") > 0, "{report:?}");
    assert!(report.count("/replicas/1/counts/not_sent") > 0, "{report:?}");
    assert_eq!(report.count("/replicas/0/counts/unknown") + report.count("/replicas/0/counts/not_sent"), 0);
    for claim in ["counters", "histograms"] {
        report.assert_all(claim, "of a", "pass");
        report.assert_all(claim, "of b", "inconclusive");
    }
    assert_no_accusation(&report);
    ended.assert_says(&["no response", "not sent", "there is no scrape from after the load"]);
}

#[test]
fn a_redis_restart_is_not_a_violation() {
    let mut redis = Redis::start();
    let replicas = Replica::pair(&redis, TENANTS);
    let sandbox = Sandbox::with(&disturbed("8s"), TENANTS);
    let (a, b, at_redis) = (replicas[0].url(), replicas[1].url(), redis.url());
    let mut running = against(&sandbox, [&a, &b], &["--redis", &at_redis, "--fresh"]);
    running.wait_for_segments(1);
    let sessions = || -> Vec<String> {
        let metrics = replicas.iter().map(Replica::metrics).collect::<String>();
        let of_sessions =
            |line: &&str| line.contains(r#"_total{handler="/session",method="POST",status="200"}"#);
        metrics.lines().filter(of_sessions).map(str::to_owned).collect()
    };
    redis.kill();
    wait_for("both replicas to respond with 503", || {
        replicas.iter().all(|r| r.metrics().contains(r#"status="503""#))
    });
    let before = sessions();
    redis.restart();
    wait_for("a new session after the old ones were lost", || sessions() != before);
    let ended = running.end();

    assert!(matches!(ended.code, Some(0 | 3)), "{ended:?}");
    let report = report_of(&sandbox, &ended);
    assert_no_accusation(&report);
    assert!(report.count("/total/statuses/503") > 0, "{report:?}");
    report.assert_all("counters", "", "pass");
    report.assert_all("histograms", "", "pass");
    let run = RecordedRun::open(&sandbox.only_run()).unwrap();
    assert_eq!(redis_samples::restarts(&run.observations.store).len(), 1, "{:?}", run.observations.store);
}

#[test]
fn a_prometheus_that_exits_is_not_a_source() {
    let redis = Redis::start();
    let replicas = Replica::pair(&redis, TENANTS);
    let mut prometheus = Prometheus::start(&replicas);
    let sandbox = Sandbox::with(&short("4s"), TENANTS);
    let (a, b, at_prometheus) = (replicas[0].url(), replicas[1].url(), prometheus.url());
    let mut running = against(&sandbox, [&a, &b], &["--prometheus", &at_prometheus]);
    running.wait_for_segments(1);
    prometheus.kill();
    let ended = running.end();

    ended.assert_code(3);
    let report = report_of(&sandbox, &ended);
    report.assert_all("counters", "by scrape", "pass");
    report.assert_all("counters", "by Prometheus", "inconclusive");
    ended.assert_says(&["Prometheus did not respond"]);
}

#[test]
fn a_prometheus_with_other_targets_is_not_a_source() {
    let redis = Redis::start();
    let replicas = Replica::pair(&redis, TENANTS);
    let prometheus = Prometheus::start(&replicas[..1]);
    let sandbox = Sandbox::with(&short("2s"), TENANTS);
    let (a, b, at_prometheus) = (replicas[0].url(), replicas[1].url(), prometheus.url());
    let (ended, report) = sandbox.report(&[
        "--target",
        &a,
        "--target",
        &b,
        "--prometheus",
        &at_prometheus,
        "--exclusive",
        "--fresh",
    ]);
    ended.assert_code(3);
    report.assert_all("counters", "of a by Prometheus", "pass");
    report.assert_all("counters", "of b by Prometheus", "inconclusive");
    ended.assert_says(&["Prometheus has no target with instance="]);
}

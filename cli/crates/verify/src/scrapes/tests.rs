//! Verdicts about scrapes: truncated, stale, slow and failed ones, seen by saasbench or by Prometheus.

use super::*;
use crate::testing::Judge as _;
use saasbench_record::{
    prometheus::ResponseRecord,
    testing::{TestRun, sample, stall},
};

const PAGE: &str = "http_requests_total{handler=\"/chat\",method=\"POST\",status=\"200\"} ";

fn page(count: u32) -> String {
    format!("{PAGE}{count}\n")
}

/// Requests every 100 ms for 10 s, all to replica `a`.
fn steady() -> Vec<Sample> {
    (0..100).map(|n| sample(n * 100, 0, RequestOutcome::Status(200))).collect()
}

/// Expositions scraped at these seconds, each taking a number of milliseconds.
fn made(pages: &[(i64, i64, &str)]) -> TestRun {
    let mut made = TestRun::new("", &steady());
    for (at, _, text) in pages {
        let phase = if *at < 0 {
            "before"
        } else if *at < 10 {
            "during"
        } else {
            "after"
        };
        made.scrape("a", phase, text);
    }
    made.at_rest();
    made.stamp_scrapes(&pages.iter().map(|(at, took, _)| (at * 1000, at * 1000 + took)).collect::<Vec<_>>());
    made
}

fn shown(verdict: &Verdict) -> String {
    let mut text = format!("{}: {} {}\n", verdict.outcome, verdict.subject, verdict.summary);
    for finding in &verdict.evidence {
        text += &format!("  {:<12} {}: {}\n", finding.outcome, finding.subject, finding.observed);
        text += &finding.details.iter().map(|line| format!("    {line}\n")).collect::<String>();
    }
    text
}

#[test]
fn complete_and_current_scrapes_pass() {
    let (empty, five, all) = (page(0), page(50), page(100));
    let made = made(&[(-1, 3, &empty), (5, 900, &five), (10, 2, &all), (12, 2, &all)]);
    insta::assert_snapshot!(shown(&made.verdict(Claim::Scrapes, "/metrics of a by scrape")));
}

#[test]
fn truncated_stale_and_slow_scrapes_fail() {
    let (empty, five, all) = (page(0), page(50), page(100));
    let cut = &all[..all.len() / 2];
    let mut reported = String::new();
    for (hypothesis, pages) in [
        ("metrics-truncated", [(-1, 3, cut), (5, 2, cut), (10, 2, cut), (12, 2, cut)]),
        ("metrics-stale", [(-1, 3, empty.as_str()), (5, 2, &empty), (10, 2, &all), (12, 2, &all)]),
        ("scrape-slow", [(-1, 3000, empty.as_str()), (5, 3001, &five), (10, 3000, &all), (14, 900, &all)]),
    ] {
        let verdict = made(&pages).verdict(Claim::Scrapes, "/metrics of a by scrape");
        assert_eq!(verdict.outcome, Outcome::Fail, "{hypothesis}: {verdict:#?}");
        assert_eq!(verdict.evidence[0].diagnosis.as_ref().unwrap().hypothesis, hypothesis);
        reported += &shown(&verdict);
    }
    insta::assert_snapshot!(reported);
}

#[test]
fn a_conforming_exposition_is_not_stale() {
    // A quiescent service's exposition never changes; nor need it where a response came only just before, or
    // from another replica.
    let (five, all) = (page(50), page(100));
    let samples =
        [sample(9_950, 0, RequestOutcome::Status(200)), sample(3_000, 1, RequestOutcome::Status(200))];
    let mut made = TestRun::new("", &samples);
    for (phase, text) in [("before", &five), ("during", &five), ("after", &five), ("after", &all)] {
        made.scrape("a", phase, text);
    }
    made.at_rest();
    made.stamp_scrapes(&[(-1000, -990), (5000, 5010), (10_100, 10_110), (30_000, 30_010)]);
    let verdict = made.verdict(Claim::Scrapes, "/metrics of a by scrape");
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
}

#[test]
fn an_exposition_without_the_contracts_counter_cannot_be_stale() {
    let made = made(&[(-1, 3, "up 1\n"), (5, 2, "up 1\n"), (10, 2, "up 1\n"), (12, 2, "up 1\n")]);
    let verdict = made.verdict(Claim::Scrapes, "/metrics of a by scrape");
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
}

#[test]
fn the_generators_own_stalls_do_not_count_against_scrapes() {
    let (empty, five, all) = (page(0), page(50), page(100));
    let pages = [(-1, 3, empty.as_str()), (5, 1500, &five), (10, 1500, &all), (12, 1500, &all)];
    let mut made = made(&pages);
    assert_eq!(made.verdict(Claim::Scrapes, "a by scrape").outcome, Outcome::Fail);
    made.self_monitor.stalls = vec![stall(5000, 1400), stall(10_000, 1400), stall(12_000, 1400)];
    assert_eq!(made.verdict(Claim::Scrapes, "a by scrape").outcome, Outcome::Pass);
}

/// Raw samples of a metric of replica `a`, at seconds after the run's zero.
fn raw(metric: &str, samples: &[(f64, f64)]) -> ResponseRecord {
    let values: Vec<_> = samples.iter().map(|(at, v)| serde_json::json!([1e9 + at, v.to_string()])).collect();
    ResponseRecord {
        at_ns: Nanos::from_secs(20),
        query: format!("{metric}[60s]"),
        time_unix_s: 1e9 + 20.0,
        range_s: None,
        answer: Some(serde_json::json!({"status": "success", "data": {"resultType": "matrix", "result": [
            {"metric": {"__name__": metric, "instance": "127.0.0.1:1"}, "values": values}
        ]}})),
        error: None,
    }
}

/// The verdict about a run with these responses of Prometheus.
fn by_prometheus(answers: &[ResponseRecord]) -> Verdict {
    let (empty, all) = (page(0), page(100));
    let mut made = made(&[(-1, 3, &empty), (10, 2, &all), (12, 2, &all)]);
    made.manifest.environment.prometheus = Some("http://p".to_owned());
    let lines: String = answers.iter().map(|a| serde_json::to_string(a).unwrap() + "\n").collect();
    std::fs::write(made.dir.path().join("observations/prometheus.jsonl"), lines).unwrap();
    made.verdict(Claim::Scrapes, "/metrics of a by Prometheus")
}

/// A value at each second from −1 to 11.
fn every_second(value: impl Fn(i32) -> Option<f64>) -> Vec<(f64, f64)> {
    (-1..12).filter_map(|at| Some((f64::from(at) + 0.25, value(at)?))).collect()
}

#[test]
fn prometheus_scrapes_are_verified() {
    let always = every_second(|_| Some(1.0));
    let good = [
        raw("up", &always),
        raw("scrape_duration_seconds", &every_second(|_| Some(0.003))),
        raw("scrape_samples_scraped", &every_second(|_| Some(120.0))),
        raw("http_requests_total", &every_second(|at| (at > 2).then_some(9.0))),
    ];
    let with = |at: usize, record: ResponseRecord| {
        let mut answers = good.to_vec();
        answers[at] = record;
        by_prometheus(&answers)
    };
    let mut partial = raw("up", &always);
    partial.answer.as_mut().unwrap()["warnings"] = serde_json::json!(["a store is gone"]);
    let table = [
        (Outcome::Pass, by_prometheus(&good)),
        (Outcome::Fail, with(0, raw("up", &every_second(|at| Some(f64::from(u8::from(at < 5))))))),
        (Outcome::Inconclusive, with(0, raw("up", &every_second(|at| Some(f64::from(u8::from(at != 5))))))),
        (Outcome::Inconclusive, with(0, raw("up", &every_second(|at| (at != 5 && at != 6).then_some(1.0))))),
        (Outcome::Inconclusive, with(0, partial)),
        (Outcome::Inconclusive, with(0, raw("up", &[]))),
        (Outcome::Fail, with(1, raw("scrape_duration_seconds", &every_second(|_| Some(2.5))))),
        (Outcome::Fail, with(2, raw("scrape_samples_scraped", &every_second(|_| Some(0.0))))),
        (
            Outcome::Fail,
            with(3, raw("http_requests_total", &every_second(|at| (at > 2 && at != 6).then_some(9.0)))),
        ),
    ];
    let mut reported = String::new();
    for (expected, verdict) in table {
        assert_eq!(verdict.outcome, expected, "{verdict:#?}");
        reported += &shown(&verdict);
    }
    insta::assert_snapshot!(reported);
}

/// `http_requests_total`, `up` and the number of samples, second by second.
fn conforming(
    up: impl Fn(i32) -> f64,
    counter: ResponseRecord,
    samples: impl Fn(i32) -> f64,
) -> [ResponseRecord; 3] {
    let up = raw("up", &every_second(|at| Some(up(at))));
    [up, counter, raw("scrape_samples_scraped", &every_second(|at| Some(samples(at))))]
}

#[test]
fn conforming_services_pass() {
    let counter =
        |is: &dyn Fn(i32) -> bool| raw("http_requests_total", &every_second(|at| is(at).then_some(9.0)));
    let whole = || counter(&|_| true);
    // Before its first response an exposition may be empty, after it no longer.
    let early = by_prometheus(&conforming(|_| 1.0, whole(), |at| if at < 0 { 0.0 } else { 9.0 }));
    assert_eq!(early.outcome, Outcome::Pass, "{early:#?}");
    let late = by_prometheus(&conforming(|_| 1.0, whole(), |at| if at == 3 { 0.0 } else { 9.0 }));
    assert_eq!(late.outcome, Outcome::Fail, "{late:#?}");
    // Timestamps within the exposition.
    let own: Vec<(f64, f64)> = (0..5).map(|at| (f64::from(at) * 2.0 + 0.6, 9.0)).collect();
    let own = by_prometheus(&conforming(|_| 1.0, raw("http_requests_total", &own), |_| 9.0));
    assert_eq!(own.outcome, Outcome::Pass, "{own:#?}");
    // Down for Prometheus alone: our scrapes at 10 s and 12 s succeeded.
    let alone = by_prometheus(&conforming(|at| f64::from(u8::from(at < 10)), whole(), |_| 9.0));
    assert_eq!(alone.outcome, Outcome::Inconclusive, "{alone:#?}");
}

#[test]
fn a_series_that_comes_back_long_after_a_restart_is_conforming() {
    let started = |at: i32, count: u32| format!("{}process_start_time_seconds {at}\n", page(count));
    let judged = |second: i32| {
        let (first, later, all) = (started(1, 0), started(second, 5), started(second, 50));
        let mut made = made(&[(-1, 3, &first), (2, 3, &later), (10, 2, &all), (12, 2, &all)]);
        made.manifest.environment.prometheus = Some("http://p".to_owned());
        let rare = raw("http_requests_total", &every_second(|at| (!(1..9).contains(&at)).then_some(9.0)));
        let answers = conforming(|_| 1.0, rare, |_| 9.0);
        let lines: String = answers.iter().map(|a| serde_json::to_string(a).unwrap() + "\n").collect();
        std::fs::write(made.dir.path().join("observations/prometheus.jsonl"), lines).unwrap();
        made.verdict(Claim::Scrapes, "/metrics of a by Prometheus").outcome
    };
    assert_eq!([judged(1), judged(1_000_000_001)], [Outcome::Fail, Outcome::Pass]);
}

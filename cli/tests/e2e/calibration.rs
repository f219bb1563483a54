//! A service of known latency: the reported latency has to be in the theoretical range.
//!
//! Lower bounds hold on any machine, because no response leaves early. A slow machine can exceed upper
//! bounds, so a run is repeated then; a faulty generator fails every time.

use serde_json::Value;

use crate::support::{Calibration, Report, Sandbox, TENANTS};

/// Attempts at a run, because stalls of this machine may spoil one.
const ATTEMPTS: usize = 12;

/// Sends 400 arrivals per second for `duration` to a service with these arguments.
fn run(flags: &[&str], duration: &str) -> (Report, Value) {
    let service = Calibration::start(flags);
    let scenario = format!(
        "version = 1\nname = \"calibration\"\n[[tenant]]\nid = \"acme\"\n[[journey]]\nname = \"look\"\n\
         [[journey.step]]\nget = \"/\"\n[[load]]\nrate = \"400/s\"\nduration = \"{duration}\"\n\
         [metrics]\nenabled = false\n"
    );
    let sandbox = Sandbox::with(&scenario, TENANTS);
    let (ended, report) = sandbox.report(&["--target", &service.url()]);
    assert!(matches!(ended.code, Some(0 | 3)), "{ended:?}");
    (report, service.served())
}

/// Latency quantiles in milliseconds, from intended or from sent.
fn quantiles(report: &Report, from: &str) -> [f64; 4] {
    let row = &report.0["summary"]["rows"][0][from];
    ["p50", "p90", "p99", "max"].map(|q| row[q].as_f64().unwrap() / 1e6)
}

/// Whether a run is in the predicted range; `theory` panics where not even a slow machine explains the
/// result.
fn holds(flags: &[&str], duration: &str, theory: impl Fn(&Report, &Value) -> bool) {
    let tried: Vec<Report> = (0..ATTEMPTS)
        .map(|_| run(flags, duration))
        .map_while(|(report, served)| (!theory(&report, &served)).then_some(report))
        .collect();
    let rows: Vec<&Value> = tried.iter().map(|report| &report.0["summary"]["rows"][0]).collect();
    assert!(tried.len() < ATTEMPTS, "in no attempt: {rows:#?}");
}

#[test]
fn a_fixed_delay_is_reported_exactly() {
    holds(&["--delay", "20ms"], "1s", |report, served| {
        let (intended, sent) = (quantiles(report, "from_intended"), quantiles(report, "from_sent"));
        // HdrHistogram buckets round up, never below the smallest value.
        assert!(sent.iter().chain(&intended).all(|quantile| *quantile >= 20.0), "{sent:?} {intended:?}");
        // The service's delay is known; the rest is round-trip time.
        let held = served["held_ns"]["p50"].as_f64().unwrap() / 1e6;
        assert_eq!(served["served"], report.count("/total/statuses/200"));
        sent[0] >= held && sent[0] < held + 1.0 && intended[0] < held + 2.0
    });
}

#[test]
fn quantiles_of_random_delays_match_the_draws() {
    holds(&["--delay", "exponential:20ms", "--seed", "5"], "3s", |report, served| {
        let sent = quantiles(report, "from_sent");
        let held = ["p50", "p90", "p99"].map(|q| served["held_ns"][q].as_f64().unwrap() / 1e6);
        // −m·ln(1 − q) = 13.9, 46.1 and 92.1 ms, within five standard deviations of 1200 samples.
        let theory = [(11.1, 17.0), (36.6, 64.0), (66.0, f64::INFINITY)];
        held.iter().zip(theory).all(|(held, (low, high))| (low..high).contains(held))
            // Three significant digits, and the round trip.
            && sent.iter().zip(held).all(|(sent, held)| (held * 0.999..held * 1.01 + 2.0).contains(sent))
    });
}

#[test]
fn a_freeze_delays_every_request_due_during_it() {
    // 500 ms of 4 s: 200 of 1600 arrivals wait between 0 and 500 ms, uniformly distributed. So the quantile q
    // is 500·(1 − 8·(1 − q)) ms.
    holds(&["--freeze", "500ms@1s"], "4s", |report, _| {
        let [p50, p90, p99, max] = quantiles(report, "from_intended");
        assert!(p90 >= 97.0 && p99 >= 457.0 && max >= 495.0, "hidden: {p90} {p99} {max}");
        p50 < 5.0 && p90 < 115.0 && p99 < 475.0 && max < 520.0
    });
}

#[test]
fn a_ceiling_shows_as_rate_and_queueing_as_latency() {
    // 400/s at a service of 200/s (D/D/1 queue): the n-th of 800 requests waits 5 + 2.5·n ms.
    holds(&["--ceiling", "200/s"], "2s", |report, _| {
        let [p50, p90, p99, max] = quantiles(report, "from_intended");
        assert!(
            p50 >= 998.0 && p90 >= 1796.0 && p99 >= 1976.0 && max >= 2000.0,
            "too early: {p50} {p90} {p99}"
        );
        let load = &report.0["load"];
        let seconds = (load["to_ns"].as_f64().unwrap() - load["start_ns"].as_f64().unwrap()) / 1e9;
        let rate = report.count("/total/statuses/200") as f64 / seconds;
        assert!(rate <= 200.5, "faster than it can be: {rate}");
        rate > 195.0 && p50 < 1030.0 && p90 < 1830.0 && p99 < 2010.0 && max < 2050.0
    });
}

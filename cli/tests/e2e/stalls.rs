//! Stalls of the generator vs. of the service: each is stopped from outside, which causes the same latencies
//! but different verdicts.
//!
//! The machine may have stalls of its own, which can spoil an attempt, but not all of them.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::process::Signal;
use saasbench_model::units::Nanos;
use saasbench_record::{
    manifest::Manifest,
    self_monitor::SelfMonitorRecord,
    stall::{Cause, Stall},
};

use crate::support::{Ended, Replica, Report, Running, Sandbox, TENANTS, wait_for};

/// Tolerance of the stall meter.
const TOLERANCE: Nanos = Nanos::from_millis(2);
/// Attempts at a run, because stalls of this machine may spoil one.
const ATTEMPTS: usize = 12;
/// Attempts at stopping a process.
const STOPS: usize = 100;

/// Arrivals at a constant rate, far below the capacity of either side.
const STEADY: &str = r#"version = 1
name    = "steady"

[[tenant]]
id = "acme"

[[journey]]
name = "look"

[[journey.step]]
get = "/"

[[load]]
rate     = "400/s"
duration = "DURATION"

[metrics]
enabled = false

[[expect]]
that = "p99 < 100ms"

[[expect]]
that = "error_ratio <= 100%"
"#;

/// A run against a replica in its own process.
fn start(service: &Replica, duration: &str) -> (Sandbox, Running) {
    let sandbox = Sandbox::with(&STEADY.replace("DURATION", duration), TENANTS);
    let url = service.url();
    let running = sandbox.start(&["run", "scenario.toml", "--json", "report.json", "--target", &url]);
    wait_for("the load to be on its way", || {
        let run = sandbox.runs().pop();
        run.is_some_and(|run| SelfMonitorRecord::read(&run).is_ok_and(|watched| watched.usage.len() >= 3))
    });
    (sandbox, running)
}

/// Current time since the Unix epoch.
fn now() -> Nanos {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().into()
}

/// Interval between two reads of the wall clock.
type Span = (Nanos, Nanos);

/// Stops a process for `length`; returns the intervals in which it was stopped and continued.
fn stop_for(length: Duration, signal: impl Fn(Signal)) -> (Span, Span) {
    let timed = |kind| {
        let from = now();
        signal(kind);
        (from, now())
    };
    let stopped = timed(Signal::STOP);
    // Waits for time to pass.
    std::thread::sleep(length);
    (stopped, timed(Signal::CONT))
}

/// The recorded stall that corresponds to this stop, if its times and duration are right.
fn found(run: &Path, (stopped, continued): (Span, Span)) -> Option<Stall> {
    let zero = Nanos(Manifest::read(run).unwrap().started_unix_ns);
    let stalls = || SelfMonitorRecord::read(run).unwrap().stalls;
    wait_for("the meter to run again", || stalls().iter().any(|stall| zero + stall.to_ns > continued.0));
    let near = |at: Nanos, (from, to): Span| from - TOLERANCE <= at && at <= to + TOLERANCE;
    let length = (continued.0 - stopped.1, continued.1 - stopped.0);
    stalls().into_iter().find(|stall| {
        near(zero + stall.from_ns, stopped)
            && near(zero + stall.to_ns, continued)
            && near(stall.length(), length)
    })
}

fn report(sandbox: &Sandbox, ended: &Ended) -> Report {
    let text = fs::read_to_string(sandbox.path().join("report.json"));
    Report::parse(&text.unwrap_or_else(|error| panic!("no report ({error}): {ended:?}")))
}

#[test]
fn the_meter_finds_stalls_of_every_length() {
    let service = Replica::start("memory", TENANTS);
    let (sandbox, running) = start(&service, "10m");
    let run = sandbox.only_run();
    for millis in [20, 50, 300] {
        let attempt =
            || found(&run, stop_for(Duration::from_millis(millis), |signal| running.signal(signal)));
        let stall = (0..STOPS).find_map(|_| attempt());
        let stall = stall
            .unwrap_or_else(|| panic!("{millis} ms: {:?}", SelfMonitorRecord::read(&run).unwrap().stalls));
        assert_eq!(stall.cause, Cause::Stopped);
    }
}

#[test]
fn a_stopped_generator_reports_no_violation() {
    let service = Replica::start("memory", TENANTS);
    let attempt = || {
        let (sandbox, running) = start(&service, "4s");
        let stopped = stop_for(Duration::from_millis(300), |signal| running.signal(signal));
        let stall = found(&sandbox.only_run(), stopped);
        let ended = running.end();
        let report = report(&sandbox, &ended);
        assert_ne!(report.verdicts("expectation")[0].1, "pass", "300 ms of 4 s are more than one percent");
        (stall, ended, report)
    };
    let judged = (0..ATTEMPTS).map(|_| attempt()).find_map(|(stall, ended, report)| {
        let [latency, _] = report.verdicts("expectation")[..] else { panic!("{report:?}") };
        Some((stall?, ended, latency.1 == "inconclusive")).filter(|(.., inconclusive)| *inconclusive)
    });
    let (stall, ended, _) = judged.unwrap();
    ended.assert_code(3);
    let named = format!(
        "at {:.4} s the generator stalled for {} (the process was stopped): ",
        stall.from_ns.as_secs_f64(),
        stall.length()
    );
    ended.assert_says(&[
        "p99 < 100ms",
        "it holds once what the generator itself may have caused is left out",
        &named,
    ]);
}

#[test]
fn a_stopped_service_is_detected() {
    let service = Replica::start("memory", TENANTS);
    let attempt = || {
        let (sandbox, running) = start(&service, "4s");
        stop_for(Duration::from_millis(300), |signal| service.signal(signal));
        let ended = running.end();
        let outcome = report(&sandbox, &ended).verdicts("expectation")[0].1.to_owned();
        assert_ne!(outcome, "pass");
        (outcome == "fail").then_some(ended)
    };
    let ended = (0..ATTEMPTS).find_map(|_| attempt()).unwrap();
    ended.assert_code(1);
}

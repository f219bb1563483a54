//! The generator's claim, by hand-made runs.

use super::*;
use crate::testing::Judge as _;
use saasbench_record::{
    manifest::{State, to_json},
    testing::{TestRun, sample, stall},
};

/// A record of the threads every half second for five seconds: for each worker, its processor time in each
/// interval, in milliseconds.
fn usage(workers: &[(&str, [i64; 10])]) -> Vec<Usage> {
    let line = |look: usize| {
        let time = |spent: &[i64; 10]| ThreadTime {
            cpu_ns: Nanos::from_millis(spent[..look].iter().sum()),
            waited_ns: Nanos::from_millis(5 * look as i64),
        };
        let threads = workers.iter().map(|(name, spent)| ((*name).to_owned(), time(spent))).collect();
        let at_ns = Nanos::from_millis(500 * look as i64);
        Usage {
            at_ns,
            cpu_ns: Nanos::from_millis(300 * look as i64),
            memory_bytes: 0,
            in_flight: None,
            stalls: 0,
            threads,
        }
    };
    (0..=10).map(line).collect()
}

/// A hundred requests a second for five seconds, each a millisecond late.
fn samples() -> Vec<Sample> {
    (0..500)
        .map(|i| {
            let mut sample = sample(i * 10, 0, RequestOutcome::Status(200));
            sample.intended = sample.sent - Nanos::from_millis(1);
            sample
        })
        .collect()
}

fn made(samples: &[Sample], workers: &[(&str, [i64; 10])]) -> TestRun {
    let mut made = TestRun::new("[[expect]]\nthat = \"rate >= 1000/s\"\n", samples);
    made.self_monitor.usage = usage(workers);
    made
}

fn claim(made: &TestRun) -> Verdict {
    made.verdict(Claim::Generator, "")
}

const IDLE: (&str, [i64; 10]) = ("worker-0", [170; 10]);

#[test]
fn a_generator_that_keeps_up_passes_and_reports_its_facts() {
    let mut made = made(&samples(), &[IDLE, ("worker-1", [50; 10]), ("recorder", [499; 10])]);
    made.self_monitor.stalls = vec![stall(1000, 100), stall(3000, 7)];
    assert_eq!(claim(&made).outcome, Outcome::Pass);
    let report = made.judge();
    insta::assert_snapshot!(report.generator, @"sent 1 ms late (p50), 1 ms (p99), 1 ms (max) · worker-0 34 % busy, the busiest of 2 · 2 stalls, 107 ms together, 23 requests affected");
    let json = to_json(&report.generator).unwrap();
    insta::assert_snapshot!(String::from_utf8(json).unwrap(), @r#"
    {
      "lateness": {
        "requests": 477,
        "p50": 1000447,
        "p99": 1000447,
        "max": 1000447
      },
      "touched": 23,
      "dropped": 0,
      "self_monitored": true,
      "stalls": {
        "count": 2,
        "total_ns": 107000000,
        "longest_ns": 100000000
      },
      "workers": [
        {
          "name": "worker-0",
          "busy": 0.34,
          "waited": 0.01,
          "saturated": 0.0
        },
        {
          "name": "worker-1",
          "busy": 0.1,
          "waited": 0.01,
          "saturated": 0.0
        }
      ],
      "processors": 0.6
    }
    "#);
    made.self_monitor.stalls.truncate(1);
    made.self_monitor.usage = usage(&[IDLE]);
    insta::assert_snapshot!(made.judge().generator, @"sent 1 ms late (p50), 1 ms (p99), 1 ms (max) · worker-0 34 % busy · a stall of 100 ms, 21 requests affected");
    made.self_monitor.stalls.clear();
    insta::assert_snapshot!(made.judge().generator, @"sent 1 ms late (p50), 1 ms (p99), 1 ms (max) · worker-0 34 % busy · no stalls");
}

#[test]
fn a_worker_at_its_limit_is_a_bottleneck() {
    // For one second of five: long enough to matter.
    let peak = ("worker-1", [100, 100, 490, 490, 100, 100, 100, 100, 100, 100]);
    let made = made(&samples(), &[IDLE, peak]);
    let verdict = claim(&made);
    assert_eq!(verdict.outcome, Outcome::Inconclusive);
    insta::assert_snapshot!(verdict.summary, @"worker-1 was at its limit for 20 % of the time (36 % of a processor on average)");
    // Then nothing that it could have caused counts against the service.
    let rate = made.verdict(Claim::Expectation, "rate");
    assert_eq!(rate.outcome, Outcome::Inconclusive);
    insta::assert_snapshot!(rate.summary, @"50.0/s; the generator was the bottleneck: worker-1 was at its limit for 20 % of the time (36 % of a processor on average)");
    // A shorter one is not a bottleneck.
    let short = ("worker-1", [100, 100, 490, 100, 100, 100, 100, 100, 100, 100]);
    let made = self::made(&samples(), &[IDLE, short]);
    assert_eq!(claim(&made).outcome, Outcome::Pass);
    assert_eq!(made.verdict(Claim::Expectation, "rate").outcome, Outcome::Fail);
}

#[test]
fn dropped_arrivals_are_a_bottleneck() {
    let mut samples = samples();
    for sample in samples.iter_mut().take(6) {
        sample.outcome = RequestOutcome::Dropped;
    }
    let made = made(&samples, &[IDLE]);
    insta::assert_snapshot!(claim(&made).summary, @"6 of 500 arrivals were dropped");
    insta::assert_snapshot!(made.judge().generator, @"sent 1 ms late (p50), 1 ms (p99), 1 ms (max) · 6 dropped · worker-0 34 % busy · no stalls");
    samples[0].outcome = RequestOutcome::Status(200);
    assert_eq!(claim(&self::made(&samples, &[IDLE])).outcome, Outcome::Pass, "one in a hundred may be");
}

#[test]
fn a_machine_without_a_port_is_a_bottleneck() {
    let mut samples = samples();
    samples[7].outcome = RequestOutcome::NotSent(NotSentReason::Exhausted);
    let made = made(&samples, &[IDLE]);
    insta::assert_snapshot!(claim(&made).summary, @"not sent, out of ports or file descriptors: 1");
    assert_eq!(made.verdict(Claim::Expectation, "error_ratio").outcome, Outcome::Inconclusive);
}

#[test]
fn lateness_is_a_bottleneck_unless_a_stall_is_its_cause() {
    let mut samples = samples();
    for sample in &mut samples[100..110] {
        sample.intended = sample.sent - Nanos::from_millis(150);
    }
    let mut made = made(&samples, &[IDLE]);
    insta::assert_snapshot!(claim(&made).summary, @"requests were sent late: by 150 ms at p99");
    made.self_monitor.stalls = vec![stall(850, 250)];
    assert_eq!(claim(&made).outcome, Outcome::Pass);
}

#[test]
fn only_the_load_counts() {
    // Busy before the load started and after it ended.
    let mut made = made(&samples(), &[("worker-0", [499, 499, 499, 100, 100, 100, 100, 499, 499, 499])]);
    assert_eq!(claim(&made).outcome, Outcome::Inconclusive);
    if let Some(load) = &mut made.manifest.load {
        (load.start_ns, load.to_ns) = (Nanos::from_millis(1400), Nanos::from_millis(3600));
    }
    assert_eq!(claim(&made).outcome, Outcome::Pass);
    made.manifest.load = None;
    made.manifest.state = State::Running;
    assert_eq!(claim(&made).outcome, Outcome::Inconclusive, "of a killed run all that there is");
}

#[test]
fn an_older_record_makes_no_claim() {
    let report = TestRun::new("", &samples()).judge();
    assert!(report.verdicts.iter().all(|verdict| verdict.claim != Claim::Generator));
    insta::assert_snapshot!(report.generator, @"sent 1 ms late (p50), 1 ms (p99), 1 ms (max) · stalls and processors not monitored");
    let mut unwatched = made(&[], &[]);
    unwatched.self_monitor.usage.clear();
    insta::assert_snapshot!(unwatched.judge().generator, @"nothing sent · stalls and processors not monitored");
    // Monitored, but nothing was sent: no data is never a pass.
    assert_eq!(claim(&made(&[], &[])).outcome, Outcome::Inconclusive);
}

#[test]
fn latency_beyond_what_a_busy_generator_can_add_counts() {
    let mut samples = samples();
    for sample in &mut samples {
        sample.done = sample.sent + Nanos::from_millis(300);
    }
    let busy = ("worker-0", [490; 10]);
    let judged = |that: &str| {
        let mut made = TestRun::new(&format!("[[expect]]\nthat = \"{that}\"\n"), &samples);
        made.self_monitor.usage = usage(&[busy]);
        made.verdict(Claim::Expectation, that).outcome
    };
    assert_eq!(judged("p50 from sent < 250ms"), Outcome::Inconclusive);
    assert_eq!(judged("p50 from sent < 150ms"), Outcome::Fail);
    assert_eq!(judged("p50 from sent < 350ms"), Outcome::Pass);
}

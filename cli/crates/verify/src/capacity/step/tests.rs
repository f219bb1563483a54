//! Hand-made steps: whether the service or the generator is to blame.

use super::*;
use crate::testing::Judge as _;
use crate::{capacity::sample_size, verdict::Evidence};
use saasbench_model::scenario::testing::scenario;
use saasbench_record::{
    sample::{RequestOutcome, Sample},
    testing::{TestRun, sample},
};

const CONTEXT: Context = Context { is_open: true, cut_short: false, calm_p50: Some(Nanos::from_millis(10)) };

const LATENESS: Option<Lateness> =
    Some(Lateness { bound: Nanos::from_millis(50), allowed: 90, in_flight: 140 });

/// Ten requests a second for ten seconds, the `n`-th answered after `latency(n)` milliseconds.
fn samples(latency: impl Fn(i64) -> i64) -> Vec<Sample> {
    let one = |n: i64| {
        let mut sample = sample(n * 100, 0, RequestOutcome::Status(200));
        sample.done = sample.sent + Nanos::from_millis(latency(n));
        sample.request = n.unsigned_abs() + 1;
        sample
    };
    (0..100).map(one).collect()
}

/// 1,000 requests a second for ten seconds.
fn flow(latency: impl Fn(i64) -> i64) -> Flow {
    let mut flow = Flow::new(Nanos::ZERO, Nanos::from_secs(1), Nanos::from_secs(10), LATENESS);
    for n in 0..10_000 {
        let mut sample = sample(n, 0, RequestOutcome::Status(200));
        sample.done = sample.sent + Nanos::from_millis(latency(n));
        flow.add(&sample);
    }
    flow
}

fn reported(more: &str, latency: impl Fn(i64) -> i64, flow: &Flow) -> String {
    let made = TestRun::new(&format!("[metrics]\nenabled = false\n{more}"), &samples(latency));
    let (ending, why) = ending(&made.judge(), flow, CONTEXT);
    format!("{ending:?}: {}", why.unwrap_or_default())
}

#[test]
fn objectives_and_flow_decide_a_step() {
    let calm = flow(|_| 10);
    let bound = "[[expect]]\nthat = \"p90 < 50ms\"";
    let all = [
        reported(bound, |_| 10, &calm),
        reported(bound, |_| 90, &calm),
        reported("[[expect]]\nthat = \"p99 < 50ms\"", |_| 10, &calm),
        reported(bound, |_| 10, &flow(|n| n / 10)),
    ];
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn dropped_arrivals_count_against_a_slower_service() {
    let found = |outcome, subject: &str| Evidence::new(outcome, subject, "", "8 of 9 arrivals were dropped");
    let claim = |evidence| {
        Verdict::from_evidence(Claim::Generator, "the load", evidence, |_, e| e[0].observed.clone())
    };
    let drops = claim(vec![found(Outcome::Inconclusive, "arrivals"), found(Outcome::Pass, "lateness")]);
    let late =
        claim(vec![found(Outcome::Inconclusive, "arrivals"), found(Outcome::Inconclusive, "lateness")]);
    let reported = |claim: &Verdict, latency| {
        let (ending, why) = by_generator(claim, &flow(|_| latency), CONTEXT);
        format!("{ending:?}: {}", why.unwrap_or_default())
    };
    insta::assert_snapshot!([reported(&drops, 300), reported(&drops, 12), reported(&late, 300)].join("\n"));
}

#[test]
fn responses_are_counted_over_the_load_and_latency_after_the_warmup() {
    let flow = flow(|n| if n < 1000 { 500 } else { 10 });
    assert_eq!(flow.fell_behind(), None);
    assert!((flow.responses_per_s() - 1000.0).abs() < 2.0, "{}", flow.responses_per_s());
    assert!(flow.quantile(0.99).unwrap() < Nanos::from_millis(11), "the warm-up is not judged");
}

#[test]
fn a_step_is_hopeless_when_too_many_requests_are_in_flight() {
    let with = |that: &str| {
        let text = saasbench_model::scenario::testing::SCENARIO;
        scenario(&format!("{text}[[expect]]\nthat = \"p99 < 50ms\"\n[[expect]]\n{that}"))
    };
    let in_flight = |scenario: &Scenario| {
        strictest(scenario, 1000.0, Nanos::from_secs(10)).map(|late| (late.allowed, late.in_flight))
    };
    assert_eq!(in_flight(&with("that = \"max < 1s\"")), Some((100, 150)), "50 in time, 100 beyond");
    assert_eq!(in_flight(&with("that = \"p50 < 10ms\"")), Some((100, 150)));
    assert_eq!(sample_size::samples_needed(&with("that = \"p99.9 < 1s\"")).round(), 12_000.0);
    assert_eq!(in_flight(&scenario(saasbench_model::scenario::testing::SCENARIO)), None);
    let bounded = |from: &str, to: &str| {
        let text = saasbench_model::scenario::testing::SCENARIO.replace(from, to);
        in_flight(&scenario(&format!("{text}[[expect]]\nthat = \"p99 < 50ms\"\n")))
    };
    let load = "[[load]]";
    assert_eq!(bounded(load, load), Some((100, 150)));
    let beside = "[[load]]\nusers = 500\nduration = \"10s\"\n[[load]]";
    assert_eq!(bounded(load, beside), None, "users come as often as they like");
    let again = "[[limit]]\nroute = \"POST /chat\"\nper = \"tenant\"\nalgorithm = \"fixed-window\"\nquota = \"8/10s\"\n\
                 [[load]]\nretry = \"retry-after\"";
    assert_eq!(bounded(load, again), None, "as do those who were rejected");
    let start = "[[journey.start]]\npost = \"/session\"\n[[journey.step]]";
    assert_eq!(bounded("[[journey.step]]", start), Some((200, 300)), "each may be a new user's");
}

#[test]
fn a_step_cut_short_is_broken_by_its_late_requests() {
    let few = "[[expect]]\nthat = \"p99 < 50ms\"";
    let short = "[[expect]]\nthat = \"p90 < 50ms\"";
    let reported = |that: &str, late: i64, cut_short: bool| {
        let made = TestRun::new(
            &format!("[metrics]\nenabled = false\n{that}"),
            &samples(|_| if that == short { 90 } else { 10 }),
        );
        let flow = flow(|n| if n >= 10_000 - late { 90 } else { 10 });
        let context = Context { cut_short, ..CONTEXT };
        let (ending, why) = ending(&made.judge(), &flow, context);
        format!("{ending:?}: {}", why.unwrap_or_default())
    };
    let all = [
        reported(few, 95, true),
        reported(few, 85, true),
        reported(few, 95, false),
        // What was cut off might have been in time.
        reported(short, 85, true),
        reported(short, 85, false),
        // Nothing contradicts the objective, but the step is not complete.
        reported("[[expect]]\nthat = \"max < 1s\"", 0, true),
    ];
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn a_late_generator_does_not_break_a_step() {
    let reported = |subject: &str, latency: i64| {
        let made =
            TestRun::new("[metrics]\nenabled = false\n[[expect]]\nthat = \"p90 < 50ms\"", &samples(|_| 10));
        let mut report = made.judge();
        let found = vec![Evidence::new(Outcome::Inconclusive, subject, "", format!("{subject}: too much"))];
        report
            .verdicts
            .push(Verdict::from_evidence(Claim::Generator, "the load", found, |_, e| e[0].observed.clone()));
        let late = flow(|n| if n >= 9_000 { latency } else { 10 });
        let (ending, why) = ending(&report, &late, Context { cut_short: true, ..CONTEXT });
        format!("{subject}, {latency} ms: {ending:?}: {}", why.unwrap_or_default())
    };
    let all = [
        reported("worker-0", 140),
        reported("worker-0", 160),
        reported("lateness", 140),
        reported("arrivals", 140),
    ];
    insta::assert_snapshot!(all.join("\n"));
}

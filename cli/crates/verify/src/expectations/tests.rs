//! Expectations, by hand-made runs.

use super::*;
use crate::testing::Judge as _;
use crate::verdict::{Claim, Outcome};
use saasbench_model::units::Nanos;
use saasbench_record::{
    manifest::State,
    sample::{NoResponseReason, NotSentReason, RequestOutcome},
    stall::Stall,
    testing::{TestRun, sample, stall},
};

/// A hundred responses, the i-th of which took i+1 ms from sent and 100 ms more from intended; every tenth is
/// a 429.
fn samples() -> Vec<Sample> {
    (0..100)
        .map(|i| {
            let status = if i % 10 == 0 { 429 } else { 200 };
            let mut sample = sample(i * 100, 0, RequestOutcome::Status(status));
            sample.done = sample.sent + Nanos::from_millis(i + 1);
            sample.intended = sample.sent - Nanos::from_millis(100);
            sample
        })
        .collect()
}

fn judged(that: &str, samples: &[Sample], change: impl FnOnce(&mut TestRun)) -> Verdict {
    let mut made = TestRun::new(&format!("[[expect]]\nthat = \"{that}\"\n"), samples);
    change(&mut made);
    made.verdict(Claim::Expectation, that)
}

#[test]
fn the_warm_up_is_not_judged() {
    use Outcome::{Fail, Inconclusive, Pass};
    let mut samples = samples();
    // Due just before the end of the warm-up, and answered long after it.
    samples[70].done = samples[70].sent + Nanos::from_secs(1);
    samples[70].failed_check = Some("status 200, expected 404".to_owned());
    let judged = |that: &str, change: &dyn Fn(&mut TestRun)| {
        let text = format!(
            "warmup = \"7s\"\n{}[[expect]]\nthat = \"{that}\"\n",
            saasbench_model::scenario::testing::SCENARIO
        );
        let mut made = TestRun::of(text, &samples);
        change(&mut made);
        made.verdict(Claim::Expectation, that).outcome
    };
    for (that, expected) in [
        ("count == 29", Pass),
        ("max from sent <= 100ms", Pass),
        ("max from sent < 100ms", Fail),
        ("error_ratio == 0%", Pass),
        ("count(429) == 2", Pass),
        // 29 responses in three seconds.
        ("rate > 9.6/s", Pass),
        ("rate > 9.7/s", Fail),
    ] {
        assert_eq!(judged(that, &|_| {}), expected, "{that}");
    }
    let cut_off = |made: &mut TestRun| made.manifest.load = None;
    assert_eq!(judged("count == 29", &cut_off), Inconclusive);
}

#[test]
fn bounds_are_exact() {
    use Outcome::{Fail, Inconclusive, Pass};
    let table = [
        // The median of 1..=100 ms is 50 ms: the smallest latency that half of the responses do not exceed.
        ("p50 from sent <= 50ms", Pass),
        ("p50 from sent < 50ms", Fail),
        ("p50 from sent > 50ms", Fail),
        ("p50 from sent >= 50ms", Pass),
        ("p90 from sent <= 90ms", Pass),
        ("p90 from sent <= 89999us", Fail),
        ("p50 <= 150ms", Pass),
        // Fails from intended, but not without the generator's lateness.
        ("p50 < 149ms", Inconclusive),
        ("p50 < 40ms", Fail),
        // A p99 needs a thousand responses.
        ("p99 < 10s", Inconclusive),
        ("max from sent <= 100ms", Pass),
        ("max from sent < 100ms", Fail),
        ("mean from sent <= 50500us", Pass),
        ("mean from sent < 50500us", Fail),
        ("error_ratio == 0%", Pass),
        ("error_ratio > 0%", Fail),
        ("count == 100", Pass),
        ("count(200) == 90", Pass),
        ("count(200) < 90", Fail),
        ("count(503) == 0", Pass),
        ("ratio(429) <= 10%", Pass),
        ("ratio(429) < 10%", Fail),
        ("rate >= 10/s", Pass),
        ("rate(200) >= 9.1/s", Fail),
    ];
    for (that, expected) in table {
        let verdict = judged(that, &samples(), |_| {});
        assert_eq!(verdict.outcome, expected, "{that}: {verdict:#?}");
    }
}

#[test]
fn an_interrupted_run_cannot_reach_its_counts_but_can_exceed_them() {
    use Outcome::{Fail, Inconclusive, Pass};
    let table = [
        ("count(200) == 95", Inconclusive),
        ("count(200) == 90", Inconclusive),
        ("count(200) == 89", Fail),
        ("count(200) <= 95", Inconclusive),
        ("count(200) <= 89", Fail),
        ("count(200) >= 90", Pass),
        ("count(200) >= 91", Inconclusive),
    ];
    for (that, expected) in table {
        let verdict = judged(that, &samples(), |made| made.manifest.state = State::Interrupted);
        assert_eq!(verdict.outcome, expected, "{that}: {verdict:#?}");
    }
}

#[test]
fn a_rate_of_a_run_that_was_cut_off_is_not_known() {
    let killed = |made: &mut TestRun| {
        made.manifest.state = State::Running;
        made.manifest.load = None;
    };
    assert_eq!(judged("rate < 1000/s", &samples(), killed).outcome, Outcome::Inconclusive);
}

#[test]
fn every_run_expects_no_errors_unless_it_states_otherwise() {
    let mut bad = samples();
    bad[3].failed_check = Some("status 404, expected 200 or 429".to_owned());
    bad[7].outcome = RequestOutcome::NotSent(NotSentReason::ConnectFailed);
    let verdict = TestRun::new("", &bad).verdict(Claim::Expectation, NO_ERRORS);
    assert_eq!(verdict.outcome, Outcome::Fail);
    insta::assert_snapshot!(format!("{}\n{}", verdict.summary, verdict.evidence[0].details.join("\n")), @r"
    2 of 100 requests failed
    sample      3     0.3000 s  acme, POST /chat: status 404, expected 200 or 429
    sample      7     0.7000 s  acme, POST /chat: not-sent (connect-failed)
    ");
    let tolerant = TestRun::new("[[expect]]\nthat = \"error_ratio <= 2%\"\n", &bad).judge();
    assert_eq!(tolerant.verdicts[0].subject, "error_ratio <= 2%");
    assert_eq!(tolerant.verdicts[0].outcome, Outcome::Pass);
}

#[test]
fn a_user_that_had_to_start_first_waited_for_the_service() {
    let started = || {
        samples().into_iter().flat_map(|sample| {
            let start = Sample { done: sample.sent, sent: sample.intended, iteration: 0, ..sample.clone() };
            [start, sample]
        })
    };
    // The usual latencies of these tests, but the 100 ms before sending were spent in the start step.
    let started: Vec<Sample> = started().collect();
    let mut made = TestRun::new("[[expect]]\nthat = \"p90 < 150ms\"\n", &started);
    made.manifest.environment.fresh = true;
    assert_eq!(made.verdict(Claim::Expectation, "p90").outcome, Outcome::Fail);
}

#[test]
fn fresh_expectations_are_skipped_without_a_fresh_start() {
    let expect = "[[expect]]\nthat = \"count(200) == 1\"\nfresh = true\n";
    let mut made = TestRun::new(expect, &samples());
    assert_eq!(made.verdict(Claim::Expectation, "count(200)").outcome, Outcome::Fail);
    made.manifest.environment.fresh = false;
    assert!(made.judge().verdicts.iter().all(|verdict| !verdict.subject.starts_with("count")));
}

#[test]
fn without_data_nothing_passes() {
    assert_eq!(judged("count == 0", &[], |_| {}).outcome, Outcome::Inconclusive);
    let silent: Vec<Sample> = samples()
        .into_iter()
        .map(|s| Sample { outcome: RequestOutcome::NotSent(NotSentReason::ConnectFailed), ..s })
        .collect();
    for that in ["p50 < 1s", "max < 1s", "ratio(200) >= 0%"] {
        assert_eq!(judged(that, &silent, |_| {}).outcome, Outcome::Inconclusive, "{that}");
    }
    assert_eq!(judged("error_ratio == 0%", &silent, |_| {}).outcome, Outcome::Fail);
}

#[test]
fn a_load_with_dropped_arrivals_is_not_the_planned_one() {
    let mut dropped = samples();
    for sample in dropped.iter_mut().take(5) {
        sample.outcome = RequestOutcome::Dropped;
    }
    assert_eq!(judged("p50 < 1s", &dropped, |_| {}).outcome, Outcome::Inconclusive);
}

/// A hundred requests a second for ten seconds, answered after 10 ms; from 3 s on, everything in flight or
/// due waits for 300 ms.
fn held_up() -> Vec<Sample> {
    let (from, to) = (Nanos::from_secs(3), Nanos::from_millis(3300));
    (0..1000)
        .map(|i| {
            let mut sample = sample(i * 10, 0, RequestOutcome::Status(200));
            if sample.done > from && sample.intended < to {
                sample.done = to + Nanos::from_millis(i % 10);
            }
            sample
        })
        .collect()
}

#[test]
fn a_failure_counts_unless_the_generator_stalled() {
    use Outcome::{Fail, Inconclusive, Pass};
    let judged = |that: &str, stalls: &[Stall]| {
        judged(that, &held_up(), |made| made.self_monitor.stalls = stalls.to_vec())
    };
    for that in ["p99 < 100ms", "p99 from sent < 100ms", "max <= 250ms", "mean < 11ms"] {
        // The service stalled: a stall of the generator at another time, or a short one, does not explain it.
        assert_eq!(judged(that, &[]).outcome, Fail, "{that}");
        assert_eq!(judged(that, &[stall(6000, 300)]).outcome, Fail, "{that}");
        assert_eq!(judged(that, &[stall(3100, 20)]).outcome, Fail, "{that}");
        // The generator stalled.
        assert_eq!(judged(that, &[stall(2999, 301)]).outcome, Inconclusive, "{that}");
    }
    // Fails without the affected samples, too; or holds even with them.
    assert_eq!(judged("p50 < 9ms", &[stall(2999, 301)]).outcome, Fail);
    assert_eq!(judged("max < 400ms", &[stall(2999, 301)]).outcome, Pass);
    assert_eq!(judged("max > 400ms", &[stall(2999, 301)]).outcome, Fail);
}

#[test]
fn stalls_are_named() {
    let stalls = vec![stall(2999, 301), stall(5000, 5)];
    let verdict = judged("p99 < 100ms", &held_up(), |made| made.self_monitor.stalls = stalls);
    insta::assert_snapshot!(format!("{}\n{}", verdict.summary, verdict.evidence[0].details.join("\n")), @r#"
    p99 is 200 ms of 1000 responses; it holds once what the generator itself may have caused is left out
    at 2.9990 s the generator stalled for 301 ms (the process was stopped): 62 requests affected
    at 5.0000 s the generator stalled for 5 ms (the process was stopped): 1 request affected
    "#);
}

#[test]
fn a_timeout_during_a_stall_does_not_count() {
    use Outcome::{Fail, Inconclusive};
    let mut samples = samples();
    samples[50].outcome = RequestOutcome::NoResponse(NoResponseReason::Timeout);
    samples[50].done = samples[50].sent + Nanos::from_secs(10);
    let judged = |samples: &[Sample], stalls: &[Stall]| {
        let mut made = TestRun::new("", samples);
        made.self_monitor.stalls = stalls.to_vec();
        made.verdict(Claim::Expectation, NO_ERRORS).outcome
    };
    assert_eq!(judged(&samples, &[]), Fail);
    assert_eq!(judged(&samples, &[stall(7000, 300)]), Inconclusive);
    // Another error is unrelated to the stall.
    samples[60].failed_check = Some("status 404, expected 200 or 429".to_owned());
    assert_eq!(judged(&samples, &[stall(7000, 300)]), Fail);
}

#[test]
fn connections_closed_while_idle_are_no_errors_unless_there_are_many() {
    let closed = |count: usize| {
        let mut samples: Vec<Sample> =
            (0..500).map(|i| sample(i * 10, 0, RequestOutcome::Status(200))).collect();
        for sample in &mut samples[..count] {
            sample.outcome = RequestOutcome::NoResponse(NoResponseReason::ClosedIdle);
        }
        judged("error_ratio == 0", &samples, |_| {})
    };
    assert_eq!(closed(5).outcome, Outcome::Pass);
    let many = closed(6);
    assert_eq!(many.outcome, Outcome::Inconclusive);
    insta::assert_snapshot!(many.summary, @"0 of 500 requests failed; 6 met a connection that the server was closing because it was idle: think for less long than the server keeps connections");
}

#[test]
fn arrivals_dropped_by_a_late_generator_do_not_count() {
    let dropped = |late: i64| {
        let mut samples = samples();
        samples[50].outcome = RequestOutcome::Dropped;
        samples[50].intended = samples[50].sent - Nanos::from_millis(late);
        samples[50].done = samples[50].sent;
        judged("error_ratio == 0%", &samples, |_| {}).outcome
    };
    // SampleReceiver out late: many were due at once, and found too few idle users.
    assert_eq!(dropped(40), Outcome::Inconclusive);
    // SampleReceiver out in time, but no user was idle: all waited for the service.
    assert_eq!(dropped(0), Outcome::Fail);
}

#[test]
fn a_bound_that_fails_whatever_was_dropped_fails() {
    let mut samples = samples();
    for sample in &mut samples[..5] {
        sample.outcome = RequestOutcome::Dropped;
    }
    // 49 responses took less than 55 ms: five more at once are not enough for 66 of a hundred.
    assert_eq!(judged("p66 from sent < 55ms", &samples, |_| {}).outcome, Outcome::Fail);
    // 62 responses took less than 68 ms, where 63 of 95 were needed; five more at once make 67, and 66 of a
    // hundred are needed.
    assert_eq!(judged("p66 from sent < 68ms", &samples, |_| {}).outcome, Outcome::Inconclusive);
    assert_eq!(judged("p50 from sent < 90ms", &samples, |_| {}).outcome, Outcome::Inconclusive);
}

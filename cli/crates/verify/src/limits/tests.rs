//! Verdicts about limits, by hand-made histories.

use super::*;
use crate::testing::Judge as _;
use saasbench_model::scenario::{Algorithm, Refill};
use saasbench_record::{
    sample::NoResponseReason,
    testing::{TestRun, sample},
};

const LIMIT: &str = "[[limit]]\nroute = \"POST /chat\"\nalgorithm = \"ALGORITHM\"\nquota = \"QUOTA\"\n";

/// Twelve requests in turn to a and b, 20 ms apart: eight admitted, four rejected; then one admitted in the
/// next window.
fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = (0..12)
        .map(|i| sample(i * 20, (i % 2) as usize, RequestOutcome::Status(if i < 8 { 200 } else { 429 })))
        .collect();
    samples.push(sample(10_500, 0, RequestOutcome::Status(200)));
    samples
}

fn judged(algorithm: &str, quota: &str, samples: &[Sample], change: impl FnOnce(&mut TestRun)) -> Verdict {
    let limit = LIMIT.replace("ALGORITHM", algorithm).replace("QUOTA", quota);
    let mut made = TestRun::new(&limit, samples);
    change(&mut made);
    made.verdict(Claim::Limit, "POST /chat")
}

fn text(verdict: &Verdict) -> String {
    let details = verdict.evidence.iter().flat_map(|finding| &finding.details);
    let lines: Vec<String> = details.map(|line| format!("  {line}")).collect();
    format!("{}: {}\n{}", verdict.outcome, verdict.summary, lines.join("\n"))
}

#[test]
fn a_kept_promise_passes_by_either_algorithm() {
    for algorithm in ["fixed-window", "sliding-log"] {
        let verdict = judged(algorithm, "8/10s", &samples(), |_| {});
        assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
        assert_eq!(verdict.summary, "9 admitted, 4 rejected, each as promised");
    }
}

#[test]
fn a_broken_promise_is_reported_with_tenant_window_counts_and_replicas() {
    insta::assert_snapshot!("over_admission", text(&judged("fixed-window", "7/10s", &samples(), |_| {})));
    insta::assert_snapshot!("over_admission_log", text(&judged("sliding-log", "7/10s", &samples(), |_| {})));
    insta::assert_snapshot!("wrong_rejection", text(&judged("fixed-window", "9/10s", &samples(), |_| {})));
    insta::assert_snapshot!("wrong_rejection_log", text(&judged("sliding-log", "9/10s", &samples(), |_| {})));
}

#[test]
fn in_a_shared_environment_rejections_cannot_be_judged_but_too_many_admissions_can() {
    let company = |made: &mut TestRun| made.manifest.environment.exclusive = false;
    assert_eq!(judged("sliding-log", "9/10s", &samples(), company).outcome, Outcome::Inconclusive);
    assert_eq!(judged("sliding-log", "7/10s", &samples(), company).outcome, Outcome::Fail);
}

#[test]
fn earlier_admissions_may_explain_rejections() {
    let stale = |made: &mut TestRun| made.manifest.environment.fresh = false;
    assert_ne!(judged("sliding-log", "9/10s", &samples(), stale).outcome, Outcome::Fail);
    let all_rejected: Vec<Sample> = (0..5).map(|i| sample(i * 20, 0, RequestOutcome::Status(429))).collect();
    let verdict = judged("fixed-window", "8/10s", &all_rejected, stale);
    assert_eq!(verdict.outcome, Outcome::Inconclusive);
    insta::assert_snapshot!("unknown_start", text(&verdict));
}

#[test]
fn requests_without_a_response_may_have_been_admitted() {
    let mut silent = samples();
    silent[3].outcome = RequestOutcome::NoResponse(NoResponseReason::ConnectionLost);
    assert_eq!(judged("fixed-window", "8/10s", &silent, |_| {}).outcome, Outcome::Pass);
    assert_eq!(judged("fixed-window", "7/10s", &silent, |_| {}).outcome, Outcome::Pass);
    assert_eq!(judged("fixed-window", "6/10s", &silent, |_| {}).outcome, Outcome::Fail);
    // A response that neither admits nor rejects says nothing about the limiter.
    silent[3].outcome = RequestOutcome::Status(503);
    assert_eq!(judged("fixed-window", "8/10s", &silent, |_| {}).outcome, Outcome::Pass);
}

/// A store that hangs may count a request after the service has given up on it and responded with an error:
/// seven admissions, an early failure, and a rejection that is right only if that failure counts by now.
#[test]
fn server_errors_may_count_later() {
    let outcome = |i: i64| match i {
        0 => 503,
        1..8 => 200,
        _ => 429,
    };
    let samples: Vec<Sample> = (0..10)
        .map(|i| sample(if i == 0 { 0 } else { 12_000 + i * 20 }, 0, RequestOutcome::Status(outcome(i))))
        .collect();
    for algorithm in ["fixed-window", "sliding-log"] {
        assert_ne!(judged(algorithm, "8/10s", &samples, |_| {}).outcome, Outcome::Fail);
        let mut decided = samples.clone();
        decided[0].outcome = RequestOutcome::Status(404);
        assert_eq!(judged(algorithm, "8/10s", &decided, |_| {}).outcome, Outcome::Fail);
    }
}

#[test]
fn a_run_that_was_cut_off_proves_no_rejection_wrong_near_its_end() {
    let killed = |made: &mut TestRun| made.manifest.state = State::Running;
    assert_ne!(judged("fixed-window", "9/10s", &samples()[..12], killed).outcome, Outcome::Fail);
    assert_eq!(judged("fixed-window", "7/10s", &samples()[..12], killed).outcome, Outcome::Fail);
}

#[test]
fn a_store_that_restarted_may_have_lost_its_state() {
    let mut twice: Vec<Sample> = samples()[..8].to_vec();
    twice.extend((0..8).map(|i| sample(3000 + i * 20, 1, RequestOutcome::Status(200))));
    assert_eq!(judged("sliding-log", "8/10s", &twice, |_| {}).outcome, Outcome::Fail);
    let limit = LIMIT.replace("ALGORITHM", "sliding-log").replace("QUOTA", "8/10s");
    let mut made = TestRun::new(&limit, &twice);
    let start = |at: u32| format!("process_start_time_seconds {at}\n");
    made.scrape("a", "before", &start(1)).scrape("a", "after", &start(2));
    made.stamp_scrapes(&[(1000, 1001), (2000, 2001)]);
    assert_eq!(made.verdict(Claim::Limit, "POST /chat").outcome, Outcome::Pass);
}

#[test]
fn a_limit_that_was_not_tested_is_inconclusive() {
    let few: Vec<Sample> = samples()[..3].to_vec();
    let (none, few) =
        (judged("fixed-window", "8/10s", &[], |_| {}), judged("sliding-log", "8/10s", &few, |_| {}));
    assert_eq!((none.outcome, few.outcome), (Outcome::Inconclusive, Outcome::Inconclusive));
    insta::assert_snapshot!(none.summary, @"no request reached the limit");
    insta::assert_snapshot!(few.summary, @"not tested: 3 admitted, and no tenant used up its quota");
    // Used up exactly, without a rejection.
    let full: Vec<Sample> = samples()[..8].to_vec();
    assert_eq!(judged("fixed-window", "8/10s", &full, |_| {}).outcome, Outcome::Pass);
}

#[test]
fn a_bucket_is_used_up_when_no_whole_token_is_left() {
    let used_up_by = |sent: &[i64]| {
        let request = |sent: &i64| Request {
            id: 0,
            sent: Nanos::from_millis(*sent),
            done: Nanos::from_millis(*sent),
            decision: Decision::Admitted,
            replica: 0,
            connection: 0,
        };
        let history: Vec<Request> = sent.iter().map(request).collect();
        let quota = Quota { limit: 2, window: Nanos::from_secs(1) };
        let algorithm = Algorithm::TokenBucket { burst: Some(3), refill: Refill::Continuous };
        reach::used_up(&history, Promise { quota, algorithm })
    };
    assert!(used_up_by(&[0, 0, 0]));
    assert!(!used_up_by(&[0, 0, 500]));
    assert!(used_up_by(&[0, 0, 500, 900]));
}

/// A route with two limits: 4 in 1 s, and QUOTA; rejected requests consume nothing of them.
fn of_two(quota: &str, samples: &[Sample]) -> Vec<Verdict> {
    of_two_with(quota, "atomic = true\n", samples, |_| {})
}

fn of_two_with(
    quota: &str,
    more: &str,
    samples: &[Sample],
    change: impl FnOnce(&mut TestRun),
) -> Vec<Verdict> {
    let limit = LIMIT.replace("ALGORITHM", "fixed-window") + more;
    let limits = format!("{}{}", limit.replace("QUOTA", "4/1s"), limit.replace("QUOTA", quota));
    let mut made = TestRun::new(&limits, samples);
    change(&mut made);
    let verdicts = made.judge().verdicts;
    verdicts.into_iter().filter(|verdict| verdict.claim == Claim::Limit).collect()
}

/// Four of ten a second are admitted; after eight, in the third second, all are rejected.
fn two_kept() -> Vec<Sample> {
    (0..30)
        .map(|i| {
            let status = if i % 10 < 4 && i < 20 { 200 } else { 429 };
            sample((i / 10) * 1_100 + (i % 10) * 20, (i % 2) as usize, RequestOutcome::Status(status))
        })
        .collect()
}

#[test]
fn a_rejection_by_one_of_several_limits_is_no_fault_of_the_others() {
    let verdicts = of_two("8/10s", &two_kept());
    let outcomes: Vec<Outcome> = verdicts.iter().map(|verdict| verdict.outcome).collect();
    assert_eq!(outcomes, [Outcome::Pass, Outcome::Pass], "{verdicts:#?}");
}

#[test]
fn a_rejection_that_none_of_several_limits_can_have_given_is_wrong() {
    let verdicts = of_two("9/10s", &two_kept());
    assert_eq!(verdicts[0].outcome, Outcome::Fail);
    insta::assert_snapshot!("rejected_by_none", text(&verdicts[0]));
    let certificate = verdicts[0].evidence[0].certificate.as_ref().unwrap();
    assert_eq!((certificate.requests[0].sample, certificate.requests.len()), (20, 9));
}

#[test]
fn each_of_several_limits_is_judged_by_its_admissions() {
    let outcomes: Vec<Outcome> = of_two("7/10s", &two_kept()).iter().map(|verdict| verdict.outcome).collect();
    assert_eq!(outcomes, [Outcome::Pass, Outcome::Fail]);
    // A quota that is not used up is not tested, whatever the others reject.
    let outcomes: Vec<Outcome> =
        of_two("8/1h", &two_kept()[..20]).iter().map(|verdict| verdict.outcome).collect();
    assert_eq!(outcomes, [Outcome::Pass, Outcome::Pass]);
    let outcomes: Vec<Outcome> =
        of_two("99/1h", &two_kept()[..20]).iter().map(|verdict| verdict.outcome).collect();
    assert_eq!(outcomes, [Outcome::Pass, Outcome::Inconclusive]);
}

#[test]
fn a_certificate_is_complete_in_itself() {
    let verdict = judged("sliding-log", "7/10s", &samples(), |_| {});
    let json = serde_json::to_string_pretty(&verdict.evidence[0].certificate).unwrap();
    insta::assert_snapshot!("certificate", json);
}

/// As SlowAPI and express-rate-limit do: the first limit consumes before the second rejects.
#[test]
fn a_limit_may_have_consumed_before_another_one_rejected() {
    // Of the long limit, asked first, the four that the short one rejects take the second half.
    let chained = |atomic: &str| {
        let samples: Vec<Sample> = (0..10)
            .map(|i| {
                let status = if i % 10 < 4 { 200 } else { 429 };
                sample(i * 20, 0, RequestOutcome::Status(status))
            })
            .chain([sample(2_000, 0, RequestOutcome::Status(429))])
            .collect();
        let verdicts = of_two_with("8/10s", atomic, &samples, |_| {});
        verdicts.iter().map(|verdict| format!("{}: {}", verdict.outcome, verdict.summary)).collect::<Vec<_>>()
    };
    insta::assert_snapshot!("chained", chained("").join("\n"));
    insta::assert_snapshot!("atomic", chained("atomic = true\n").join("\n"));
}

#[test]
fn a_rejection_that_none_of_a_chain_can_have_given_is_wrong() {
    // Before the rejection in the fourth second at most seven of nine can have been consumed.
    let mut samples: Vec<Sample> =
        (0..7).map(|i| sample(i * 20, 0, RequestOutcome::Status(if i < 4 { 200 } else { 429 }))).collect();
    samples.push(sample(3_000, 1, RequestOutcome::Status(429)));
    let verdicts = of_two_with("9/10s", "", &samples, |_| {});
    assert_eq!(verdicts[0].outcome, Outcome::Fail);
    insta::assert_snapshot!("rejected_by_none_of_a_chain", text(&verdicts[0]));
}

#[test]
fn a_limit_that_cannot_be_judged_excuses_the_others() {
    let stale = |made: &mut TestRun| made.manifest.environment.fresh = false;
    let verdicts = of_two_with("9/10s", "atomic = true\n", &two_kept(), stale);
    assert_eq!(verdicts[0].outcome, Outcome::Pass);
    insta::assert_snapshot!("excused", text(&verdicts[0]));
}

/// A tolerance as long as the window hides any fault: that is no Pass, whatever the algorithm.
#[test]
fn a_tolerance_that_leaves_nothing_to_judge_is_inconclusive() {
    let offset = |made: &mut TestRun| made.manifest.environment.clock_offset_ns = Nanos::from_secs(20);
    let mut five_more: Vec<Sample> =
        (0..18).map(|i| sample(i * 20, 0, RequestOutcome::Status(if i < 13 { 200 } else { 429 }))).collect();
    let mut shown = String::new();
    for algorithm in [
        "fixed-window",
        "aligned-window",
        "sliding-log",
        "sliding-counter",
        "sliding-counter\"\nanchor = \"first-hit",
        "token-bucket",
    ] {
        let verdict = judged(algorithm, "8/10s", &five_more, offset);
        assert_eq!(verdict.outcome, Outcome::Inconclusive, "{verdict:#?}");
        shown.push_str(&format!("{algorithm}: {}\n", verdict.summary));
        assert_eq!(judged(algorithm, "8/10s", &five_more, |_| {}).outcome, Outcome::Fail);
    }
    insta::assert_snapshot!("tolerance", shown);
    five_more.truncate(0);
    assert_eq!(judged("fixed-window", "8/10s", &five_more, offset).summary, "no request reached the limit");
}

#[test]
fn a_resolution_or_latencies_that_leave_nothing_to_judge_are_inconclusive() {
    let coarse = judged("fixed-window", "8/10s\"\nresolution = \"20s", &samples(), |_| {});
    let mut slow = samples();
    slow.iter_mut().for_each(|sample| sample.done = sample.done + Nanos::from_secs(40));
    let slow = judged("fixed-window", "8/10s", &slow, |_| {});
    assert_eq!((coarse.outcome, slow.outcome), (Outcome::Inconclusive, Outcome::Inconclusive));
    insta::assert_snapshot!("nothing_shows", format!("{}\n{}", coarse.summary, slow.summary));
}

/// What few connections show is no proof for several processes, and the line says so.
#[test]
fn a_pass_over_few_connections_warns() {
    let over = |connections: u32, environment: &str| {
        let mut samples = samples();
        for (number, sample) in (0..).zip(&mut samples) {
            (sample.replica, sample.connection) = (0, 1 + number % connections);
        }
        judged("fixed-window", "8/10s", &samples, |made| {
            environment.clone_into(&mut made.manifest.environment.name);
        })
    };
    let lines = [over(1, "test"), over(12, "test"), over(1, "embedded")].map(|verdict| {
        assert_eq!(verdict.outcome, Outcome::Pass);
        verdict.summary
    });
    insta::assert_snapshot!("connections", lines.join("\n"));
}

/// Two processes with a quota each, over two connections each.
#[test]
fn a_limit_kept_by_each_of_several_processes_is_diagnosed() {
    let mut samples = Vec::new();
    for i in 0..40 {
        let connection = 1 + (i % 4) as u32;
        let status = if i / 2 < 8 { 200 } else { 429 };
        samples.push(Sample { connection, ..sample(i * 20, 0, RequestOutcome::Status(status)) });
    }
    let verdict = judged("fixed-window", "8/10s", &samples, |_| {});
    assert_eq!(verdict.outcome, Outcome::Fail);
    assert_eq!(verdict.evidence[0].diagnosis.as_ref().unwrap().hypothesis, "per-process");
    insta::assert_snapshot!("per_process", verdict.evidence[0].details[0]);
}

/// Tenants that never used up their quota prove nothing, and have no evidence that says otherwise.
#[test]
fn a_pass_names_the_tenants_that_it_says_nothing_about() {
    let mut samples = samples();
    samples.extend((0..3).map(|i| Sample { tenant: 1, ..sample(i * 25, 0, RequestOutcome::Status(200)) }));
    samples.sort_by_key(|sample| sample.sent);
    let verdict = judged("fixed-window", "8/10s\"\n[[tenant]]\nid = \"globex", &samples, |_| {});
    assert_eq!(verdict.outcome, Outcome::Pass);
    assert_eq!(verdict.evidence.len(), 1, "{verdict:#?}");
    insta::assert_snapshot!("one_of_two", text(&verdict));
}

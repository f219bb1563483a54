//! Verdicts about headers, by hand-made histories: two in ten seconds, with a window that starts at the first
//! hit.

use std::sync::Arc;

use crate::testing::Judge as _;
use crate::verdict::{Claim, Outcome, Verdict};
use saasbench_record::{
    sample::{LimiterHeaders, RequestOutcome, Sample},
    testing::{TestRun, sample},
};

const LIMIT: &str = "[[limit]]\nroute = \"POST /chat\"\nalgorithm = \"fixed-window\"\nquota = \"2/10s\"\n";

/// When the window ends, by the wall clock of `TestRun`.
const RESET: f64 = 1_000_000_010.0;

fn reported(millis: i64, status: u16, remaining: u64, retry_after: Option<u64>) -> Sample {
    let policy = Some(Arc::from("\"chat\";q=2;w=10"));
    let limiter = LimiterHeaders {
        limit: Some(2),
        remaining: Some(remaining),
        reset: Some(RESET + (millis / 10_000 * 10) as f64),
        retry_after,
        policy,
        state: None,
    };
    Sample { limiter, ..sample(millis, 0, RequestOutcome::Status(status)) }
}

/// Two admitted, two rejected, the second a second later; one admitted when it retries as asked.
fn conforming() -> Vec<Sample> {
    vec![
        reported(0, 200, 1, None),
        reported(100, 200, 0, None),
        reported(200, 429, 0, Some(10)),
        reported(1_200, 429, 0, Some(9)),
        reported(10_250, 200, 1, None),
    ]
}

fn judged(samples: &[Sample], change: impl FnOnce(&mut TestRun)) -> Verdict {
    let mut made = TestRun::new(LIMIT, samples);
    change(&mut made);
    made.verdict(Claim::Headers, "POST /chat")
}

fn text(verdict: &Verdict) -> String {
    let mut text = format!("{}: {}\n", verdict.outcome, verdict.summary);
    for finding in &verdict.evidence {
        text.push_str(&format!("{}: expected {}; {}\n", finding.outcome, finding.expected, finding.observed));
        for line in &finding.details {
            text.push_str(&format!("  {line}\n"));
        }
    }
    text
}

#[test]
fn correct_headers_pass() {
    let verdict = judged(&conforming(), |_| {});
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
    insta::assert_snapshot!("conforming", text(&verdict));
}

#[test]
fn every_wrong_header_is_reported() {
    type Lie = (&'static str, fn(&mut Vec<Sample>));
    let lies: [Lie; 7] = [
        ("too early", |samples| samples[4] = reported(10_250, 429, 0, Some(1))),
        ("too late", |samples| samples[2].limiter.retry_after = Some(30)),
        ("left on a rejection", |samples| samples[2].limiter.remaining = Some(1)),
        ("more than there is", |samples| samples[0].limiter.remaining = Some(2)),
        ("less than announced", |samples| {
            samples.remove(1);
        }),
        ("another policy", |samples| samples[0].limiter.policy = Some(Arc::from("\"chat\";q=3;w=10"))),
        ("another limit", |samples| samples[3].limiter.limit = Some(10)),
    ];
    let mut shown = String::new();
    for (name, lie) in lies {
        let mut samples = conforming();
        lie(&mut samples);
        let verdict = judged(&samples, |_| {});
        assert_eq!(verdict.outcome, Outcome::Fail, "{name}: {verdict:#?}");
        let text = text(&verdict);
        let broken: Vec<&str> = text.lines().filter(|line| line.starts_with("Fail: e")).collect();
        shown.push_str(&format!("{name}\n  {}\n", broken.join("\n  ")));
    }
    insta::assert_snapshot!("violations", shown);
}

#[test]
fn in_a_shared_environment_a_rejection_at_the_stated_time_is_no_failure() {
    let mut samples = conforming();
    samples[4] = reported(10_250, 429, 0, Some(1));
    let company = |made: &mut TestRun| made.manifest.environment.exclusive = false;
    assert_eq!(judged(&samples, company).outcome, Outcome::Pass);
}

#[test]
fn another_admission_explains_a_rejection_at_the_stated_time() {
    let mut samples = conforming();
    samples[4] = reported(10_250, 429, 0, Some(1));
    samples.insert(4, reported(10_100, 200, 0, None));
    assert_eq!(judged(&samples, |_| {}).outcome, Outcome::Pass);
}

#[test]
fn responses_that_neither_admit_nor_reject_promise_nothing() {
    let mut samples = conforming();
    samples.push(reported(11_000, 404, 9, None));
    samples[5].limiter.limit = Some(99);
    assert_eq!(judged(&samples, |_| {}).outcome, Outcome::Pass);
}

#[test]
fn headers_that_cannot_be_tested_are_inconclusive() {
    let reset = LimiterHeaders { reset: Some(RESET), ..LimiterHeaders::default() };
    let only = Sample { limiter: reset, ..conforming().remove(0) };
    let verdict = judged(&[only], |_| {});
    assert_eq!(verdict.outcome, Outcome::Inconclusive);
    insta::assert_snapshot!("untested", verdict.summary);
}

#[test]
fn without_headers_there_is_no_verdict() {
    let silent: Vec<Sample> = conforming()
        .into_iter()
        .map(|sample| Sample { limiter: LimiterHeaders::default(), ..sample })
        .collect();
    let report = TestRun::new(LIMIT, &silent).judge();
    assert!(report.verdicts.iter().all(|verdict| verdict.claim != Claim::Headers));
}

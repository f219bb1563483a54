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
        unread: None,
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

/// What a response says if a header cannot be read.
fn unread(sample: &mut Sample, fields: &str) {
    if fields.to_ascii_lowercase().starts_with("retry-after:") {
        sample.limiter.retry_after = None;
    }
    sample.limiter.unread = Some(fields.into());
}

#[test]
fn every_wrong_header_is_reported() {
    type Lie = (&'static str, fn(&mut Vec<Sample>));
    let lies: [Lie; 9] = [
        ("too early", |samples| samples[4] = reported(10_250, 429, 0, Some(1))),
        ("too late", |samples| samples[2].limiter.retry_after = Some(30)),
        ("left on a rejection", |samples| samples[2].limiter.remaining = Some(1)),
        ("more than there is", |samples| samples[0].limiter.remaining = Some(2)),
        ("less than announced", |samples| {
            samples.remove(1);
        }),
        ("another policy", |samples| samples[0].limiter.policy = Some(Arc::from("\"chat\";q=3;w=10"))),
        ("another limit", |samples| samples[3].limiter.limit = Some(10)),
        ("a negative Retry-After", |samples| unread(&mut samples[2], "Retry-After: -3")),
        ("a fraction of a second", |samples| unread(&mut samples[3], "retry-after: 9.5")),
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

/// What is not read is no reason for a Pass, and is said in the line.
#[test]
fn headers_that_cannot_be_read_are_named() {
    let mut some = conforming();
    for sample in &mut some {
        sample.limiter.policy = Some("8 per 10 s".into());
        sample.limiter.reset = None;
        unread(
            sample,
            "X-RateLimit-Reset: 2001-09-09T01:46:50Z\nRetry-After (date): Sun, 09 Sep 2001 01:46:50 GMT",
        );
    }
    let mut none = conforming();
    for sample in &mut none {
        sample.limiter = LimiterHeaders { state: Some("three".into()), ..LimiterHeaders::default() };
        unread(sample, "x-ratelimit-limit: two");
    }
    let (some, none) = (judged(&some, |_| {}), judged(&none, |_| {}));
    assert_eq!((some.outcome, none.outcome), (Outcome::Pass, Outcome::Inconclusive));
    insta::assert_snapshot!("unread", format!("{}\n{}", some.summary, none.summary));
}

#[test]
fn a_promise_that_was_made_and_not_tested_is_named() {
    let first = judged(&conforming()[..2], |_| {});
    assert_eq!(first.outcome, Outcome::Pass);
    insta::assert_snapshot!("partly_tested", first.summary);
}

/// As express-rate-limit sends them by default.
#[test]
fn a_state_of_an_earlier_draft_is_read() {
    let drafted = |more: u64| {
        let mut samples = conforming();
        for sample in &mut samples {
            let left = sample.limiter.remaining.unwrap_or(0) + more;
            sample.limiter = LimiterHeaders {
                state: Some(format!("limit=2, remaining={left}, reset=3").into()),
                policy: Some("2;w=10".into()),
                ..LimiterHeaders::default()
            };
        }
        judged(&samples, |_| {})
    };
    insta::assert_snapshot!("earlier_draft", drafted(0).summary);
    assert_eq!(drafted(1).outcome, Outcome::Fail);
}

/// A limit that has quota again may be followed by one that has none.
#[test]
fn with_several_limits_a_rejected_retry_is_no_broken_promise() {
    let mut samples = conforming();
    samples[4] = reported(10_250, 429, 0, Some(1));
    let mut made = TestRun::new(&format!("{LIMIT}{}", LIMIT.replace("2/10s", "2/1h")), &samples);
    made.manifest.environment.exclusive = true;
    assert_eq!(made.verdict(Claim::Headers, "POST /chat").outcome, Outcome::Pass);
}

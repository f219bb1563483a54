//! Cards of the first screen for claims that did not pass.

use crate::html::{
    summary_text,
    tests::{assert_sound, page_of, text},
};
use saasbench_model::units::Nanos;
use saasbench_record::{
    event::{Event, Pace, PaceChange},
    sample::{RequestOutcome, Sample},
    testing::{TestRun, sample},
};
use saasbench_verify::testing::Judge as _;
use saasbench_verify::verdict::{Claim, Evidence, Outcome};

const SILENT: &str = "[metrics]\nenabled = false\n";

/// The text of a page's cards.
fn cards(made: &TestRun) -> String {
    let page = page_of(made);
    assert_sound(&page);
    let cards: String =
        page.split("<article").skip(1).filter_map(|rest| rest.split("</article>").next()).collect();
    text(&format!("<body><article{cards}<script>"))
}

/// A request every `gap` ms, alternating between both replicas; `status` of each response.
fn every(gap: i64, count: i64, status: impl Fn(i64) -> u16) -> Vec<Sample> {
    (0..count).map(|i| sample(i * gap, (i % 2) as usize, RequestOutcome::Status(status(i)))).collect()
}

fn limit(algorithm: &str, quota: &str) -> String {
    format!("[[limit]]\nroute = \"POST /chat\"\nalgorithm = \"{algorithm}\"\nquota = \"{quota}\"\n")
}

fn limited(limits: &str, samples: &[Sample]) -> String {
    cards(&TestRun::new(&format!("{limits}{SILENT}"), samples))
}

#[test]
fn a_violated_limit_names_count_interval_and_quota() {
    let admitted = |gap, count| every(gap, count, |_| 200);
    let bucket = format!("{}burst = 10\n", limit("token-bucket", "5/10s"));
    let said = [
        limited(&limit("fixed-window", "8/10s"), &admitted(100, 9)),
        limited(&bucket, &admitted(1_000, 40)),
        limited(&limit("sliding-log", "5/10s"), &[admitted(1_900, 40), admitted(1, 1)].concat()),
        // One token is used, all others are left.
        limited(&bucket, &every(100, 2, |i| if i == 1 { 429 } else { 200 })),
        limited(&limit("fixed-window", "9/1s"), &every(20, 10, |i| if i > 7 { 429 } else { 200 })),
        limited(&limit("fixed-window", "9/1s"), &every(20, 1, |_| 429)),
    ];
    insta::assert_snapshot!(said.join("\n\n"));
}

#[test]
fn a_rejection_unexplained_by_two_limits_has_no_count() {
    // Four a second are admitted, six are rejected; after eight, in the third second, all are.
    let kept = |i: i64| {
        let status = if i % 10 < 4 && i < 20 { 200 } else { 429 };
        sample((i / 10) * 1_100 + (i % 10) * 20, (i % 2) as usize, RequestOutcome::Status(status))
    };
    // If one limit could count what another rejects, all of this would be possible.
    let limits = format!("{}{}", limit("fixed-window", "4/1s"), limit("fixed-window", "9/10s"));
    let limits = limits.replace("[[limit]]\n", "[[limit]]\natomic = true\n");
    let made = TestRun::new(&format!("{limits}{SILENT}"), &(0..30).map(kept).collect::<Vec<_>>());
    insta::assert_snapshot!(cards(&made));
    let certificate = made.verdict(Claim::Limit, "POST /chat").evidence[0].certificate.clone().unwrap();
    assert_eq!(certificate.allowed, None);
    assert!(!serde_json::to_string(&certificate).unwrap().contains("allowed"));
}

#[test]
fn mentions_manual_load_changes_before_the_observed_value() {
    let expected = "[[expect]]\nthat = \"count(200) < 9\"\n";
    let mut made = TestRun::new(&format!("{expected}{SILENT}"), &every(20, 30, |_| 200));
    let paused = Pace { paused: true, factor: 1.0 };
    let change = |at_ns, from, to| Event::PaceChanged(PaceChange { at_ns, from, to });
    made.manifest.events = vec![
        change(Nanos::from_millis(300), Pace::default(), paused),
        change(Nanos::from_secs(9), paused, Pace::default()),
    ];
    insta::assert_snapshot!(cards(&made));
}

#[test]
fn keeps_the_part_before_the_observed_value() {
    assert_eq!(summary_text::lead("p99 is 20 ms", Some("p99 is 20 ms")), None);
    assert_eq!(summary_text::lead("3 of 9 series: 5", Some("5")), Some("3 of 9 series"));
    assert_eq!(
        summary_text::lead("the mean is 5", Some("5")),
        Some("the mean is 5"),
        "not a separate reason"
    );
    assert_eq!(summary_text::lead("no data", None), Some("no data"));
}

#[test]
fn only_leaks_are_explained_by_canaries() {
    let of = |subject: &str| Evidence::new(Outcome::Fail, subject, "30", "30 by canary");
    assert_eq!(summary_text::meaning(Claim::Counters, &of("http_requests_total of canary")), None);
    assert_eq!(summary_text::meaning(Claim::Isolation, &of("cross-tenant requests")), None);
    assert!(summary_text::meaning(Claim::Isolation, &of("canaries")).is_some());
}

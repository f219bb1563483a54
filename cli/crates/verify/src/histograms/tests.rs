//! Histograms, by hand-made runs.

use super::*;
use crate::testing::Judge as _;
use saasbench_model::units::Nanos;
use saasbench_record::{
    sample::{RequestOutcome, Sample},
    testing::{TestRun, sample},
};

/// Four responses after 10 ms and one after 700 ms.
fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = (0..5).map(|i| sample(i * 1000, 0, RequestOutcome::Status(200))).collect();
    samples[4].done = samples[4].sent + Nanos::from_millis(700);
    samples
}

fn text(buckets: [u32; 4], sum: &str, count: u32) -> String {
    let mut text = "http_requests_total{handler=\"/chat\",method=\"POST\",status=\"200\"} 5\n".to_owned();
    for (le, value) in ["0.1", "0.5", "1", "+Inf"].iter().zip(buckets) {
        text += &format!(
            "http_request_duration_seconds_bucket{{handler=\"/chat\",method=\"POST\",le=\"{le}\"}} {value}\n"
        );
    }
    text += &format!("http_request_duration_seconds_sum{{handler=\"/chat\",method=\"POST\"}} {sum}\n");
    text + &format!("http_request_duration_seconds_count{{handler=\"/chat\",method=\"POST\"}} {count}\n")
}

fn verdict(more: &str, text: &str) -> Verdict {
    let mut made = TestRun::new(more, &samples());
    made.settled("a", text);
    made.verdict(Claim::Histograms, "http_request_duration_seconds of a")
}

#[test]
fn a_sane_histogram_below_its_clients_passes() {
    let good = verdict("", &text([4, 4, 5, 5], "0.69", 5));
    assert_eq!(good.outcome, Outcome::Pass, "{good:#?}");
    insta::assert_snapshot!(good.summary, @"1 histogram consistent, 4 bounds agree with clients' latency");
    // Shorter durations than the client's are always possible: network time is the client's alone.
    assert_eq!(verdict("", &text([5, 5, 5, 5], "0.02", 5)).outcome, Outcome::Pass);
}

#[test]
fn malformed_histograms_fail() {
    let table = [
        text([4, 3, 5, 5], "0.69", 5),
        text([4, 4, 5, 4], "0.69", 5),
        text([4, 4, 5, 5], "0.69", 6),
        text([4, 4, 5, 5], "9", 5),
        text([4, 4, 5, 5], "0.2", 5),
        text([4, 4, 5, 5], "NaN", 5),
        text([4, 4, 6, 6], "0.69", 6),
        text([3, 4, 5, 5], "0.9", 5),
        text([4, 4, 5, 5], "0.69", 5).replace("le=\"+Inf\"", "le=\"2\""),
    ];
    let mut all = String::new();
    for text in table {
        let verdict = verdict("", &text);
        assert_eq!(verdict.outcome, Outcome::Fail, "{text}\n{verdict:#?}");
        all += &format!("{}\n", verdict.summary);
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_clock_that_stops_after_the_response_is_not_compared_with_clients() {
    let late = "[metrics]\nclock_stops_before_response = false\n";
    assert_eq!(verdict(late, &text([3, 4, 5, 5], "0.9", 5)).outcome, Outcome::Pass);
}

/// The hypothesis that explains a failure, and the sentence.
fn diagnosed(verdict: &Verdict) -> String {
    assert_eq!(verdict.outcome, Outcome::Fail, "{verdict:#?}");
    let diagnosis = verdict.evidence[0].diagnosis.as_ref();
    diagnosis.map_or("none".to_owned(), |found| format!("{}: {}", found.hypothesis, found.sentence))
}

#[test]
fn known_histogram_faults_are_diagnosed() {
    let table = [
        // Non-cumulative counts, with and without a correct `+Inf`.
        text([4, 0, 1, 0], "0.69", 5),
        text([4, 0, 1, 5], "0.69", 5),
        text([4, 4, 5, 6], "0.69", 5),
        // 10 ms and 700 ms, as 10 s and 700 s.
        text([0, 0, 0, 5], "739", 5),
        text([4, 4, 5, 5], "690", 5),
        text([4, 4, 5, 5], "0.4", 5).replace(
            "_sum{handler=\"/chat\",method=\"POST\"} 0.4",
            "_sum{handler=\"/chat\",method=\"POST\"} 1.1",
        ),
        // A request that was not counted at all is not a fault of the histogram alone.
        text([3, 3, 4, 4], "0.68", 4),
    ];
    let all: Vec<String> = table.iter().map(|text| diagnosed(&verdict("", text))).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn the_sum_is_compared_with_clients_too() {
    // All buckets and the bounds of the sum are in order, but the clients waited for 740 ms in all.
    let long = verdict("", &text([4, 4, 5, 5], "0.75", 5));
    assert_eq!(long.outcome, Outcome::Fail);
    insta::assert_snapshot!(long.summary);
    let late = "[metrics]\nclock_stops_before_response = false\n";
    assert_eq!(verdict(late, &text([4, 4, 5, 5], "0.75", 5)).outcome, Outcome::Pass);
    let mut samples = samples();
    samples.push(sample(
        9000,
        0,
        RequestOutcome::NoResponse(saasbench_record::sample::NoResponseReason::Timeout),
    ));
    let mut made = TestRun::new("", &samples);
    made.settled("a", &text([4, 4, 5, 5], "0.75", 5));
    // Which requests these durations belong to is no longer known.
    let verdict = made.verdict(Claim::Histograms, "http_request_duration_seconds of a");
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
}

#[test]
fn histograms_with_a_status_label_are_compared_by_status() {
    let mut samples = samples();
    samples[4].outcome = RequestOutcome::Status(503);
    let series = |status: &str, bucket: u32, count: u32, sum: &str| {
        let labels = format!("handler=\"/chat\",method=\"POST\",status=\"{status}\"");
        format!(
            "http_requests_total{{{labels}}} {count}\n\
             http_request_duration_seconds_bucket{{{labels},le=\"0.1\"}} {bucket}\n\
             http_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} {count}\n\
             http_request_duration_seconds_sum{{{labels}}} {sum}\n\
             http_request_duration_seconds_count{{{labels}}} {count}\n"
        )
    };
    let judged = |text: String| {
        let mut made = TestRun::new("", &samples);
        made.settled("a", &text);
        made.verdict(Claim::Histograms, "http_request_duration_seconds of a")
    };
    let good = judged(series("200", 4, 4, "0.01") + &series("503", 0, 1, "0.6"));
    assert_eq!(good.outcome, Outcome::Pass, "{good:#?}");
    // The same durations, under the wrong statuses.
    let swapped = judged(series("200", 3, 4, "0.6") + &series("503", 1, 1, "0.01"));
    assert_eq!(swapped.outcome, Outcome::Fail);
    insta::assert_snapshot!(swapped.summary);
}

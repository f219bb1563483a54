//! Tampering with one detail of a recorded run: `verify` detects and names it. Where the checksums are made
//! to match again, it is a record of a service that exposes something wrong, and fails.

use std::fs;

use saasbench_record::testing::reseal;

use crate::support::{Copied, change, fixture};

/// A modification of an exposition.
type Spoil = fn(&str) -> String;

/// Modifies the last scrape of replica `a`, or both scrapes that have to agree, in a copy of the good run,
/// and judges it.
#[track_caller]
fn judged(spoil: Spoil, how_many: usize) -> (Option<i32>, String) {
    let copy = Copied::of(&fixture("good"));
    for file in copy.last_scrapes("a").iter().rev().take(how_many) {
        let text = fs::read_to_string(file).unwrap();
        let spoilt = spoil(&text);
        assert_ne!(text, spoilt, "nothing was spoilt");
        fs::write(file, spoilt).unwrap();
    }
    reseal(&copy.path());
    let ended = copy.verify(&[]);
    (ended.code, ended.out + &ended.err)
}

/// The text with the value changed for every series that starts with `start`.
fn with_value(text: &str, series: &str, change: impl Fn(f64) -> f64) -> String {
    with_lines(text, series, |line| {
        let (labels, value) = line.rsplit_once(' ').unwrap();
        Some(format!("{labels} {}", change(value.parse().unwrap())))
    })
}

/// The text with every line changed or removed that starts with `start`.
fn with_lines(text: &str, beginning: &str, change: impl Fn(&str) -> Option<String>) -> String {
    let lines = text.lines().filter_map(|line| match line.starts_with(beginning) {
        true => change(line),
        false => Some(line.to_owned()),
    });
    lines.map(|line| line + "\n").collect()
}

const COUNTER: &str = r#"http_requests_total{handler="/chat",method="POST",status="200"}"#;
const REJECTED: &str = r#"http_requests_total{handler="/chat",method="POST",status="429"}"#;
const OF_TENANT: &str = r#"tenant_requests_total{tenant="acme",handler="/chat",method="POST",status="429"}"#;

#[test]
fn each_tampered_series_fails_the_run_by_name() {
    // Description, modification, and the expected report.
    let table: [(&str, Spoil, &[&str]); 13] = [
        (
            "a counter, one more",
            |t| with_value(t, COUNTER, |v| v + 1.0),
            &["http_requests_total of a by scrape", "POST /chat 200"],
        ),
        (
            "a counter, one less",
            |t| with_value(t, REJECTED, |v| v - 1.0),
            &["http_requests_total of a by scrape", "POST /chat 429"],
        ),
        ("a counter, no number", |t| with_value(t, COUNTER, |_| f64::NAN), &["POST /chat 200"]),
        (
            "a counter's line is gone",
            |t| with_lines(t, REJECTED, |_| None),
            &["POST /chat 429: no such series"],
        ),
        (
            "a counter of a route without requests",
            |t| format!("{t}http_requests_total{{handler=\"/secret\",method=\"GET\",status=\"200\"}} 1\n"),
            &["GET /secret 200: 1 counted, 0 seen by clients"],
        ),
        (
            "a tenant's counter",
            |t| with_value(t, OF_TENANT, |v| v + 1.0),
            &["tenant_requests_total of a by scrape", "acme POST /chat 429"],
        ),
        (
            "a bucket that falls",
            |t| {
                with_value(
                    t,
                    r#"http_request_duration_seconds_bucket{handler="/chat",method="POST",le="0.5"}"#,
                    |_| 0.0,
                )
            },
            &["http_request_duration_seconds of a", "le=\"0.5\""],
        ),
        (
            "buckets that claim longer durations",
            |t| {
                let bucket = |le| format!("http_request_duration_highr_seconds_bucket{{le=\"{le}\"}}");
                let all =
                    ["0.01", "0.025", "0.05", "0.075", "0.1", "0.25", "0.5", "0.75", "1", "1.5", "2", "2.5"];
                all.iter().fold(t.to_owned(), |text, le| with_value(&text, &bucket(le), |_| 0.0))
            },
            &["http_request_duration_highr_seconds", "the server's durations are too long"],
        ),
        (
            "the bucket +Inf is gone",
            |t| {
                with_lines(
                    t,
                    r#"http_request_duration_seconds_bucket{handler="/chat",method="POST",le="+Inf"}"#,
                    |_| None,
                )
            },
            &["http_request_duration_seconds of a", "+Inf"],
        ),
        (
            "_sum",
            |t| with_value(t, "http_request_duration_seconds_sum{handler=\"/chat\"", |_| 1e6),
            &["http_request_duration_seconds of a", "_sum is 1000000"],
        ),
        (
            "_count",
            |t| with_value(t, "http_request_duration_seconds_count{handler=\"/chat\"", |v| v + 1.0),
            &["http_request_duration_seconds of a", "_count"],
        ),
        (
            "a tenant's _count",
            |t| {
                with_value(
                    t,
                    "tenant_request_duration_seconds_count{tenant=\"acme\",handler=\"/chat\"",
                    |v| v + 1.0,
                )
            },
            &["tenant_request_duration_seconds of a", "acme", "_count"],
        ),
        (
            "the syntax",
            |t| with_lines(t, COUNTER, |line| Some(line.replace('}', ""))),
            &["is not in the text format", "-a.prom"],
        ),
    ];
    for (what, spoil, says) in table {
        let (code, text) = judged(spoil, 2);
        assert_eq!(code, Some(1), "{what}:\n{text}");
        for say in says {
            assert!(text.contains(say), "{what}: nothing of {say:?} in\n{text}");
        }
    }
}

#[test]
fn the_last_scrape_alone_is_detected() {
    let (code, text) = judged(|t| with_value(t, COUNTER, |v| v + 1.0), 1);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("http_requests_total of a by scrape"), "{text}");
}

#[test]
fn what_rests_on_changed_or_missing_files_is_inconclusive() {
    for (file, change) in [
        ("observations/scrapes/000000-a.prom", " is missing"),
        ("observations/scrapes/000004-a.prom", " does not match its checksum"),
        ("observations/scrapes.jsonl", " does not match its checksum"),
    ] {
        let copy = Copied::of(&fixture("good"));
        let path = copy.path().join(file);
        if change == " is missing" {
            fs::remove_file(path).unwrap();
        } else {
            let text = fs::read_to_string(&path).unwrap();
            fs::write(path, text.replacen('1', "2", 1)).unwrap();
        }
        let ended = copy.verify(&[]);
        ended.assert_code(3);
        ended.assert_says(&[&format!("note: the record is damaged: {file}{change}"), "not judged: "]);
    }
}

#[test]
fn counters_that_never_settle_are_inconclusive() {
    let copy = Copied::of(&fixture("good"));
    let index = copy.path().join("observations/scrapes.jsonl");
    let text = fs::read_to_string(&index).unwrap();
    fs::write(index, change(&text, r#""settled":true"#, r#""settled":false"#)).unwrap();
    reseal(&copy.path());
    let ended = copy.verify(&[]);
    ended.assert_code(3);
    ended.assert_says(&["its metrics kept changing after the load"]);
}

#[test]
fn an_unreadable_file_is_named() {
    let spoilt = |file: &str, contents: &str| {
        let copy = Copied::of(&fixture("good"));
        fs::write(copy.path().join(file), contents).unwrap();
        let ended = copy.verify(&[]);
        ended.assert_code(2);
        ended
    };
    spoilt("samples/000001.parquet", "no Parquet").assert_says(&["000001.parquet"]);
    spoilt("manifest.json", "{").assert_says(&["run/manifest.json: ", "line 1"]);
    spoilt("manifest.json", r#"{"format": 99}"#).assert_says(&["its format is 99"]);
    let manifest = fs::read_to_string(fixture("good").join("manifest.json")).unwrap();
    let changed = change(&manifest, r#""exclusive": true"#, r#""exclusive": false"#);
    spoilt("manifest.json", &changed).assert_says(&["run/manifest.json: it does not match its checksum"]);
    let copy = Copied::of(&fixture("good"));
    fs::remove_file(copy.path().join("samples/000001.parquet")).unwrap();
    let ended = copy.verify(&[]);
    ended.assert_code(2);
    ended.assert_says(&["000002.parquet: damaged segment: it does not follow what was recorded before it"]);
    let copy = Copied::of(&fixture("good"));
    fs::remove_file(copy.path().join("samples/000002.parquet")).unwrap();
    let ended = copy.verify(&[]);
    ended.assert_code(2);
    ended.assert_says(&["run/samples: ", "a part is missing"]);
    let copy = Copied::of(&fixture("good"));
    fs::copy(
        fixture("over-admission").join("samples/000002.parquet"),
        copy.path().join("samples/000003.parquet"),
    )
    .unwrap();
    let ended = copy.verify(&[]);
    ended.assert_code(2);
    ended.assert_says(&["000003.parquet: damaged segment: it does not follow what was recorded before it"]);
}

//! `/metrics` agrees exactly with the responses that clients got, and is well-formed.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::json;
use tenancy::Store;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::{Metrics, Replica, wait_for};

/// Requests with the statuses 200, 400, 403, 404, 405, 413, 422, 429.
async fn exercise(replica: &Replica) {
    let session = replica.session("globex").await;
    for _ in 0..6 {
        replica.chat("globex", &session).await;
    }
    replica.chat("acme", &session).await;
    replica.chat("acme", "nonsense").await;
    replica.chat("nobody", &session).await;
    replica.post("/session", json!({})).await;
    replica.get("/chat").await;
    replica.get("/nowhere").await;
    replica.get("/").await;
    let post = || replica.client.post(replica.url("/session"));
    replica.send(post().body(" ".repeat(70_000))).await;
    replica.send(post().header("X-Tenant-ID", "acme").body("[")).await;
    replica.send(post().header("X-Tenant-ID", "acme").json(&json!({"tenant_id": "globex"}))).await;
    replica.send(replica.client.request("PURGE".parse().unwrap(), replica.url("/\"\\\n"))).await;
}

#[tokio::test]
async fn counters_agree_with_the_responses() {
    let replica = Replica::of(&Store::memory()).await;
    exercise(&replica).await;
    let first = replica.metrics().await;
    let counted: Vec<_> = first
        .0
        .iter()
        .filter(|(series, _)| series.contains("requests_total"))
        .map(|(s, n)| format!("{s} {n}"))
        .collect();
    insta::assert_snapshot!(counted.join("\n"));
    assert_eq!(first.sum("http_requests_inprogress", &[]), 0.0);
    assert_eq!(
        first.value("http_request_size_bytes_sum{handler=\"/session\"}"),
        22.0 + 2.0 + 70_000.0 + 1.0 + 22.0
    );

    let second = replica.metrics().await;
    let scrapes = "http_requests_total{handler=\"/metrics\",method=\"GET\",status=\"200\"}";
    assert_eq!(
        (first.value(scrapes), second.value(scrapes)),
        (0.0, 1.0),
        "a scrape is counted after it is rendered"
    );
    let total = second.sum("http_requests_total", &[]);
    assert_eq!(total, first.sum("http_requests_total", &[]) + 1.0);
    assert_histograms_agree(&second, total);
}

/// `+Inf` = `_count` = the counters' sum, for every label set that a histogram has.
fn assert_histograms_agree(metrics: &Metrics, total: f64) {
    assert_eq!(metrics.value("http_request_duration_highr_seconds_count"), total);
    assert_eq!(metrics.value("http_request_duration_highr_seconds_bucket{le=\"+Inf\"}"), total);
    for (histogram, counter) in [
        ("http_request_duration_seconds", "http_requests_total"),
        ("tenant_request_duration_seconds", "tenant_requests_total"),
    ] {
        let prefix = format!("{histogram}_count{{");
        let counts: Vec<_> = metrics.0.iter().filter(|(series, _)| series.starts_with(&prefix)).collect();
        assert!(!counts.is_empty());
        for (series, count) in counts {
            let labels: Vec<&str> = series[prefix.len()..].trim_end_matches('}').split(',').collect();
            assert_eq!(metrics.sum(counter, &labels), *count, "{series}");
            let infinite = [labels.as_slice(), &["le=\"+Inf\""]].concat();
            assert_eq!(metrics.sum(&format!("{histogram}_bucket"), &infinite), *count, "{series}");
        }
    }
    for sizes in ["http_request_size_bytes_count", "http_response_size_bytes_count"] {
        assert_eq!(metrics.sum(sizes, &[]), total);
    }
}

#[tokio::test]
async fn no_client_has_a_response_that_is_not_counted() {
    let replica = Replica::of(&Store::memory()).await;
    for n in 1..=200 {
        replica.get("/healthz").await;
        let series = "http_requests_total{handler=\"/healthz\",method=\"GET\",status=\"200\"}";
        assert_eq!(replica.metrics().await.value(series), f64::from(n));
    }
}

#[tokio::test]
async fn a_request_leaves_the_gauge_when_its_client_disconnects() {
    let replica = Replica::of(&Store::memory()).await;
    let gauge = async || replica.metrics().await.sum("http_requests_inprogress", &["/session"]);
    let mut stream = TcpStream::connect(replica.address).await.unwrap();
    stream.write_all(b"POST /session HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\n{").await.unwrap();
    wait_for("the request to be in progress", async || gauge().await == 1.0).await;
    drop(stream);
    wait_for("the request to be gone", async || gauge().await == 0.0).await;
    let metrics = replica.metrics().await;
    assert_eq!(
        metrics.sum("http_requests_total", &["/session", "400"]),
        1.0,
        "an incomplete body is counted"
    );
    assert_histograms_agree(&metrics, metrics.sum("http_requests_total", &[]));
}

#[tokio::test]
async fn promtool_finds_no_problem() {
    let replica = Replica::of(&Store::memory()).await;
    for _ in 0..2 {
        let response = replica.get("/metrics").await;
        assert_eq!(response.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        let command = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut promtool = command.expect("promtool is missing: run ci/test, which installs it");
        promtool.stdin.take().unwrap().write_all(response.text.as_bytes()).unwrap();
        let output = promtool.wait_with_output().unwrap();
        let output_text = [output.stdout, output.stderr].concat();
        assert_eq!(String::from_utf8_lossy(&output_text), "");
        assert!(output.status.success());
        exercise(&replica).await;
    }
}

#[tokio::test]
async fn start_times_distinguish_replicas() {
    let store = Store::memory();
    let (one, other) = (Replica::of(&store).await, Replica::of(&store).await);
    let started = |metrics: Metrics| metrics.value("process_start_time_seconds");
    let (one, other) = (started(one.metrics().await), started(other.metrics().await));
    assert!(one < other && one.fract() > 0.0, "{one} {other}");
}

//! The faults of the metrics: each exposition is compared with the conforming one of the same requests.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Full, StreamBody};
use hyper::Request;
use hyper::body::Frame;
use tenancy::{App, Store};
use tokio::time::{Instant, sleep};

use crate::direct::{chat, replicas, scrape, session};
use crate::support::{Redis, Replica, tenants};

/// Six chats of the first tenant, of which two are rejected, one of the second, two unknown paths, and a body
/// that takes 20 ms.
async fn exercise(app: &App) {
    let sessions = [session(app, "acme").await, session(app, "globex").await];
    for _ in 0..6 {
        chat(app, "acme", &sessions[0]).await;
    }
    chat(app, "globex", &sessions[1]).await;
    for path in ["/nowhere", "/nowhere?at=all"] {
        app.respond(Request::get(path).body(Full::new(Bytes::new())).unwrap()).await;
    }
    let slow = futures_util::stream::once(async {
        sleep(Duration::from_millis(20)).await;
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"{}")))
    });
    app.respond(Request::post("/session").body(StreamBody::new(Box::pin(slow))).unwrap()).await;
}

/// A replica with a fault, after these requests.
async fn exercised(fault: &str) -> App {
    let tenants = tenants(&[("acme", r#"{"chat_per_1h": 4}"#), ("globex", r#"{"chat_per_1h": 4}"#)]);
    let app = replicas(1, &tenants, &Store::memory(), fault).remove(0);
    exercise(&app).await;
    app
}

/// The lines that only one of two expositions has. Of the buckets, those of one histogram are enough.
fn difference(conforming: &str, faulty: &str) -> String {
    let of = |text: &str| -> BTreeSet<String> {
        let is_relevant = |line: &&str| {
            !line.starts_with("process_start_time_seconds")
                && (!line.contains("_bucket") || line.starts_with("http_request_duration_seconds"))
        };
        text.lines().filter(is_relevant).map(str::to_owned).collect()
    };
    let (conforming, faulty) = (of(conforming), of(faulty));
    let mut text = String::new();
    for line in conforming.difference(&faulty) {
        let _ = writeln!(text, "- {line}");
    }
    for line in faulty.difference(&conforming) {
        let _ = writeln!(text, "+ {line}");
    }
    text
}

#[tokio::test(start_paused = true)]
async fn the_exposition_with_each_fault() {
    let conforming = scrape(&exercised("").await).await;
    let mut text = String::new();
    for fault in [
        "count-lost=7",
        "count-double=7",
        "status-mislabelled",
        "tenant-mislabelled=3",
        "handler-raw-path",
        "duration-in-ms",
        "bucket-not-cumulative",
        "inf-mismatch",
        "sum-wrong",
        "gauge-stuck=7",
    ] {
        let faulty = scrape(&exercised(fault).await).await;
        let _ = writeln!(text, "{fault}\n{}", difference(&conforming, &faulty));
    }
    insta::assert_snapshot!(text);
}

#[tokio::test(start_paused = true)]
async fn counter_reset_resets_all_counters_once() {
    let app = exercised("counter-reset=5s").await;
    let before = scrape(&app).await;
    assert!(
        before.contains(r#"http_requests_total{handler="/chat",method="POST",status="429"} 2"#),
        "{before}"
    );
    for requests in 1..3 {
        sleep(Duration::from_secs(5)).await;
        session(&app, "acme").await;
        let after = scrape(&app).await;
        let sessions =
            format!(r#"http_requests_total{{handler="/session",method="POST",status="200"}} {requests}"#);
        assert!(after.contains(&sessions) && !after.contains("/chat"), "{after}");
    }
}

#[tokio::test(start_paused = true)]
async fn metrics_stale_serves_a_cached_exposition() {
    let app = exercised("metrics-stale=30s").await;
    let first = scrape(&app).await;
    exercise(&app).await;
    sleep(Duration::from_secs(29)).await;
    assert_eq!(scrape(&app).await, first);
    sleep(Duration::from_secs(1)).await;
    assert_ne!(scrape(&app).await, first);
}

#[tokio::test(start_paused = true)]
async fn metrics_truncated_ends_within_a_line() {
    let whole = scrape(&exercised("").await).await;
    for share in ["0.01", "0.5", "0.999"] {
        let cut = scrape(&exercised(&format!("metrics-truncated={share}")).await).await;
        let last = cut.lines().last().unwrap();
        assert!(last.ends_with('{') && cut.len() < whole.len(), "{share}: {last}");
    }
}

#[tokio::test(start_paused = true)]
async fn duration_excludes_wait_and_scrape_slow_wait() {
    let app = exercised("duration-excludes-wait=60ms,scrape-slow=3s").await;
    let started = Instant::now();
    session(&app, "acme").await;
    assert_eq!(started.elapsed().as_millis(), 60);
    let text = scrape(&app).await;
    assert_eq!(started.elapsed().as_millis(), 3060);
    assert!(
        text.contains(r#"tenant_request_duration_seconds_sum{tenant="acme",handler="/chat"} 0"#),
        "{text}"
    );
}

#[tokio::test]
async fn redis_keys_leak_leaves_sessions_without_expiry() {
    let redis = Redis::start().await;
    let tenants = tenants(&[("acme", r#"{"chat_per_1h": 4}"#)]);
    let app = replicas(1, &tenants, &redis.store().await, "redis-keys-leak").remove(0);
    let replica = Replica::start(app).await;
    let session = replica.session("acme").await;
    replica.chat("acme", &session).await;
    let keys = redis.keys().await;
    let lives: Vec<bool> =
        keys.iter().map(|(key, left)| key.contains(":session:") == (*left == -1)).collect();
    assert_eq!(lives, [true, true], "{keys:?}");
}

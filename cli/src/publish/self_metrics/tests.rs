//! The exposition as scrapers receive it.

use super::*;
use saasbench_model::scenario::testing::{SCENARIO, scenario};

use saasbench_record::{
    batch::Batch,
    checksum::Checksum,
    sample::RequestOutcome,
    stall::{Cause, Stall},
    testing::sample,
    writer::Recorder,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

async fn ask(own: &SelfMetricsServer, request: &str) -> String {
    let mut stream = TcpStream::connect(own.serving.as_ref().unwrap().0).await.unwrap();
    let request = format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().filter(|line| !line.starts_with("date:")).map(|line| format!("{line}\n")).collect()
}

fn subject() -> Subject {
    Subject {
        scenario: Arc::new(scenario(&SCENARIO.replace("\"chat\"", "'the \"chat\"'"))),
        run: "20261121T101500Z-test".to_owned(),
        environment: "test".to_owned(),
        replicas: vec!["127.0.0.1:1".to_owned(), "127.0.0.1:2".to_owned()],
        started_unix: Nanos::from_millis(1_500),
    }
}

async fn listen() -> SelfMetricsServer {
    let mut own = SelfMetricsServer::new();
    own.listen(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    own
}

/// A recorder whose totals are served, after recording these samples.
async fn loaded(own: &SelfMetricsServer, samples: &[RequestOutcome]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("samples")).unwrap();
    let scenario = Arc::clone(&own.shared.subject.get().unwrap().scenario);
    let names = vec!["a".to_owned(), "b".to_owned()];
    let (recorder, sink) =
        Recorder::start(dir.path().to_owned(), scenario, names, Checksum::default(), || {}).unwrap();
    let stalled = Arc::new(StallLog::default());
    stalled.add(&Stall {
        from_ns: Nanos::ZERO,
        to_ns: Nanos::from_millis(7),
        cause: Cause::Machine,
        drained_ns: None,
    });
    own.load_begins(Live { tally: recorder.tally(), in_flight: Arc::default(), stalled });
    let mut batch = Batch::default();
    for (i, outcome) in samples.iter().enumerate() {
        batch.push(&sample(i as i64, i % 2, *outcome));
    }
    sink.hand_over(&mut batch);
    drop(sink);
    tokio::task::spawn_blocking(move || recorder.finish()).await.unwrap().unwrap();
    dir
}

#[tokio::test]
async fn generator_metrics_show_what_clients_saw() {
    let mut own = listen().await;
    own.begin(subject()).await;
    let before = ask(&own, "GET /metrics").await;
    assert!(before.contains("saasbench_requests_in_flight 0\n"), "{before}");
    assert!(!before.contains("saasbench_requests_total"), "{before}");
    let silence = RequestOutcome::NoResponse(saasbench_record::sample::NoResponseReason::Timeout);
    let outcomes = [
        RequestOutcome::Status(200),
        RequestOutcome::Status(429),
        RequestOutcome::Status(200),
        silence,
        RequestOutcome::Dropped,
    ];
    let _dir = loaded(&own, &outcomes).await;
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"content-length: \d+", "content-length: N");
    let page = ask(&own, "GET /metrics").await;
    let of_most_bounds = |line: &&str| {
        line.contains("le=")
            && !["0.005", "0.01", "+Inf"].iter().any(|le| line.contains(&format!("le={le:?}")))
    };
    let page: Vec<&str> = page.lines().filter(|line| !of_most_bounds(line)).collect();
    let page = page.join("\n");
    settings.bind(|| insta::assert_snapshot!(page));
    let elsewhere = ask(&own, "GET /").await + &ask(&own, "POST /metrics").await;
    insta::assert_snapshot!(elsewhere);
}

#[tokio::test]
async fn promtool_accepts_the_exposition() {
    let mut own = listen().await;
    own.begin(subject()).await;
    let _dir = loaded(&own, &[RequestOutcome::Status(200)]).await;
    let page = ask(&own, "GET /metrics").await;
    let body = page.split_once("\n\n").unwrap().1.to_owned();
    let ended = tokio::task::spawn_blocking(move || {
        use std::{io::Write as _, process::Stdio};
        let mut command = std::process::Command::new("promtool");
        command.args(["check", "metrics"]).stdin(Stdio::piped());
        let mut promtool = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        promtool.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
        promtool.wait_with_output().unwrap()
    });
    let ended = ended.await.unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success() && said.is_empty(), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_regular_scraper_sees_the_end_and_no_other_is_awaited() {
    let mut own = listen().await;
    own.begin(subject()).await;
    own.finish(&CancellationToken::new(), |text| panic!("{text}")).await;

    let mut own = listen().await;
    own.begin(subject()).await;
    own.shared.note_scrape();
    tokio::time::advance(Duration::from_secs(5)).await;
    own.shared.note_scrape();
    // A manual request.
    own.shared.note_scrape();
    let shared = Arc::clone(&own.shared);
    let began = Instant::now();
    let stop = CancellationToken::new();
    let finished = tokio::spawn(async move { own.finish(&stop, |_| {}).await });
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(!finished.is_finished());
    shared.note_scrape();
    finished.await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(4));
}

/// A server that was scraped twice, a minute apart.
async fn looked_at_twice() -> SelfMetricsServer {
    let mut own = listen().await;
    own.begin(subject()).await;
    own.shared.note_scrape();
    tokio::time::advance(LONGEST_INTERVAL).await;
    own.shared.note_scrape();
    own
}

#[tokio::test(start_paused = true)]
async fn a_scraper_that_is_gone_is_not_awaited_for_long() {
    let own = looked_at_twice().await;
    let began = Instant::now();
    let mut noted = String::new();
    own.finish(&CancellationToken::new(), |text| noted.push_str(text)).await;
    assert_eq!(began.elapsed().as_secs(), 15);
    insta::assert_snapshot!(noted, @"waiting for a last scrape of the run's own metrics");
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_run_waits_for_no_scraper() {
    let own = looked_at_twice().await;
    let stop = CancellationToken::new();
    let began = Instant::now();
    tokio::join!(own.finish(&stop, |_| {}), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        stop.cancel();
    });
    assert_eq!(began.elapsed().as_secs(), 2);
}

#[tokio::test]
async fn a_client_that_connected_early_gets_a_response() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let mut early = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let mut own = SelfMetricsServer::new();
    own.serve(listener).unwrap();
    early.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    early.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

//! The backlog with a slow receiver.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::watch,
    time::Instant,
};

use super::*;
use saasbench_engine::connect::tls::{Trust, config};

/// Accepts bodies one after the other, each after a delay.
async fn slow(listener: TcpListener, takes: Duration) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\nbody") {
            let mut piece = [0; 4096];
            let n = stream.read(&mut piece).await.unwrap();
            request.extend_from_slice(&piece[..n]);
        }
        sleep(takes).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await.unwrap();
    }
}

/// A pusher to that receiver with a full backlog; the run has not started, so there are no final values.
async fn pushing(takes: Duration) -> Pushing {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/w", listener.local_addr().unwrap());
    tokio::spawn(slow(listener, takes));
    let http = crate::observe::http_client(&config(Trust::None).unwrap(), None).unwrap();
    let credentials = Credentials { headers: http::HeaderMap::new(), secrets: Vec::new() };
    let shared = Shared {
        subject: Default::default(),
        live: Default::default(),
        scrapes: Default::default(),
        answered: watch::Sender::new(0),
    };
    let pusher = Pusher {
        push: Push { http, url, credentials, every: Duration::from_secs(5) },
        shared: Arc::new(shared),
        backlog: vec![b"body".to_vec(); BACKLOG].into(),
        sent: 0,
        lost: 0,
        failed: 0,
        reason: None,
    };
    let (reported, first) = oneshot::channel();
    let (end, over) = (CancellationToken::new(), CancellationToken::new());
    let task = tokio::spawn(pusher.run(reported, end.clone(), over.clone()));
    Pushing { first: Some(first), end, over, task }
}

/// How long the end takes, and its message. The load lasts for `load`, and Ctrl-C comes after a delay.
async fn end(takes: Duration, load: Duration, ctrl_c: Option<Duration>) -> (u64, Option<String>) {
    let pushing = pushing(takes).await;
    sleep(load).await;
    let (stop, ended) = (CancellationToken::new(), Instant::now());
    let interrupt = async {
        if let Some(after) = ctrl_c {
            sleep(after).await;
            stop.cancel();
        }
    };
    let (said, ()) = tokio::join!(pushing.finish(&stop), interrupt);
    let said = said.map(|said| {
        let (before, address) = said.split_once("127.0.0.1:").unwrap();
        format!("{before}127.0.0.1:PORT{}", address.trim_start_matches(|c: char| c.is_ascii_digit()))
    });
    (ended.elapsed().as_secs(), said)
}

#[tokio::test(start_paused = true)]
async fn a_slow_receiver_is_given_up_and_losses_are_reported() {
    // The end comes during a push, and before the first one.
    for load in [Duration::from_millis(500), Duration::ZERO] {
        let (took, said) = end(Duration::from_secs(4), load, None).await;
        assert_eq!(took, 15);
        insta::assert_snapshot!("slow", said.unwrap());
    }
    let (took, said) =
        end(Duration::from_secs(4), Duration::from_millis(500), Some(Duration::from_secs(2))).await;
    assert_eq!(took, 7);
    insta::assert_snapshot!("interrupted", said.unwrap());
    assert_eq!(end(Duration::from_millis(10), Duration::ZERO, None).await, (0, None));
}

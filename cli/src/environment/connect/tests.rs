//! Connecting to something that is no replica is an error with a hint.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;
use crate::environment::access::PrometheusConfig;

/// The error about a Prometheus with this response.
async fn said(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let config = PrometheusConfig { url: url.clone(), ..PrometheusConfig::default() };
    let access = Access::new(config, "here", &|_| None).unwrap();
    let reached = prometheus(Some(&access), &Http::default()).await;
    serving.abort();
    let error = reached.unwrap_err();
    format!("{error}\n  hint: {}\n\n", error.hint().unwrap()).replace(&url, "URL")
}

#[tokio::test]
async fn other_servers_are_reported_with_hints() {
    let mut all = String::new();
    for answer in [
        "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\n<ht>",
        "HTTP/1.1 503 Gone\r\ncontent-length: 36\r\n\r\n{\"status\":\"error\",\"error\":\"loading\"}",
        "",
    ] {
        all += &said(answer).await;
    }
    insta::assert_snapshot!(all);
}

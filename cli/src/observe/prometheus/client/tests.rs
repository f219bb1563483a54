//! The client of Prometheus's API, against a server on a local socket.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;
use crate::observe::{
    http_client,
    observer_log::{ObserverLog, ProbeLog},
    prometheus::Prometheus,
};
use saasbench_engine::{clock::RunClock, connect::tls};

/// A server that sends this response to each request whose head contains `wanted`.
async fn server(wanted: &'static str, answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 16_384];
            let length = stream.read(&mut head).await.unwrap();
            let head = String::from_utf8_lossy(&head[..length]).into_owned();
            let denied = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 13\r\n\r\nUnauthorized\n".to_owned();
            let answer = if head.contains(wanted) { &answer } else { &denied };
            let echoed = answer.replace("HEAD", &head.replace(['\r', '\n', '"'], " "));
            stream.write_all(echoed.as_bytes()).await.unwrap();
        }
    });
    format!("http://{address}/prefix/")
}

fn http(status: &str, kind: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n{body}")
}

fn client(base: &str) -> Client {
    Client::new(http_client(&tls::config(tls::Trust::None).unwrap(), None).unwrap(), base)
}

fn credentials(name: &'static str, value: &str) -> Credentials {
    let secrets = vec![(value.to_owned(), "${env:TOKEN}".to_owned())];
    Credentials { headers: HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]), secrets }
}

#[tokio::test]
async fn credentials_are_sent_under_a_path_prefix() {
    let answer = http("200 OK", "application/json", r#"{"status":"success","data":"HEAD"}"#);
    let base = server("\r\nx-scope-orgid: acme-7\r\n", answer).await;
    let stranger = client(&base).query(&ApiRequest::Rules).await.unwrap_err();
    assert_eq!(stranger, ApiError::Denied { status: 401, message: None });
    let known = client(&base).with_credentials(credentials("x-scope-orgid", "acme-7"), TIMEOUT);
    let answer = known.query(&ApiRequest::Rules).await.unwrap().to_string();
    assert!(answer.contains("GET /prefix/api/v1/rules"), "{answer}");
}

#[tokio::test]
async fn each_failing_query_is_logged() {
    let answer = http("200 OK", "application/json", r#"{"status":"success","data":{"result":[]}}"#);
    let base = server("good", answer).await;
    let (to, lines) = std::sync::mpsc::channel();
    let (dir, probes) = (tempfile::tempdir().unwrap(), ProbeLog::new(Some(ObserverLog::new(to, false))));
    let prometheus = Prometheus::new(client(&base), dir.path(), RunClock::start()).unwrap().with_log(probes);
    for query in ["good", "bad", "good", "bad", "worse"] {
        prometheus.record(&prometheus.now(query)).await.unwrap();
    }
    let lines: Vec<String> = lines.try_iter().collect();
    let shown: Vec<&str> = lines.iter().map(|text| text.split_once(" s  ").unwrap().1).collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[tokio::test]
async fn a_response_keeps_its_samples_and_loses_secrets() {
    let body = r#"{"status":"success","data":{"result":[{"metric":{"tenant":"12345678","path":"/12345678/x"},
        "value":[42,"12345678"],"values":[[1.5,"12345678"]]}]},"warnings":["of\u001b[2J 12345678"]}"#;
    let base = server("", http("200 OK", "application/json", body)).await;
    let client = client(&base).with_credentials(credentials("authorization", "12345678"), TIMEOUT);
    let answer = client.query(&ApiRequest::Rules).await.unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&answer).unwrap());
}

#[tokio::test]
async fn other_responses_are_errors_with_reasons() {
    let json = "application/json";
    let rejected = r#"{"status":"error","errorType":"bad_data","error":"parse error of HEAD"}"#;
    let answers = [
        http("401 Unauthorized", "text/plain", "Unauthorized\n"),
        http("403 Forbidden", json, r#"{"status":"error","error":"no org id for top-secret"}"#),
        http("200 OK", "text/html; charset=utf-8", "<html>log in</html>"),
        http("302 Found\r\nlocation: /login", "text/html", ""),
        http("404 Not Found", "text/plain", "404 page not found\n"),
        http("502 Bad Gateway", json, "{}"),
        http("400 Bad Request", json, &rejected.replace("HEAD", "top-secret")),
        http("422 Unprocessable Entity", json, r#"{"status":"error"}"#),
        "nonsense\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n{".to_owned(),
        String::new(),
    ];
    let mut all = String::new();
    for answer in answers {
        let client = client(&server("", answer).await);
        let client = client.with_credentials(credentials("authorization", "top-secret"), TIMEOUT);
        all += &format!("{}\n", client.query(&ApiRequest::Rules).await.unwrap_err());
    }
    insta::assert_snapshot!(all);
}

#[tokio::test]
async fn a_slow_server_times_out() {
    // The backlog accepts connections, but there is never a response.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let limit = Duration::from_millis(50);
    let hasty = client(&base).with_credentials(Credentials::default(), limit);
    let error = hasty.query(&ApiRequest::Rules).await.unwrap_err();
    assert_eq!((error.to_string(), error), ("no response in 0.05 s".to_owned(), ApiError::Timeout(limit)));
}

#[test]
fn credentials_are_not_printed() {
    let client = client("http://h").with_credentials(credentials("authorization", "top-secret"), TIMEOUT);
    assert!(!format!("{client:?}").contains("top-secret"));
}

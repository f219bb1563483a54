//! The API contract: the responses of each route, to valid and to invalid requests.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tenancy::{App, Config, Store, Tenants};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::support::Replica;

#[tokio::test]
async fn a_session_and_a_chat_in_each_reply_style() {
    let replica = Replica::of(&Store::memory()).await;
    assert_eq!(replica.get("/").await.json(), json!({"ok": true, "tenants": ["acme", "globex", "initech"]}));

    let table = [
        ("acme", "Acme Corp", "Welcome to Acme!", "Welcome to Acme! 1-€gsm", "mock-small"),
        ("globex", "Globex", "Welcome to Globex!", "Welcome to Globex! MSG€-1", "mock-medium"),
        (
            "initech",
            "Initech",
            "Welcome to Initech!",
            "Welcome to Initech! We received: msg€-1",
            "mock-large",
        ),
    ];
    for (id, name, welcome, reply, model) in table {
        let opened = replica.post("/session", json!({ "tenant_id": id })).await;
        assert_eq!(opened.status, 200);
        assert_eq!(opened.json()["tenant"], json!({"id": id, "name": name, "welcome": welcome}));
        let session = opened.json()["session_id"].clone();
        let body = json!({"tenant_id": id, "session_id": session, "message": "msg€-1"});
        let chat = replica.post("/chat", body).await;
        assert_eq!((chat.status, chat.header("content-type")), (200, "application/json"));
        assert_eq!(
            chat.json(),
            json!({"tenant_id": id, "session_id": session, "reply": reply, "model": model, "mock": true})
        );
    }
}

#[tokio::test]
async fn headers_replace_fields_and_must_agree_with_them() {
    let replica = Replica::of(&Store::memory()).await;
    let opened =
        replica.send(replica.client.post(replica.url("/session")).header("X-Tenant-ID", "acme")).await;
    assert_eq!(opened.status, 200, "an empty body is valid: {opened:?}");
    let session = opened.json()["session_id"].as_str().unwrap().to_owned();

    let chat = |tenant: &str, session: &str, body: serde_json::Value| {
        let request = replica.client.post(replica.url("/chat")).json(&body);
        replica.send(request.header("X-Tenant-ID", tenant).header("X-Session-ID", session))
    };
    assert_eq!(chat("acme", &session, json!({"message": "m"})).await.status, 200);
    let all = json!({"tenant_id": "acme", "session_id": session, "message": "m"});
    assert_eq!(chat("acme", &session, all.clone()).await.status, 200);
    let disagreeing = chat("globex", &session, all.clone()).await;
    assert_eq!(disagreeing.status, 400);
    assert_eq!(disagreeing.json(), json!({"detail": "Header X-Tenant-ID and body field tenant_id disagree"}));
    let disagreeing = chat("acme", "other", all).await;
    assert_eq!(
        disagreeing.json(),
        json!({"detail": "Header X-Session-ID and body field session_id disagree"})
    );
}

#[tokio::test]
async fn errors_state_their_cause() {
    let replica = Replica::of(&Store::memory()).await;
    let session = replica.session("acme").await;
    let gone = session.replacen(|_: char| true, if session.starts_with('A') { "B" } else { "A" }, 1);
    let chat = |tenant: &str, session: &str| {
        json!({"tenant_id": tenant, "session_id": session, "message": "m"}).to_string()
    };
    let table = [
        (Method::GET, "/nowhere", String::new(), 404, "Not Found"),
        (Method::POST, "/chat/", String::new(), 404, "Not Found"),
        (Method::GET, "/chat", String::new(), 405, "Method Not Allowed"),
        (Method::PUT, "/metrics", String::new(), 405, "Method Not Allowed"),
        (
            Method::POST,
            "/session",
            "{".into(),
            422,
            "body: malformed JSON: EOF while parsing an object at line 1 column 1",
        ),
        (Method::POST, "/session", "{}".into(), 422, "tenant_id: field required"),
        (Method::POST, "/session", r#"{"tenant_id":"nobody"}"#.into(), 404, "Unknown tenant_id"),
        (Method::POST, "/chat", r#"{"tenant_id":"nobody"}"#.into(), 422, "session_id: field required"),
        (Method::POST, "/chat", chat("nobody", "x"), 404, "Unknown tenant_id"),
        (Method::POST, "/chat", chat("acme", "x"), 404, "Unknown session_id"),
        (Method::POST, "/chat", chat("acme", &"x".repeat(60_000)), 404, "Unknown session_id"),
        (Method::POST, "/chat", chat("acme", &gone), 404, "Unknown session_id"),
        (Method::POST, "/chat", chat("globex", &gone), 404, "Unknown session_id"),
        (Method::POST, "/chat", chat("globex", &session), 403, "Session does not belong to tenant"),
    ];
    for (method, path, body, status, detail) in table {
        let request = replica.client.request(method.clone(), replica.url(path)).body(body.clone());
        let response = replica.send(request).await;
        assert_eq!(
            (response.status, response.json()),
            (status, json!({ "detail": detail })),
            "{method} {path} {body}"
        );
    }
    let not_allowed = replica.get("/chat").await;
    assert_eq!(not_allowed.header("allow"), "POST");
    assert!(
        replica.chat("acme", &session).await.header("ratelimit").contains("r=7"),
        "none of it consumed quota"
    );
}

#[tokio::test]
async fn a_body_may_have_64_kib_and_no_more() {
    let replica = Replica::of(&Store::memory()).await;
    let padded = |length: usize| {
        let mut body = r#"{"tenant_id":"acme"}"#.to_owned();
        body.push_str(&" ".repeat(length - body.len()));
        body
    };
    for (length, status) in [(65_536, 200), (65_537, 413), (3_000_000, 413)] {
        let request = replica.client.post(replica.url("/session")).header("Expect", "100-continue");
        let response = replica.send(request.body(padded(length))).await;
        assert_eq!(response.status, status, "{length} bytes");
    }
    for (chunks, status) in [(65_536 / 16, 200), (65_536 / 16 + 1, 413), (1_000_000 / 16, 413)] {
        let mut stream = TcpStream::connect(replica.address).await.unwrap();
        let mut text = b"POST /session HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        let body = padded(chunks * 16);
        for chunk in body.as_bytes().chunks(16) {
            text.extend_from_slice(b"10\r\n");
            text.extend_from_slice(chunk);
            text.extend_from_slice(b"\r\n");
        }
        text.extend_from_slice(b"0\r\n\r\n");
        stream.write_all(&text).await.unwrap();
        assert_eq!(status_of(&mut stream).await, status, "{chunks} chunks");
    }
}

#[tokio::test]
async fn a_client_that_closed_its_sending_side_gets_a_response() {
    let replica = Replica::of(&Store::memory()).await;
    let mut stream = TcpStream::connect(replica.address).await.unwrap();
    let request = "POST /session HTTP/1.1\r\nHost: t\r\nContent-Length: 20\r\n\r\n{\"tenant_id\":\"acme\"}";
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(status_of(&mut stream).await, 200);
}

#[tokio::test]
async fn a_shutdown_waits_for_the_grace_period_and_no_longer() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = Config { grace: Duration::from_millis(200), ..Config::default() };
    let app = App::with_config(Tenants::builtin(), Store::memory(), config.clone());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(tenancy::serve(listener, app, async {
        let _ = stopped.await;
    }));
    // Its body never arrives.
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"POST /session HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(status_of(&mut stream).await, 100);
    let stopped_at = Instant::now();
    drop(stop);
    server.await.unwrap().unwrap();
    let waited = stopped_at.elapsed();
    assert!((config.grace..config.grace + Duration::from_secs(2)).contains(&waited), "{waited:?}");
}

/// Many connections that never complete a head: each is closed, and others are served meanwhile and after.
#[tokio::test]
async fn heads_that_never_end_are_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = Config { head_timeout: Duration::from_millis(300), ..Config::default() };
    let app = App::with_config(Tenants::builtin(), Store::memory(), config);
    let server = tokio::spawn(tenancy::serve(listener, app, std::future::pending::<()>()));
    let mut half = Vec::new();
    for number in 0..200 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        if number % 2 == 0 {
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: t\r\n").await.unwrap();
        }
        half.push(stream);
    }
    let mut other = TcpStream::connect(address).await.unwrap();
    for _ in 0..2 {
        other.write_all(b"GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n").await.unwrap();
        assert_eq!(status_of(&mut other).await, 200);
        // Until each of the others is closed, with or without a response.
        for stream in &mut half {
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
        half.clear();
        other = TcpStream::connect(address).await.unwrap();
    }
    server.abort();
}

#[tokio::test]
async fn health_and_readiness() {
    let replica = Replica::of(&Store::memory()).await;
    assert_eq!(replica.get("/healthz").await.json(), json!({"ok": true}));
    assert_eq!(replica.get("/readyz").await.json(), json!({"ok": true, "store": "memory"}));
}

/// The status of the next response.
async fn status_of(stream: &mut TcpStream) -> u16 {
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.unwrap();
    std::str::from_utf8(&start[9..]).unwrap().parse().unwrap()
}

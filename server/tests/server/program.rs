//! The binary: its banner, its environment variables, its errors, and its shutdown.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Program, Redis, TIMEOUT, free_port, server_command, wait_for};

/// Exit code and standard error of a server that fails to start.
fn failure(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = server_command(arguments).envs(environment.iter().copied()).output().unwrap();
    format!("exit {}\n{}", output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn help() {
    let output = server_command(&["--help"]).env("COLUMNS", "100").output().unwrap();
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap());
}

#[test]
fn bad_arguments() {
    let cases = [
        failure(&["--session-ttl", "soon"], &[]),
        failure(&["--session-ttl", "0s"], &[]),
        failure(&["--threads", "0"], &[]),
        failure(&["--listen", ""], &[]),
        failure(&["--lisen", "127.0.0.1:0"], &[]),
        failure(&["--fault", "noisy-neighbor"], &[]),
        failure(&["--fault", "reply-leaks=often"], &[]),
    ];
    insta::assert_snapshot!(cases.join("\n"));
}

#[test]
fn bad_tenants() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/bad-tenants.jsonl");
    let text = failure(&["--tenants", file], &[]);
    insta::assert_snapshot!(text.replace(file, "tenants.jsonl"));
    insta::assert_snapshot!(failure(&[], &[("TENANCY_TENANTS", "/nowhere/tenants.jsonl")]));
}

#[test]
fn an_address_that_is_in_use_or_invalid() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let cases = [
        failure(&["--listen", &address], &[]).replace(&address, "127.0.0.1:PORT"),
        failure(&["--listen", "localhost"], &[]),
        failure(&[], &[("TENANCY_LISTEN", "127.0.0.1:0,192.0.2.1:8005")]),
    ];
    insta::assert_snapshot!(cases.join("\n"));
}

#[test]
fn a_redis_that_is_unavailable_or_not_a_redis() {
    let port = free_port();
    let url = format!("redis://:secret@127.0.0.1:{port}/1");
    let cases = [
        failure(&["--listen", "127.0.0.1:0"], &[("RATE_LIMIT_STORAGE_URI", &url)])
            .replace(&port.to_string(), "PORT"),
        failure(&["--store", "redis://:secret@127.0.0.1:port"], &[]),
        failure(&["--store", "postgres://user:secret@host"], &[]),
        failure(&["--store", "memry"], &[]),
    ];
    insta::assert_snapshot!(cases.join("\n"));
}

#[tokio::test]
async fn two_replicas_in_one_process_over_redis() {
    let redis = Redis::start().await;
    let url = redis.url();
    let server = Program::start(&[
        "--listen",
        "127.0.0.1:0",
        "--store",
        &url,
        "--threads",
        "2",
        "--session-ttl",
        "90s",
    ]);
    let body = r#"{"tenant_id":"acme"}"#;
    let response = send(
        &server.address,
        &format!("POST /session HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
    );
    assert!(response.starts_with("HTTP/1.0 200"), "{response}");
    let lives: Vec<i64> = redis.keys().await.into_values().collect();
    assert!(lives.len() == 1 && (1..=90_000).contains(&lives[0]), "{lives:?}");
    server.signal(Signal::INT);
    let (code, rest) = server.end();
    assert_eq!(code, Some(0));
    assert!(rest.contains("listening on http://127.0.0.1:"), "the second replica has a line, too: {rest:?}");
}

#[tokio::test]
async fn tenants_come_from_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tenants.jsonl");
    fs::write(&file, r#"{"id": "t-1", "limits": {"chat_per_1m": 5}}"#).unwrap();
    let server = Program::start(&["--tenants", file.to_str().unwrap()]);
    let response = send(&server.address, "GET / HTTP/1.0\r\n\r\n");
    assert!(response.ends_with(r#"{"ok":true,"tenants":["t-1"]}"#), "{response}");
}

#[test]
fn the_banner_shows_the_faults() {
    let faults = ["--fault", "reply-leaks=5", "--fault", "limit-per-replica"];
    let server = Program::start(&faults);
    assert!(
        server.banner.ends_with("(store memory, 3 tenants; FAULTS: reply-leaks=5, limit-per-replica)\n"),
        "{}",
        server.banner
    );
}

#[tokio::test]
async fn health_checks() {
    let mut redis = Redis::start().await;
    let server = Program::start(&["--store", &redis.url()]);
    let check = |address: &str| {
        let arguments = ["--healthcheck", "--listen", address];
        failure(&arguments, &[]).replace(address, "127.0.0.1:PORT")
    };
    assert_eq!(check(&server.address), "exit 0\n");
    redis.kill();
    let not_http = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = not_http.local_addr().unwrap().to_string();
    let responding = std::thread::spawn(move || {
        let mut stream = not_http.accept().unwrap().0;
        // Reads the request first: otherwise the connection could close before the request is sent.
        let read = stream.read(&mut [0; 1024]).unwrap();
        assert!(read > 0);
        stream.write_all(b"220 mail.example.org").unwrap();
    });
    let cases = [check(&server.address), check(&address), check(&format!("127.0.0.1:{}", free_port()))];
    responding.join().unwrap();
    insta::assert_snapshot!(cases.join("\n"));
}

#[tokio::test]
async fn sigterm_completes_requests_in_flight_and_closes_idle_connections() {
    let server = Program::start(&[]);
    let connect = || {
        let stream = TcpStream::connect(&server.address).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream
    };
    let (mut busy, mut idle, mut fresh) = (connect(), connect(), connect());
    let mut byte = [0];
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n").unwrap();
    let mut response = [0; 8];
    idle.read_exact(&mut response).unwrap();
    // Half a request: when the server asks for the body, it has read the head.
    busy.write_all(
        b"POST /session HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 20\r\n\r\n",
    )
    .unwrap();
    let mut interim = [0; 25];
    busy.read_exact(&mut interim).unwrap();
    assert!(interim.starts_with(b"HTTP/1.1 100"));

    server.signal(Signal::TERM);
    wait_for("the listener to close", async || TcpStream::connect(&server.address).is_err()).await;
    while idle.read(&mut byte).unwrap() > 0 {}
    while fresh.read(&mut byte).unwrap() > 0 {}
    busy.write_all(b"{\"tenant_id\":\"acme\"}").unwrap();
    let mut response = String::new();
    busy.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 200") && response.contains("session_id"), "{response}");
    assert_eq!(server.end(), (Some(0), String::new()));
}

#[tokio::test]
async fn an_ignored_sighup_is_survived_and_any_other_ends_the_server() {
    let server = Program::start_with_hangup(true);
    server.signal(Signal::HUP);
    // A shutdown would close the listener within this time.
    for _ in 0..25 {
        let response = send(&server.address, "GET /healthz HTTP/1.0\r\n\r\n");
        assert!(response.starts_with("HTTP/1.0 200"), "{response}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.signal(Signal::TERM);
    assert_eq!(server.end(), (Some(0), String::new()));

    let server = Program::start_with_hangup(false);
    server.signal(Signal::HUP);
    assert_eq!(server.end(), (Some(0), String::new()), "a shutdown, not a death by the signal");
}

/// Sends one request on a new connection.
fn send(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

//! The binary: its banner, its environment, its errors, and how it ends.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{PATIENCE, Program, Redis, free_port, server_command, wait_for};

/// Exit code and standard error of a start that fails.
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
fn an_address_that_is_taken_or_wrong() {
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
fn a_redis_that_is_away_or_no_redis() {
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
    let answer = exchange(
        &server.address,
        &format!("POST /session HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
    );
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
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
    let answer = exchange(&server.address, "GET / HTTP/1.0\r\n\r\n");
    assert!(answer.ends_with(r#"{"ok":true,"tenants":["t-1"]}"#), "{answer}");
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
async fn a_server_is_asked_whether_it_is_ready() {
    let mut redis = Redis::start().await;
    let server = Program::start(&["--store", &redis.url()]);
    let check = |address: &str| {
        let arguments = ["--healthcheck", "--listen", address];
        failure(&arguments, &[]).replace(address, "127.0.0.1:PORT")
    };
    assert_eq!(check(&server.address), "exit 0\n");
    redis.kill();
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = stranger.local_addr().unwrap().to_string();
    let answering = std::thread::spawn(move || {
        let mut stream = stranger.accept().unwrap().0;
        // Who answers before being asked may be gone before the question has left.
        let asked = stream.read(&mut [0; 1024]).unwrap();
        assert!(asked > 0);
        stream.write_all(b"220 mail.example.org").unwrap();
    });
    let cases = [check(&server.address), check(&address), check(&format!("127.0.0.1:{}", free_port()))];
    answering.join().unwrap();
    insta::assert_snapshot!(cases.join("\n"));
}

#[tokio::test]
async fn sigterm_answers_what_is_in_flight_and_closes_what_is_idle() {
    let server = Program::start(&[]);
    let connect = || {
        let stream = TcpStream::connect(&server.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    };
    let (mut busy, mut idle, mut fresh) = (connect(), connect(), connect());
    let mut byte = [0];
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n").unwrap();
    let mut answer = [0; 8];
    idle.read_exact(&mut answer).unwrap();
    // Half a request: its head has been read once the server asks for the rest.
    busy.write_all(
        b"POST /session HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 20\r\n\r\n",
    )
    .unwrap();
    let mut go_on = [0; 25];
    busy.read_exact(&mut go_on).unwrap();
    assert!(go_on.starts_with(b"HTTP/1.1 100"));

    server.signal(Signal::TERM);
    wait_for("the listener to close", async || TcpStream::connect(&server.address).is_err()).await;
    while idle.read(&mut byte).unwrap() > 0 {}
    while fresh.read(&mut byte).unwrap() > 0 {}
    busy.write_all(b"{\"tenant_id\":\"acme\"}").unwrap();
    let mut answer = String::new();
    busy.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("session_id"), "{answer}");
    assert_eq!(server.end(), (Some(0), String::new()));
}

#[tokio::test]
async fn an_ignored_sighup_is_survived_and_any_other_ends_the_server() {
    let server = Program::start_with_hangup(true);
    server.signal(Signal::HUP);
    // A shutdown would close the listener within this time.
    for _ in 0..25 {
        let response = exchange(&server.address, "GET /healthz HTTP/1.0\r\n\r\n");
        assert!(response.starts_with("HTTP/1.0 200"), "{response}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.signal(Signal::TERM);
    assert_eq!(server.end(), (Some(0), String::new()));

    let server = Program::start_with_hangup(false);
    server.signal(Signal::HUP);
    assert_eq!(server.end(), (Some(0), String::new()), "a shutdown, not a death by the signal");
}

/// One request on a connection of its own.
fn exchange(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

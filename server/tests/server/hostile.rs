//! Two thousand random and hostile requests to the real binary cause no 5xx and no panic.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rustix::process::Signal;

use crate::support::{Program, TIMEOUT};

/// A request, from nearly valid to entirely invalid.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let method = prop_oneof![
        4 => Just("POST".to_owned()), 2 => Just("GET".to_owned()), 1 => "[A-Z]{1,9}", 1 => "(PUT|HEAD|OPTIONS|CONNECT|TRACE|PRI)",
        1 => "[!-~]{1,12}",
    ];
    let path = prop_oneof![
        3 => Just("/chat".to_owned()), 3 => Just("/session".to_owned()),
        2 => "/(|metrics|healthz|readyz|chat/|chat\\?a=b|session#x|%2e%2e/%00|\\*)", 1 => "[!-~]{1,40}",
        1 => "http://[a-z]{1,5}/chat", 1 => "/[a-z]{3000}",
    ];
    let version =
        prop_oneof![6 => Just("HTTP/1.1"), 1 => Just("HTTP/1.0"), 1 => Just("HTTP/2.0"), 1 => Just("HTTP/9")];
    let headers = prop::collection::vec(header(), 0..6);
    let framing = prop_oneof![6 => Just(Framing::Length), 2 => Just(Framing::Chunked), 1 => Just(Framing::None),
        1 => any::<u32>().prop_map(Framing::WrongLength)];
    (method, path, version, headers, framing, body()).prop_map(
        |(method, path, version, headers, framing, body)| {
            let mut bytes = format!("{method} {path} {version}\r\nHost: t\r\n").into_bytes();
            for (name, value) in headers {
                bytes.extend_from_slice(name.as_bytes());
                bytes.extend_from_slice(b": ");
                bytes.extend_from_slice(&value);
                bytes.extend_from_slice(b"\r\n");
            }
            match framing {
                Framing::Length => {
                    bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
                }
                Framing::WrongLength(length) => {
                    bytes.extend_from_slice(format!("Content-Length: {length}\r\n\r\n").as_bytes());
                }
                Framing::Chunked => bytes.extend_from_slice(
                    format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", body.len()).as_bytes(),
                ),
                Framing::None => bytes.extend_from_slice(b"\r\n"),
            }
            bytes.extend_from_slice(&body);
            if matches!(framing, Framing::Chunked) {
                bytes.extend_from_slice(b"\r\n0\r\n\r\n");
            }
            bytes
        },
    )
}

#[derive(Debug, Clone, Copy)]
enum Framing {
    Length,
    WrongLength(u32),
    Chunked,
    None,
}

fn header() -> impl Strategy<Value = (String, Vec<u8>)> {
    let name = prop_oneof![
        2 => Just("X-Tenant-ID".to_owned()), 2 => Just("X-Session-ID".to_owned()), 1 => Just("Content-Type".to_owned()),
        1 => Just("Expect".to_owned()), 1 => Just("Transfer-Encoding".to_owned()), 1 => Just("Connection".to_owned()),
        1 => "[A-Za-z-]{1,20}",
    ];
    let value = prop_oneof![
        Just(b"acme".to_vec()),
        Just(b"100-continue".to_vec()),
        Just(b"upgrade".to_vec()),
        Just(Vec::new()),
        prop::collection::vec(any::<u8>(), 0..40),
        "[ -~]{0,200}".prop_map(String::into_bytes),
    ];
    (name, value)
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let field = "\"(tenant_id|session_id|message|x)\"";
    let value = "(\"(acme|globex|nobody|[!-~é]{0,8}|QUFBQUFBQUFBQUFBQUFBQWFjbWU|\\\\u0000|\\\\ud800)\"|-?[0-9]{1,30}(e[0-9]{1,4})?|null|true|\\[\\{\\}\\]|\\{\"a\":\\[\\]\\})";
    let object = format!("\\{{({field}:{value},){{0,4}}{field}:{value}\\}}");
    prop_oneof![
        6 => prop::string::string_regex(&object).unwrap().prop_map(String::into_bytes),
        1 => Just(br#"{"tenant_id":"acme"}"#.to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..300),
        1 => (1_usize..20_000).prop_map(|depth| "[".repeat(depth).into_bytes()),
        1 => (1_usize..10_000).prop_map(|depth| "{\"message\":".repeat(depth).into_bytes()),
        1 => (65_000_usize..70_000).prop_map(|length| vec![b' '; length]),
    ]
}

/// A request that is complete, truncated or corrupted; two requests; or random bytes.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => request(),
        1 => (request(), any::<prop::sample::Index>()).prop_map(|(mut bytes, end)| {
            bytes.truncate(end.index(bytes.len()));
            bytes
        }),
        1 => (request(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut bytes, place, noise)| {
            let place = place.index(bytes.len());
            bytes[place] = noise;
            bytes
        }),
        1 => (request(), request()).prop_map(|(one, other)| [one, other].concat()),
        1 => prop::collection::vec(any::<u8>(), 0..500),
    ]
}

/// Everything that the server responds to these bytes.
fn send(address: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    // The server may close before it has read everything; then writing fails, and possibly reading, too.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut response = Vec::new();
    match stream.read_to_end(&mut response) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("no end after {TIMEOUT:?}"),
        _ => response,
    }
}

#[test]
fn no_request_causes_a_5xx_or_a_panic() {
    let server = Program::start(&[]);
    let mut statuses = std::collections::BTreeMap::<String, u32>::new();
    let seen = std::cell::RefCell::new(&mut statuses);
    let config = Config { cases: 2000, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&bytes(), |bytes| {
            let response = send(&server.address, &bytes);
            let text = String::from_utf8_lossy(&response);
            for line in text.lines().filter(|line| line.starts_with("HTTP/1.")) {
                let status = line.split(' ').nth(1).unwrap_or_default().to_owned();
                prop_assert!(!status.starts_with('5'), "{line}");
                *seen.borrow_mut().entry(status).or_default() += 1;
            }
            Ok(())
        })
        .unwrap();
    for status in ["200", "400", "404", "405", "413", "422"] {
        assert!(statuses.contains_key(status), "the requests are not diverse enough: {statuses:?}");
    }
    assert!(send(&server.address, b"GET /healthz HTTP/1.0\r\n\r\n").starts_with(b"HTTP/1.0 200"));
    server.signal(Signal::TERM);
    assert_eq!(server.end(), (Some(0), String::new()), "a panic would have written a message");
}

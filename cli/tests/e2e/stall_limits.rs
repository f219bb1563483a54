//! A generator that stalls again and again excuses no service that hangs, is slow, fails or crashes.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use rustix::process::Signal;

use crate::support::{Sandbox, TENANTS};

/// Four users, as a service that needs seconds allows.
const SCENARIO: &str = r#"version = 1
timeout = "4s"

[[tenant]]
id = "acme"

[[journey]]
name = "ask"

[[journey.step]]
get = "/ask"

[[load]]
users    = 4
duration = "5s"

[metrics]
enabled = false
"#;

/// What the service does with a request; `false` ends the connection.
type Handler = fn(&mut TcpStream) -> std::io::Result<bool>;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn hung(_: &mut TcpStream) -> std::io::Result<bool> {
    Ok(true)
}

fn slow(stream: &mut TcpStream) -> std::io::Result<bool> {
    // The service's own time.
    std::thread::sleep(Duration::from_secs(3));
    stream.write_all(OK).map(|()| true)
}

fn failing(stream: &mut TcpStream) -> std::io::Result<bool> {
    std::thread::sleep(Duration::from_millis(20));
    stream.write_all(b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n").map(|()| true)
}

/// A stream that is not over when a request has to be.
fn streaming(stream: &mut TcpStream) -> std::io::Result<bool> {
    stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
    for _ in 0..12 {
        stream.write_all(b"2\r\nhi\r\n")?;
        std::thread::sleep(Duration::from_millis(500));
    }
    stream.write_all(b"0\r\n\r\n").map(|()| true)
}

/// A worker that dies on one request in fifty, without a response.
fn crashing(stream: &mut TcpStream) -> std::io::Result<bool> {
    static REQUESTS: AtomicU64 = AtomicU64::new(0);
    if REQUESTS.fetch_add(1, Ordering::Relaxed) % 50 == 49 {
        return Ok(false);
    }
    std::thread::sleep(Duration::from_millis(5));
    stream.write_all(OK).map(|()| true)
}

/// Starts it; it lasts as long as the test's process.
fn serve(handler: Handler) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                while stream.read(&mut request).is_ok_and(|length| length > 0) {
                    if !handler(&mut stream).unwrap_or(false) {
                        break;
                    }
                }
            });
        }
    });
    url
}

/// A run whose generator is stopped for 5 to 50 ms twice a second: its exit code.
fn run_stalled(handler: Handler, expectation: &str, seed: u64) -> Option<i32> {
    let sandbox = Sandbox::with(&format!("{SCENARIO}{expectation}"), TENANTS);
    let url = serve(handler);
    let mut running = sandbox.start(&["run", "scenario.toml", "--quiet", "--target", &url]);
    let mut state = seed;
    while !running.has_ended() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let stall = Duration::from_millis(5 + (state >> 33) % 46);
        // The rhythm of the disturbance is what is tested.
        std::thread::sleep(Duration::from_millis(500) - stall);
        running.signal(Signal::STOP);
        std::thread::sleep(stall);
        running.signal(Signal::CONT);
    }
    running.end().code
}

#[test]
fn stalls_excuse_no_broken_service() {
    let runs = if std::env::var_os("SAASBENCH_THOROUGH").is_some() { 20 } else { 1 };
    let kinds: [(&str, Handler, &str); 5] = [
        ("hung", hung, ""),
        ("slow", slow, "[[expect]]\nthat = \"max < 2s\"\n"),
        ("failing", failing, ""),
        ("streaming", streaming, ""),
        ("crashing", crashing, ""),
    ];
    for seed in 0..runs {
        std::thread::scope(|scope| {
            let started = kinds.map(|(name, handler, expectation)| {
                (name, scope.spawn(move || run_stalled(handler, expectation, seed)))
            });
            for (name, run) in started {
                assert_eq!(run.join().unwrap(), Some(1), "{name}, seed {seed}");
            }
        });
    }
}

//! Test helpers: waiting for conditions, with a deadline, instead of sleeping; processes that end with the
//! test that started them; and, in submodules, the services of a stack and the program under test.

mod alerting;
mod echoing;
mod foreign;
mod guarded;
mod observed;
mod process;
mod program;
mod record;
mod scenarios;
mod services;
mod transports;

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tokio::time::Instant;

pub(crate) use alerting::{Alerting, Webhook, broken, group};
pub(crate) use echoing::Echoing;
pub(crate) use foreign::{nginx_http2, openssl};
pub(crate) use guarded::{CREDENTIALS, Guarded};
pub(crate) use observed::Observed;
pub(crate) use process::Process;
pub(crate) use program::{Ended, Report, Running, Sandbox, program};
pub(crate) use record::{Copied, assert_keeps_to_schema, copy, fixture};
pub(crate) use scenarios::{JOURNEY, TENANTS, change, disturbed, short};
pub(crate) use services::{Calibration, Prometheus, Redis, Replica};
pub(crate) use transports::Wired;

/// Longer than any condition should take on a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(90);

/// Polls until the condition holds; panics after a deadline.
pub(crate) fn wait_for(what: &str, mut is_true: impl FnMut() -> bool) {
    wait_for_some(what, || is_true().then_some(()));
}

/// Polls until there is a value; panics after a deadline.
pub(crate) fn wait_for_some<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = poll() {
            return value;
        }
        assert!(started.elapsed() < TIMEOUT, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A port that was free a moment ago, below the range that Linux uses for outgoing connections and for port
/// 0, so that no other test takes it while a server is down. The local stack uses ports below this range, and
/// the server's tests ports above.
pub(crate) fn free_port() -> u16 {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    loop {
        let turn = ASKED.fetch_add(1, Ordering::Relaxed);
        let spread = (std::process::id() + turn).wrapping_mul(2_654_435_761) >> 16;
        let port = 26_000 + u16::try_from(spread % 3_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The body of a 200 response to a GET; `None` for anything else.
pub(crate) fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n").ok()?;
    let mut response = String::new();
    stream.read_to_string(&mut response).ok()?;
    let (head, body) = response.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200").then(|| body.to_owned())
}

/// Whether bytes sent to this port of the loopback address are waiting to be read, as they are while the
/// reader is stopped.
pub(crate) fn bytes_wait_at(port: u16) -> bool {
    // Columns: number, local address, remote address, state, `tx_queue:rx_queue`, …, in hexadecimal.
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().skip(1).any(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let to_port = columns[1].ends_with(&format!(":{port:04X}"));
        let established = columns[3] == "01";
        let waiting = columns[4].split_once(':').is_some_and(|(_, received)| received != "00000000");
        to_port && established && waiting
    })
}

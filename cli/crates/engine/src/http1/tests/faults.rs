//! A faulty server, over sockets, and how the transport handles it.

use std::{cell::Cell, net::SocketAddr, rc::Rc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    task::yield_now,
};

use crate::{
    clock::RunClock,
    connect::testing::direct,
    exchange::{Exchange, Request, SendError, Transport as _},
    http1::wire::{Http1, UserConnections},
    self_monitor::response_timeout::ResponseTimeout,
};
use saasbench_model::{
    scenario::http::{ConnectionScope, Http, Reuse},
    units::Nanos,
};
use saasbench_record::sample::{NoResponseReason, NotSentReason};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const TIMEOUT: Duration = Duration::from_secs(10);
const LOST: Result<(), SendError> = Err(SendError::NoResponse(NoResponseReason::ConnectionLost));
const MALFORMED: Result<(), SendError> = Err(SendError::NoResponse(NoResponseReason::Malformed));

/// A user of a server at `address`, with its exchange.
struct User {
    transport: Http1,
    line: UserConnections,
    exchange: Exchange,
}

impl User {
    fn of(address: SocketAddr) -> Self {
        let clock = RunClock::start();
        let timeout = ResponseTimeout::new(TIMEOUT.into(), clock);
        let transport = Http1::new(Rc::new(direct(address, &Http::default())), timeout, clock);
        Self::with(transport, 1)
    }

    fn with(transport: Http1, in_turn: usize) -> Self {
        let line = transport.connect_user(in_turn);
        let request = Request { bytes: REQUEST.to_vec(), keep_body: true, ..Request::default() };
        Self { transport, line, exchange: Exchange { request, ..Exchange::default() } }
    }

    async fn send(&mut self) -> Result<(), SendError> {
        let outcome = self.transport.send(&mut self.line, &mut self.exchange).await;
        assert!(self.exchange.input.is_empty() || outcome.is_err());
        outcome
    }

    async fn get(&mut self) -> &str {
        self.send().await.unwrap();
        let response = &self.exchange.response;
        assert!(self.exchange.sent <= response.first_byte && response.first_byte <= response.done);
        std::str::from_utf8(&response.body).unwrap()
    }

    /// Waits until the idle connection has something to read.
    async fn until_it_is_stale(&mut self) {
        while self.line.is_idle(0).await {
            yield_now().await;
        }
    }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Reads exactly one request.
async fn take_request(stream: &mut TcpStream) {
    let mut bytes = [0; REQUEST.len()];
    stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(bytes, REQUEST);
}

/// Resets a connection.
fn reset(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
    drop(stream);
}

#[tokio::test]
async fn a_response_cut_at_any_byte_leaves_the_outcome_unknown() {
    for (response, is_reset) in [(ANSWER, false), (ANSWER, true), (CHUNKED, false), (CHUNKED, true)] {
        let (listener, address) = listen().await;
        let server = async {
            for end in 0..=response.len() {
                let mut stream = accept(&listener).await;
                take_request(&mut stream).await;
                stream.write_all(&response[..end]).await.unwrap();
                if is_reset {
                    reset(stream);
                }
            }
        };
        let client = async {
            for end in 0..=response.len() {
                let mut user = User::of(address);
                let outcome = user.send().await;
                let expected = if end < response.len() { LOST } else { Ok(()) };
                assert_eq!(outcome, expected, "{end} bytes, reset: {is_reset}");
            }
        };
        tokio::join!(server, client);
    }
}

#[tokio::test]
async fn a_response_in_pieces_of_any_size_is_assembled() {
    for response in [ANSWER, CHUNKED] {
        let (listener, address) = listen().await;
        let server = async {
            let mut stream = accept(&listener).await;
            for size in 1..response.len() {
                take_request(&mut stream).await;
                for piece in response.chunks(size) {
                    stream.write_all(piece).await.unwrap();
                    yield_now().await;
                }
            }
        };
        let client = async {
            let mut user = User::of(address);
            for _ in 1..response.len() {
                assert_eq!(user.get().await, "hello");
            }
        };
        tokio::join!(server, client);
    }
}

/// The server responds twice: after the first response the connection is left as by `spoil`, and the second
/// request must use a new one.
async fn expect_a_new_connection(first: &[u8], spoil: impl AsyncFnOnce(TcpStream) -> Option<TcpStream>) {
    let (listener, address) = listen().await;
    let server = async {
        let mut stream = accept(&listener).await;
        take_request(&mut stream).await;
        stream.write_all(first).await.unwrap();
        let held = spoil(stream).await;
        let mut second = accept(&listener).await;
        take_request(&mut second).await;
        second.write_all(ANSWER).await.unwrap();
        drop(held);
    };
    let client = async {
        let mut user = User::of(address);
        assert_eq!(user.get().await, "hello");
        user.until_it_is_stale().await;
        assert_eq!(user.get().await, "hello");
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_not_used_again() {
    expect_a_new_connection(ANSWER, async |stream| {
        drop(stream);
        None
    })
    .await;
    expect_a_new_connection(ANSWER, async |stream| {
        reset(stream);
        None
    })
    .await;
}

#[tokio::test]
async fn a_connection_with_unsolicited_bytes_is_not_used_again() {
    expect_a_new_connection(ANSWER, async |mut stream| {
        stream.write_all(b"HTTP/1.1 408 Too late\r\n\r\n").await.unwrap();
        Some(stream)
    })
    .await;
    let with_more = [ANSWER, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"].concat();
    expect_a_new_connection(&with_more, async |stream| Some(stream)).await;
}

#[tokio::test]
async fn a_connection_with_a_close_field_is_not_used_again() {
    let closing = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello";
    expect_a_new_connection(closing, async |stream| Some(stream)).await;
    let old = b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    expect_a_new_connection(old, async |stream| Some(stream)).await;
    expect_a_new_connection(b"HTTP/1.1 200 OK\r\n\r\nhello", async |stream| {
        drop(stream);
        None
    })
    .await;
}

#[tokio::test]
async fn an_unsent_request_is_sent_again_on_a_new_connection() {
    let (listener, address) = listen().await;
    let server = async {
        let mut first = accept(&listener).await;
        take_request(&mut first).await;
        first.write_all(ANSWER).await.unwrap();
        let mut second = accept(&listener).await;
        take_request(&mut second).await;
        second.write_all(ANSWER).await.unwrap();
        let mut rest = Vec::new();
        first.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty());
    };
    let client = async {
        let mut user = User::of(address);
        assert_eq!(user.get().await, "hello");
        user.line.reject_writes(0).await;
        assert!(user.line.is_idle(0).await);
        assert_eq!(user.get().await, "hello");
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn a_request_that_was_sent_is_never_sent_again() {
    let (listener, address) = listen().await;
    let server = async {
        let mut stream = accept(&listener).await;
        take_request(&mut stream).await;
        stream.write_all(ANSWER).await.unwrap();
        take_request(&mut stream).await;
        drop(stream);
        // The next connection receives the third request, not the second again.
        let mut stream = accept(&listener).await;
        let mut bytes = Vec::new();
        stream.read_buf(&mut bytes).await.unwrap();
        assert!(bytes.starts_with(b"GET /third"), "{bytes:?}");
        stream.write_all(ANSWER).await.unwrap();
    };
    let client = async {
        let mut user = User::of(address);
        assert_eq!(user.get().await, "hello");
        assert_eq!(user.send().await, LOST);
        user.exchange.request.bytes = b"GET /third HTTP/1.1\r\n\r\n".to_vec();
        assert_eq!(user.get().await, "hello");
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn endless_heads_and_informational_responses_are_cut_off() {
    for piece in [&b"HTTP/1.1 100 Continue\r\n\r\n"[..], b"X-Filler: yes\r\n", b"\r\n", b"no HTTP"] {
        let (listener, address) = listen().await;
        let server = async {
            let mut stream = accept(&listener).await;
            take_request(&mut stream).await;
            while stream.write_all(&piece.repeat(100)).await.is_ok() {}
        };
        let client = async {
            let mut user = User::of(address);
            assert_eq!(user.send().await, MALFORMED);
        };
        tokio::join!(server, client);
    }
}

#[tokio::test]
async fn a_response_before_the_request_is_sent_counts() {
    let (listener, address) = listen().await;
    let server = async {
        let mut stream = accept(&listener).await;
        stream.readable().await.unwrap();
        stream.write_all(ANSWER).await.unwrap();
        // The response counts although the rest of the request is never read; the connection is not used
        // again.
        let mut second = accept(&listener).await;
        take_request(&mut second).await;
        second.write_all(ANSWER).await.unwrap();
        drop(stream);
    };
    let client = async {
        let mut user = User::of(address);
        user.exchange.request.bytes = [REQUEST, &vec![b'x'; 64 << 20]].concat();
        assert_eq!(user.get().await, "hello");
        user.exchange.request.bytes = REQUEST.to_vec();
        assert_eq!(user.get().await, "hello");
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn a_silent_server_costs_the_timeout_and_the_connection() {
    let (listener, address) = listen().await;
    let server = async {
        let mut stream = accept(&listener).await;
        take_request(&mut stream).await;
        stream.write_all(ANSWER).await.unwrap();
        take_request(&mut stream).await;
        stream.write_all(&ANSWER[..9]).await.unwrap();
        let mut second = accept(&listener).await;
        take_request(&mut second).await;
        second.write_all(ANSWER).await.unwrap();
    };
    let client = async {
        let mut user = User::of(address);
        assert_eq!(user.get().await, "hello");
        tokio::time::pause();
        let began = tokio::time::Instant::now();
        assert_eq!(user.send().await, Err(SendError::NoResponse(NoResponseReason::Timeout)));
        assert!(began.elapsed() >= TIMEOUT);
        tokio::time::resume();
        assert_eq!(user.get().await, "hello");
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn a_request_that_was_given_up_leaves_no_connection() {
    let written = tokio::sync::Notify::new();
    let (listener, address) = listen().await;
    let server = async {
        let mut stream = accept(&listener).await;
        take_request(&mut stream).await;
        stream.write_all(&ANSWER[..ANSWER.len() - 1]).await.unwrap();
        written.notify_one();
        let mut second = accept(&listener).await;
        take_request(&mut second).await;
        second.write_all(ANSWER).await.unwrap();
        drop(stream);
    };
    let client = async {
        let mut user = User::of(address);
        tokio::select! {
            outcome = user.send() => panic!("{outcome:?}"),
            () = written.notified() => {}
        }
        assert_eq!(user.get().await, "hello");
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn without_a_listener_nothing_is_sent() {
    let (listener, address) = listen().await;
    drop(listener);
    let mut user = User::of(address);
    assert_eq!(user.send().await, Err(SendError::NotSent(NotSentReason::ConnectFailed)));
}

#[tokio::test(start_paused = true)]
async fn if_nothing_accepts_the_timeout_ends_the_attempt() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    // Fills its queue.
    let mut held = Vec::new();
    while let Ok(stream) = tokio::time::timeout(Duration::from_secs(1), TcpStream::connect(address)).await {
        held.push(stream);
    }
    let began = tokio::time::Instant::now();
    let mut user = User::of(address);
    assert_eq!(user.send().await, Err(SendError::NotSent(NotSentReason::ConnectTimeout)));
    assert!(began.elapsed() >= TIMEOUT);
}

/// Serves every connection with `response` to each request, and counts them.
async fn serve_all(listener: TcpListener, response: &'static [u8], count: Rc<Cell<u32>>) {
    loop {
        let mut stream = accept(&listener).await;
        count.set(count.get() + 1);
        tokio::task::spawn_local(async move {
            let mut bytes = [0; REQUEST.len()];
            while stream.read_exact(&mut bytes).await.is_ok() {
                stream.write_all(response).await.unwrap();
            }
        });
    }
}

/// The number of connections that eight requests take, two in an iteration.
async fn connections_for(reuse: Reuse, in_turn: usize, response: &'static [u8]) -> u32 {
    let (listener, address) = listen().await;
    let count = Rc::default();
    let server = tokio::task::spawn_local(serve_all(listener, response, Rc::clone(&count)));
    let clock = RunClock::start();
    let timeout = ResponseTimeout::new(TIMEOUT.into(), clock);
    let http = Http { reuse, ..Http::default() };
    let transport = Http1::new(Rc::new(direct(address, &http)), timeout, clock);
    let mut user = User::with(transport, in_turn);
    for number in 1..=8 {
        user.get().await;
        if number % 2 == 0 {
            user.transport.end_iteration(&mut user.line);
        }
    }
    server.abort();
    count.get()
}

#[tokio::test(flavor = "local")]
async fn a_scenario_and_the_server_decide_how_long_a_connection_is_used() {
    let scope = |scope| Reuse { scope: Some(scope), ..Reuse::default() };
    let kept = |head: &'static [u8], in_turn| connections_for(Reuse::default(), in_turn, head);
    assert_eq!(kept(ANSWER, 1).await, 1);
    assert_eq!(kept(ANSWER, 3).await, 3);
    assert_eq!(
        kept(b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5, max=9\r\ncontent-length: 0\r\n\r\n", 1).await,
        1
    );
    // Not even a request that is sent at once would arrive in time.
    assert_eq!(kept(b"HTTP/1.1 200 OK\r\nkeep-alive: timeout=0\r\ncontent-length: 0\r\n\r\n", 1).await, 8);
    assert_eq!(connections_for(scope(ConnectionScope::PerIteration), 1, ANSWER).await, 4);
    assert_eq!(connections_for(scope(ConnectionScope::PerRequest), 1, ANSWER).await, 8);
    assert_eq!(connections_for(Reuse { max_requests: Some(3), ..Reuse::default() }, 1, ANSWER).await, 3);
    let brief = Reuse { max_age: Some(Nanos(1)), ..Reuse::default() };
    assert_eq!(connections_for(brief, 1, ANSWER).await, 8);
}

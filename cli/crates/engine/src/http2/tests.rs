//! HTTP/2 against test servers: one based on `h2`, and one of raw frames that can do what `h2` would not.

use std::{cell::Cell, rc::Rc, time::Duration};

use bytes::Bytes;
use h2::{Reason, RecvStream, server::SendResponse};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::connect::{
    testing::{dialer, listen},
    tls::Trust,
};
use saasbench_model::scenario::http::{Http, Reuse, Version};
use saasbench_model::units::Nanos;
use saasbench_record::sample::LimiterHeaders;

const TIMEOUT: Duration = Duration::from_secs(5);

/// A client that speaks HTTP/2 to the listener with prior knowledge, after its first connection attempt was
/// handled.
async fn client(listener: &TcpListener) -> Rc<Http2> {
    let http = Http { version: Version::Http2, ..Http::default() };
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let dialer = dialer(&url, &http, Trust::None, System).await.unwrap();
    listener.accept().await.unwrap();
    let clock = RunClock::start();
    let timeout = ResponseTimeout::new(TIMEOUT.into(), clock);
    Rc::new(Http2::new(Rc::new(dialer), timeout, clock))
}

/// An exchange with a request, as rendered for HTTP/1.1; its response is kept.
fn exchange(head: &str, body: &str) -> Exchange {
    let mut exchange = Exchange::default();
    let head = format!("{head}\r\nhost: api.test\r\ncontent-length: {}\r\n\r\n", body.len());
    exchange.request.body_at = head.len();
    exchange.request.bytes = (head + body).into_bytes();
    exchange.request.keep_head = true;
    exchange.request.keep_body = true;
    exchange
}

async fn get(client: &Http2) -> Result<Exchange, SendError> {
    let mut exchange = exchange("GET /v1/items?n=1 HTTP/1.1", "");
    client.send(&mut UserConnections::default(), &mut exchange).await.map(|()| exchange)
}

type Incoming = (http::Request<RecvStream>, SendResponse<Bytes>);

/// Serves one connection, each request in a task of its own; ends with the connection.
async fn serve<F: Future<Output = ()> + 'static>(
    stream: TcpStream,
    streams: u32,
    response: impl Fn(Incoming) -> F,
) {
    let mut builder = h2::server::Builder::new();
    let mut server = builder.max_concurrent_streams(streams).handshake(stream).await.unwrap();
    while let Some(Ok(incoming)) = server.accept().await {
        tokio::task::spawn_local(response(incoming));
    }
}

async fn all_of(mut body: RecvStream) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece.unwrap();
        all.extend_from_slice(&piece);
        body.flow_control().release_capacity(piece.len()).unwrap();
    }
    all
}

/// Responds with a description of the request.
async fn echo((request, mut respond): Incoming) {
    let (head, body) = request.into_parts();
    let mut names: Vec<String> = head.headers.iter().map(|(name, _)| name.to_string()).collect();
    names.sort();
    let body = String::from_utf8(all_of(body).await).unwrap();
    let text = format!("{} {} {} {body}", head.method, head.uri, names.join(","));
    let sent = http::Response::builder()
        .status(201)
        .header("x-ratelimit-limit", "8")
        .header("retry-after", "7")
        .body(())
        .unwrap();
    let is_head = head.method == http::Method::HEAD;
    let mut sending = respond.send_response(sent, is_head).unwrap();
    if !is_head {
        sending.send_data(Bytes::from(text), true).unwrap();
    }
}

#[tokio::test(flavor = "local")]
async fn requests_and_responses_are_translated() {
    let (listener, _) = listen("127.0.0.1").await;
    let client = client(&listener).await;
    tokio::task::spawn_local(async move {
        serve(listener.accept().await.unwrap().0, 100, echo).await;
    });
    let table = [
        (
            "GET /v1/items?n=1 HTTP/1.1\r\nConnection: keep-alive\r\nAccept: */*",
            "",
            "GET",
            "accept,content-length ",
        ),
        ("POST /v1/chat HTTP/1.1\r\nX-Tenant: acme", "hello", "POST", "content-length,x-tenant hello"),
        ("DELETE /v1/items HTTP/1.1", "", "DELETE", "content-length "),
    ];
    for (head, body, method, expected) in table {
        let mut exchange = exchange(head, body);
        client.send(&mut UserConnections::default(), &mut exchange).await.unwrap();
        let response = &exchange.response;
        let path = head.split(' ').nth(1).unwrap();
        let expected = format!("{method} http://api.test{path} {expected}");
        assert_eq!(String::from_utf8_lossy(&response.body), expected);
        assert_eq!((response.status, response.body_bytes), (201, expected.len() as u64));
        assert_eq!(response.head, b"x-ratelimit-limit: 8\r\nretry-after: 7\r\n");
        let said = LimiterHeaders { limit: Some(8), retry_after: Some(7), ..LimiterHeaders::default() };
        assert_eq!((response.limiter.clone(), response.retry_after), (said, Some(Nanos::from_secs(7))));
        assert!(exchange.sent <= response.first_byte && response.first_byte <= response.done);
    }
    let mut head = exchange("HEAD / HTTP/1.1", "");
    client.send(&mut UserConnections::default(), &mut head).await.unwrap();
    assert_eq!((head.response.status, head.response.body_bytes), (201, 0));
}

#[tokio::test(flavor = "local")]
async fn unsendable_requests_count_as_not_sent() {
    let (listener, _) = listen("127.0.0.1").await;
    let client = client(&listener).await;
    let mut invalid = exchange("GET /a b HTTP/1.1", "");
    let outcome = client.send(&mut UserConnections::default(), &mut invalid).await;
    assert_eq!(outcome, Err(SendError::NotSent(NotSentReason::RenderFailed)));
}

#[tokio::test(flavor = "local")]
async fn long_bodies_are_read_to_their_end_and_kept_as_far_as_wanted() {
    const LONG: usize = 5 << 20;
    let (listener, _) = listen("127.0.0.1").await;
    let client = client(&listener).await;
    tokio::task::spawn_local(async move {
        let long = |(request, mut respond): Incoming| async move {
            let sent = all_of(request.into_body()).await;
            let mut sending = respond.send_response(http::Response::new(()), false).unwrap();
            sending.send_data(Bytes::from(vec![sent[0]; LONG]), true).unwrap();
        };
        serve(listener.accept().await.unwrap().0, 100, long).await;
    });
    for keep_body in [true, false] {
        let mut exchange = exchange("POST / HTTP/1.1", &"x".repeat(LONG));
        exchange.request.keep_body = keep_body;
        client.send(&mut UserConnections::default(), &mut exchange).await.unwrap();
        let kept = if keep_body { super::super::exchange::BODY_KEPT } else { 0 };
        assert_eq!((exchange.response.body.len(), exchange.response.body_bytes), (kept, LONG as u64));
    }
}

/// 300 users at once on one connection that allows 10: none is rejected, and at most 10 are with the server.
#[tokio::test(flavor = "local")]
async fn users_share_a_connection_and_wait_for_its_streams() {
    let (listener, _) = listen("127.0.0.1").await;
    let client = client(&listener).await;
    let (now, most, connections) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let counts = (Rc::clone(&now), Rc::clone(&most), Rc::clone(&connections));
    tokio::task::spawn_local(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (now, most, connections) = counts.clone();
            connections.set(connections.get() + 1);
            let count = move |(request, mut respond): Incoming| {
                let (now, most) = (Rc::clone(&now), Rc::clone(&most));
                now.set(now.get() + 1);
                most.set(most.get().max(now.get()));
                async move {
                    all_of(request.into_body()).await;
                    tokio::task::yield_now().await;
                    now.set(now.get() - 1);
                    respond.send_response(http::Response::new(()), true).unwrap();
                }
            };
            tokio::task::spawn_local(serve(stream, 10, count));
        }
    });
    let mut users = tokio::task::JoinSet::new();
    for _ in 0..300 {
        let client = Rc::clone(&client);
        users.spawn_local(async move { get(&client).await.map(|exchange| exchange.response.status) });
    }
    assert!(users.join_all().await.into_iter().all(|outcome| outcome == Ok(200)));
    assert_eq!((connections.get(), most.get()), (1, 10));
}

#[tokio::test(flavor = "local")]
async fn a_connection_that_was_shut_down_gracefully_costs_nothing() {
    let (listener, _) = listen("127.0.0.1").await;
    let client = client(&listener).await;
    tokio::task::spawn_local(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut server = h2::server::handshake(stream).await.unwrap();
            let (_, mut respond) = server.accept().await.unwrap().unwrap();
            server.graceful_shutdown();
            respond.send_response(http::Response::new(()), true).unwrap();
            while server.accept().await.is_some() {}
        }
    });
    for _ in 0..5 {
        assert_eq!(get(&client).await.unwrap().response.status, 200);
    }
}

/// Raw frames (RFC 9113, 4.1).
mod frame {
    pub(super) const HEADERS: u8 = 1;
    pub(super) const RST_STREAM: u8 = 3;
    pub(super) const SETTINGS: u8 = 4;
    pub(super) const PING: u8 = 6;
    pub(super) const GOAWAY: u8 = 7;

    pub(super) fn of(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = (payload.len() as u32).to_be_bytes();
        let stream = stream.to_be_bytes();
        [&length[1..], &[kind, flags], &stream, payload].concat()
    }

    /// A GOAWAY with the last processed stream.
    pub(super) fn goaway(last: u32) -> Vec<u8> {
        of(GOAWAY, 0, 0, &[last.to_be_bytes(), 0_u32.to_be_bytes()].concat())
    }

    /// `:status: 200` by its index in the static table, and no end of the stream.
    pub(super) fn head(stream: u32) -> Vec<u8> {
        of(HEADERS, 4, stream, &[0x88])
    }
}

/// Speaks raw frames until the first request has arrived, and responds with `reaction`; then closes, if
/// `hangs_up`.
async fn react(mut stream: TcpStream, reaction: &[u8], hangs_up: bool) {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.unwrap();
    stream.write_all(&frame::of(frame::SETTINGS, 0, 0, &[])).await.unwrap();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        stream.read_exact(&mut payload).await.unwrap();
        match head[3] {
            frame::PING if head[4] == 0 => {
                stream.write_all(&frame::of(frame::PING, 1, 0, &payload)).await.unwrap();
            }
            frame::HEADERS => break,
            _ => {}
        }
    }
    stream.write_all(reaction).await.unwrap();
    if hangs_up {
        // Everything was read, so that what was written is not lost to a reset.
        stream.shutdown().await.unwrap();
    }
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

#[tokio::test(flavor = "local")]
async fn requests_that_were_left_out_go_out_again_and_the_rest_is_unknown() {
    let reset = |reason: Reason| frame::of(frame::RST_STREAM, 0, 1, &u32::from(reason).to_be_bytes());
    let lost = SendError::NoResponse(NoResponseReason::ConnectionLost);
    let malformed = SendError::NoResponse(NoResponseReason::Malformed);
    let table = [
        ("GOAWAY with it, then the end", frame::goaway(1), true, lost),
        ("another reset", reset(Reason::INTERNAL_ERROR), false, lost),
        ("the end", Vec::new(), true, lost),
        ("the end after the head", frame::head(1), true, lost),
        (
            "REFUSED_STREAM after the head",
            [frame::head(1), reset(Reason::REFUSED_STREAM)].concat(),
            false,
            lost,
        ),
        ("GOAWAY before it after the head", [frame::head(1), frame::goaway(0)].concat(), false, lost),
        ("a head that cannot be decoded", frame::of(frame::HEADERS, 4, 1, &[0x80]), false, malformed),
        ("another stream", frame::head(2), false, malformed),
    ];
    for (what, reaction, hangs_up, expected) in table {
        let (listener, _) = listen("127.0.0.1").await;
        let client = client(&listener).await;
        let server = tokio::task::spawn_local(async move {
            react(listener.accept().await.unwrap().0, &reaction, hangs_up).await;
            // A connection that has ended is replaced by another.
            serve(listener.accept().await.unwrap().0, 100, echo).await;
        });
        assert_eq!(get(&client).await.map(|_| ()), Err(expected), "{what}");
        if hangs_up || expected == malformed {
            assert_eq!(get(&client).await.unwrap().response.status, 201, "after {what}");
        }
        server.abort();
    }
}

#[tokio::test(flavor = "local")]
async fn a_server_of_another_protocol_is_no_connection() {
    let (listener, _) = listen("127.0.0.1").await;
    let client = client(&listener).await;
    tokio::task::spawn_local(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    assert_eq!(get(&client).await.map(|_| ()), Err(SendError::NotSent(NotSentReason::ConnectFailed)));
}

/// What the server left out costs nothing, on the same connection or on a new one; but nobody insists.
#[tokio::test(flavor = "local")]
async fn a_request_that_was_left_out_is_sent_again() {
    let (listener, _) = listen("127.0.0.1").await;
    let client = client(&listener).await;
    tokio::task::spawn_local(async move {
        react(listener.accept().await.unwrap().0, &frame::goaway(0), false).await;
        let refused = Rc::new(Cell::new(0));
        let first_is_refused = |(request, mut respond): Incoming| {
            let refused = Rc::clone(&refused);
            async move {
                // The first one, then the third and the fourth.
                refused.set(refused.get() + 1);
                match refused.get() {
                    1 | 3 | 4 => respond.send_reset(Reason::REFUSED_STREAM),
                    _ => echo((request, respond)).await,
                }
            }
        };
        serve(listener.accept().await.unwrap().0, 100, first_is_refused).await;
    });
    assert_eq!(get(&client).await.unwrap().response.status, 201);
    let rejected = SendError::NotSent(NotSentReason::StreamRejected);
    assert_eq!(get(&client).await.map(|_| ()), Err(rejected), "refused twice");
}

/// A server that leaves out everything is given up.
#[tokio::test(flavor = "local")]
async fn a_server_that_leaves_out_everything_ends_the_attempts() {
    let (listener, _) = listen("127.0.0.1").await;
    let client = client(&listener).await;
    let connections = Rc::new(Cell::new(0));
    let count = Rc::clone(&connections);
    tokio::task::spawn_local(async move {
        loop {
            let stream = listener.accept().await.unwrap().0;
            count.set(count.get() + 1);
            react(stream, &frame::goaway(0), false).await;
        }
    });
    let rejected = SendError::NotSent(NotSentReason::StreamRejected);
    assert_eq!(get(&client).await.map(|_| ()), Err(rejected));
    assert_eq!(connections.get(), MOST_ATTEMPTS);
}

/// The number of connections that five requests take, two in an iteration.
async fn connections_for(reuse: Reuse) -> u32 {
    let (listener, _) = listen("127.0.0.1").await;
    let http = Http { version: Version::Http2, reuse, ..Http::default() };
    let url = format!("http://{}", listener.local_addr().unwrap());
    let dialer = dialer(&url, &http, Trust::None, System).await.unwrap();
    listener.accept().await.unwrap();
    let clock = RunClock::start();
    let client = Http2::new(Rc::new(dialer), ResponseTimeout::new(TIMEOUT.into(), clock), clock);
    let connections = Rc::new(Cell::new(0));
    let count = Rc::clone(&connections);
    tokio::task::spawn_local(async move {
        loop {
            let stream = listener.accept().await.unwrap().0;
            count.set(count.get() + 1);
            tokio::task::spawn_local(serve(stream, 100, echo));
        }
    });
    let mut user = client.connect_user(1);
    for number in 1..=5 {
        client.send(&mut user, &mut exchange("GET / HTTP/1.1", "")).await.unwrap();
        if number % 2 == 0 {
            client.end_iteration(&mut user);
        }
    }
    connections.get()
}

#[tokio::test(flavor = "local")]
async fn a_scenario_decides_what_shares_a_connection() {
    let scope = |scope| Reuse { scope: Some(scope), ..Reuse::default() };
    assert_eq!(connections_for(Reuse::default()).await, 1);
    assert_eq!(connections_for(scope(ConnectionScope::PerIteration)).await, 3);
    assert_eq!(connections_for(scope(ConnectionScope::PerRequest)).await, 5);
    assert_eq!(connections_for(Reuse { max_requests: Some(3), ..Reuse::default() }).await, 2);
}

/// The first request takes the only stream and gets no response: it is unknown; the second is never sent.
#[tokio::test(flavor = "local")]
async fn the_timeout_distinguishes_sent_from_waiting_requests() {
    let (listener, _) = listen("127.0.0.1").await;
    let client = client(&listener).await;
    let (here, mut arrived) = tokio::sync::mpsc::unbounded_channel();
    tokio::task::spawn_local(async move {
        let keep = move |incoming: Incoming| {
            let _ = here.send(incoming);
            async {}
        };
        serve(listener.accept().await.unwrap().0, 1, keep).await;
    });
    let both = [Rc::clone(&client), client]
        .map(|client| tokio::task::spawn_local(async move { get(&client).await.map(|_| ()).unwrap_err() }));
    let _kept = arrived.recv().await.unwrap();
    tokio::time::pause();
    let [first, second] = both;
    assert_eq!(first.await.unwrap(), SendError::NoResponse(NoResponseReason::Timeout));
    assert_eq!(second.await.unwrap(), SendError::NotSent(NotSentReason::ConnectTimeout));
}

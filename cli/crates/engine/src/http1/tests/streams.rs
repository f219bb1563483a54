//! Connections over test streams: narrow ones, and ones that fail.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex,
};

use tokio::task::coop::{consume_budget, has_budget_remaining};

use super::*;
use crate::{
    clock::RunClock,
    connect::lifetime::Lifetime,
    exchange::Exchange,
    http1::connection::{After, Connection, Failure},
};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

fn life() -> Lifetime {
    Lifetime::new(Nanos::ZERO, Nanos::ZERO)
}

fn exchange(bytes: &[u8]) -> Exchange {
    Exchange { request: Request { bytes: bytes.to_vec(), ..get() }, ..Exchange::default() }
}

#[tokio::test]
async fn a_stream_of_any_width_carries_requests_and_responses() {
    let clock = RunClock::start();
    for width in 1..50 {
        let (near, mut far) = duplex(width);
        let mut connection = Connection::new(near, life());
        let server = async {
            for _ in 0..3 {
                let mut request = [0; REQUEST.len()];
                far.read_exact(&mut request).await.unwrap();
                far.write_all(ANSWER).await.unwrap();
            }
            far
        };
        let client = async {
            let mut exchange = exchange(REQUEST);
            for _ in 0..3 {
                assert!(connection.is_idle().await);
                assert_eq!(connection.exchange(&mut exchange, &clock).await, Ok(After::Reuse));
                assert_eq!(exchange.response.body, b"hello");
            }
        };
        tokio::join!(server, client);
    }
}

#[tokio::test]
async fn a_closed_stream_is_noticed_by_a_task_without_budget() {
    let (near, far) = duplex(9);
    let mut connection = Connection::new(near, life());
    drop(far);
    while has_budget_remaining() {
        consume_budget().await;
    }
    assert!(!connection.is_idle().await);
}

/// A stream that accepts a number of bytes and then fails; reads are those of `inner`.
struct Failing {
    takes: usize,
    inner: DuplexStream,
}

impl AsyncWrite for Failing {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let taken = self.takes.min(bytes.len());
        self.takes -= taken;
        Poll::Ready(if taken > 0 { Ok(taken) } else { Err(io::ErrorKind::BrokenPipe.into()) })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Failing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

#[tokio::test]
async fn a_failed_write_is_reported_by_what_was_sent() {
    let clock = RunClock::start();
    for (takes, has_response, expected) in [
        (0, true, Err(Failure::Unsent)),
        (1, false, Err(Failure::Lost)),
        (1, true, Ok(After::Close)),
        (4, true, Ok(After::Reuse)),
    ] {
        let (inner, mut far) = duplex(1_000);
        if has_response {
            far.write_all(ANSWER).await.unwrap();
        }
        drop(far);
        let outcome =
            Connection::new(Failing { takes, inner }, life()).exchange(&mut exchange(b"GET "), &clock).await;
        assert_eq!(outcome, expected, "{takes} bytes taken, answered: {has_response}");
    }
}

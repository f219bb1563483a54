//! A limit on the time that the head of a request takes, from its first byte to its last. (hyper's own includes the
//! idle time before it, which has to be long.) Without one, connections that never complete a head keep their
//! descriptors, and starve everybody else.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// A connection whose reads fail once a head takes longer than the limit.
#[derive(Debug)]
pub struct HeadTimeout<S> {
    stream: S,
    limit: Duration,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Waiting for the first byte of a head after a response.
    Idle,
    /// A head has begun, or the connection is new.
    Head(Head),
    /// A head is complete, and its response has not begun.
    Busy,
}

/// A head that is being received.
#[derive(Debug)]
struct Head {
    end: Instant,
    /// Set up only if the head does not arrive at once.
    timer: Option<Pin<Box<Sleep>>>,
    lines: Lines,
}

impl Head {
    fn new(limit: Duration) -> Self {
        Self { end: Instant::now() + limit, timer: None, lines: Lines::default() }
    }
}

impl<S> HeadTimeout<S> {
    /// Each head on `stream` may take as long as `limit`.
    pub fn new(stream: S, limit: Duration) -> Self {
        Self { stream, limit, state: State::Head(Head::new(limit)) }
    }

    /// Processes received bytes.
    fn received(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if matches!(self.state, State::Idle) {
            self.state = State::Head(Head::new(self.limit));
        }
        if let State::Head(head) = &mut self.state
            && head.lines.end_head(bytes)
        {
            self.state = State::Busy;
        }
    }

    /// Processes sent bytes: a response has begun, unless they only ask for the body.
    fn sent(&mut self, bytes: &[u8]) {
        if !bytes.starts_with(b"HTTP/1.1 100") {
            self.state = State::Idle;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HeadTimeout<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Ready(result) => {
                self.received(buffer.filled().get(before..).unwrap_or_default());
                Poll::Ready(result)
            }
            Poll::Pending => {
                let State::Head(Head { end, timer, .. }) = &mut self.state else { return Poll::Pending };
                let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(*end)));
                timer.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeadTimeout<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.sent(bytes);
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.sent(pieces.first().map_or(&[][..], |first| first));
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The lines of a head so far.
#[derive(Debug, Default)]
struct Lines {
    /// Whether one was not empty: empty ones before a head do not count (RFC 9112, section 2.2).
    has_begun: bool,
    /// Bytes of the line that is not complete yet, and whether the last of them is a CR.
    length: usize,
    ends_in_cr: bool,
}

impl Lines {
    /// Whether these bytes complete the head: with an empty line after others.
    fn end_head(&mut self, bytes: &[u8]) -> bool {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            let line = bytes.get(start..end).unwrap_or_default();
            let ends_in_cr = line.last().map_or(self.ends_in_cr, |last| *last == b'\r');
            let is_empty = self.length + line.len() == usize::from(ends_in_cr);
            if is_empty && self.has_begun {
                return true;
            }
            self.has_begun |= !is_empty;
            (self.length, self.ends_in_cr, start) = (0, false, end + 1);
        }
        let rest = bytes.get(start..).unwrap_or_default();
        self.length += rest.len();
        self.ends_in_cr = rest.last().map_or(self.ends_in_cr, |last| *last == b'\r');
        false
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn a_head_ends_with_its_first_empty_line_however_it_is_split() {
        for (text, end) in [
            ("GET / HTTP/1.1\r\nhost: a\r\n\r\nbody", 27),
            ("GET / HTTP/1.1\n\nbody", 16),
            ("\r\n\nGET / HTTP/1.1\r\n\r\n", 21),
            ("GET / HTTP/1.1\r\na: \r\r\n\r\n", 24),
        ] {
            for cut in 0..=text.len() {
                let (first, second) = text.as_bytes().split_at(cut);
                let mut lines = Lines::default();
                let ended = lines.end_head(first);
                assert_eq!(ended, cut >= end, "{text:?} at {cut}");
                assert!(ended || lines.end_head(second), "{text:?} at {cut}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_heads_are_limited() {
        let (mut client, server) = duplex(1024);
        let mut server = HeadTimeout::new(server, LIMIT);
        let mut byte = [0; 64];
        // A request whose response takes long.
        client.write_all(b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n").await.unwrap();
        let _ = server.read(&mut byte).await.unwrap();
        assert!(
            tokio::time::timeout(3 * LIMIT, server.read(&mut byte)).await.is_err(),
            "its body is awaited"
        );
        server.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        assert!(tokio::time::timeout(3 * LIMIT, server.read(&mut byte)).await.is_err(), "idle");
        // The next head does not end.
        client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        let _ = server.read(&mut byte).await.unwrap();
        let begun = Instant::now();
        let error = server.read(&mut byte).await.unwrap_err();
        assert_eq!((error.kind(), begun.elapsed().as_secs()), (io::ErrorKind::TimedOut, LIMIT.as_secs()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_has_to_send_its_head_in_time() {
        let (_client, server) = duplex(64);
        let begun = Instant::now();
        let read = HeadTimeout::new(server, LIMIT).read(&mut [0; 64]).await;
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), LIMIT.as_secs());
    }
}

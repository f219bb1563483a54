//! One exchange over a stream: sends the request and reads its response, with timestamps.
//!
//! Usually that is one write and one read: the stream is polled again only when it is known to be ready.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::coop::unconstrained,
};
use tokio_util::io::poll_read_buf;

use super::{
    decoder::{Decoder, EndedEarly, Malformed},
    diagnosis,
};
use crate::{clock::RunClock, connect::number, exchange::Exchange};
use saasbench_model::units::Nanos;

/// Scratch for one read.
const READ_CAPACITY: usize = 16 << 10;

/// How long, besides two connect times, it may take until the close of a connection is seen that the server
/// closed before it received the request.
const CLOSE_SEEN_WITHIN: Nanos = Nanos::from_millis(10);

/// How long a connection must have been idle for a server to close it for that.
const LEAST_IDLE: Nanos = Nanos::from_millis(500);

/// A connection over the stream `S`.
#[derive(Debug)]
pub struct Connection<S> {
    stream: S,
    number: u32,
    /// How long it took to connect.
    connected_in: Nanos,
    /// When its last response was complete; `None` if it is new.
    idle_since: Option<Nanos>,
}

/// Why an exchange has no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The stream did not take a byte.
    Unsent,
    /// It ended before the response did.
    Lost,
    /// What was received is not a response.
    Malformed(Malformed),
}

/// Whether a connection can be reused after an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Another one.
    Reuse,
    /// Nothing.
    Close,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// A connection over a connected stream.
    pub fn new(stream: S) -> Self {
        Self { stream, number: number::next(), connected_in: Nanos::ZERO, idle_since: None }
    }

    /// The same, with how long it took to connect.
    #[must_use]
    pub fn connected_in(self, connected_in: Nanos) -> Self {
        Self { connected_in, ..self }
    }

    /// The same, idle since an instant.
    #[must_use]
    pub fn idle_since(self, idle_since: Nanos) -> Self {
        Self { idle_since: Some(idle_since), ..self }
    }

    /// How long it had been idle, if a server may have closed it for that just when a request was sent, at
    /// `sent`, and this was seen at `lost`, without the generator's own delays.
    pub fn closed_idle(&self, sent: Nanos, lost: Nanos) -> Option<Nanos> {
        let idle = sent - self.idle_since?;
        // Later the server had received the request; and nobody closes what was in use a moment ago.
        let soon = self.connected_in + self.connected_in + CLOSE_SEEN_WITHIN;
        (idle >= LEAST_IDLE && lost - sent <= soon).then_some(idle)
    }

    /// Its number, unique within the process.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Whether it is idle and usable: not if the server has closed it, or has sent bytes without a request.
    /// This costs no system call while the stream has nothing to read.
    pub async fn is_idle(&mut self) -> bool {
        let mut byte = [0];
        // Unconstrained: a task that has used up its budget would always get `Pending`.
        unconstrained(poll_fn(|cx| {
            let read = Pin::new(&mut self.stream).poll_read(cx, &mut ReadBuf::new(&mut byte));
            Poll::Ready(read.is_pending())
        }))
        .await
    }

    /// Makes further writes fail; reads still work.
    #[cfg(test)]
    pub(super) async fn reject_writes(&mut self) {
        poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx)).await.unwrap();
    }

    /// Sends `exchange.request` and reads its response. A response that completes before the request is sent
    /// counts.
    ///
    /// # Errors
    /// When there is no response. Then, and if the future is dropped, the connection cannot be used again.
    pub async fn exchange(&mut self, exchange: &mut Exchange, clock: &RunClock) -> Result<After, Failure> {
        let Exchange { request, response, input, problem, .. } = exchange;
        input.clear();
        let mut decoder = Decoder::new(request, clock.zero_unix(), response);
        let mut outgoing = Outgoing { left: &request.bytes, state: Leaving::Nothing };
        poll_fn(|cx| {
            if outgoing.poll(&mut self.stream, cx).is_pending() && outgoing.state == Leaving::Nothing {
                return Poll::Pending;
            }
            if outgoing.state == Leaving::Nothing {
                return Poll::Ready(Err(Failure::Unsent));
            }
            loop {
                input.reserve(READ_CAPACITY);
                let read = ready!(poll_read_buf(Pin::new(&mut self.stream), cx, input));
                let now = clock.now();
                match read {
                    Ok(0) => decoder.finish(input, now, response).map_err(Failure::from)?,
                    Ok(_) => {
                        let taken = decoder.decode(input, now, response).map_err(Failure::Malformed)?;
                        input.drain(..taken);
                    }
                    Err(error) => {
                        *problem = diagnosis::of_loss(&error);
                        return Poll::Ready(Err(Failure::Lost));
                    }
                }
                if decoder.is_done() {
                    response.done = now;
                    let is_clean = outgoing.state == Leaving::All && input.is_empty();
                    let after = if is_clean && decoder.keeps_alive() { After::Reuse } else { After::Close };
                    input.clear();
                    return Poll::Ready(Ok(after));
                }
            }
        })
        .await
    }
}

impl From<EndedEarly> for Failure {
    fn from(end: EndedEarly) -> Self {
        match end {
            EndedEarly::Truncated => Self::Lost,
            EndedEarly::Malformed(malformed) => Self::Malformed(malformed),
        }
    }
}

/// A request that is being sent.
struct Outgoing<'a> {
    left: &'a [u8],
    state: Leaving,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaving {
    /// Not a byte was sent.
    Nothing,
    /// Some have.
    Some,
    /// All have.
    All,
    /// Some have, and no more will: the other side rejects them. It may have responded nevertheless.
    Broken,
}

impl Outgoing<'_> {
    /// Writes what the stream takes; ready when there is nothing left to do.
    fn poll<S: AsyncWrite + Unpin>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<()> {
        while matches!(self.state, Leaving::Nothing | Leaving::Some) {
            let written = if self.left.is_empty() {
                ready!(Pin::new(&mut *stream).poll_flush(cx)).map(|()| 0)
            } else {
                ready!(Pin::new(&mut *stream).poll_write(cx, self.left))
            };
            let is_flushed = self.left.is_empty();
            match written {
                Ok(_) if is_flushed => self.state = Leaving::All,
                Ok(count) if count > 0 => {
                    self.left = &self.left[count..];
                    self.state = Leaving::Some;
                }
                _ if self.state == Leaving::Nothing => break,
                _ => self.state = Leaving::Broken,
            }
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_is_idle_only_on_an_idle_connection_and_if_it_is_seen_at_once() {
        let ms = Nanos::from_millis;
        let closed = |idle_since: Option<i64>, sent: i64, lost: i64| {
            let connection = Connection::new(tokio::io::empty()).connected_in(ms(3));
            let connection = match idle_since {
                Some(since) => connection.idle_since(ms(since)),
                None => connection,
            };
            connection.closed_idle(ms(sent), ms(lost))
        };
        // Two connect times and 10 ms.
        assert_eq!(closed(Some(1_000), 6_000, 6_016), Some(ms(5_000)));
        assert_eq!(closed(Some(1_000), 6_000, 6_017), None, "the server had received it");
        assert_eq!(closed(Some(1_000), 1_499, 1_500), None, "in use a moment ago");
        assert_eq!(closed(None, 6_000, 6_001), None, "a new connection");
    }
}

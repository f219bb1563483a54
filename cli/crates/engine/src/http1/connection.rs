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
use crate::{
    clock::RunClock,
    connect::{lifetime::Lifetime, number},
    exchange::{Exchange, Response},
};

/// Scratch for one read.
const READ_CAPACITY: usize = 16 << 10;

/// A connection over the stream `S`.
#[derive(Debug)]
pub struct Connection<S> {
    stream: S,
    number: u32,
    life: Lifetime,
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
    pub fn new(stream: S, life: Lifetime) -> Self {
        Self { stream, number: number::next(), life }
    }

    /// What is known of its life.
    pub fn life(&self) -> &Lifetime {
        &self.life
    }

    /// The same after a response was complete.
    #[must_use]
    pub fn after(mut self, response: &Response) -> Self {
        self.life.respond(response.done, response.kept_for);
        self
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

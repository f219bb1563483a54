//! Parses a response from its bytes, however they are split; independent of sockets and clocks.
//!
//! A [`Decoder`] is created for one request. It consumes what it can and leaves the rest (the start of a
//! head, of a chunk's size, of the trailers), which must be passed again once there is more.

use super::head::{self, Asked, Body, Head};
use crate::exchange::{BODY_KEPT, Request, Response};
use saasbench_model::units::Nanos;

pub use super::malformed::{CHUNK_LINE_LIMIT, EndedEarly, HEAD_LIMIT, Malformed};

/// Parses one response.
#[derive(Debug)]
pub struct Decoder {
    asked: Asked,
    zero_unix: Nanos,
    state: State,
    /// Whether a byte of the final head was received.
    has_started: bool,
    keeps_alive: bool,
    /// Bytes of informational heads and empty lines so far.
    preliminary: usize,
    /// How many of the available bytes were examined and were not sufficient.
    looked_at: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    /// Missing bytes of the body; at least one.
    Sized(u64),
    UntilClose,
    ChunkSize,
    /// Missing bytes of the chunk; at least one.
    Chunk(u64),
    ChunkEnd,
    Trailers,
    Done,
}

impl Decoder {
    /// For the response to `request`, which is written to `response`. `zero_unix` is the zero of the run's
    /// clock since the epoch.
    pub fn new(request: &Request, zero_unix: Nanos, response: &mut Response) -> Self {
        response.head.clear();
        response.body.clear();
        response.limiter = Default::default();
        response.body_bytes = 0;
        Self {
            asked: request.into(),
            zero_unix,
            state: State::Head,
            has_started: false,
            keeps_alive: false,
            preliminary: 0,
            looked_at: 0,
        }
    }

    /// Whether the response is complete.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether the connection can take another request after this response, as far as the response shows.
    pub fn keeps_alive(&self) -> bool {
        self.keeps_alive
    }

    /// Consumes what it can of `input`, whose last bytes were received at `now`, and returns how much that
    /// was; the rest must be at the start of the next input. Consumes nothing after a complete response.
    ///
    /// # Errors
    /// When this cannot become a response; the decoder cannot be used any more.
    pub fn decode(&mut self, input: &[u8], now: Nanos, response: &mut Response) -> Result<usize, Malformed> {
        let mut taken = 0;
        while let Some(more) = self.step(&input[taken..], now, response)? {
            taken += more;
            self.looked_at = 0;
        }
        Ok(taken)
    }

    /// The connection ended at `now`, with `rest` not consumed.
    ///
    /// # Errors
    /// When the response is not complete.
    pub fn finish(&mut self, rest: &[u8], now: Nanos, response: &mut Response) -> Result<(), EndedEarly> {
        self.looked_at = 0;
        self.decode(rest, now, response).map_err(EndedEarly::Malformed)?;
        match self.state {
            State::Done => Ok(()),
            State::UntilClose => {
                self.state = State::Done;
                Ok(())
            }
            _ => Err(EndedEarly::Truncated),
        }
    }

    /// Consumes the next element; `None` if it is not complete, or there is none.
    fn step(
        &mut self,
        input: &[u8],
        now: Nanos,
        response: &mut Response,
    ) -> Result<Option<usize>, Malformed> {
        if input.is_empty() {
            return Ok(None);
        }
        match self.state {
            State::Done => Ok(None),
            State::Head => self.head(input, now, response),
            State::Sized(left) => {
                let (taken, left) = self.content(input, left, response);
                self.state = if left == 0 { State::Done } else { State::Sized(left) };
                Ok(Some(taken))
            }
            State::UntilClose => Ok(Some(self.content(input, u64::MAX, response).0)),
            State::ChunkSize => self.chunk_size(input),
            State::Chunk(left) => {
                let (taken, left) = self.content(input, left, response);
                self.state = if left == 0 { State::ChunkEnd } else { State::Chunk(left) };
                Ok(Some(taken))
            }
            State::ChunkEnd => match input {
                [b'\r', b'\n', ..] => {
                    self.state = State::ChunkSize;
                    Ok(Some(2))
                }
                [b'\r'] => Ok(None),
                _ => Err(Malformed::ChunkEnd),
            },
            State::Trailers => self.trailers(input),
        }
    }

    fn head(
        &mut self,
        input: &[u8],
        now: Nanos,
        response: &mut Response,
    ) -> Result<Option<usize>, Malformed> {
        if !self.has_started {
            self.has_started = true;
            response.first_byte = now;
        }
        // Empty lines that some servers send after a body.
        let empty = match input {
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => 0,
        };
        let left = HEAD_LIMIT - self.preliminary;
        if empty > 0 {
            return self.skip(empty, left);
        }
        if !self.may_be_whole(input) {
            return if input.len() < left { Ok(None) } else { Err(Malformed::TooLong) };
        }
        match head::read(input, self.asked, self.zero_unix, response)? {
            None if input.len() < left => Ok(None),
            Some((length, _)) if length > left => Err(Malformed::TooLong),
            None => Err(Malformed::TooLong),
            Some((length, Head::Informational)) => self.skip(length, left),
            Some((length, Head::Final { body, keeps_alive })) => {
                self.keeps_alive = keeps_alive;
                self.state = match body {
                    Body::Sized(0) => State::Done,
                    Body::Sized(length) => State::Sized(length),
                    Body::Chunked => State::ChunkSize,
                    Body::UntilClose => State::UntilClose,
                };
                Ok(Some(length))
            }
        }
    }

    /// Skips what precedes the head of the response.
    fn skip(&mut self, length: usize, left: usize) -> Result<Option<usize>, Malformed> {
        if length >= left {
            return Err(Malformed::TooLong);
        }
        self.preliminary += length;
        self.has_started = false;
        Ok(Some(length))
    }

    /// Consumes at most `left` bytes of content: returns how many, and how many are left.
    fn content(&self, input: &[u8], left: u64, response: &mut Response) -> (usize, u64) {
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
        response.body_bytes += taken as u64;
        if self.asked.keep_body {
            let kept = taken.min(BODY_KEPT - response.body.len());
            response.body.extend_from_slice(&input[..kept]);
        }
        (taken, left - taken as u64)
    }

    fn chunk_size(&mut self, input: &[u8]) -> Result<Option<usize>, Malformed> {
        // httparse accepts a line without a digit as size 0, and ignores a line feed in an extension, which
        // others take for the end of the line.
        let line = memchr::memchr(b'\n', input).map_or(input, |end| &input[..=end]);
        if !input[0].is_ascii_hexdigit() || line.len() > CHUNK_LINE_LIMIT {
            return Err(Malformed::ChunkSize);
        }
        // httparse counts zeros in front as digits, of which it takes fifteen.
        let zeros = line.iter().take_while(|byte| **byte == b'0').count();
        let is_zero = !line.get(zeros).is_some_and(u8::is_ascii_hexdigit);
        let skipped = zeros - usize::from(is_zero && zeros > 0);
        match httparse::parse_chunk_size(&line[skipped..]) {
            Ok(httparse::Status::Complete((length, size))) => {
                self.state = if size == 0 { State::Trailers } else { State::Chunk(size) };
                Ok(Some(skipped + length))
            }
            Ok(httparse::Status::Partial) if !line.ends_with(b"\n") && line.len() < CHUNK_LINE_LIMIT => {
                Ok(None)
            }
            _ => Err(Malformed::ChunkSize),
        }
    }

    fn trailers(&mut self, input: &[u8]) -> Result<Option<usize>, Malformed> {
        if !self.may_be_whole(input) {
            return if input.len() < HEAD_LIMIT { Ok(None) } else { Err(Malformed::TooLong) };
        }
        let mut fields = vec![httparse::EMPTY_HEADER; memchr::memchr_iter(b'\n', input).count()];
        match httparse::parse_headers(input, &mut fields).map_err(Malformed::Trailers)? {
            // A bare line feed ends a line for httparse, but not for every parser.
            httparse::Status::Complete((length, _)) if has_bare_line_feed(&input[..length]) => {
                Err(Malformed::Trailers(httparse::Error::NewLine))
            }
            httparse::Status::Complete((length, _)) if length <= HEAD_LIMIT => {
                self.state = State::Done;
                Ok(Some(length))
            }
            httparse::Status::Partial if input.len() < HEAD_LIMIT => Ok(None),
            _ => Err(Malformed::TooLong),
        }
    }

    /// Whether parsing is worthwhile: the first time, and when a line ended since the last attempt. So a head
    /// that arrives byte by byte is not parsed for every byte.
    fn may_be_whole(&mut self, input: &[u8]) -> bool {
        let (before, fresh) = input.split_at(self.looked_at.min(input.len()));
        self.looked_at = input.len();
        before.is_empty() || memchr::memchr(b'\n', fresh).is_some()
    }
}

fn has_bare_line_feed(lines: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', lines).any(|end| end == 0 || lines[end - 1] != b'\r')
}

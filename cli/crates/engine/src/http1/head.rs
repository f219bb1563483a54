//! Parses the head of a response: its status, how its body is delimited (RFC 9112, section 6.3), whether the
//! connection persists (section 9.3), and the limiter's fields.

use std::mem::MaybeUninit;

use super::{malformed::Malformed, unusual};
use crate::{
    exchange::{Request, Response},
    limiter_fields::LimiterFields,
};
use saasbench_model::units::Nanos;

/// How many fields a head may have without memory of its own. More are read, too, up to `HEAD_LIMIT` bytes.
const USUAL_FIELDS: usize = 128;

/// A parsed head.
pub(super) enum Head {
    /// An informational one (1xx): another head follows.
    Informational,
    /// The head of the response.
    Final {
        /// How its body is delimited.
        body: Body,
        /// Whether the connection can take another request after it.
        keeps_alive: bool,
    },
}

/// How a body is delimited.
pub(super) enum Body {
    /// By its length, which may be zero.
    Sized(u64),
    /// By chunks.
    Chunked,
    /// By the end of the connection.
    UntilClose,
}

/// Parses a head at the start of `bytes` into `response`; returns its length, including the empty line.
/// `None` if it is not complete.
pub(super) fn read(
    bytes: &[u8],
    request: Asked,
    zero_unix: Nanos,
    response: &mut Response,
) -> Result<Option<(usize, Head)>, Malformed> {
    let mut fields = [const { MaybeUninit::uninit() }; USUAL_FIELDS];
    let mut message = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut message,
        bytes,
        &mut fields,
    );
    match parsed {
        Ok(httparse::Status::Complete(length)) => {
            Ok(Some((length, interpret(&message, request, zero_unix, response)?)))
        }
        Ok(httparse::Status::Partial) => Ok(None),
        Err(_) => read_unusual(bytes, request, zero_unix, response),
    }
}

/// Parses a head that the usual parser rejects, after bringing it into the usual form. What is invalid in this form, too, is malformed.
fn read_unusual(
    bytes: &[u8],
    request: Asked,
    zero_unix: Nanos,
    response: &mut Response,
) -> Result<Option<(usize, Head)>, Malformed> {
    let bytes = unusual::normalized(bytes);
    let mut fields = vec![httparse::EMPTY_HEADER; memchr::memchr_iter(b'\n', &bytes).count()];
    let mut message = httparse::Response::new(&mut fields);
    match message.parse(&bytes).map_err(Malformed::Head)? {
        httparse::Status::Complete(length) => {
            Ok(Some((length, interpret(&message, request, zero_unix, response)?)))
        }
        httparse::Status::Partial => Ok(None),
    }
}

/// What a complete head states; its status and fields are written to `response`.
fn interpret(
    message: &httparse::Response<'_, '_>,
    request: Asked,
    zero_unix: Nanos,
    response: &mut Response,
) -> Result<Head, Malformed> {
    let status = message.code.unwrap_or(0);
    match status {
        0..100 => return Err(Malformed::Status),
        101 => return Err(Malformed::Upgrade),
        100..200 => return Ok(Head::Informational),
        _ => {}
    }
    let mut framing = Framing::default();
    let mut limiter = LimiterFields::default();
    for field in &*message.headers {
        framing.note(field.name, field.value);
        limiter.note(field.name.as_bytes(), field.value, response);
        if request.keep_head {
            for part in [field.name.as_bytes(), b": ", field.value, b"\r\n"] {
                response.head.extend_from_slice(part);
            }
        }
    }
    response.status = status;
    response.kept_for = framing.kept_for;
    limiter.finish(zero_unix, response);
    let is_old = message.version == Some(0);
    let has_no_body = request.is_head || matches!(status, 204 | 304);
    let body = if has_no_body { Body::Sized(0) } else { framing.body(is_old)? };
    let keeps_alive = framing.keeps_alive(is_old) && !matches!(body, Body::UntilClose);
    Ok(Head::Final { body, keeps_alive })
}

/// The properties of a request that matter for parsing its response.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) is_head: bool,
    pub(super) keep_head: bool,
    pub(super) keep_body: bool,
}

impl From<&Request> for Asked {
    fn from(request: &Request) -> Self {
        Self { is_head: request.is_head, keep_head: request.keep_head, keep_body: request.keep_body }
    }
}

/// What the fields state about body and connection.
#[derive(Default)]
struct Framing {
    /// `Content-Length`, if present; an error if it is invalid or ambiguous.
    length: Option<Result<u64, Malformed>>,
    /// The transfer codings, if the field is present.
    codings: Option<Codings>,
    close: bool,
    keep_alive: bool,
    /// `timeout` of `Keep-Alive`.
    kept_for: Option<Nanos>,
}

impl Framing {
    fn note(&mut self, name: &str, value: &[u8]) {
        match name.len() {
            10 if is(name, "Connection", "connection") => {
                for option in elements(value) {
                    self.close |= option.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            10 if is(name, "Keep-Alive", "keep-alive") => {
                let seconds = elements(value).find_map(|part| {
                    let (key, seconds) = part.split_at_checked(b"timeout=".len())?;
                    key.eq_ignore_ascii_case(b"timeout=").then(|| digits(seconds))?
                });
                self.kept_for =
                    seconds.map(|seconds| Nanos::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX)));
            }
            14 if is(name, "Content-Length", "content-length") => {
                for element in value.split(|byte| *byte == b',') {
                    let length = digits(element.trim_ascii()).ok_or(Malformed::ContentLength);
                    self.length = Some(match self.length.take() {
                        Some(before) if before != length => Err(Malformed::ContentLength),
                        _ => length,
                    });
                }
            }
            17 if is(name, "Transfer-Encoding", "transfer-encoding") => {
                let codings = self.codings.get_or_insert_default();
                elements(value).for_each(|coding| codings.note(coding));
            }
            _ => {}
        }
    }

    /// How the body is delimited, if there may be one; `is_old` for HTTP/1.0, which has no transfer codings.
    fn body(&self, is_old: bool) -> Result<Body, Malformed> {
        match (self.codings, self.length) {
            (Some(_), _) if is_old => Err(Malformed::TransferEncoding),
            (Some(Codings { chunked: 2.., .. }), _) => Err(Malformed::TransferEncoding),
            (Some(Codings { ends_chunked: true, .. }), _) => Ok(Body::Chunked),
            // Another last coding is delimited by nothing but the end of the connection.
            (Some(_), _) => Ok(Body::UntilClose),
            (None, Some(length)) => length.map(Body::Sized),
            (None, None) => Ok(Body::UntilClose),
        }
    }

    /// Whether the connection persists. If a response has both kinds of framing, what the other side meant is
    /// unknown.
    fn keeps_alive(&self, is_old: bool) -> bool {
        let is_ambiguous = self.codings.is_some() && self.length.is_some();
        !self.close && !is_ambiguous && (!is_old || self.keep_alive)
    }
}

/// The transfer codings of a response, in the order in which they were applied.
#[derive(Debug, Clone, Copy, Default)]
struct Codings {
    /// How often `chunked` is among them: it must not be applied twice.
    chunked: u32,
    /// Whether it is the last one.
    ends_chunked: bool,
}

impl Codings {
    fn note(&mut self, coding: &[u8]) {
        self.ends_chunked = coding.eq_ignore_ascii_case(b"chunked");
        self.chunked += u32::from(self.ends_chunked);
    }
}

/// Whether a name equals this one, in any case. The two common spellings are compared first, without looking
/// at each letter.
fn is(name: &str, usual: &str, lower: &str) -> bool {
    name == usual || name == lower || name.eq_ignore_ascii_case(lower)
}

/// The elements of a list, trimmed. Empty ones do not count (RFC 9110, section 5.6.1.2).
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// Parses a number that consists of digits only.
fn digits(text: &[u8]) -> Option<u64> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    is_number.then(|| std::str::from_utf8(text).ok()?.parse().ok())?
}

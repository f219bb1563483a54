//! The pieces of compiled templates, and how values are escaped in them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use percent_encoding::utf8_percent_encode;

use super::RenderFailed;
use saasbench_model::scenario::template::{Escape, RESERVED, Variable};

/// A piece of a message.
#[derive(Debug)]
pub(super) enum Piece {
    Text(Box<[u8]>),
    Variable(Variable, Place),
    /// Decimal length of the body.
    BodyLength,
    /// `Basic` and the rendered pieces in Base64 (RFC 7617).
    Basic(Vec<Piece>),
    /// The user's cookies, if it has any.
    Cookies,
}

/// The part of a message that a variable is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Field,
    Body(Escape),
    Path,
}

impl Piece {
    /// Appends text, merged with preceding text.
    pub(super) fn push_text(pieces: &mut Vec<Self>, text: &[u8]) {
        match pieces.last_mut() {
            _ if text.is_empty() => {}
            Some(Self::Text(last)) => *last = [last, text].concat().into(),
            _ => pieces.push(Self::Text(text.into())),
        }
    }
}

/// `Basic` with these credentials.
pub(super) fn basic(credentials: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"Basic ");
    out.extend_from_slice(base64(credentials).as_bytes());
}

/// Credentials as they are sent.
pub(crate) fn base64(credentials: &[u8]) -> String {
    STANDARD.encode(credentials)
}

pub(super) fn number(number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let (mut at, mut rest) = (digits.len(), number);
    loop {
        at -= 1;
        // A remainder of ten is a digit.
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Writes a value, escaped for its place.
pub(super) fn put(place: Place, value: &str, out: &mut Vec<u8>) -> Result<(), RenderFailed> {
    match place {
        Place::Body(Escape::Json) => {
            let is_plain = |byte: &u8| *byte >= b' ' && !b"\"\\".contains(byte);
            if value.as_bytes().iter().all(is_plain) {
                out.extend_from_slice(value.as_bytes());
            } else {
                // The template contains the surrounding quotes.
                let quoted = serde_json::Value::from(value).to_string();
                out.extend_from_slice(quoted.get(1..quoted.len() - 1).unwrap_or_default().as_bytes());
            }
        }
        Place::Path | Place::Body(Escape::Url) => {
            utf8_percent_encode(value, RESERVED).for_each(|piece| out.extend_from_slice(piece.as_bytes()));
        }
        // A line break would end the field, and let the value add another one.
        Place::Field => {
            if value.bytes().any(|byte| (byte < b' ' && byte != b'\t') || byte == 0x7f) {
                return Err(RenderFailed);
            }
            out.extend_from_slice(value.as_bytes());
        }
        Place::Body(Escape::None | Escape::Basic) => out.extend_from_slice(value.as_bytes()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal() {
        for value in [0, 7, 10, 123_456, u64::MAX] {
            let mut out = Vec::new();
            number(value, &mut out);
            assert_eq!(out, value.to_string().as_bytes());
        }
    }
}

//! Parses the limiter's fields of a response: `X-RateLimit-*`, `Retry-After`, `RateLimit` and
//! `RateLimit-Policy`.
//!
//! It is called for every field of every response, so other names cost a comparison of length and first byte.
//! A field that cannot be parsed counts as absent.

use std::{str::FromStr, sync::Arc};

use super::exchange::Response;
use saasbench_model::units::Nanos;

/// Parses the limiter's fields of one response.
#[derive(Debug, Default)]
pub struct LimiterFields {
    /// One bit for each single-valued field that was seen: the first one decides, whether valid or not.
    seen: u8,
    /// The instant of a `Retry-After` that is an HTTP date, since the epoch.
    date: Option<Nanos>,
}

impl LimiterFields {
    /// Processes one field; names in any case.
    pub fn note(&mut self, name: &[u8], value: &[u8], response: &mut Response) {
        let (bit, is_named): (u8, fn(&[u8]) -> bool) =
            match (name.len(), name.first().map(u8::to_ascii_lowercase)) {
                (9, Some(b'r')) => (0, |name| name.eq_ignore_ascii_case(b"ratelimit")),
                (11, Some(b'r')) => (1, |name| name.eq_ignore_ascii_case(b"retry-after")),
                (16, Some(b'r')) => (0, |name| name.eq_ignore_ascii_case(b"ratelimit-policy")),
                (17, Some(b'x')) if name[12].eq_ignore_ascii_case(&b'l') => {
                    (2, |name| name.eq_ignore_ascii_case(b"x-ratelimit-limit"))
                }
                (17, Some(b'x')) => (4, |name| name.eq_ignore_ascii_case(b"x-ratelimit-reset")),
                (21, Some(b'x')) => (8, |name| name.eq_ignore_ascii_case(b"x-ratelimit-remaining")),
                _ => return,
            };
        if !is_named(name) || self.seen & bit != 0 {
            return;
        }
        self.seen |= bit;
        let Some(text) = text(value) else { return };
        let said = &mut response.limiter;
        match (bit, name.len()) {
            (1, _) => {
                said.retry_after = read(text);
                if said.retry_after.is_none() {
                    self.date = date(text);
                }
            }
            (2, _) => said.limit = read(text),
            (4, _) => said.reset = read(text),
            (8, _) => said.remaining = read(text),
            (_, 9) => append(&mut said.state, text),
            _ => match &response.policy_before {
                // Policies rarely change, so their text is rarely allocated.
                Some(before) if said.policy.is_none() && **before == *text => {
                    said.policy = Some(Arc::clone(before));
                }
                _ => {
                    append(&mut said.policy, text);
                    response.policy_before.clone_from(&said.policy);
                }
            },
        }
    }

    /// Converts `Retry-After` to a duration from `response.first_byte`; `zero_unix` is the zero of the run's
    /// clock since the epoch.
    pub fn finish(self, zero_unix: Nanos, response: &mut Response) {
        response.retry_after = match (response.limiter.retry_after, self.date) {
            (Some(seconds), _) => Some(Nanos::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))),
            (None, date) => date.map(|at| (at - zero_unix - response.first_byte).max(Nanos::ZERO)),
        };
    }
}

/// A value as text; `None` if it is not ASCII. (Fields cannot contain control characters.)
fn text(value: &[u8]) -> Option<&str> {
    if value.is_ascii() { std::str::from_utf8(value).ok() } else { None }
}

fn read<T: FromStr>(text: &str) -> Option<T> {
    text.trim().parse().ok()
}

/// Joins a repeated field, which is a list.
fn append(list: &mut Option<Arc<str>>, text: &str) {
    *list = Some(match list.take() {
        None => text.into(),
        Some(before) => format!("{before}, {text}").into(),
    });
}

/// The instant of an HTTP date, since the epoch.
fn date(text: &str) -> Option<Nanos> {
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
    Some(Nanos::from_secs(at.as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use saasbench_record::sample::LimiterHeaders;

    /// The result for a response with these fields, its first byte 10 s after a zero at `zero_unix`.
    fn said(fields: &[(&str, &[u8])], zero_unix: Nanos) -> Response {
        let mut response = Response { first_byte: Nanos::from_secs(10), ..Response::default() };
        let mut limiter = LimiterFields::default();
        for (name, value) in fields {
            limiter.note(name.as_bytes(), value, &mut response);
        }
        limiter.finish(zero_unix, &mut response);
        response
    }

    #[test]
    fn every_field_is_read_in_any_case() {
        let response = said(
            &[
                ("X-RateLimit-Limit", b" 8 "),
                ("x-ratelimit-remaining", b"3"),
                ("X-RATELIMIT-RESET", b"1700000000.5"),
                ("Retry-After", b"7"),
                ("RateLimit", b"\"chat\";r=0;t=7"),
                ("RateLimit-Policy", b"\"chat\";q=8;w=10"),
            ],
            Nanos::ZERO,
        );
        let expected = LimiterHeaders {
            limit: Some(8),
            remaining: Some(3),
            reset: Some(1_700_000_000.5),
            retry_after: Some(7),
            policy: Some("\"chat\";q=8;w=10".into()),
            state: Some("\"chat\";r=0;t=7".into()),
        };
        assert_eq!(response.limiter, expected);
        assert_eq!(response.retry_after, Some(Nanos::from_secs(7)));
    }

    #[test]
    fn unreadable_fields_are_absent_and_the_first_of_several_counts() {
        let response = said(
            &[
                ("x-ratelimit-limit", b"8, 9"),
                ("x-ratelimit-limit", b"9"),
                ("x-ratelimit-remaining", b"many"),
                ("x-ratelimit-reset", b"\xff1"),
                ("ratelimit", b"\x80"),
                ("x-ratelimit-limix", b"4"),
                ("retry-aftex", b"4"),
                ("", b"4"),
            ],
            Nanos::ZERO,
        );
        assert_eq!(response.limiter, LimiterHeaders::default());
        assert_eq!(response.retry_after, None);
    }

    #[test]
    fn lists_are_joined() {
        let response = said(
            &[("ratelimit-policy", b"\"a\";q=1;w=1"), ("RateLimit-Policy", b"\"b\";q=9;w=60")],
            Nanos::ZERO,
        );
        assert_eq!(response.limiter.policy.as_deref(), Some("\"a\";q=1;w=1, \"b\";q=9;w=60"));
    }

    #[test]
    fn retry_after_may_be_a_date() {
        let zero = Nanos::from_secs(784_111_700);
        for (text, expected) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(67)),
            ("Sun, 06 Nov 1994 08:48:00 GMT", Some(0)),
            ("Mon, 06 Nov 1994 08:49:37 GMT", None),
            ("soon", None),
            ("7", Some(7)),
        ] {
            let response = said(&[("retry-after", text.as_bytes())], zero);
            assert_eq!(response.retry_after, expected.map(Nanos::from_secs), "{text}");
        }
    }
}

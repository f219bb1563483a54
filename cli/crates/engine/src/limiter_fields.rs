//! Parses the limiter's fields of a response: `X-RateLimit-*` (or `X-Rate-Limit-*`), `Retry-After`, `RateLimit`
//! and `RateLimit-Policy`, and the fields of earlier drafts, `RateLimit-Limit`, `-Remaining` and `-Reset`.
//!
//! It is called for every field of every response, so other names cost a comparison of length and first byte.
//! A field that cannot be parsed is kept as text: it is a promise that nobody can test.

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
        let Some(field) = Field::named(name) else { return };
        let bit = field.bit();
        if self.seen & bit != 0 {
            return;
        }
        self.seen |= bit;
        let said = &mut response.limiter;
        let is_read = text(value).is_some_and(|text| match field {
            Field::Limit => read(leading(text), &mut said.limit),
            Field::Remaining => read(text, &mut said.remaining),
            Field::Reset => read(text, &mut said.reset),
            Field::ResetAfter => read(text, &mut None::<u64>),
            Field::RetryAfter if read(text, &mut said.retry_after) => true,
            Field::RetryAfter => {
                self.date = date(text);
                if self.date.is_some() {
                    append(&mut said.unread, "\n", &format!("Retry-After (date): {text}"));
                }
                self.date.is_some()
            }
            Field::State => {
                append(&mut said.state, ", ", text);
                true
            }
            Field::Policy => {
                match &response.policy_before {
                    // Policies rarely change, so their text is rarely allocated.
                    Some(before) if said.policy.is_none() && **before == *text => {
                        said.policy = Some(Arc::clone(before));
                    }
                    _ => {
                        append(&mut said.policy, ", ", text);
                        response.policy_before.clone_from(&said.policy);
                    }
                }
                true
            }
        });
        if !is_read {
            let name = String::from_utf8_lossy(name);
            let value = text(value).map_or("(not ASCII)", |text| text.get(..MOST_SHOWN).unwrap_or(text));
            append(&mut said.unread, "\n", &format!("{name}: {value}"));
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

/// Bytes that are kept of a value that cannot be read.
const MOST_SHOWN: usize = 60;

/// A field of the limiter, by what it states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Limit,
    Remaining,
    /// An instant.
    Reset,
    /// A number of seconds, in earlier drafts.
    ResetAfter,
    RetryAfter,
    State,
    Policy,
}

impl Field {
    fn named(name: &[u8]) -> Option<Self> {
        let (field, its): (Self, &[u8]) = match (name.len(), name.first().map(u8::to_ascii_lowercase)) {
            (9, Some(b'r')) => (Self::State, b"ratelimit"),
            (11, Some(b'r')) => (Self::RetryAfter, b"retry-after"),
            (15, Some(b'r')) if name[10].eq_ignore_ascii_case(&b'l') => (Self::Limit, b"ratelimit-limit"),
            (15, Some(b'r')) => (Self::ResetAfter, b"ratelimit-reset"),
            (16, Some(b'r')) => (Self::Policy, b"ratelimit-policy"),
            (17, Some(b'x')) if name[12].eq_ignore_ascii_case(&b'l') => (Self::Limit, b"x-ratelimit-limit"),
            (17, Some(b'x')) => (Self::Reset, b"x-ratelimit-reset"),
            (18, Some(b'x')) if name[13].eq_ignore_ascii_case(&b'l') => (Self::Limit, b"x-rate-limit-limit"),
            (18, Some(b'x')) => (Self::Reset, b"x-rate-limit-reset"),
            (19, Some(b'r')) => (Self::Remaining, b"ratelimit-remaining"),
            (21, Some(b'x')) => (Self::Remaining, b"x-ratelimit-remaining"),
            (22, Some(b'x')) => (Self::Remaining, b"x-rate-limit-remaining"),
            _ => return None,
        };
        name.eq_ignore_ascii_case(its).then_some(field)
    }

    /// A bit of its own for a field of which the first one counts, under whichever name; 0 for a list.
    fn bit(self) -> u8 {
        match self {
            Self::RetryAfter => 1,
            Self::Limit => 2,
            Self::Reset => 4,
            Self::Remaining => 8,
            Self::ResetAfter => 16,
            Self::State | Self::Policy => 0,
        }
    }
}

/// The number before the policies that earlier drafts append to a limit: `8, 8;w=10`.
fn leading(text: &str) -> &str {
    match text.split_once(',') {
        Some((first, policies)) if policies.split(',').all(|policy| policy.contains(';')) => first,
        _ => text,
    }
}

/// A value as text; `None` if it is not ASCII. (Fields cannot contain control characters.)
fn text(value: &[u8]) -> Option<&str> {
    if value.is_ascii() { std::str::from_utf8(value).ok() } else { None }
}

/// Reads a number; returns whether it is one.
fn read<T: FromStr>(text: &str, into: &mut Option<T>) -> bool {
    *into = text.trim().parse().ok();
    into.is_some()
}

/// Joins a repeated field, which is a list.
fn append(list: &mut Option<Arc<str>>, between: &str, text: &str) {
    *list = Some(match list.take() {
        None => text.into(),
        Some(before) => format!("{before}{between}{text}").into(),
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
            unread: None,
        };
        assert_eq!(response.limiter, expected);
        assert_eq!(response.retry_after, Some(Nanos::from_secs(7)));
    }

    #[test]
    fn fields_that_cannot_be_read_are_kept_as_text_and_the_first_of_several_counts() {
        let long = "9".repeat(80);
        let response = said(
            &[
                ("x-ratelimit-limit", b"8, 9"),
                ("x-ratelimit-limit", b"9"),
                ("X-RateLimit-Remaining", b"many"),
                ("x-ratelimit-reset", b"\xff1"),
                ("retry-after", b"-3"),
                ("ratelimit-reset", long.as_bytes()),
                ("ratelimit", b"\x80"),
                ("x-ratelimit-limix", b"4"),
                ("retry-aftex", b"4"),
                ("", b"4"),
            ],
            Nanos::ZERO,
        );
        let unread = response.limiter.unread.clone();
        assert_eq!(LimiterHeaders { unread: None, ..response.limiter }, LimiterHeaders::default());
        assert_eq!(response.retry_after, None);
        let expected = format!(
            "x-ratelimit-limit: 8, 9\nX-RateLimit-Remaining: many\nx-ratelimit-reset: (not ASCII)\nretry-after: -3\n\
             ratelimit-reset: {}\nratelimit: (not ASCII)",
            &long[..MOST_SHOWN]
        );
        assert_eq!(unread.as_deref(), Some(expected.as_str()));
    }

    #[test]
    fn fields_of_earlier_drafts_and_of_other_services_are_read() {
        let draft = said(
            &[
                ("RateLimit-Limit", b"8, 8;w=10, 100;w=60"),
                ("RateLimit-Remaining", b"3"),
                ("RateLimit-Reset", b"7"),
                // The same again, under its older name.
                ("X-RateLimit-Limit", b"9"),
            ],
            Nanos::ZERO,
        );
        let expected = LimiterHeaders { limit: Some(8), remaining: Some(3), ..LimiterHeaders::default() };
        assert_eq!(draft.limiter, expected);
        let other = said(
            &[
                ("X-Rate-Limit-Limit", b"8"),
                ("X-Rate-Limit-Remaining", b"3"),
                ("X-Rate-Limit-Reset", b"1700000000"),
            ],
            Nanos::ZERO,
        );
        assert_eq!(other.limiter, LimiterHeaders { reset: Some(1_700_000_000.0), ..expected });
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
            let unread = match (expected, text.parse::<u64>()) {
                (_, Ok(_)) => None,
                (Some(_), _) => Some(format!("Retry-After (date): {text}")),
                (None, _) => Some(format!("retry-after: {text}")),
            };
            assert_eq!(response.limiter.unread.as_deref(), unread.as_deref());
        }
    }
}

//! Notations of quantities: `"25s"`, `"200/s"`, `"8/10s"`, `"1s..3s"`, `"2xx"`, `"t-0001..t-1000"`.
//!
//! Each function parses one notation; the error is a [`Complaint`] with what is wrong and how to write it.
//! The command line parses its flags with the same functions.

mod addresses;
mod names;
mod size;

use std::fmt;

use super::{Pause, StatusPattern, problem::quoted};
use crate::units::{Nanos, Quota, Rate};

pub use addresses::addresses;
pub use names::{file_label, header_name, json_pointer, label, metric_name, plain_path, variable_name};
pub(super) use names::{is_file_label, is_token};
pub use size::{size, size_bound};

/// Why a text does not follow its notation, and how to write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// What is wrong, about the text itself: "the unit is missing".
    pub message: String,
    /// The right notation.
    pub help: String,
}

impl Complaint {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.message, self.help)
    }
}

impl std::error::Error for Complaint {}

const DURATIONS: &str = "durations are written `500ms`, `25s` or `1m 30s`";
const RATES: &str = "rates are written `200/s` or `30/m`";
const QUOTAS: &str = "quotas are written `8/10s`, `100/m` or `1000/1h`";
const STATUSES: &str = "statuses are written `200`, `\"2xx\"` or `[200, 429]`";
const PATTERNS: &str = "a pattern counts from one id to another: `t-0001..t-1000`";

/// The longest duration in a scenario: a year. Sums of a few of them stay far from the maximum of [`Nanos`].
const LONGEST: Nanos = Nanos::from_secs(366 * 24 * 3600);

/// The highest rate: ten million a second, far above what one machine can send.
const FASTEST: f64 = 1e7;

/// The most tenants in one pattern.
const MOST_TENANTS: u64 = 1_000_000;

/// A duration from zero to a year: `500ms`, `25s`, `1.5s`, `1m 30s`, `2h`.
pub fn duration(text: &str) -> Result<Nanos, Complaint> {
    let complain = |message: &str| Err(Complaint::new(message, DURATIONS));
    let text = text.trim();
    if text.starts_with('-') {
        return complain("time cannot be negative");
    }
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        let help = format!("write `{text}s` for seconds; {DURATIONS}");
        return Err(Complaint::new("the unit is missing", help));
    }
    // humantime 2.4 panics on sums close to the maximum of u64 seconds; bounded digits and terms stay far
    // below.
    let digits = |run: &str| run.bytes().filter(u8::is_ascii_digit).count();
    if text.len() > 64 || text.split(|c: char| c.is_alphabetic() || c == '.').any(|run| digits(run) > 11) {
        return complain("this is too long for a duration");
    }
    match humantime::parse_duration(text) {
        Ok(duration) if Nanos::from(duration) > LONGEST => complain("this is longer than a year"),
        Ok(duration) => Ok(Nanos::from(duration)),
        Err(humantime::DurationError::UnknownUnit { unit, .. }) if !unit.is_empty() => {
            complain(&format!("{} is not a unit of time", quoted(&unit)))
        }
        Err(humantime::DurationError::UnknownUnit { .. }) => complain("a unit is missing"),
        Err(_) => complain("this is not a duration"),
    }
}

/// Like [`duration`], but above zero.
pub fn positive_duration(text: &str) -> Result<Nanos, Complaint> {
    match duration(text)? {
        Nanos::ZERO => Err(Complaint::new("this is no time at all", "it has to be above zero")),
        some => Ok(some),
    }
}

/// `"1s"` or `"1s..3s"`: lower and upper end, equal for a single duration.
pub fn duration_range(text: &str) -> Result<(Nanos, Nanos), Complaint> {
    let (low, high) = match text.split_once("..") {
        Some((low, high)) => (duration(low)?, duration(high)?),
        None => {
            let both = duration(text)?;
            (both, both)
        }
    };
    if low > high {
        return Err(Complaint::new("the range runs backwards", "the shorter time comes first: `1s..3s`"));
    }
    Ok((low, high))
}

/// `"2s"`, `"1s..3s"`, or `"exp 2s"`: exponential with this mean.
pub fn pause(text: &str) -> Result<Pause, Complaint> {
    let complain = |mut complaint: Complaint| {
        complaint.help = format!("pauses are written `2s`, `1s..3s` or `exp 2s`; {}", complaint.help);
        complaint
    };
    match text.trim().strip_prefix("exp") {
        Some(mean) => positive_duration(mean).map(Pause::Exponential).map_err(complain),
        None => duration_range(text).map(|(low, high)| Pause::Uniform(low, high)).map_err(complain),
    }
}

/// `"2s..10s"`: from an instant to a later one.
pub fn span(text: &str) -> Result<(Nanos, Nanos), Complaint> {
    match duration_range(text)? {
        (from, to) if from < to => Ok((from, to)),
        _ => Err(Complaint::new("this has no length", "from one instant to a later one: `2s..10s`")),
    }
}

/// Events per second, zero included: `200/s`, `30/m`, `1.5/s`, `3/10s`.
pub fn rate_or_zero(text: &str) -> Result<f64, Complaint> {
    let complain = |message: &str| Err(Complaint::new(message, RATES));
    let Some((count, per)) = text.split_once('/') else {
        return complain("this is not a rate: nothing says per which time");
    };
    let number = count.trim().replace('_', "");
    let is_plain = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let count = match number.parse::<f64>() {
        _ if number.starts_with('-') => return complain("a rate cannot be negative"),
        Ok(count) if is_plain => count,
        _ => return complain(&format!("{} is not a number", quoted(count.trim()))),
    };
    let rate = count / window(per, RATES)?.as_secs_f64();
    if rate > FASTEST { complain("this is faster than ten million a second") } else { Ok(rate) }
}

/// Like [`rate_or_zero`], but above zero.
pub fn rate(text: &str) -> Result<Rate, Complaint> {
    let rate = rate_or_zero(text)?;
    if rate > 0.0 {
        Ok(Rate(rate))
    } else {
        Err(Complaint::new("a rate of zero sends nothing", format!("it has to be above zero; {RATES}")))
    }
}

/// `8/10s`, `100/m`, `1000/1h`: a count of at least 1 per window above zero.
pub fn quota(text: &str) -> Result<Quota, Complaint> {
    let complain = |message: &str| Err(Complaint::new(message, QUOTAS));
    let Some((limit, per)) = text.split_once('/') else {
        return complain("this is not a quota: nothing says per which time");
    };
    let number = limit.trim().replace('_', "");
    match (number.parse::<u64>(), window(per, QUOTAS)?) {
        (Ok(0), _) => complain("a quota of zero admits nothing"),
        (Ok(limit), window) => Ok(Quota { limit, window }),
        (Err(_), _) => complain(&format!("{} is not a count", quoted(limit.trim()))),
    }
}

/// The part after the slash: `10s`, or a bare unit.
fn window(per: &str, help: &str) -> Result<Nanos, Complaint> {
    let per = per.trim();
    let of_one = if per.starts_with(char::is_alphabetic) { format!("1{per}") } else { per.to_owned() };
    match duration(&of_one) {
        Ok(Nanos::ZERO) => Err(Complaint::new("the time after the slash is zero", help)),
        Ok(window) => Ok(window),
        Err(complaint) => {
            let message = format!("{} is not a time: {}", quoted(per), complaint.message);
            Err(Complaint::new(message, help))
        }
    }
}

/// A status as a number.
pub fn status(code: i128) -> Result<StatusPattern, Complaint> {
    match u16::try_from(code) {
        Ok(code) if (100..600).contains(&code) => Ok(StatusPattern::Exact(code)),
        _ => Err(Complaint::new("HTTP statuses run from 100 to 599", STATUSES)),
    }
}

/// A class of statuses, `2xx`.
pub fn status_class(text: &str) -> Result<StatusPattern, Complaint> {
    let class = text.strip_suffix("xx").and_then(|digit| digit.parse::<u8>().ok());
    match class {
        Some(class @ 1..=5) if text.len() == 3 => Ok(StatusPattern::Class(class)),
        _ if text.parse::<u16>().is_ok() => {
            Err(Complaint::new("a status is a number, without quotes", STATUSES))
        }
        _ => Err(Complaint::new("this is no class of statuses: `1xx` to `5xx`", STATUSES)),
    }
}

/// The ids of `"t-0001..t-1000"`: a common prefix, and numbers padded with zeros like the first one.
pub fn tenant_pattern(text: &str) -> Result<impl Iterator<Item = String> + use<>, Complaint> {
    let complain = |message: &str| Err(Complaint::new(message, PATTERNS));
    let Some((first, last)) = text.split_once("..") else {
        return complain("this is not a pattern: there is no `..` in it");
    };
    let ((prefix, from), (last_prefix, to)) = (split_number(first.trim()), split_number(last.trim()));
    let (Ok(low), Ok(high)) = (from.parse::<u64>(), to.parse::<u64>()) else {
        return complain("both ends of a pattern end in a number");
    };
    if prefix != last_prefix {
        return complain("both ends of a pattern begin with the same text");
    }
    if low > high {
        return complain("the pattern runs backwards");
    }
    if high - low >= MOST_TENANTS {
        return complain("a pattern makes at most a million tenants");
    }
    let padded = [from, to].iter().any(|number| number.len() > 1 && number.starts_with('0'));
    if padded && from.len() != to.len() {
        return complain("with leading zeros, both ends have the same number of digits");
    }
    let (prefix, width) = (prefix.to_owned(), from.len());
    Ok((low..=high).map(move |number| format!("{prefix}{number:0width$}")))
}

/// The text before its final digits, and those digits.
fn split_number(id: &str) -> (&str, &str) {
    let digits = id.bytes().rev().take_while(u8::is_ascii_digit).count();
    id.split_at(id.len() - digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T: std::fmt::Debug>(result: Result<T, Complaint>) -> String {
        result.unwrap_err().message
    }

    #[test]
    fn durations() {
        for (text, nanos) in [
            ("0s", 0),
            ("500ms", 500_000_000),
            ("1.5s", 1_500_000_000),
            ("25s", 25_000_000_000),
            ("1m30s", 90_000_000_000),
            ("1m 30s", 90_000_000_000),
            (" 2h ", 7_200_000_000_000),
            ("250us", 250_000),
            ("7ns", 7),
            ("366d", 366 * 24 * 3_600_000_000_000),
        ] {
            assert_eq!(duration(text), Ok(Nanos(nanos)), "{text}");
        }
        for (text, complaint) in [
            ("25", "the unit is missing"),
            ("2.5", "the unit is missing"),
            ("-1s", "time cannot be negative"),
            ("25 parsecs", "`parsecs` is not a unit of time"),
            ("1m 30", "a unit is missing"),
            ("", "this is not a duration"),
            ("s", "this is not a duration"),
            ("ten", "this is not a duration"),
            ("0.1ns", "this is not a duration"),
            ("367d", "this is longer than a year"),
            ("18446744073709551615s 1000ms", "this is too long for a duration"),
            ("18 446 744 073 709 551 615s 1000ms", "this is too long for a duration"),
        ] {
            assert_eq!(message(duration(text)), complaint, "{text}");
        }
    }

    #[test]
    fn duration_ranges() {
        let secs = Nanos::from_secs;
        assert_eq!(duration_range("1s..3s"), Ok((secs(1), secs(3))));
        assert_eq!(duration_range("2s"), Ok((secs(2), secs(2))));
        assert_eq!(message(duration_range("3s..1s")), "the range runs backwards");
        assert_eq!(message(duration_range("1..3s")), "the unit is missing");
    }

    #[test]
    fn pauses() {
        let secs = Nanos::from_secs;
        assert_eq!(pause("1s..3s"), Ok(Pause::Uniform(secs(1), secs(3))));
        assert_eq!(pause("2s"), Ok(Pause::Uniform(secs(2), secs(2))));
        assert_eq!(pause("exp 2s"), Ok(Pause::Exponential(secs(2))));
        assert_eq!(message(pause("exp 0s")), "this is no time at all");
        assert_eq!(message(pause("exp")), "this is not a duration");
        assert_eq!(message(pause("3s..1s")), "the range runs backwards");
    }

    #[test]
    fn rates() {
        for (text, per_second) in
            [("200/s", 200.0), ("30/m", 0.5), ("1.5/s", 1.5), ("3/10s", 0.3), ("1_000 / s", 1000.0)]
        {
            assert_eq!(rate(text), Ok(Rate(per_second)), "{text}");
        }
        for (text, complaint) in [
            ("200", "this is not a rate: nothing says per which time"),
            ("0/s", "a rate of zero sends nothing"),
            ("-1/s", "a rate cannot be negative"),
            ("many/s", "`many` is not a number"),
            ("inf/s", "`inf` is not a number"),
            ("/s", "`` is not a number"),
            ("1/0s", "the time after the slash is zero"),
            ("1/parsec", "`parsec` is not a time: `parsec` is not a unit of time"),
            ("1/ns", "this is faster than ten million a second"),
        ] {
            assert_eq!(message(rate(text)), complaint, "{text}");
        }
    }

    #[test]
    fn quotas() {
        for (text, limit, secs) in
            [("8/10s", 8, 10), ("100/m", 100, 60), ("1000/1h", 1000, 3600), ("1 / s", 1, 1)]
        {
            assert_eq!(quota(text), Ok(Quota { limit, window: Nanos::from_secs(secs) }), "{text}");
        }
        for (text, complaint) in [
            ("8", "this is not a quota: nothing says per which time"),
            ("0/10s", "a quota of zero admits nothing"),
            ("1.5/s", "`1.5` is not a count"),
            ("8/10", "`10` is not a time: the unit is missing"),
            ("8/0s", "the time after the slash is zero"),
        ] {
            assert_eq!(message(quota(text)), complaint, "{text}");
        }
    }

    #[test]
    fn statuses() {
        assert_eq!(status(429), Ok(StatusPattern::Exact(429)));
        assert_eq!(status_class("2xx"), Ok(StatusPattern::Class(2)));
        for code in [99, 600, -1, 70_000] {
            assert!(status(code).is_err(), "{code}");
        }
        for text in ["6xx", "0xx", "02xx", "2x", "xx", "200", "", "2XX", "äxx"] {
            assert!(status_class(text).is_err(), "{text}");
        }
    }

    #[test]
    fn tenant_patterns() {
        for (text, first, last, count) in [
            ("t-0001..t-1000", "t-0001", "t-1000", 1000),
            ("t1..t20", "t1", "t20", 20),
            ("7..7", "7", "7", 1),
            ("shop2-08..shop2-11", "shop2-08", "shop2-11", 4),
        ] {
            let ids: Vec<String> = tenant_pattern(text).unwrap().collect();
            assert_eq!(
                (ids[0].as_str(), ids[ids.len() - 1].as_str(), ids.len()),
                (first, last, count),
                "{text}"
            );
        }
        for (text, complaint) in [
            ("t-0001", "this is not a pattern: there is no `..` in it"),
            ("t-a..t-b", "both ends of a pattern end in a number"),
            ("..", "both ends of a pattern end in a number"),
            ("a-1..b-2", "both ends of a pattern begin with the same text"),
            ("t-9..t-1", "the pattern runs backwards"),
            ("t-01..t-100", "with leading zeros, both ends have the same number of digits"),
            ("t-1..t-9999999", "a pattern makes at most a million tenants"),
        ] {
            assert_eq!(message(tenant_pattern(text).map(Iterator::count)), complaint, "{text}");
        }
    }
}

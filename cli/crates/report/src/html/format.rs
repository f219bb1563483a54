//! Numbers, dates and outcomes as text of an HTML report.

use saasbench_verify::verdict::Outcome;

pub(crate) fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "Passed",
        Outcome::Fail => "Failed",
        Outcome::Inconclusive => "Inconclusive",
    }
}

/// `✓`, `✗` or `?`.
pub(crate) fn sign(outcome: Outcome) -> char {
    match outcome {
        Outcome::Pass => '✓',
        Outcome::Fail => '✗',
        Outcome::Inconclusive => '?',
    }
}

/// CSS class of an outcome.
pub(crate) fn class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::Inconclusive => "unsure",
    }
}

/// `2026-11-21 10:15:00 UTC`.
pub(crate) fn started(unix_ns: i64) -> String {
    let at = jiff::Timestamp::from_nanosecond(unix_ns.into()).unwrap_or_default();
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `1 234 567`, with non-breaking spaces.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

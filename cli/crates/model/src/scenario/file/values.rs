//! Values with more than one form: one text or several, one status or a set, one quota for all or several.

use std::ops::RangeInclusive;

use toml::de::DeValue;

use super::{
    Quotas,
    read::{Field, Located, Table, Value, in_order, invalid, whole},
    shapes::Kind,
};
use crate::{
    scenario::{
        Algorithm, Anchor, Estimate, Refill, Retry, Routing, Spacing, StatusPattern, StatusSet, notation,
        problem::{Problem, quoted},
        response::{Pattern, Pointer},
    },
    units::Quota,
};

/// The greatest weight.
const MOST_WEIGHT: u64 = 1_000_000;

/// One text or an array of them.
pub(super) fn one_or_more(
    table: &Table<'_>,
    key: &str,
    found: &mut Vec<Problem>,
) -> Field<Vec<Located<String>>> {
    table.debug_assert_kind(key, |kind| kind == Kind::Texts);
    table.read(key, found, |value, found| {
        let elements: Vec<&Value<'_>> = match value.get_ref() {
            DeValue::Array(array) => array.iter().collect(),
            _ => vec![value],
        };
        let mut texts = Vec::new();
        for element in &elements {
            match element.get_ref().as_str() {
                Some(text) => texts.push(Located { value: text.to_owned(), span: element.span() }),
                None => found.push(table.mistyped(key, "text, or an array of texts", element)),
            }
        }
        (texts.len() == elements.len()).then_some(texts)
    })
}

/// A name, or a table of names with weights.
pub(super) fn mixed(
    table: &Table<'_>,
    key: &str,
    found: &mut Vec<Problem>,
) -> Field<Vec<(Located<String>, u64)>> {
    table.debug_assert_kind(key, |kind| kind == Kind::Weights);
    table.read(key, found, |value, found| match value.get_ref() {
        DeValue::String(name) => Some(vec![(Located { value: name.to_string(), span: value.span() }, 1)]),
        DeValue::Table(weights) if weights.is_empty() => {
            let help = format!("for example: {key} = {{ chat = 3, browse = 1 }}");
            found.push(Problem::at(value.span(), format!("{} names none", quoted(key)), "").help(help));
            None
        }
        DeValue::Table(weights) => {
            let mut mixed = Vec::new();
            for (name, value) in in_order(weights) {
                let weight = match value.get_ref() {
                    DeValue::Integer(integer) => whole(integer),
                    _ => None,
                };
                match weight.and_then(|weight| u64::try_from(weight).ok()) {
                    Some(weight @ 1..=MOST_WEIGHT) => mixed.push((name, weight)),
                    _ => {
                        let message = format!("{} cannot have this weight", quoted(&name.value));
                        let problem = Problem::at(
                            value.span(),
                            message,
                            "a weight is a whole number from 1 to a million",
                        );
                        found.push(problem.help(format!("for example: {key} = {{ chat = 3, browse = 1 }}")));
                    }
                }
            }
            (mixed.len() == weights.len()).then_some(mixed)
        }
        _ => {
            found.push(table.mistyped(key, "text in quotes, or a table of weights", value));
            None
        }
    })
}

/// `200`, `"2xx"` or an array of these.
pub(super) fn statuses(table: &Table<'_>, key: &str, found: &mut Vec<Problem>) -> Field<StatusSet> {
    table.debug_assert_kind(key, |kind| kind == Kind::Statuses);
    table.read(key, found, |value, found| {
        let elements: Vec<&Value<'_>> = match value.get_ref() {
            DeValue::Array(array) if array.is_empty() => {
                found.push(Problem::at(
                    value.span(),
                    format!("{} is empty", quoted(key)),
                    "no response would be right",
                ));
                return None;
            }
            DeValue::Array(array) => array.iter().collect(),
            _ => vec![value],
        };
        let patterns: Vec<StatusPattern> =
            elements.iter().filter_map(|element| status(table, key, element, found)).collect();
        (patterns.len() == elements.len()).then_some(StatusSet(patterns))
    })
}

fn status(
    table: &Table<'_>,
    key: &str,
    value: &Value<'_>,
    found: &mut Vec<Problem>,
) -> Option<StatusPattern> {
    let (text, parsed) = match value.get_ref() {
        DeValue::Integer(integer) => {
            (integer.to_string(), notation::status(whole(integer).unwrap_or(i128::MAX)))
        }
        DeValue::String(text) => (text.to_string(), notation::status_class(text)),
        _ => {
            found.push(table.mistyped(key, "statuses", value));
            return None;
        }
    };
    match parsed {
        Ok(pattern) => Some(pattern),
        Err(complaint) => {
            found.push(invalid(key, value.span(), &text, complaint));
            None
        }
    }
}

/// `"round-robin"`, `"sticky"` or a number from 1.
pub(super) fn routing(table: &Table<'_>, key: &str, found: &mut Vec<Problem>) -> Field<Routing> {
    const HELP: &str = "replica is \"round-robin\", \"sticky\" or the number of a replica, from 1";
    table.debug_assert_kind(key, |kind| kind == Kind::Replica);
    table.read(key, found, |value, found| {
        let written = match value.get_ref() {
            DeValue::String(text) if text == "round-robin" => return Some(Routing::RoundRobin),
            DeValue::String(text) if text == "sticky" => return Some(Routing::Sticky),
            DeValue::String(text) => quoted(text),
            DeValue::Integer(integer) => {
                let number = whole(integer).and_then(|number| usize::try_from(number).ok());
                if let Some(index) = number.and_then(|number| number.checked_sub(1)) {
                    return Some(Routing::Only(index));
                }
                integer.to_string()
            }
            _ => {
                found.push(table.mistyped(key, "text or a whole number", value).help(HELP));
                return None;
            }
        };
        found.push(Problem::at(value.span(), format!("there is no replica {written}"), "").help(HELP));
        None
    })
}

/// Parses the JSON pointer of a value in a body.
pub(super) fn pointer(text: &str) -> Result<Pointer, notation::Complaint> {
    notation::json_pointer(text)
}

/// A regular expression.
pub(super) fn pattern(text: &str) -> Result<Pattern, notation::Complaint> {
    const HELP: &str =
        "patterns are those of Rust's `regex`; in 'single quotes' TOML leaves backslashes alone";
    Pattern::new(text).map_err(|wrong| notation::Complaint::new(wrong, HELP))
}

/// `"never"` or `"retry-after"`.
pub(super) fn retry(text: &str) -> Result<Retry, notation::Complaint> {
    match text {
        "never" => Ok(Retry::Never),
        "retry-after" => Ok(Retry::After),
        _ => Err(notation::Complaint::new(
            "this is no way to retry",
            "retry is \"never\", or \"after\": as soon as Retry-After says",
        )),
    }
}

/// `"constant"` or `"poisson"`.
pub(super) fn spacing(text: &str) -> Result<Spacing, notation::Complaint> {
    match text {
        "constant" => Ok(Spacing::Constant),
        "poisson" => Ok(Spacing::Poisson),
        _ => Err(notation::Complaint::new(
            "arrivals do not come like that",
            "arrivals are \"constant\", or \"poisson\": at random, as users come who know nothing of each other",
        )),
    }
}

pub(super) fn algorithm(text: &str) -> Result<Algorithm, notation::Complaint> {
    const HELP: &str = "algorithms are \"fixed-window\", \"aligned-window\", \"sliding-log\", \"sliding-counter\" and \"token-bucket\"";
    Ok(match text {
        "fixed-window" => Algorithm::FixedWindow,
        "aligned-window" => Algorithm::AlignedWindow,
        "sliding-log" => Algorithm::SlidingLog,
        "sliding-counter" => Algorithm::SlidingCounter { anchor: Anchor::Epoch, estimate: Estimate::Exact },
        "token-bucket" => Algorithm::TokenBucket { burst: None, refill: Refill::Continuous },
        _ => return Err(notation::Complaint::new("this is no algorithm that we know", HELP)),
    })
}

/// Parses where the windows of a sliding counter start.
pub(super) fn anchor(text: &str) -> Result<Anchor, notation::Complaint> {
    match text {
        "epoch" => Ok(Anchor::Epoch),
        "first-hit" => Ok(Anchor::FirstHit),
        _ => Err(notation::Complaint::new(
            "windows begin elsewhere",
            "anchors are \"epoch\" and \"first-hit\"",
        )),
    }
}

/// Parses how a sliding counter rounds.
pub(super) fn estimate(text: &str) -> Result<Estimate, notation::Complaint> {
    match text {
        "exact" => Ok(Estimate::Exact),
        "floored" => Ok(Estimate::Floored),
        _ => Err(notation::Complaint::new(
            "this is no way to round",
            "estimates are \"exact\" and \"floored\"",
        )),
    }
}

/// `"continuous"` or the length of a step.
pub(super) fn refill(text: &str) -> Result<Refill, notation::Complaint> {
    match text {
        "continuous" => Ok(Refill::Continuous),
        _ => notation::positive_duration(text).map(Refill::Steps),
    }
}

/// The labels of a Prometheus series, by name; `None` for an invalid value.
pub(super) fn labels(
    table: &Table<'_>,
    key: &str,
    found: &mut Vec<Problem>,
) -> Vec<(String, Option<String>)> {
    let mut labels = Vec::new();
    for (name, value) in table.entries(key, found) {
        let text = value.get_ref().as_str().map(str::to_owned);
        if text.is_none() {
            found.push(table.mistyped(&format!("{key}.{}", name.value), "text in quotes", value));
        }
        let reserved = matches!(name.value.as_str(), "alertname" | "alertstate" | "__name__");
        if reserved {
            let help = "the labels are those that the rule gives the alert; its name stands in `name`";
            let problem = Problem::at(name.span, format!("{} says nothing here", quoted(&name.value)), "");
            found.push(problem.help(help));
        }
        labels.push((name.value, text.filter(|_| !reserved)));
    }
    labels
}

/// A number in a range, whole or not.
pub(super) fn number(
    table: &Table<'_>,
    key: &str,
    range: RangeInclusive<f64>,
    found: &mut Vec<Problem>,
) -> Field<f64> {
    table.debug_assert_kind(key, |kind| matches!(kind, Kind::Number(..)));
    table.read(key, found, |value, found| {
        let text = match value.get_ref() {
            DeValue::Integer(integer) => integer.to_string(),
            DeValue::Float(float) => float.as_str().to_owned(),
            _ => {
                found.push(table.mistyped(key, "a number", value));
                return None;
            }
        };
        let number = text.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            let message = format!("{} cannot be {text}", quoted(key));
            let label = format!("it lies from {} to {}", range.start(), range.end());
            found.push(Problem::at(value.span(), message, label));
        }
        number
    })
}

/// One quota for all, or a table of them.
pub(super) fn quotas(table: &Table<'_>, key: &str, found: &mut Vec<Problem>) -> Field<Quotas> {
    table.debug_assert_kind(key, |kind| kind == Kind::Quotas);
    table.read(key, found, |value, found| match value.get_ref() {
        DeValue::String(text) => quota(key, value, text, found).map(Quotas::All),
        DeValue::Table(quotas) if quotas.is_empty() => {
            found.push(
                Problem::at(value.span(), "no tenant has a quota", "").help("for example: quota = \"8/10s\""),
            );
            None
        }
        DeValue::Table(quotas) => {
            let mut each = Vec::new();
            for (tenant, value) in in_order(quotas) {
                let key = format!("{key}.{}", tenant.value);
                match value.get_ref().as_str() {
                    Some(text) => each.extend(quota(&key, value, text, found).map(|quota| (tenant, quota))),
                    None => found
                        .push(table.mistyped(&key, "text in quotes", value).help("for example: \"8/10s\"")),
                }
            }
            (each.len() == quotas.len()).then_some(Quotas::Each(each))
        }
        _ => {
            found.push(table.mistyped(key, "text, or a table of texts", value));
            None
        }
    })
}

fn quota(key: &str, value: &Value<'_>, text: &str, found: &mut Vec<Problem>) -> Option<Quota> {
    match notation::quota(text) {
        Ok(quota) => Some(quota),
        Err(complaint) => {
            found.push(invalid(key, value.span(), text, complaint));
            None
        }
    }
}

//! Checks names and units by the rules of `promlint`, which `promtool check metrics` applies
//! (<https://github.com/prometheus/client_golang/tree/main/prometheus/testutil/promlint>).

use super::{
    super::{entry::MetricType, page::Family},
    Finding,
    rule::Rule,
};

/// Full names of units, each with its base unit.
const UNITS: [(&str, &str); 24] = [
    ("amperes", "amperes"),
    ("bytes", "bytes"),
    ("celsius", "celsius"),
    ("grams", "grams"),
    ("joules", "joules"),
    ("kelvin", "kelvin"),
    ("meters", "meters"),
    ("metres", "metres"),
    ("seconds", "seconds"),
    ("volts", "volts"),
    ("minutes", "seconds"),
    ("hours", "seconds"),
    ("days", "seconds"),
    ("weeks", "seconds"),
    ("kelvins", "kelvin"),
    ("fahrenheit", "celsius"),
    ("rankine", "celsius"),
    ("inches", "meters"),
    ("yards", "meters"),
    ("miles", "meters"),
    ("bits", "bytes"),
    ("calories", "joules"),
    ("pounds", "grams"),
    ("ounces", "grams"),
];

/// Prefixes of units.
const PREFIXES: [&str; 18] = [
    "pico", "nano", "micro", "milli", "centi", "deci", "deca", "hecto", "kilo", "kibi", "mega", "mibi",
    "giga", "gibi", "tera", "tebi", "peta", "pebi",
];

/// Abbreviations of units.
const ABBREVIATIONS: [&str; 14] =
    ["s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d"];

/// Types that should not be part of a name.
const TYPES: [&str; 5] = ["counter", "gauge", "histogram", "summary", "gauge_histogram"];

/// Checks the names of one metric.
pub(super) fn check(family: &Family<'_>, is_open_metrics: bool, findings: &mut Vec<Finding>) {
    let name = family.name.decode();
    let mut find =
        |rule, message: String| findings.push(Finding::new(rule, family.line, Some(&name), message));
    let kind = family.kind();
    let is_total = name.ends_with("_total");
    if kind == MetricType::Counter && !is_total && !is_open_metrics {
        find(Rule::CounterTotal, format!("the name of the counter {name} does not end in `_total`"));
    } else if kind == MetricType::Counter && is_total && is_open_metrics {
        let message =
            format!("OpenMetrics declares a counter without `_total`, which only its samples have: {name}");
        find(Rule::ReservedTotal, message);
    } else if !matches!(kind, MetricType::Counter | MetricType::Untyped) && is_total {
        find(Rule::ReservedTotal, format!("the name of the {kind} {name} ends in `_total`"));
    }
    check_reserved(family, &name, &mut find);
    let lower = name.to_lowercase();
    let has_part = |part: &str| {
        lower.match_indices(part).any(|(at, _)| {
            lower[..at].ends_with('_')
                && (lower.len() == at + part.len() || lower[at + part.len()..].starts_with('_'))
        })
    };
    for word in TYPES.into_iter().filter(|word| has_part(word)) {
        find(Rule::TypeInName, format!("the name {name} has the type `{word}` in it"));
    }
    if name.contains(':') {
        find(Rule::ColonInName, format!("the name {name} has a colon in it"));
    }
    if is_camel_case(&name) {
        find(Rule::CamelCase, format!("the name {name} is written in camelCase"));
    }
    if let Some((unit, base)) = unit(&name).filter(|(unit, base)| unit != base) {
        find(Rule::BaseUnit, format!("{name} is in {unit}, not in {base}"));
    }
    if let Some(short) = ABBREVIATIONS.into_iter().find(|short| has_part(short)) {
        find(Rule::UnitAbbreviation, format!("the name {name} has the abbreviated unit `{short}` in it"));
    }
}

/// Checks for suffixes and labels that belong to other types, and label names.
fn check_reserved(family: &Family<'_>, name: &str, find: &mut impl FnMut(Rule, String)) {
    let kind = family.kind();
    let is_histogram = matches!(kind, MetricType::Histogram | MetricType::GaugeHistogram);
    let is_summary = kind == MetricType::Summary;
    let suffixes = [
        ("_bucket", is_histogram),
        ("_count", is_histogram || is_summary),
        ("_sum", is_histogram || is_summary),
    ];
    let is_typed = kind != MetricType::Untyped;
    for (suffix, _) in suffixes.into_iter().filter(|(suffix, has)| is_typed && !has && name.ends_with(suffix))
    {
        find(Rule::ReservedSuffix, format!("the name of the {kind} {name} ends in `{suffix}`"));
    }
    let mut labels: Vec<_> =
        family.rows.iter().flat_map(|row| row.labels.iter().map(|label| label.name)).collect();
    labels.sort_unstable();
    labels.dedup();
    for label in labels {
        let label = label.decode();
        let is_reserved = (label == "le" && !is_histogram) || (label == "quantile" && !is_summary);
        if is_typed && is_reserved {
            find(Rule::ReservedLabel, format!("the {kind} {name} has the label `{label}`"));
        }
        if is_camel_case(&label) {
            find(Rule::CamelCase, format!("the label {label} of {name} is written in camelCase"));
        }
    }
}

fn is_camel_case(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
}

/// The first unit in a name, with its base unit.
fn unit(name: &str) -> Option<(&str, &'static str)> {
    name.split('_').find_map(|part| {
        let (_, base) = UNITS.into_iter().find(|(unit, _)| {
            part.strip_suffix(unit).is_some_and(|prefix| prefix.is_empty() || PREFIXES.contains(&prefix))
        })?;
        Some((part, base))
    })
}

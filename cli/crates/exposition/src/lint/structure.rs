//! Checks lines, groups and metadata: what is misplaced, repeated, or missing.

use super::{
    super::{
        cardinality::MetricSpread,
        entry::{Escaped, MetricType, same_labels},
        page::{Family, Page, Row},
    },
    Finding,
    rule::Rule,
};

/// Reports lines that do not match the format.
pub(super) fn check_lines(page: &Page<'_>, findings: &mut Vec<Finding>) {
    for error in &page.errors {
        let finding = Finding::new(Rule::Syntax, error.line, None, error.message.clone());
        findings.push(Finding { column: error.column, ..finding });
    }
}

/// Checks the lines of one metric.
pub(super) fn check(family: &Family<'_>, is_open_metrics: bool, findings: &mut Vec<Finding>) {
    let name = family.name.decode();
    let mut find =
        |rule, line, message: String| findings.push(Finding::new(rule, line, Some(&name), message));
    for odd in &family.odd_metadata {
        match odd.first {
            Some(first) => {
                let message =
                    format!("a second {} line for {name}; the first is in line {first}", odd.keyword);
                find(Rule::DuplicateMetadata, odd.line, message);
            }
            None => {
                let message = format!("the {} line of {name} stands behind its samples", odd.keyword);
                find(Rule::LateMetadata, odd.line, message);
            }
        }
    }
    if let Some((line, text)) = family.help
        && has_unknown_escape(text, is_open_metrics)
    {
        let message = format!("the help text of {name} has a backslash that stands for nothing");
        find(Rule::HelpEscape, line, message);
    }
    let Some(first) = family.rows.first() else { return };
    if let Some(line) = family.interrupted {
        find(Rule::InterruptedGroup, line, format!("lines of {name} stand apart: other metrics are between"));
    }
    if family.help.is_none_or(|(_, text)| text.written().is_empty()) {
        find(Rule::MissingHelp, family.line, format!("{name} has no help text"));
    }
    if family.kind.is_none() {
        find(Rule::MissingType, first.line, format!("{name} has no TYPE line"));
    }
    if let Some(row) = family.rows.iter().find(|row| !is_of_type(row, family, is_open_metrics)) {
        let message = format!("{} is not a sample that a {} has", row.name.decode(), family.kind());
        find(Rule::StrangeSample, row.line, message);
    }
    let escapes_unknown = |row: &&Row<'_>| row.labels.iter().any(|label| label.value.has_unknown_escape());
    if let Some(row) = family.rows.iter().find(escapes_unknown) {
        let message = format!("a label value of {name} has a backslash that stands for nothing");
        find(Rule::LabelEscape, row.line, message);
    }
    if let Some(row) = family.rows.iter().find(|row| row.has_exemplar && !may_have_exemplar(row)) {
        let message = format!("{} has an exemplar, and is neither a counter nor a bucket", row.name.decode());
        find(Rule::StrayExemplar, row.line, message);
    }
    if let Some((row, line)) = family.rows.iter().find_map(|row| Some((row, row.repeats?))) {
        let (rule, message) = match times(family, row) {
            Some((before, now)) if is_open_metrics && before < now => return,
            Some((before, now)) if before > now => {
                (Rule::TimestampBack, format!("{name} is older here than in line {line}"))
            }
            _ => (
                Rule::DuplicateSeries,
                format!("the series stands here a second time; the first is in line {line}"),
            ),
        };
        find(rule, row.line, message);
    }
}

/// Reports a metric whose series a label multiplies without bound.
pub(super) fn check_spread(metric: &MetricSpread, findings: &mut Vec<Finding>) {
    for label in &metric.labels {
        let Some(ids) = &label.ids else { continue };
        let message = format!(
            "{} of {} values of the label {} of {} look like {}, such as {:?}",
            ids.values, label.values, label.name, metric.name, ids.kind, ids.example
        );
        findings.push(Finding::new(Rule::LabelOfIds, metric.line, Some(&metric.name), message));
    }
}

/// The timestamps of the series' previous sample and of this row.
fn times(family: &Family<'_>, row: &Row<'_>) -> Option<(i64, i64)> {
    let is_same = |other: &&Row<'_>| other.name == row.name && same_labels(&other.labels, &row.labels);
    let before = family.rows.iter().take_while(|other| other.line < row.line).filter(is_same).last()?;
    Some((before.timestamp?.0, row.timestamp?.0))
}

/// Whether samples of that name belong to the type.
fn is_of_type(row: &Row<'_>, family: &Family<'_>, is_open_metrics: bool) -> bool {
    let suffix = row.name.written().strip_prefix(family.name.written());
    let kind = family.kind();
    // Client libraries write a histogram's `_created` into the text format, too, where it is a separate
    // gauge.
    kind == MetricType::Untyped
        || suffix.is_some_and(|suffix| kind.suffixes(is_open_metrics).contains(&suffix))
}

/// Whether OpenMetrics permits exemplars on samples of that name.
fn may_have_exemplar(row: &Row<'_>) -> bool {
    ["_total", "_bucket"].iter().any(|suffix| row.name.written().ends_with(suffix))
}

fn has_unknown_escape(text: Escaped<'_>, is_open_metrics: bool) -> bool {
    let mut bytes = text.written().bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            continue;
        }
        match bytes.next() {
            Some(b'\\' | b'n') => {}
            Some(b'"') if is_open_metrics => {}
            _ => return true,
        }
    }
    false
}

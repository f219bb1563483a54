//! Finds mistakes in an exposition that can be parsed: what Prometheus would silently interpret otherwise
//! than intended, and names that `promtool check metrics` reports. One finding per rule and metric, at its
//! first place.
//!
//! `rule` lists the rules; `structure` checks lines and groups, `names` names and units, `values` numbers.

mod names;
pub mod rule;
mod structure;
mod values;

use serde::Serialize;

use self::rule::{Rule, Severity};
use super::{cardinality::Cardinality, page::Page};

/// A mistake, with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// Its severity.
    pub severity: Severity,
    /// The violated rule.
    pub rule: Rule,
    /// The metric concerned, if any.
    pub metric: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: &'static str,
}

impl Finding {
    /// A finding at the start of a line.
    pub fn new(rule: Rule, line: usize, metric: Option<&str>, message: String) -> Self {
        let metric = metric.map(str::to_owned);
        Self { line, column: 1, severity: rule.severity(), rule, metric, message, hint: rule.hint() }
    }
}

/// All findings of an exposition, in the order of its lines.
pub fn lint(page: &Page<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    structure::check_lines(page, &mut findings);
    for family in &page.families {
        structure::check(family, page.is_open_metrics, &mut findings);
        // Metadata of a metric without samples has no effect.
        if !family.rows.is_empty() {
            names::check(family, page.is_open_metrics, &mut findings);
            values::check(family, &mut findings);
        }
    }
    for metric in Cardinality::of(page).metrics {
        structure::check_spread(&metric, &mut findings);
    }
    findings.sort_by_key(|finding| (finding.line, finding.column, finding.rule));
    findings
}

#[cfg(test)]
mod tests;

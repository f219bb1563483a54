//! What is wrong or unwise in an exposition that can be read: what Prometheus would silently take otherwise
//! than it was meant, and the names that `promtool check metrics` complains of. One finding a rule and
//! metric, at the first place.
//!
//! `rule` lists the rules, `structure` looks at lines and groups, `names` at names and units, `values` at
//! numbers.

mod names;
pub mod rule;
mod structure;
mod values;

use serde::Serialize;

use self::rule::{Rule, Severity};
use super::{cardinality::Cardinality, page::Page};

/// Something to mend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// How grave it is.
    pub severity: Severity,
    /// Which rule is broken.
    pub rule: Rule,
    /// The metric, where it is about one.
    pub metric: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: &'static str,
}

impl Finding {
    /// A finding at the beginning of a line.
    pub fn new(rule: Rule, line: usize, metric: Option<&str>, message: String) -> Self {
        let metric = metric.map(str::to_owned);
        Self { line, column: 1, severity: rule.severity(), rule, metric, message, hint: rule.hint() }
    }
}

/// All that is to be found in an exposition, in the order of its lines.
pub fn lint(page: &Page<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    structure::check_lines(page, &mut findings);
    for family in &page.families {
        structure::check(family, page.is_open_metrics, &mut findings);
        // Lines about a metric without samples have no effect.
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

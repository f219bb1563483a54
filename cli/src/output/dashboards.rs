//! Mistakes in dashboards, as text for a terminal; the report also serializes as the JSON.

use std::{fmt::Write as _, path::Path};

use serde::Serialize;

use super::Output;
use crate::{
    dashboard::{
        check::{Checked, Found},
        finding::Severity,
    },
    exit::Failure,
};
use saasbench_report::style::{BAD, FAINT, GOOD, STRONG, UNSURE, paint};

/// Version of the JSON; incremented when a reader has to change.
const VERSION: u32 = 1;

/// The results for all files.
#[derive(Debug, Serialize)]
pub struct DashboardsReport {
    version: u32,
    prometheus: String,
    from_unix_s: f64,
    to_unix_s: f64,
    files: Vec<FileReport>,
    errors: usize,
    warnings: usize,
}

#[derive(Debug, Serialize)]
struct FileReport {
    file: String,
    title: String,
    panels: usize,
    queries: usize,
    /// Types of other data sources, whose queries were not sent.
    not_asked: Vec<String>,
    findings: Vec<FindingReport>,
}

#[derive(Debug, Serialize)]
struct FindingReport {
    severity: Severity,
    kind: &'static str,
    /// Row and title of the panel.
    panel: String,
    /// The query's letter.
    query: Option<String>,
    /// The query as sent, with variables filled in.
    expr: Option<String>,
    message: String,
}

impl DashboardsReport {
    /// Reports go to `out`, everything else to `err`.
    pub fn new(prometheus: &str, (from, to): (f64, f64)) -> Self {
        Self {
            version: VERSION,
            prometheus: prometheus.to_owned(),
            from_unix_s: from,
            to_unix_s: to,
            files: Vec::new(),
            errors: 0,
            warnings: 0,
        }
    }

    /// Adds the results for a file.
    pub fn add(&mut self, file: &str, title: &str, panels: usize, checked: &Checked) {
        let findings: Vec<FindingReport> = checked.found.iter().map(finding).collect();
        let of = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
        self.errors += of(Severity::Error);
        self.warnings += of(Severity::Warning);
        self.files.push(FileReport {
            file: file.to_owned(),
            title: title.to_owned(),
            panels,
            queries: checked.asked,
            not_asked: checked.elsewhere.iter().cloned().collect(),
            findings,
        });
    }

    /// Number of errors.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// Number of warnings.
    pub fn warnings(&self) -> usize {
        self.warnings
    }
}

fn finding(found: &Found) -> FindingReport {
    let is_of_query = !found.finding.is_of_panel();
    FindingReport {
        severity: found.finding.severity(),
        kind: found.finding.kind(),
        panel: found.place.clone(),
        query: found.query.clone().filter(|_| is_of_query),
        expr: found.asked.clone().filter(|_| is_of_query),
        message: found.finding.to_string(),
    }
}

impl Output<'_> {
    /// Delivers mistakes in dashboards, like [`Self::inspections`].
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn dashboards(&mut self, report: &DashboardsReport, json: Option<&Path>) -> Result<(), Failure> {
        self.deliver(report, || render(report), json)
    }
}

/// Renders it; it ends with a newline.
fn render(report: &DashboardsReport) -> String {
    let mut text = String::new();
    for file in &report.files {
        let _ = writeln!(text, "{}", headline(file));
        for finding in &file.findings {
            let mark = match finding.severity {
                Severity::Error => paint(BAD, "error:  "),
                Severity::Warning => paint(UNSURE, "warning:"),
            };
            let query = finding.query.as_ref().map(|id| format!(", query {id}")).unwrap_or_default();
            let _ = writeln!(text, "  {mark} {}{query}: {}", paint(STRONG, &finding.panel), finding.message);
            if let Some(expr) = &finding.expr {
                let expr = expr.split_whitespace().collect::<Vec<_>>().join(" ");
                let _ = writeln!(text, "           {}", paint(FAINT, expr));
            }
        }
        if file.findings.is_empty() && file.queries == 0 {
            let _ =
                writeln!(text, "  {} it has no query for Prometheus", paint(UNSURE, "nothing was checked:"));
        } else if file.findings.is_empty() {
            let _ = writeln!(text, "  {} every query has data", paint(GOOD, "ok:"));
        }
    }
    let count = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let queries = report.files.iter().map(|file| file.queries).sum();
    let _ = writeln!(
        text,
        "\n{}, {}: {}, {}",
        count(report.files.len(), "file"),
        queries_text(queries),
        count(report.errors, "error"),
        count(report.warnings, "warning"),
    );
    text
}

fn queries_text(count: usize) -> String {
    if count == 1 { "1 query".to_owned() } else { format!("{count} queries") }
}

fn headline(file: &FileReport) -> String {
    let mut facts = vec![format!("{} panels", file.panels), queries_text(file.queries)];
    if !file.not_asked.is_empty() {
        facts.push(format!("asked of others and not checked: {}", file.not_asked.join(", ")));
    }
    format!(
        "{}  {}",
        paint(STRONG, &file.file),
        paint(FAINT, format!("{}: {}", file.title, facts.join(", ")))
    )
}

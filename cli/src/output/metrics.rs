//! Inspected expositions as text: the number of series of each metric, then the mistakes, in the style of
//! compilers.

use std::{collections::HashSet, fmt::Write as _, path::Path};

use serde::Serialize;

use super::Output;
use crate::{
    exit::Failure,
    observe::{guess::Proposal, inspection::Inspection},
};
use saasbench_exposition::{
    cardinality::MetricSpread,
    lint::{Finding, rule::Severity},
};
use saasbench_report::{
    style::{BAD, FAINT, GOOD, HINT, STRONG, UNSURE, paint},
    terminal::{align, table},
};

/// Metrics shown; the JSON has all.
const ROWS: usize = 30;

/// Version of the JSON about expositions; incremented when a reader of the old one would be misled.
const PAGES_VERSION: u32 = 1;

/// Inspected expositions in JSON.
#[derive(Serialize)]
struct Pages<'a> {
    version: u32,
    pages: &'a [Inspection],
}

impl Output<'_> {
    /// Delivers inspected expositions: as text on standard output, and as JSON in the file `json` (`-` for
    /// standard output, in place of the text).
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn inspections(&mut self, pages: &[Inspection], json: Option<&Path>) -> Result<(), Failure> {
        self.deliver(&Pages { version: PAGES_VERSION, pages }, || render(pages), json)
    }

    /// Prints the contracts that were guessed from the exposition `name`, the likeliest first.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn proposals(&mut self, name: &str, proposals: &[Proposal]) -> Result<(), Failure> {
        self.say(&render_proposals(name, proposals))
    }
}

/// Renders expositions, separated by empty lines; each ends with a newline.
fn render(pages: &[Inspection]) -> String {
    let mut text = String::new();
    for page in pages {
        if !text.is_empty() {
            text.push('\n');
        }
        render_page(page, &mut text);
    }
    text
}

/// The likeliest contract as a table to paste; further findings as comments.
fn render_proposals(name: &str, proposals: &[Proposal]) -> String {
    let mut text = format!("# guessed from {name}\n");
    if let Some(likeliest) = proposals.first() {
        let _ = write!(text, "{likeliest}");
    }
    for other in proposals.iter().skip(1).flat_map(|other| other.reasons.first()) {
        let _ = writeln!(text, "# or: {other}");
    }
    text
}

fn render_page(page: &Inspection, text: &mut String) {
    let _ = writeln!(text, "{}", paint(STRONG, &page.source));
    let _ = writeln!(text, "{}\n", paint(FAINT, facts(page)));
    if !page.metrics.is_empty() {
        let _ = writeln!(text, "{}\n", metrics_table(page));
    }
    let mut explained = HashSet::new();
    for finding in &page.findings {
        let _ = writeln!(text, "{}", finding_line(&page.source, finding));
        if explained.insert(finding.rule) {
            let _ = writeln!(text, "  {} {}", paint(HINT, "help:"), finding.hint);
        }
    }
    let summary = match (page.count(Severity::Error), page.count(Severity::Warning)) {
        (0, 0) if page.series == 0 => paint(UNSURE, "nothing was checked: there is no series"),
        (0, 0) => paint(GOOD, "no problems found"),
        (0, warnings) => paint(UNSURE, counted(warnings, "warning")),
        (errors, 0) => paint(BAD, counted(errors, "error")),
        (errors, warnings) => {
            paint(BAD, format!("{}, {}", counted(errors, "error"), counted(warnings, "warning")))
        }
    };
    let _ = writeln!(text, "{summary}");
}

fn facts(page: &Inspection) -> String {
    let mut facts = vec![
        page.format.to_string(),
        counted(page.metrics.len(), "metric"),
        format!("{} series", page.series),
        counted(page.bytes, "byte"),
    ];
    facts.extend(page.took_ns.map(|took| format!("responded in {took}")));
    facts.join(" · ")
}

/// The metrics with the most series first.
fn metrics_table(page: &Inspection) -> String {
    let mut table = table(&["metric", "type", "label with the most values", "series"]);
    let mut metrics: Vec<&MetricSpread> = page.metrics.iter().collect();
    metrics.sort_by(|one, other| other.series.cmp(&one.series).then_with(|| one.name.cmp(&other.name)));
    for metric in metrics.iter().take(ROWS) {
        let label = match metric.labels.first() {
            Some(label) if label.ids.is_some() => format!("{} ({}, ids)", label.name, label.values),
            Some(label) => format!("{} ({})", label.name, label.values),
            None => String::new(),
        };
        table.add_row([metric.name.clone(), metric.kind.to_string(), label, metric.series.to_string()]);
    }
    align(&mut table, 3);
    let mut text = table.trim_fmt();
    if metrics.len() > ROWS {
        let _ = write!(text, "\n… and {} metrics more with --json", metrics.len() - ROWS);
    }
    text
}

fn finding_line(source: &str, finding: &Finding) -> String {
    let style = match finding.severity {
        Severity::Error => BAD,
        Severity::Warning => UNSURE,
    };
    let place = format!("{source}:{}:{}:", finding.line, finding.column);
    let rule = format!("{}: {}:", finding.severity, finding.rule);
    format!("{} {} {}", paint(STRONG, place), paint(style, rule), finding.message)
}

fn counted(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::inspection::Origin;
    use saasbench_model::units::Nanos;

    fn shown(text: &str, origin: Origin) -> String {
        let page = Inspection::of("page.prom".to_owned(), text.as_bytes(), origin);
        anstream::adapter::strip_str(&render(&[page])).to_string()
    }

    #[test]
    fn an_exposition_with_findings() {
        let text = "# HELP hits Hits.\n# TYPE hits counter\nhits{path=\"/u/1\"} 1\nhits{path=\"/u/2\"} 1\nhits{} x\n\
                    # TYPE depth gauge\ndepth 1\n# TYPE length gauge\nlength 1\n";
        insta::assert_snapshot!(shown(text, Origin::File));
    }

    #[test]
    fn clean_and_empty_expositions() {
        let text = "# HELP hits_total Hits.\n# TYPE hits_total counter\nhits_total 1\n";
        let answer = Origin::Response(Some("text/plain; version=0.0.4".to_owned()), Nanos::from_millis(2));
        insta::assert_snapshot!(format!("{}\n{}", shown(text, answer), shown("", Origin::File)));
    }

    #[test]
    fn an_exposition_of_many_metrics() {
        let text: String = (0..40).map(|i| format!("# HELP m{i} M.\n# TYPE m{i} gauge\nm{i} 1\n")).collect();
        let shown = shown(&text, Origin::File);
        assert!(shown.contains("… and 10 metrics more with --json"), "{shown}");
    }
}

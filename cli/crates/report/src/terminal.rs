//! The report as text for a terminal: tables of latency and responses, then the verdicts.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, presets};

use super::distribution;
use super::style::{BAD, FAINT, GOOD, STRONG, UNSURE, paint};
use saasbench_verify::{
    Report,
    summary::{Counts, Quantiles, Summary},
    verdict::{Evidence, Outcome, Verdict},
};

/// Rows shown of a table; `verdict.json` has all.
const ROWS: usize = 30;
/// Findings shown per verdict; `verdict.json` has all.
const FINDINGS: usize = 5;

/// Columns where output does not go to a terminal.
pub const WIDTH: usize = 80;

/// Renders a report in [`WIDTH`] columns; it ends with a newline.
pub fn render(report: &Report) -> String {
    render_within(report, WIDTH)
}

/// Renders a report for a terminal of `width` columns. Only the histogram adapts: tables and sentences do not
/// wrap.
pub fn render_within(report: &Report, width: usize) -> String {
    let mut text = String::new();
    let about = report.description.as_ref().map(|about| format!(": {about}")).unwrap_or_default();
    let _ = writeln!(text, "\n{}{about}", paint(STRONG, &report.scenario));
    let _ = writeln!(text, "{}\n", paint(FAINT, facts(report)));
    let _ = writeln!(text, "{}\n", latency_table(&report.summary));
    let distribution = distribution::render(&report.summary.distribution, width);
    if !distribution.is_empty() {
        let _ = writeln!(text, "{distribution}\n");
    }
    let _ = writeln!(text, "{}\n", outcome_table(&report.summary));
    let _ = writeln!(text, "{} {}\n", paint(FAINT, "generator:"), report.generator);
    for remark in &report.notes {
        let _ = writeln!(text, "{} {remark}\n", paint(UNSURE, "note:"));
    }
    let marks = report.verdicts.iter().map(|verdict| word(verdict.outcome).len()).max().unwrap_or(0);
    let width =
        report.verdicts.iter().map(|verdict| verdict.subject.chars().count()).max().unwrap_or(0).min(64);
    for verdict in &report.verdicts {
        text.push_str(&verdict_lines(verdict, marks, width));
    }
    let _ = writeln!(text, "\n{}", tally(report));
    let _ = writeln!(text, "{}", paint(FAINT, format!("recorded in {}", report.run)));
    text
}

fn facts(report: &Report) -> String {
    let mut facts = vec![report.environment.clone(), format!("seed {}", report.seed)];
    if let Some(load) = report.load {
        let seconds = (load.to_ns - load.start_ns).as_secs_f64();
        let responses: u64 = report.summary.total.statuses.values().sum();
        facts.push(format!("{seconds:.1} s"));
        facts.push(format!("{} requests", report.summary.total.requests));
        if seconds > 0.0 {
            facts.push(format!("{:.0} responses/s", responses as f64 / seconds));
        }
    }
    facts.join(" · ")
}

/// A table with this header, without borders.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    let line = LineStyle::none().fill('─').junction('─');
    table
        .load_style(presets::NOTHING.header_separator(line))
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    table
}

/// Right-aligns the numbers: all columns after the first `names`.
pub fn align(table: &mut Table, names: usize) {
    for column in table.column_iter_mut().skip(names) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// Two rows per tenant and step: latency from the intended start, which includes waiting, and from the actual
/// send.
fn latency_table(summary: &Summary) -> String {
    let mut table = table(&["tenant", "step", "latency from", "p50", "p90", "p99", "p99.9", "max"]);
    for row in summary.rows.iter().take(ROWS) {
        let quantiles = [("intended", row.from_intended), ("sent", row.from_sent)];
        for (index, (from, quantiles)) in quantiles.into_iter().enumerate() {
            let (tenant, step) = if index == 0 { (row.tenant.as_str(), row.step.as_str()) } else { ("", "") };
            let mut cells = vec![tenant.to_owned(), step.to_owned(), from.to_owned()];
            cells.extend(match quantiles {
                Some(Quantiles { p50, p90, p99, p99_9, max }) => {
                    [p50, p90, p99, p99_9, max].map(|value| value.to_string())
                }
                None => std::array::from_fn(|_| "–".to_owned()),
            });
            table.add_row(cells);
        }
    }
    align(&mut table, 3);
    finish(&table, summary.rows.len())
}

/// One row per tenant and step, then one per replica; a column for each status that occurred.
fn outcome_table(summary: &Summary) -> String {
    let statuses: Vec<u16> = summary.total.statuses.keys().copied().collect();
    let others: Vec<Other> = OTHERS
        .into_iter()
        .filter(|(_, of)| of(&summary.total) > 0)
        .chain([("errors", errors as CountOf)])
        .collect();
    let status_names: Vec<String> = statuses.iter().map(u16::to_string).collect();
    let mut header = vec!["tenant", "step", "requests"];
    header.extend(status_names.iter().map(String::as_str));
    header.extend(others.iter().map(|(name, _)| *name));
    let mut table = table(&header);
    let mut add = |first: &str, second: &str, counts: &Counts| {
        let mut cells = vec![first.to_owned(), second.to_owned(), counts.requests.to_string()];
        cells.extend(
            statuses
                .iter()
                .map(|status| counts.statuses.get(status).map_or_else(String::new, u64::to_string)),
        );
        cells.extend(others.iter().map(|(_, of)| of(counts).to_string()));
        table.add_row(cells);
    };
    for row in summary.rows.iter().take(ROWS) {
        add(&row.tenant, &row.step, &row.counts);
    }
    for replica in &summary.replicas {
        add(&format!("replica {}", replica.name), "", &replica.counts);
    }
    add("total", "", &summary.total);
    align(&mut table, 2);
    finish(&table, summary.rows.len())
}

type CountOf = fn(&Counts) -> u64;
type Other = (&'static str, CountOf);

/// Columns that appear only with a count above zero.
const OTHERS: [Other; 4] = [
    ("no response", |counts| counts.unknown),
    ("resent", |counts| counts.resent),
    ("not sent", |counts| counts.not_sent),
    ("dropped", |counts| counts.dropped),
];

fn errors(counts: &Counts) -> u64 {
    counts.errors
}

fn finish(table: &Table, rows: usize) -> String {
    let mut text = table.trim_fmt();
    if rows > ROWS {
        let _ = write!(text, "\n… and {} more rows in verdict.json", rows - ROWS);
    }
    text
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "FAIL",
        Outcome::Inconclusive => "inconclusive",
    }
}

/// `✓ pass`, padded to the width of the longest word.
fn mark(outcome: Outcome, width: usize) -> String {
    let (style, sign) = match outcome {
        Outcome::Pass => (GOOD, '✓'),
        Outcome::Fail => (BAD, '✗'),
        Outcome::Inconclusive => (UNSURE, '?'),
    };
    paint(style, format!("{sign} {:width$}", word(outcome)))
}

/// One line per claim, followed by its findings if it did not pass.
fn verdict_lines(verdict: &Verdict, marks: usize, width: usize) -> String {
    let claim = verdict.claim.to_string();
    let mut text = format!(
        "{} {claim:10} {:width$}  {}\n",
        mark(verdict.outcome, marks),
        verdict.subject,
        verdict.summary
    );
    if verdict.outcome == Outcome::Pass {
        return text;
    }
    if let Some(place) = verdict.place.as_ref().filter(|_| verdict.outcome == Outcome::Fail) {
        let _ = writeln!(text, "    {}  {place}", paint(FAINT, "declared at"));
    }
    let relevant: Vec<&Evidence> =
        verdict.evidence.iter().filter(|finding| finding.outcome != Outcome::Pass).collect();
    for finding in relevant.iter().take(FINDINGS) {
        text.push_str(&finding_lines(finding, &verdict.summary));
    }
    if relevant.len() > FINDINGS {
        let _ = writeln!(text, "    … and {} more findings in verdict.json", relevant.len() - FINDINGS);
    }
    text
}

/// Expected, observed (unless the claim's own line already says it), and details.
fn finding_lines(finding: &Evidence, summary: &str) -> String {
    let mut text = format!("    {}  {}\n", paint(FAINT, "expected"), finding.expected);
    if !summary.starts_with(&finding.observed) {
        let _ = writeln!(text, "    {}  {}", paint(FAINT, "observed"), finding.observed);
    }
    for detail in &finding.details {
        let _ = writeln!(text, "              {detail}");
    }
    text
}

/// `14 claims: 13 pass, 1 FAIL`.
fn tally(report: &Report) -> String {
    let count = |outcome| report.verdicts.iter().filter(|verdict| verdict.outcome == outcome).count();
    let mut parts = Vec::new();
    for (outcome, style) in [(Outcome::Pass, GOOD), (Outcome::Fail, BAD), (Outcome::Inconclusive, UNSURE)] {
        if count(outcome) > 0 {
            parts.push(paint(style, format!("{} {}", count(outcome), word(outcome))));
        }
    }
    let claims = report.verdicts.len();
    format!("{claims} {}: {}", if claims == 1 { "claim" } else { "claims" }, parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use saasbench_record::{
        manifest::State,
        sample::{NoResponseReason, NotSentReason, RequestOutcome, Sample},
        testing::{TestRun, sample},
    };
    use saasbench_verify::testing::Judge as _;

    fn plain(report: &Report) -> String {
        let mut report = report.clone();
        report.run = "runs/RUN".to_owned();
        anstream::adapter::strip_str(&render(&report)).to_string()
    }

    fn limit(quota: &str) -> String {
        format!("[[limit]]\nroute = \"POST /chat\"\nalgorithm = \"fixed-window\"\nquota = \"{quota}\"\n")
    }

    fn samples() -> Vec<Sample> {
        (0..30)
            .map(|i| sample(i * 20, (i % 2) as usize, RequestOutcome::Status(if i < 8 { 200 } else { 429 })))
            .collect()
    }

    #[test]
    fn renders_a_run_that_passes() {
        let count = |n: u32, status: u32| {
            format!("http_requests_total{{handler=\"/chat\",method=\"POST\",status=\"{status}\"}} {n}\n")
        };
        let more = limit("8/10s")
            + "[metrics]\ntenant_requests = \"\"\ntenant_duration = \"\"\nduration_all = \"\"\n\
               in_progress = \"\"\nrequest_size = \"\"\nresponse_size = \"\"\n";
        let mut made = TestRun::new(&more, &samples());
        for replica in ["a", "b"] {
            let text = count(4, 200) + &count(11, 429);
            made.settled(replica, &text);
        }
        insta::assert_snapshot!(plain(&made.judge()));
    }

    #[test]
    fn renders_a_run_that_fails() {
        let mut bad = samples();
        bad[20].failed_check = Some("status 404, expected 200 or 429".to_owned());
        bad[21].outcome = RequestOutcome::NoResponse(NoResponseReason::Timeout);
        bad[22].outcome = RequestOutcome::NotSent(NotSentReason::ConnectFailed);
        bad[23].outcome = RequestOutcome::Dropped;
        let more = limit("7/10s") + "[metrics]\nenabled = false\n[[expect]]\nthat = \"p99 < 1s\"\n";
        insta::assert_snapshot!(plain(&TestRun::new(&more, &bad).judge()));
    }

    #[test]
    fn renders_a_run_with_a_warm_up() {
        let mut samples = samples();
        samples[3].outcome = RequestOutcome::Dropped;
        samples[4].failed_check = Some("status 404, expected 200 or 429".to_owned());
        let text = format!(
            "warmup = \"200ms\"\n{}[metrics]\nenabled = false\n",
            saasbench_model::scenario::testing::SCENARIO
        );
        insta::assert_snapshot!(plain(&TestRun::of(text, &samples).judge()));
    }

    #[test]
    fn renders_a_run_that_was_killed() {
        let mut made = TestRun::new("[metrics]\nenabled = false\n", &samples());
        made.manifest.state = State::Running;
        made.manifest.load = None;
        insta::assert_snapshot!(plain(&made.judge()));
    }
}

//! GitHub Actions: annotations on the scenario's lines for claims that did not pass, and which file is the
//! job's summary.
//!
//! Workflow commands are lines of standard output: `::error file=…,line=…,col=…,title=…::message`. GitHub
//! shows ten errors and ten warnings per step.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use super::comparison::{quantity_line, reasons};
use crate::gate::GateInputs;
use saasbench_record::manifest::State;
use saasbench_verify::{
    Report,
    compare::{Change, Comparison},
    verdict::{Outcome, Verdict},
};

/// Annotations of one level that GitHub shows per step.
const SHOWN: usize = 10;
/// Findings in a claim's annotation.
const FINDINGS: usize = 3;

/// The job that this process is a step of.
#[derive(Debug)]
pub struct GitHub {
    summary: Option<PathBuf>,
    /// The checkout: annotated paths are relative to it.
    workspace: Option<PathBuf>,
}

impl GitHub {
    /// The job, read from the environment; `None` outside GitHub Actions.
    pub fn here() -> Option<Self> {
        let path = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let runs = std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true");
        runs.then(|| Self::new(path("GITHUB_STEP_SUMMARY"), path("GITHUB_WORKSPACE")))
    }

    /// A job with this summary and this checkout.
    pub fn new(summary: Option<PathBuf>, workspace: Option<PathBuf>) -> Self {
        Self { summary, workspace }
    }

    /// Whether a file is the step's summary (`GITHUB_STEP_SUMMARY`).
    pub fn is_summary(&self, path: &Path) -> bool {
        self.summary.as_deref() == Some(path)
    }

    /// Errors for failed claims and regressions, then warnings for what is inconclusive; at most ten of each.
    pub fn annotations(&self, report: &Report, gate: GateInputs<'_>) -> String {
        let [mut errors, mut warnings] = [Outcome::Fail, Outcome::Inconclusive].map(|outcome| {
            let command = if outcome == Outcome::Fail { "error" } else { "warning" };
            let all = report.verdicts.iter().filter(move |verdict| verdict.outcome == outcome);
            all.map(|verdict| self.annotation(command, verdict)).collect::<Vec<_>>()
        });
        if matches!(report.state, State::Running | State::Interrupted) {
            errors.extend(report.notes.first().map(|remark| line("error", "run", remark)));
        }
        errors.extend(gate.internal_errors.iter().map(|error| line("error", "saasbench", error)));
        match gate.compared {
            None => {}
            Some(Ok(comparison)) => {
                errors.extend(of_change(comparison, Change::Regressed));
                warnings.extend(inconclusive(comparison));
            }
            Some(Err(why)) => warnings.push(line("warning", "compare", why)),
        }
        shown(&errors) + &shown(&warnings)
    }

    /// Annotations of a comparison by itself.
    pub fn of_comparison(comparison: &Comparison) -> String {
        shown(&of_change(comparison, Change::Regressed)) + &shown(&inconclusive(comparison))
    }

    fn annotation(&self, command: &str, verdict: &Verdict) -> String {
        let title = format!("{}: {}", verdict.claim, verdict.subject);
        let place = verdict.place.as_ref().map_or_else(String::new, |place| {
            format!("file={},line={},col={},", property(&self.path(&place.file)), place.line, place.column)
        });
        let mut message = verdict.summary.clone();
        let relevant = verdict.evidence.iter().filter(|finding| finding.outcome == verdict.outcome);
        for finding in relevant.take(FINDINGS) {
            let _ = write!(message, "\nexpected {}; observed {}", finding.expected, finding.observed);
        }
        format!("::{command} {place}title={}::{}", property(&title), data(&message))
    }

    /// The path as GitHub expects it: relative to the checkout.
    fn path(&self, file: &str) -> String {
        let absolute = std::path::absolute(file).ok();
        let inside = absolute.as_ref().zip(self.workspace.as_ref());
        let inside = inside.and_then(|(path, workspace)| path.strip_prefix(workspace).ok());
        inside.map_or_else(|| file.to_owned(), |path| path.display().to_string())
    }
}

/// An annotation without a file.
fn line(command: &str, title: &str, message: &str) -> String {
    format!("::{command} title={}::{}", property(title), data(message))
}

/// An annotation for each quantity with this result.
fn of_change(comparison: &Comparison, change: Change) -> Vec<String> {
    let command = if change == Change::Regressed { "error" } else { "warning" };
    let why: String = reasons(comparison).map(|reason| format!("\n{reason}")).collect();
    let all = comparison.rows.iter().flat_map(|row| row.quantities.iter().map(move |of| (row, of)));
    let of_change = all.filter(|(_, quantity)| quantity.outcome == change);
    let lines = of_change.map(|(row, quantity)| {
        let title = format!("compare: {}, {}/{}: {}", row.tenant, row.journey, row.step, quantity.name);
        line(command, &title, &(quantity_line(row, quantity) + &why))
    });
    lines.collect()
}

/// A warning for everything that makes a comparison inconclusive.
fn inconclusive(comparison: &Comparison) -> Vec<String> {
    let mut lines: Vec<String> =
        comparison.cut_short.iter().map(|why| line("warning", "compare", why)).collect();
    lines.extend(of_change(comparison, Change::Inconclusive));
    let silent = comparison.rows.iter().filter(|row| row.is_silent());
    lines.extend(silent.map(|row| {
        let title = format!("compare: {}, {}/{}", row.tenant, row.journey, row.step);
        let few = format!(
            "too few requests to compare: {} in the baseline, {} in this run",
            row.base_requests, row.new_requests
        );
        line("warning", &title, &few)
    }));
    lines
}

/// The first [`SHOWN`] lines.
fn shown(lines: &[String]) -> String {
    lines.iter().take(SHOWN).map(|line| format!("{line}\n")).collect()
}

/// Escapes the message of a workflow command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property of a workflow command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use saasbench_record::testing::TestRun;
    use saasbench_verify::testing::Judge as _;
    use saasbench_verify::verdict::{Claim, Evidence, Place};

    #[test]
    fn annotates_failed_claims_at_their_source() {
        let mut report = TestRun::new("[metrics]\nenabled = false\n", &[]).judge();
        let place = Place { file: "/repo/ci/a,b.toml".to_owned(), line: 12, column: 8 };
        let failed = |place| Verdict {
            claim: Claim::Expectation,
            subject: "p99 < 50ms for a, b".to_owned(),
            outcome: Outcome::Fail,
            summary: "100% over\r\nit: p99 is 61 ms".to_owned(),
            evidence: vec![Evidence::new(Outcome::Fail, "x", "p99 < 50ms", "61 ms")],
            place,
        };
        report.verdicts = vec![
            failed(Some(place)),
            failed(None),
            Verdict::inconclusive(Claim::Counters, "http_requests_total, replica a", "no data"),
        ];
        let github = GitHub::new(None, Some("/repo".into()));
        insta::assert_snapshot!(github.annotations(&report, GateInputs::default()));
        report.verdicts = vec![failed(None); 12];
        assert_eq!(github.annotations(&report, GateInputs::default()).lines().count(), SHOWN);
    }

    #[test]
    fn annotates_regressions_and_internal_errors() {
        let mut report = TestRun::new("[metrics]\nenabled = false\n", &[]).judge();
        report.verdicts.clear();
        let compared = crate::comparison::tests::comparison(Outcome::Fail);
        let internal_errors = ["the disk is full".to_owned()];
        let github = GitHub::new(None, None);
        let gate = GateInputs { compared: Some(Ok(&compared)), internal_errors: &internal_errors };
        insta::assert_snapshot!("regressions_and_an_internal_error", github.annotations(&report, gate));
        let gate = GateInputs { compared: Some(Err("it cannot be read")), internal_errors: &[] };
        insta::assert_snapshot!("a_comparison_that_was_not_possible", github.annotations(&report, gate));
        assert_eq!(GitHub::of_comparison(&compared).lines().count(), 5);
        let mut silent = crate::comparison::tests::comparison(Outcome::Inconclusive);
        silent.rows.remove(0);
        silent.rows[0].quantities.retain(|quantity| quantity.outcome == Change::TooFew);
        insta::assert_snapshot!("too_few_requests_to_compare", GitHub::of_comparison(&silent));
        silent.rows.clear();
        silent.cut_short = Some("runs/new was interrupted: only the first 4.5 s are compared".to_owned());
        insta::assert_snapshot!("a_comparison_cut_short", GitHub::of_comparison(&silent));
        report.state = State::Interrupted;
        report.notes = vec!["the run was interrupted: only the recorded part is judged".to_owned()];
        insta::assert_snapshot!("an_interrupted_run", github.annotations(&report, GateInputs::default()));
    }
}

//! A run as JUnit XML: a suite for each kind of claim with a case for each verdict, a case for each quantity
//! compared with baselines, and one for the run itself, so that a run that ended early never looks green.
//!
//! An inconclusive verdict is a failure of type `inconclusive`: a gate that passed on it would pass without
//! data. Names come from the scenario alone, so that CI systems can follow a case from run to run.

mod compared;

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use quick_junit::{NonSuccessKind, SerializeError, TestCase, TestCaseStatus, TestSuite};

use crate::gate::GateInputs;
use saasbench_model::{safe_text, units::Nanos};
use saasbench_record::manifest::State;
use saasbench_verify::{
    Report,
    verdict::{Evidence, Outcome, Verdict},
};

/// Findings written per claim; `verdict.json` has all.
const FINDINGS: usize = 20;

/// Renders a report as JUnit XML.
///
/// # Errors
/// When the XML writer fails, which it does not for text in memory.
pub fn render(report: &Report, gate: GateInputs<'_>) -> Result<String, SerializeError> {
    let mut xml = quick_junit::Report::new(report.scenario.as_str());
    let lasted = report.load.map_or(Nanos::ZERO, |load| load.to_ns - load.from_ns);
    let lasted = Duration::from_nanos(lasted.0.unsigned_abs());
    xml.set_time(lasted);
    let mut suites = vec![suite(report, "run", lasted)];
    let mut add = |of: &str, case: TestCase| {
        let known = suites.iter().position(|suite| suite.name.as_str() == of);
        let index = known.unwrap_or_else(|| {
            suites.push(suite(report, of, lasted));
            suites.len() - 1
        });
        suites.get_mut(index).map(|suite| suite.add_test_case(case));
    };
    add("run", end(report, gate));
    let mut names: BTreeMap<(String, &str), usize> = BTreeMap::new();
    for verdict in &report.verdicts {
        let claim = verdict.claim.to_string();
        let number = names.entry((claim.clone(), &verdict.subject)).or_default();
        *number += 1;
        add(&claim, case(report, verdict, *number));
    }
    compared::cases(report, gate).into_iter().for_each(|case| add("compare", case));
    xml.add_test_suites(suites);
    let mut text = Vec::new();
    xml.serialize(&mut text)?;
    // XML cannot hold noncharacters, whoever sent them.
    Ok(safe_text::document(&String::from_utf8_lossy(&text)))
}

/// The run itself: whether it completed, and saasbench with it.
fn end(report: &Report, gate: GateInputs<'_>) -> TestCase {
    let failed = |kind, of: &str, text: String| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_type(of).set_message(text);
        status
    };
    let remark = || report.notes.first().cloned().unwrap_or_default();
    let status = match report.state {
        _ if !gate.internal_errors.is_empty() => {
            failed(NonSuccessKind::Error, "internal-error", gate.internal_errors.join("\n"))
        }
        State::Running => failed(NonSuccessKind::Error, "cut-off", remark()),
        State::Interrupted => failed(NonSuccessKind::Error, "interrupted", remark()),
        State::Aborted if report.outcome != Outcome::Pass => {
            failed(NonSuccessKind::Failure, "aborted", remark())
        }
        State::Aborted | State::Finished => TestCaseStatus::success(),
    };
    let mut case = TestCase::new("run completed", status);
    case.set_classname(format!("{}.run", report.scenario));
    case
}

/// A suite without cases. Its time is that of the load, which tests every claim throughout.
fn suite(report: &Report, claim: &str, lasted: Duration) -> TestSuite {
    let mut suite = TestSuite::new(claim);
    suite.set_time(lasted);
    let started = jiff::Timestamp::from_nanosecond(report.started_unix_ns.into());
    suite.timestamp = started.ok().and_then(|started| started.to_string().parse().ok());
    suite.add_property(("environment", report.environment.as_str()));
    suite.add_property(("seed", report.seed.to_string().as_str()));
    suite.add_property(("run", report.run.as_str()));
    suite
}

/// A case; `number` distinguishes those of the same claim and subject.
fn case(report: &Report, verdict: &Verdict, number: usize) -> TestCase {
    let (summary, found) = (&verdict.summary, findings(verdict));
    let mut status = match verdict.outcome {
        Outcome::Pass => TestCaseStatus::success(),
        Outcome::Fail | Outcome::Inconclusive => TestCaseStatus::non_success(NonSuccessKind::Failure),
    };
    match verdict.outcome {
        Outcome::Pass => {}
        Outcome::Fail => {
            status.set_type("fail").set_message(summary.as_str()).set_description(found.as_str());
        }
        Outcome::Inconclusive => {
            let message = format!("inconclusive: {summary}");
            status.set_type("inconclusive").set_message(message).set_description(found.as_str());
        }
    }
    let again = if number == 1 { String::new() } else { format!(" ({number})") };
    let mut case = TestCase::new(format!("{}{again}", verdict.subject), status);
    case.set_classname(format!("{}.{}", report.scenario, verdict.claim));
    if verdict.outcome == Outcome::Pass {
        case.set_system_out(found);
    }
    if let Some(place) = &verdict.place {
        case.extra.insert("file".into(), place.file.as_str().into());
        case.extra.insert("line".into(), place.line.to_string().as_str().into());
    }
    case
}

/// The summary, then what was expected and observed; for a claim that did not pass only the findings that did
/// not.
fn findings(verdict: &Verdict) -> String {
    let mut text = format!("{}\n", verdict.summary);
    if let Some(place) = &verdict.place {
        let _ = writeln!(text, "declared at {place}");
    }
    let relevant: Vec<&Evidence> = verdict
        .evidence
        .iter()
        .filter(|finding| verdict.outcome == Outcome::Pass || finding.outcome != Outcome::Pass)
        .collect();
    for finding in relevant.iter().take(FINDINGS) {
        let Evidence { subject, expected, observed, details, .. } = finding;
        let _ = writeln!(text, "\n{subject}\n  expected  {expected}\n  observed  {observed}");
        for detail in details {
            let _ = writeln!(text, "            {detail}");
        }
    }
    if relevant.len() > FINDINGS {
        let _ = writeln!(text, "\n… and {} more findings in verdict.json", relevant.len() - FINDINGS);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use saasbench_record::{
        manifest::State,
        sample::RequestOutcome,
        testing::{TestRun, sample},
    };
    use saasbench_verify::testing::Judge as _;

    const MORE: &str = "[metrics]\nenabled = false\n[[limit]]\nroute = \"POST /chat\"\nalgorithm = \"fixed-window\"\n\
                        quota = \"7/10s\"\n[[expect]]\nthat = \"p99 < 1s\"\n[[expect]]\nthat = \"max < 1s\"\n";

    fn made() -> TestRun {
        let status = |i| RequestOutcome::Status(if i < 8 { 200 } else { 429 });
        let samples: Vec<_> = (0..30).map(|i| sample(i * 20, (i % 2) as usize, status(i))).collect();
        TestRun::new(MORE, &samples)
    }

    fn text(report: &Report) -> String {
        let mut report = report.clone();
        report.run = "runs/RUN".to_owned();
        render(&report, GateInputs::default()).unwrap()
    }

    #[test]
    fn a_suite_for_each_kind_of_claim_and_a_case_for_each_verdict() {
        let report = made().judge();
        let text = text(&report);
        insta::assert_snapshot!(text);
        // The parsed file has the verdicts' counts.
        let read = quick_junit::Report::deserialize_from_str(&text).unwrap();
        let failed = report.verdicts.iter().filter(|verdict| verdict.outcome != Outcome::Pass).count();
        assert_eq!((read.tests, read.failures, read.errors), (report.verdicts.len() + 1, failed, 0));
    }

    /// The case of the run itself.
    fn run_case(report: &Report, gate: GateInputs<'_>) -> String {
        let text = render(report, gate).unwrap();
        let from = text.find("<testcase name=\"run completed\"").unwrap();
        text[from..].lines().take(2).map(str::trim).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn an_incomplete_run_is_not_a_success() {
        let mut made = TestRun::new("[metrics]\nenabled = false\n", &[]);
        let mut all = Vec::new();
        for state in [State::Finished, State::Running, State::Interrupted, State::Aborted] {
            made.manifest.state = state;
            let mut report = made.judge();
            report.verdicts.clear();
            all.push(run_case(&report, GateInputs::default()));
        }
        let internal_errors = ["the run could not be recorded: no space left".to_owned()];
        all.push(run_case(
            &made.judge(),
            GateInputs { internal_errors: &internal_errors, ..GateInputs::default() },
        ));
        insta::assert_snapshot!(all.join("\n\n"));
    }

    #[test]
    fn names_are_stable_between_runs() {
        let names = |report: &Report| -> Vec<String> {
            let read = quick_junit::Report::deserialize_from_str(&text(report)).unwrap();
            let cases = read.test_suites.iter().flat_map(|suite| &suite.test_cases);
            cases.map(|case| format!("{:?} {}", case.classname, case.name.as_str())).collect()
        };
        let mut other = made();
        other.manifest.state = State::Interrupted;
        other.manifest.started_unix_ns += 5_000_000_000;
        let (first, second) = (names(&made().judge()), names(&other.judge()));
        assert_eq!(first, second);
        let unique: std::collections::BTreeSet<&String> = first.iter().collect();
        assert_eq!(unique.len(), first.len());
    }

    #[test]
    fn drops_characters_that_xml_cannot_hold() {
        let mut report = made().judge();
        report.verdicts.truncate(1);
        report.verdicts[0].outcome = Outcome::Fail;
        report.verdicts[0].subject = "\"<a>\" & \u{1b}[31m]]>".to_owned();
        report.verdicts[0].summary = "one\ntwo\u{0}\u{fffe}\u{202e}".to_owned();
        insta::assert_snapshot!(text(&report));
    }
}

//! The report as Markdown for job summaries and merge requests: the verdict, the claims that did not pass
//! with their evidence, then tables. Every text of the run is escaped, and the whole stays below GitHub's
//! limit of 1 MiB.

use std::fmt::Write as _;

use super::comparison;
use crate::gate::GateInputs;
use saasbench_model::safe_text;
use saasbench_record::manifest::State;
use saasbench_verify::{
    Report,
    summary::{Counts, Quantiles, Row},
    verdict::{Evidence, Outcome, Verdict},
};

/// Maximum bytes: GitHub accepts 1 MiB per step, and other text of the step needs some of it.
const MOST: usize = 900 * 1024;
/// Claims shown with their evidence, per outcome.
const CLAIMS: usize = 50;
/// Findings shown per claim.
const FINDINGS: usize = 5;
/// Lines of details shown per finding.
const DETAILS: usize = 30;
/// Characters shown of a text.
const CHARACTERS: usize = 2000;
/// Rows shown of a table.
const ROWS: usize = 100;

/// Renders a report; it ends with a newline.
pub fn render(report: &Report, gate: GateInputs<'_>) -> String {
    let mut text = headline(report, gate);
    let rest = "\n*… the rest is in verdict.json.*\n";
    for section in sections(report, gate) {
        if text.len() + section.len() + rest.len() > MOST {
            text.push_str(rest);
            break;
        }
        text.push_str(&section);
    }
    text
}

fn headline(report: &Report, gate: GateInputs<'_>) -> String {
    let of = |outcome| report.verdicts.iter().filter(|verdict| verdict.outcome == outcome).count();
    let is_cut = matches!(report.state, State::Running | State::Interrupted);
    let least = if is_cut { Outcome::Inconclusive } else { Outcome::Pass };
    let worst = gate.and(report.outcome).max(least);
    let mut text = format!("## {} {}: {}\n\n", sign(worst), escaped(&report.scenario), tally(&of));
    if let Some(about) = &report.description {
        let _ = writeln!(text, "{}\n", escaped(about));
    }
    let mut facts = vec![escaped(&report.environment), format!("seed {}", report.seed)];
    if let Some(load) = report.load {
        let seconds = (load.to_ns - load.start_ns).as_secs_f64();
        facts.push(format!("{seconds:.1} s"));
        facts.push(format!("{} requests", report.summary.total.requests));
    }
    facts.push(format!("recorded in {}", escaped(&report.run)));
    let _ = writeln!(text, "{}\n", facts.join(" · "));
    for remark in gate.internal_errors.iter().chain(&report.notes) {
        let _ = writeln!(text, "> {}\n", escaped(remark));
    }
    text
}

/// `14 claims: 1 failed, 1 inconclusive, 12 passed`.
fn tally(of: &impl Fn(Outcome) -> usize) -> String {
    let [failed, unsure, passed] = [Outcome::Fail, Outcome::Inconclusive, Outcome::Pass].map(of);
    let all = failed + unsure + passed;
    let words = [(failed, "failed"), (unsure, "inconclusive"), (passed, "passed")];
    let parts = words.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
    let parts: Vec<String> = parts.collect();
    format!("{all} {}: {}", if all == 1 { "claim" } else { "claims" }, parts.join(", "))
}

/// The sections, the most important first: the last ones are dropped from a report that is too long.
fn sections<'a>(report: &'a Report, gate: GateInputs<'a>) -> impl Iterator<Item = String> + 'a {
    let with = |outcome: Outcome| report.verdicts.iter().filter(move |verdict| verdict.outcome == outcome);
    let failed = [Outcome::Fail, Outcome::Inconclusive].into_iter().flat_map(move |outcome| {
        let more = with(outcome).count().saturating_sub(CLAIMS);
        let more = (more > 0).then(|| format!("*… and {more} more claims with this outcome.*\n\n"));
        with(outcome).take(CLAIMS).map(claim).chain(more)
    });
    let passed = std::iter::once_with(move || passed(&with(Outcome::Pass).collect::<Vec<_>>()));
    let tables = std::iter::once_with(|| table(report));
    let generator =
        std::iter::once_with(|| format!("Generator: {}\n", escaped(&report.generator.to_string())));
    let compared = gate.compared.into_iter().map(|compared| match compared {
        Ok(compared) => format!("{}\n", comparison::markdown(compared)),
        Err(why) => format!("### ❔ Not compared with its baselines\n\n{}\n\n", escaped(why)),
    });
    failed.chain(compared).chain(tables).chain(passed).chain(generator)
}

/// A claim that did not pass.
fn claim(verdict: &Verdict) -> String {
    let Verdict { claim, subject, summary, outcome, .. } = verdict;
    let mut text =
        format!("### {} {claim}: {}\n\n{}\n\n", sign(*outcome), escaped(subject), escaped(summary));
    if let Some(place) = &verdict.place {
        let _ = writeln!(text, "Declared at {}.\n", escaped(&place.to_string()));
    }
    let relevant: Vec<&Evidence> =
        verdict.evidence.iter().filter(|finding| finding.outcome != Outcome::Pass).collect();
    for finding in relevant.iter().take(FINDINGS) {
        let _ = writeln!(text, "- expected: {}", escaped(&finding.expected));
        let _ = writeln!(text, "- observed: {}\n", escaped(&finding.observed));
        text.push_str(&details(&finding.details));
    }
    if relevant.len() > FINDINGS {
        let _ = writeln!(text, "*… and {} more findings in verdict.json.*\n", relevant.len() - FINDINGS);
    }
    text
}

/// The lines verbatim, inside a code fence that none of them can close.
fn details(lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut shown: Vec<String> = lines.iter().take(DETAILS).map(|line| shortened(line)).collect();
    if lines.len() > DETAILS {
        shown.push(format!("… and {} more lines in verdict.json", lines.len() - DETAILS));
    }
    let shown = shown.join("\n");
    let longest = shown.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{shown}\n{fence}\n\n")
}

/// Requests and latency by tenant and step, then by replica.
fn table(report: &Report) -> String {
    let summary = &report.summary;
    let statuses: Vec<u16> = summary.total.statuses.keys().copied().collect();
    let names: String = statuses.iter().map(|status| format!(" {status} |")).collect();
    let mut text = format!("| tenant | step | requests |{names} errors | p50 | p99 | max |\n");
    text.push_str(&format!("| --- | --- {}|\n", "| ---: ".repeat(statuses.len() + 5)));
    let mut add = |first: &str, second: &str, counts: &Counts, latency: Option<Quantiles>| {
        let _ = write!(text, "| {} | {} | {} |", escaped(first), escaped(second), counts.requests);
        for status in &statuses {
            let _ =
                write!(text, " {} |", counts.statuses.get(status).map_or_else(String::new, u64::to_string));
        }
        let latency = latency.map(|quantiles| [quantiles.p50, quantiles.p99, quantiles.max]);
        let latency = latency.map_or_else(<[String; 3]>::default, |latency| latency.map(|l| l.to_string()));
        let _ = writeln!(text, " {} | {} |", counts.errors, latency.join(" | "));
    };
    for Row { tenant, step, counts, from_intended, .. } in summary.rows.iter().take(ROWS) {
        add(tenant, step, counts, *from_intended);
    }
    for replica in summary.replicas.iter().take(ROWS) {
        add(&format!("replica {}", replica.name), "", &replica.counts, None);
    }
    add("total", "", &summary.total, None);
    if summary.rows.len() > ROWS {
        let _ = writeln!(text, "\n*… and {} more rows in verdict.json.*", summary.rows.len() - ROWS);
    }
    format!("{text}\nLatency is measured from the intended start of each request.\n\n")
}

/// The claims that passed, collapsed.
fn passed(verdicts: &[&Verdict]) -> String {
    if verdicts.is_empty() {
        return String::new();
    }
    let mut text = format!("<details><summary>{} passed</summary>\n\n", verdicts.len());
    for Verdict { claim, subject, summary, .. } in verdicts.iter().take(4 * CLAIMS) {
        let _ = writeln!(text, "- {claim}: {}: {}", escaped(subject), escaped(summary));
    }
    if verdicts.len() > 4 * CLAIMS {
        let _ = writeln!(text, "- … and {} more in verdict.json", verdicts.len() - 4 * CLAIMS);
    }
    text + "\n</details>\n\n"
}

fn sign(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "✅",
        Outcome::Fail => "❌",
        Outcome::Inconclusive => "❔",
    }
}

/// A text of the run, at most [`CHARACTERS`] long.
fn escaped(text: &str) -> String {
    safe_text::markdown(text, CHARACTERS)
}

/// A text on one line, which nothing is escaped in, at most [`CHARACTERS`] long.
fn shortened(text: &str) -> String {
    let shown: String = text.chars().take(CHARACTERS).collect();
    let rest = if text.chars().nth(CHARACTERS).is_some() { "…" } else { "" };
    safe_text::line(&shown) + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use saasbench_record::{
        sample::RequestOutcome,
        testing::{TestRun, sample},
    };
    use saasbench_verify::testing::Judge as _;
    use saasbench_verify::verdict::Claim;

    fn report() -> Report {
        let status = |i| RequestOutcome::Status(if i < 8 { 200 } else { 429 });
        let samples: Vec<_> = (0..30).map(|i| sample(i * 20, (i % 2) as usize, status(i))).collect();
        let more = "[metrics]\nenabled = false\n[[limit]]\nroute = \"POST /chat\"\nalgorithm = \"fixed-window\"\n\
                    quota = \"7/10s\"\n[[expect]]\nthat = \"p99 < 1s\"\n";
        let mut report = TestRun::new(more, &samples).judge();
        report.run = "runs/RUN".to_owned();
        report
    }

    #[test]
    fn a_bad_run() {
        insta::assert_snapshot!(render(&report(), GateInputs::default()));
    }

    #[test]
    fn shows_the_comparison_and_internal_errors() {
        let mut report = report();
        report.verdicts.retain(|verdict| verdict.outcome == Outcome::Pass);
        report.outcome = Outcome::Pass;
        let compared = comparison::tests::comparison(Outcome::Fail);
        let lines = |gate| {
            let text = render(&report, gate);
            let shown = text.lines().filter(|line| line.starts_with(['#', '>', '*']) || line.contains("p99"));
            shown.collect::<Vec<_>>().join("\n")
        };
        let gate = GateInputs { compared: Some(Ok(&compared)), ..GateInputs::default() };
        insta::assert_snapshot!("with_a_comparison", lines(gate));
        let internal_errors = ["the run could not be recorded: no space left".to_owned()];
        let gate = GateInputs { compared: Some(Err("it cannot be read")), internal_errors: &internal_errors };
        insta::assert_snapshot!("with_an_internal_error", lines(gate));
    }

    #[test]
    fn escapes_text_of_the_service() {
        let mut report = report();
        let hostile = "a|b `c` <script>*x*</script>\n# @team [l](http://x) ```";
        report.verdicts.truncate(1);
        let finding = Evidence::new(Outcome::Fail, hostile, hostile, hostile).detail(hostile);
        report.verdicts[0] =
            Verdict::from_evidence(Claim::Limit, hostile, vec![finding], |_, _| hostile.to_owned());
        report.summary.rows[0].tenant = hostile.to_owned();
        insta::assert_snapshot!(render(&report, GateInputs::default()));
    }

    #[test]
    fn stays_below_githubs_size_limit() {
        let mut report = report();
        let long = "<|`".repeat(700);
        let mut finding = Evidence::new(Outcome::Fail, &long, &long, &long);
        finding.details = vec![long.clone(); 31];
        let failed = Verdict::from_evidence(Claim::Limit, &long, vec![finding; 6], |_, _| long.clone());
        report.verdicts = vec![failed; 51];
        report.summary.rows = vec![report.summary.rows[0].clone(); 1000];
        let text = render(&report, GateInputs::default());
        assert!(text.len() < 1024 * 1024, "{}", text.len());
        assert!(text.ends_with("*… the rest is in verdict.json.*\n"));
    }
}

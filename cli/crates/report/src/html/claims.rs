//! Claims in words: a card for a failed one, a line for one of many, and the section of all claims with their
//! findings.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::{
    Page,
    format::{class, sign, word},
};
use crate::html::summary_text;
use saasbench_verify::verdict::{Certificate, Claim, Evidence, Outcome, Verdict};

/// Findings shown per claim; `verdict.json` has all.
const FINDINGS: usize = 20;
/// Lines of details shown per finding.
const DETAILS: usize = 12;
/// Requests listed per certificate.
const REQUESTS: usize = 60;

/// A claim as a sentence that is true if it passes.
fn says(claim: Claim) -> &'static str {
    match claim {
        Claim::Counters => "The service's counters match the clients' requests",
        Claim::Histograms => "The service's duration histograms match the clients' latency",
        Claim::Quantiles => "The service's latency quantiles match the clients' latency",
        Claim::Sizes => "The service's size metrics match the bytes on the wire",
        Claim::Gauges => "Gauges return to their idle value",
        Claim::Scrapes => "The service's metrics can be scraped",
        Claim::Cardinality => "No label has unbounded values",
        Claim::Rules => "Recording rules equal their expressions",
        Claim::Redis => "The limiter's store is healthy",
        Claim::Promql => "A PromQL expression stays within its bound",
        Claim::Alerts => "Alerts fire and resolve in time",
        Claim::Limit => "The rate limit is enforced as promised",
        Claim::Headers => "Rate-limit headers are correct",
        Claim::Isolation => "No tenant receives another tenant's data",
        Claim::NoisyNeighbour => "A tenant's flood does not affect other tenants",
        Claim::Expectation => "The scenario's expectation is met",
        Claim::Generator => "The load generator kept up",
    }
}

/// A failed claim as a sentence.
fn broken(claim: Claim) -> &'static str {
    match claim {
        Claim::Counters => "The service's counters disagree with the clients' requests",
        Claim::Histograms => "The service's duration histograms disagree with the clients' latency",
        Claim::Quantiles => "The service's latency quantiles disagree with the clients' latency",
        Claim::Sizes => "The service's size metrics disagree with the bytes on the wire",
        Claim::Gauges => "A gauge did not return to its idle value",
        Claim::Scrapes => "The service's metrics could not be scraped reliably",
        Claim::Cardinality => "A label has unbounded values",
        Claim::Rules => "A recording rule differs from its expression",
        Claim::Redis => "The limiter's store is not healthy",
        Claim::Promql => "A PromQL expression exceeded its bound",
        Claim::Alerts => "An alert did not fire or resolve as expected",
        Claim::Limit => "A rate limit was not enforced as promised",
        Claim::Headers => "Rate-limit headers are wrong",
        Claim::Isolation => "A tenant received another tenant's data",
        Claim::NoisyNeighbour => "A tenant's flood affected other tenants",
        Claim::Expectation => "An expectation of the scenario was not met",
        Claim::Generator => "The load generator was the bottleneck",
    }
}

/// A verdict's title; for a violated limit also in which direction.
fn title(verdict: &Verdict) -> &'static str {
    if verdict.outcome != Outcome::Fail {
        return says(verdict.claim);
    }
    let proofs = verdict.evidence.iter().filter_map(|finding| finding.certificate.as_ref());
    let rejections: Vec<bool> = proofs.map(summary_text::is_of_rejection).collect();
    match (rejections.contains(&true), rejections.contains(&false)) {
        (false, true) => "More requests were admitted than a rate limit allows",
        (true, false) => "Requests were rejected that a rate limit should admit",
        _ => broken(verdict.claim),
    }
}

/// A failed verdict for the report's headline.
pub(super) fn headline(verdict: &Verdict) -> String {
    if verdict.claim == Claim::Expectation {
        return format!("{} was expected, but {}", verdict.subject, verdict.summary);
    }
    let mut characters = title(verdict).chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

/// The diagnosis of a verdict, if there is one.
pub(super) fn cause(verdict: &Verdict) -> Option<&str> {
    verdict
        .evidence
        .iter()
        .find_map(|finding| finding.diagnosis.as_ref())
        .map(|diagnosis| diagnosis.sentence.as_str())
}

/// An outcome as a sign and a word.
pub(crate) fn mark(outcome: Outcome) -> Markup {
    html! { span class={ "mark-of " (class(outcome)) } { span aria-hidden="true" { (sign(outcome)) } span.word { (word(outcome)) } } }
}

/// A claim that did not pass, for the first screen.
pub(crate) fn card(page: &Page<'_>, number: usize, verdict: &Verdict) -> Markup {
    let finding = verdict.evidence.iter().find(|finding| finding.outcome == verdict.outcome);
    let proof = finding.and_then(|finding| finding.certificate.as_ref());
    let lead = match proof {
        Some(proof) => Some(summary_text::proven(proof)),
        None => summary_text::lead(&verdict.summary, finding.map(|finding| finding.observed.as_str()))
            .map(str::to_owned),
    };
    html! {
        article class={ "card " (class(verdict.outcome)) } {
            h3 { (mark(verdict.outcome)) " " a href={ "#claim-" (number) } { (title(verdict)) } }
            p.subject { code { (summary_text::subject(page, &verdict.subject)) } }
            @if let Some(lead) = lead { p.lead { (lead) } }
            @if let Some(cause) = cause(verdict) { p.cause { strong { "Likely cause: " } (cause) } }
            @if let (Some(finding), None) = (finding, proof) {
                dl.sides {
                    dt { "expected" } dd { (finding.expected) }
                    dt { "observed" } dd { (finding.observed) }
                }
                @if let Some(meaning) = summary_text::meaning(verdict.claim, finding) { p.note { (meaning) } }
            }
        }
    }
}

/// A claim in one line.
pub(crate) fn line(page: &Page<'_>, number: usize, verdict: &Verdict) -> Markup {
    html! {
        (mark(verdict.outcome))
        " " a href={ "#claim-" (number) } { (title(verdict)) }
        " " code { (summary_text::subject(page, &verdict.subject)) } ": " (verdict.summary)
    }
}

/// Verified claims when all pass: a line for each kind.
pub(crate) fn held(page: &Page<'_>) -> Markup {
    let mut kinds: Vec<(Claim, usize)> = Vec::new();
    for verdict in &page.report.verdicts {
        match kinds.iter_mut().find(|(claim, _)| *claim == verdict.claim) {
            Some((_, count)) => *count += 1,
            None => kinds.push((verdict.claim, 1)),
        }
    }
    html! {
        @if kinds.is_empty() { p { "The run has no claims." } }
        ul.held {
            @for (claim, count) in kinds {
                li {
                    (mark(Outcome::Pass)) " " span.what { (says(claim)) }
                    @if count > 1 { span.count { (count) " claims" } }
                }
            }
        }
    }
}

/// All claims by kind, each with its findings.
pub(crate) fn all(page: &Page<'_>) -> Markup {
    let mut groups: Vec<(Claim, Vec<(usize, &Verdict)>)> = Vec::new();
    for (number, verdict) in page.report.verdicts.iter().enumerate() {
        match groups.iter_mut().find(|(claim, _)| *claim == verdict.claim) {
            Some((_, verdicts)) => verdicts.push((number, verdict)),
            None => groups.push((verdict.claim, vec![(number, verdict)])),
        }
    }
    // Claims that did not pass come first.
    groups.sort_by_key(|(_, verdicts)| {
        std::cmp::Reverse(verdicts.iter().map(|(_, verdict)| verdict.outcome).max())
    });
    html! {
        p.tools { button type="button" data-open="true" hidden { "Open all" } " " button type="button" data-open="false" hidden { "Close all" } }
        @for (claim, verdicts) in groups {
            h3.group { (says(claim)) " " span.count { code { (claim) } } }
            @for (number, verdict) in verdicts { (expandable(number, verdict)) }
        }
    }
}

fn expandable(number: usize, verdict: &Verdict) -> Markup {
    let relevant = |finding: &&Evidence| verdict.outcome == Outcome::Pass || finding.outcome != Outcome::Pass;
    let (mut shown, mut others): (Vec<&Evidence>, Vec<&Evidence>) =
        verdict.evidence.iter().partition(relevant);
    shown.append(&mut others);
    let left = shown.len().saturating_sub(FINDINGS);
    html! {
        details.claim id={ "claim-" (number) } open[verdict.outcome != Outcome::Pass] {
            summary {
                (mark(verdict.outcome)) " " code { (verdict.subject) } " " span.summary { (verdict.summary) }
            }
            @for finding in shown.iter().take(FINDINGS) { (found(finding)) }
            @if shown.is_empty() { p.finding { "No findings." } }
            @if left > 0 { p.finding { "… and " (left) " more findings in verdict.json" } }
        }
    }
}

fn found(finding: &Evidence) -> Markup {
    let diagnosed = finding.diagnosis.as_ref().map(|diagnosis| format!("diagnosis: {}", diagnosis.sentence));
    let details: Vec<&String> =
        finding.details.iter().filter(|line| diagnosed.as_ref() != Some(line)).collect();
    html! {
        div.finding {
            p { (mark(finding.outcome)) " " code { (finding.subject) } }
            @if let Some(diagnosis) = &finding.diagnosis {
                p.cause {
                    strong { "Likely cause: " } (diagnosis.sentence)
                    @if !diagnosis.alternatives.is_empty() { " (Other possible causes: " (diagnosis.alternatives.join(", ")) ".)" }
                }
            }
            dl.sides {
                dt { "expected" } dd { (finding.expected) }
                dt { "observed" } dd { (finding.observed) }
            }
            @if !details.is_empty() {
                ul.details {
                    @for line in details.iter().take(DETAILS) { li { (line) } }
                    @if details.len() > DETAILS { li { "… and " (details.len() - DETAILS) " more lines in verdict.json" } }
                }
            }
            @if let Some(certificate) = &finding.certificate { (proof(certificate)) }
        }
    }
}

/// The requests of a certificate, as a table.
fn proof(certificate: &Certificate) -> Markup {
    let requests = certificate.requests.iter().chain(&certificate.given);
    let count = certificate.requests.len() + certificate.given.len();
    let seconds = |at: saasbench_model::units::Nanos| {
        let mut text = String::new();
        let _ = write!(text, "{:.4}", at.as_secs_f64());
        text
    };
    html! {
        details.proof {
            summary { "Proof: " (count) (if count == 1 { " request of " } else { " requests of " }) code { (certificate.tenant) } ", " (certificate.quota) " allowed" }
            p { (certificate.reason) }
            div.scroll {
                table aria-label="Requests of the proof" {
                    thead { tr { th { "sample" } th { "sent (s)" } th { "done (s)" } th { "replica" } th { "decision" } } }
                    tbody {
                        @for request in requests.take(REQUESTS) {
                            tr {
                                td.number { (request.sample) } td.number { (seconds(request.sent_ns)) }
                                td.number { (seconds(request.done_ns)) } td { (request.replica) } td { (request.decision) }
                            }
                        }
                    }
                }
            }
            @if count > REQUESTS { p { "… and " (count - REQUESTS) " more requests in verdict.json" } }
        }
    }
}

#[cfg(test)]
mod tests;

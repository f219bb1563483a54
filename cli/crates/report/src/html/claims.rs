//! Claims in words: a card for one that did not pass, a line for one among many, and all of them with what they rest on.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::{Page, class, sign, word};
use crate::html::summary_text;
use saasbench_verify::verdict::{Certificate, Claim, Evidence, Outcome, Verdict};

/// Findings of a claim that are shown; the rest stand in `verdict.json`.
const FINDINGS: usize = 20;
/// Lines of a finding's details that are shown.
const DETAILS: usize = 12;
/// Requests of a certificate that are listed.
const REQUESTS: usize = 60;

/// What a claim says, in a sentence that holds if it passes.
fn says(claim: Claim) -> &'static str {
    match claim {
        Claim::Counters => "The service counts what clients saw",
        Claim::Histograms => "The service's duration histograms fit what clients saw",
        Claim::Quantiles => "The service's quantiles lie where clients' latency allows them",
        Claim::Sizes => "The service counts the bytes that clients sent and got",
        Claim::Gauges => "Gauges return to rest",
        Claim::Scrapes => "The service's metrics can be scraped",
        Claim::Cardinality => "No label takes values without bound",
        Claim::Rules => "Recording rules agree with what they stand for",
        Claim::Store => "The limiter's store is healthy",
        Claim::Promql => "A PromQL expression keeps its bound",
        Claim::Alerts => "Alerts fire and resolve in time",
        Claim::Limit => "The promised limit is kept",
        Claim::Headers => "Rate-limit headers keep what they promise",
        Claim::Isolation => "Nothing of a tenant comes to another",
        Claim::Neighbours => "A tenant's flood is felt by nobody else",
        Claim::Expectation => "The scenario's expectation is met",
        Claim::Generator => "The load generator kept up",
    }
}

/// What a failure of it means.
fn broken(claim: Claim) -> &'static str {
    match claim {
        Claim::Counters => "The service's counters disagree with what clients saw",
        Claim::Histograms => "The service's duration histograms do not fit what clients saw",
        Claim::Quantiles => "The service's latency quantiles cannot be true",
        Claim::Sizes => "The service's size metrics disagree with the bytes on the wire",
        Claim::Gauges => "A gauge did not return to rest",
        Claim::Scrapes => "The service's metrics could not be scraped as they should",
        Claim::Cardinality => "A label takes values without bound",
        Claim::Rules => "A recording rule disagrees with what it stands for",
        Claim::Store => "The limiter's store is not healthy",
        Claim::Promql => "A PromQL expression exceeded its bound",
        Claim::Alerts => "An alert did not do what was promised",
        Claim::Limit => "A promised rate limit was broken",
        Claim::Headers => "Rate-limit headers promise what is not kept",
        Claim::Isolation => "Something of a tenant came to another",
        Claim::Neighbours => "A tenant's flood was felt by others",
        Claim::Expectation => "An expectation of the scenario was not met",
        Claim::Generator => "The load generator was the bottleneck",
    }
}

/// What a verdict says: of a broken limit also to which side.
fn title(verdict: &Verdict) -> &'static str {
    if verdict.outcome != Outcome::Fail {
        return says(verdict.claim);
    }
    let proofs = verdict.evidence.iter().filter_map(|finding| finding.certificate.as_ref());
    let rejections: Vec<bool> = proofs.map(summary_text::is_of_rejection).collect();
    match (rejections.contains(&true), rejections.contains(&false)) {
        (false, true) => "More was admitted than a rate limit promises",
        (true, false) => "Requests were rejected that a rate limit promises to admit",
        _ => broken(verdict.claim),
    }
}

/// A failed verdict within the page's first sentence.
pub(super) fn headline(verdict: &Verdict) -> String {
    if verdict.claim == Claim::Expectation {
        return format!("{} was expected, but {}", verdict.subject, verdict.summary);
    }
    let mut characters = title(verdict).chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

/// The mistake that explains a verdict, if one does.
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

/// The same in a line.
pub(crate) fn line(page: &Page<'_>, number: usize, verdict: &Verdict) -> Markup {
    html! {
        (mark(verdict.outcome))
        " " a href={ "#claim-" (number) } { (title(verdict)) }
        " " code { (summary_text::subject(page, &verdict.subject)) } ": " (verdict.summary)
    }
}

/// What holds, when everything does: a line for each sort of claim.
pub(crate) fn held(page: &Page<'_>) -> Markup {
    let mut kinds: Vec<(Claim, usize)> = Vec::new();
    for verdict in &page.report.verdicts {
        match kinds.iter_mut().find(|(claim, _)| *claim == verdict.claim) {
            Some((_, count)) => *count += 1,
            None => kinds.push((verdict.claim, 1)),
        }
    }
    html! {
        @if kinds.is_empty() { p { "The run makes no claim." } }
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

/// All claims, by their sort, each with its findings.
pub(crate) fn all(page: &Page<'_>) -> Markup {
    let mut groups: Vec<(Claim, Vec<(usize, &Verdict)>)> = Vec::new();
    for (number, verdict) in page.report.verdicts.iter().enumerate() {
        match groups.iter_mut().find(|(claim, _)| *claim == verdict.claim) {
            Some((_, verdicts)) => verdicts.push((number, verdict)),
            None => groups.push((verdict.claim, vec![(number, verdict)])),
        }
    }
    // What did not pass comes first.
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
    let telling = |finding: &&Evidence| verdict.outcome == Outcome::Pass || finding.outcome != Outcome::Pass;
    let (mut shown, mut others): (Vec<&Evidence>, Vec<&Evidence>) =
        verdict.evidence.iter().partition(telling);
    shown.append(&mut others);
    let left = shown.len().saturating_sub(FINDINGS);
    html! {
        details.claim id={ "claim-" (number) } open[verdict.outcome != Outcome::Pass] {
            summary {
                (mark(verdict.outcome)) " " code { (verdict.subject) } " " span.summary { (verdict.summary) }
            }
            @for finding in shown.iter().take(FINDINGS) { (found(finding)) }
            @if shown.is_empty() { p.finding { "There are no findings." } }
            @if left > 0 { p.finding { "… and " (left) " findings more in verdict.json" } }
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
                    @if !diagnosis.others.is_empty() { " (It may also be: " (diagnosis.others.join(", ")) ".)" }
                }
            }
            dl.sides {
                dt { "expected" } dd { (finding.expected) }
                dt { "observed" } dd { (finding.observed) }
            }
            @if !details.is_empty() {
                ul.details {
                    @for line in details.iter().take(DETAILS) { li { (line) } }
                    @if details.len() > DETAILS { li { "… and " (details.len() - DETAILS) " lines more in verdict.json" } }
                }
            }
            @if let Some(certificate) = &finding.certificate { (proof(certificate)) }
        }
    }
}

/// The requests that prove it, as a table.
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
            summary { "The proof: " (count) (if count == 1 { " request of " } else { " requests of " }) code { (certificate.tenant) } ", " (certificate.quota) " promised" }
            p { (certificate.because) }
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
            @if count > REQUESTS { p { "… and " (count - REQUESTS) " requests more in verdict.json" } }
        }
    }
}

#[cfg(test)]
mod tests;

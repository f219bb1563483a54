//! The first screen: whether the run passed, what failed, and three charts. A first-time reader must
//! understand it within ten seconds.

use maud::{Markup, html};

use super::{
    Page, claims,
    format::{class, grouped, sign, started, word},
    pictures, timeline_events,
};
use saasbench_verify::verdict::{Claim, Outcome, Verdict};

/// Claims shown in full.
const IN_FULL: usize = 3;
/// Lines for the remaining claims.
const LINES: usize = 12;

/// The banner with the verdict.
pub(crate) fn header(page: &Page<'_>) -> Markup {
    html! { header class={ "verdict " (class(page.report.outcome)) } { (verdict(page)) } }
}

/// The rest of the first screen: what failed, and the charts.
pub(crate) fn screen(page: &Page<'_>) -> Markup {
    html! {
        div.first {
            div.broken { (broken(page)) }
            div.pictures {
                (pictures::throughput(page))
                (pictures::latency(page))
                (pictures::distribution(page))
                (pictures::numbers(page))
            }
            (timeline_events::legend(&page.marks, page.times.span()))
        }
    }
}

fn verdict(page: &Page<'_>) -> Markup {
    let report = page.report;
    let worst = failed(page).first().map(|(_, verdict)| *verdict);
    // What failed says more than how many claims detected it.
    let why = worst.map_or_else(|| counted(page), claims::headline);
    html! {
        div.sign aria-hidden="true" { (sign(report.outcome)) }
        div.said {
            h1 { (word(report.outcome)) span.why { ": " (why) } }
            @if let Some(worst) = worst {
                p.counted {
                    (counted(page))
                    @if let Some(cause) = claims::cause(worst) { " – likely cause: " strong { (cause) } }
                }
            }
            p.about { strong { (report.scenario) } @if let Some(about) = &report.description { " – " (about) } }
            p.facts { (facts(page)) }
            @for remark in &report.notes { p.remark { (remark) } }
        }
        button #theme type="button" hidden { "Dark" }
    }
}

/// Counts of claims by outcome.
fn counted(page: &Page<'_>) -> String {
    let report = page.report;
    let count = |outcome| report.verdicts.iter().filter(|verdict| verdict.outcome == outcome).count();
    let (fails, unsure, all) = (count(Outcome::Fail), count(Outcome::Inconclusive), report.verdicts.len());
    match (fails, unsure) {
        (0, 0) if all == 0 => "no claims".to_owned(),
        (0, 0) if report.outcome != Outcome::Pass => {
            format!("{all} claims hold up to the point where the run ended")
        }
        (0, 0) => format!("all {all} claims hold"),
        (0, _) => format!("{unsure} of {all} claims could not be decided"),
        (1, 0) => format!("1 of {all} claims does not hold"),
        (_, 0) => format!("{fails} of {all} claims do not hold"),
        (1, _) => format!("1 of {all} claims does not hold, {unsure} could not be decided"),
        _ => format!("{fails} of {all} claims do not hold, {unsure} could not be decided"),
    }
}

fn facts(page: &Page<'_>) -> Markup {
    let (report, environment) = (page.report, &page.run.manifest.environment);
    let responses: u64 = report.summary.total.statuses.values().sum();
    let seconds =
        report.load.map(|load| (load.to_ns - load.start_ns).as_secs_f64()).filter(|seconds| *seconds > 0.0);
    html! {
        span { (started(report.started_unix_ns)) }
        @if let Some(seconds) = seconds {
            span { (format!("{seconds:.1}")) " s" }
        }
        span { (grouped(report.summary.total.requests)) " requests" }
        @if let Some(seconds) = seconds { span { (format!("{:.0}", responses as f64 / seconds)) " responses/s" } }
        span { "on " (environment.name) " (" (replicas(environment.replicas.len())) ")" }
    }
}

fn replicas(count: usize) -> String {
    format!("{count} {}", if count == 1 { "replica" } else { "replicas" })
}

/// The failed claims, those with a diagnosis first; then the inconclusive ones. Without any: the claims that
/// hold.
fn broken(page: &Page<'_>) -> Markup {
    let (failed, unsure) = (failed(page), of(page, Outcome::Inconclusive));
    html! {
        @if !failed.is_empty() { h2 { "Failures" } (some(page, &failed, "that failed")) }
        @if !unsure.is_empty() && failed.is_empty() { h2 { "Inconclusive claims" } (some(page, &unsure, "that could not be decided")) }
        @if !unsure.is_empty() && !failed.is_empty() { (rest(page, &unsure, &format!("{} that could not be decided", unsure.len()))) }
        @if failed.is_empty() && unsure.is_empty() { h2 { "Verified claims" } (claims::held(page)) }
    }
}

/// The claims with this outcome, with their indices.
fn of<'a>(page: &Page<'a>, outcome: Outcome) -> Vec<(usize, &'a Verdict)> {
    page.report.verdicts.iter().enumerate().filter(|(_, verdict)| verdict.outcome == outcome).collect()
}

/// The failed claims, the most informative first: those with a diagnosis; expectations last, since they often
/// fail as a consequence of another failure.
fn failed<'a>(page: &Page<'a>) -> Vec<(usize, &'a Verdict)> {
    let mut failed = of(page, Outcome::Fail);
    failed
        .sort_by_key(|(_, verdict)| (claims::cause(verdict).is_none(), verdict.claim == Claim::Expectation));
    failed
}

/// The first of each kind in full, up to [`IN_FULL`]; the remaining ones, which look alike, collapsed.
fn some(page: &Page<'_>, verdicts: &[(usize, &Verdict)], sort: &str) -> Markup {
    let mut full: Vec<(usize, &Verdict)> = Vec::new();
    let mut others = Vec::new();
    for (number, verdict) in verdicts {
        let is_new = full.iter().all(|(_, shown)| shown.claim != verdict.claim);
        let place = if is_new && full.len() < IN_FULL { &mut full } else { &mut others };
        place.push((*number, *verdict));
    }
    let cause = full.first().and_then(|(_, verdict)| claims::cause(verdict));
    let is_shared = cause.is_some() && others.iter().all(|(_, verdict)| claims::cause(verdict) == cause);
    let shared = if is_shared { ", with the same likely cause" } else { "" };
    html! {
        @for (number, verdict) in full { (claims::card(page, number, verdict)) }
        @if !others.is_empty() { (rest(page, &others, &format!("and {} more {sort}{shared}", others.len()))) }
    }
}

/// A line per claim, collapsed below their number.
fn rest(page: &Page<'_>, verdicts: &[(usize, &Verdict)], said: &str) -> Markup {
    html! {
        details.rest {
            summary { (said) }
            ul.more {
                @for (number, verdict) in verdicts.iter().take(LINES) {
                    li { (claims::line(page, *number, verdict)) }
                }
                @if verdicts.len() > LINES { li { a href="#claims" { "and " (verdicts.len() - LINES) " more under All claims" } } }
            }
        }
    }
}

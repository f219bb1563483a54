//! The HTML report of a capacity search: the capacity, latency and throughput by load level, scaling with
//! replicas, and every step. It is rendered from `capacity.json` alone; `pictures` draws.

mod pictures;

use maud::{Markup, html};

use self::pictures::Range;
use super::{
    Document, Section,
    claims::mark,
    format::{class, sign, started, word},
    pictures::defined,
};
use crate::capacity::{at_least, brief, counted, in_brief, level, limit, short};
use saasbench_model::{safe_text, scenario::capacity::By, units::Nanos};
use saasbench_verify::{
    capacity::{
        result::{CapacityReport, Count, Limit, Scaling},
        scaling::Estimate,
        step::{Ending, Step},
    },
    verdict::Outcome,
};

/// File name in the search's directory.
pub const FILE: &str = "capacity.html";

/// Renders the report.
pub fn render(report: &CapacityReport) -> String {
    let document = Document {
        title: format!("{}: capacity of {}", headline(report).0, report.scenario),
        definitions: defined(&html! {}),
        skip: ("#steps-0", "Skip to the steps"),
        header: header(report),
        first: screen(report),
        sections: sections(report),
        source: &report.directory,
        origin: "Everything above is computed from the recorded runs of the steps; times are UTC.",
    };
    safe_text::document(&document.render())
}

/// The result as a word and a sentence.
fn headline(report: &CapacityReport) -> (&'static str, String) {
    let each = report.counts.iter().map(|count| (count.replicas, brief(count, report.by)));
    let found = in_brief(&each.collect::<Vec<_>>());
    let Some(least) = report.at_least else {
        let is_found = report.outcome == Outcome::Pass;
        return (if is_found { "Found" } else { word(report.outcome) }, found);
    };
    let least = at_least(report.by, least, report.at_least_with);
    let said = match report.outcome {
        Outcome::Pass => format!("{least} is reached"),
        Outcome::Fail => format!("{least} is not reached"),
        Outcome::Inconclusive => format!("whether {least} is reached could not be decided"),
    };
    (word(report.outcome), format!("{said} (found: {found})"))
}

fn header(report: &CapacityReport) -> Markup {
    let (first, why) = headline(report);
    let steps: usize = report.counts.iter().map(|count| count.steps.len()).sum();
    let took: f64 = report.counts.iter().map(|count| count.took_ns.as_secs_f64()).sum();
    html! {
        header class={ "verdict " (class(report.outcome)) } {
            div.sign aria-hidden="true" { (sign(report.outcome)) }
            div.said {
                h1 { (first) span.why { ": " (why) } }
                p.about { strong { (report.scenario) } " – the highest " (raised(report.by)) " that meets " (report.objectives.join(" · ")) }
                p.facts {
                    span { (started(report.started_unix_ns)) }
                    span { (format!("{took:.0}")) " s" }
                    span { (steps) " steps" }
                    span { "on " (report.environment) }
                }
                @if report.interrupted { p.remark { "Interrupted: results up to that point." } }
                @if let Some(failure) = &report.failure { p.remark { "Stopped early: " (failure) } }
            }
            button #theme type="button" hidden { "Dark" }
        }
    }
}

/// The rest of the first screen.
fn screen(report: &CapacityReport) -> Markup {
    html! {
        div.first {
            div.broken { @for count in &report.counts { (card(count, report.by)) } }
            div.pictures {
                @if report.counts.len() > 1 { (pictures::scaling(report)) }
                @for (number, count) in report.counts.iter().enumerate() { @if let Some(picture) = pictures::latency(number, count, report, Range::All) { (picture) } }
                @if let [count] = report.counts.as_slice() { (closer(0, count, report)) }
            }
        }
    }
}

fn raised(by: By) -> &'static str {
    match by {
        By::Rate => "rate",
        By::Users => "number of users",
    }
}

fn card(count: &Count, by: By) -> Markup {
    let known = |at: Option<f64>, is_sure: bool| {
        let sure = if is_sure { "" } else { " (not confirmed)" };
        at.map_or("–".to_owned(), |at| format!("{}{sure}", level(by, at)))
    };
    let tone = match count.limit {
        Limit::Lowest => Outcome::Fail,
        Limit::Service | Limit::Machine if count.sure => Outcome::Pass,
        _ => Outcome::Inconclusive,
    };
    html! {
        article class={ "card " (class(tone)) } {
            h3 { (counted(count.replicas)) ": " span.figure-of { (brief(count, by)) } }
            dl.sides {
                dt { "held at" } dd { (known(count.held, count.held_is_sure)) }
                dt { "broke at" } dd { (known(count.broke, count.broke_is_sure)) }
                dt { "limit" } dd { (limit(count.limit)) }
                @if !count.why.is_empty() { dt { "why" } dd { (count.why) } }
                @if let Some(knee) = count.knee { dt { "knee" } dd { (level(by, knee)) ": from there on p99 stays doubled" } }
            }
        }
    }
}

fn sections(report: &CapacityReport) -> Vec<Section> {
    let mut sections = Vec::new();
    if report.counts.len() > 1 {
        sections.push(Section {
            id: "scaling".into(),
            title: "Scaling with replicas".into(),
            content: scaling(report),
        });
    }
    for (number, count) in report.counts.iter().enumerate() {
        let title = match report.counts.len() {
            1 => "Steps".to_owned(),
            _ => format!("Steps with {}", counted(count.replicas)),
        };
        sections.push(Section {
            id: format!("steps-{number}").into(),
            title: title.into(),
            content: steps(number, count, report),
        });
    }
    sections.push(Section {
        id: "search".into(),
        title: "Search parameters".into(),
        content: search(report),
    });
    sections
}

fn scaling(report: &CapacityReport) -> Markup {
    let interval = |estimate: &Estimate| {
        format!("{} ({} to {})", short(estimate.value), short(estimate.low), short(estimate.high))
    };
    let rows = |law: &Scaling| {
        let mut rows = vec![
            ("λ", "throughput of one replica".to_owned(), law.lambda),
            ("σ", "contention: the share of work that replicas serialize".to_owned(), law.sigma),
            ("κ", "coherency: the cost of coordination per pair of replicas".to_owned(), law.kappa),
            ("gain", format!("added by replica {}", law.next), law.next_gain),
            ("capacity", format!("with {}", counted(law.next)), law.next_capacity),
        ];
        if law.peak.value.is_finite() {
            rows.push(("peak", "number of replicas with the highest throughput".to_owned(), law.peak));
        }
        rows
    };
    html! {
        @if let Some(law) = &report.scaling {
            p.note { "Universal Scalability Law, X(N) = λN / (1 + σ(N − 1) + κN(N − 1)), with 95 % intervals." }
            div.scroll { table {
                thead { tr { th { "" } th { "meaning" } th { "estimate" } } }
                tbody { @for (name, meaning, estimate) in rows(law) {
                    tr { th scope="row" { (name) } td { (meaning) } td { (interval(&estimate)) } }
                } }
            } }
            @if !law.peak.value.is_finite() {
                p.note { "No peak found; it is at " (short(law.peak.low)) " replicas or more." }
            }
        }
        @if let Some(note) = &report.scaling_note { p.remark { (note) } }
    }
}

fn steps(number: usize, count: &Count, report: &CapacityReport) -> Markup {
    html! {
        @if report.counts.len() > 1 { div.wide { (closer(number, count, report)) } }
        div.scroll tabindex="0" { table.steps {
            thead { tr {
                th.number { "step" } th.number { "level" } th { "result" } th.number { "p50" } th.number { "p99" }
                th.number { "responses" } th.number { "errors" } th.number { "planned" } th.number { "generator" }
                th.number { "machine" } th { "why" } th { "recorded in" }
            } }
            tbody { @for (number, step) in count.steps.iter().enumerate() { (row(number + 1, step, report.by)) } }
        } }
    }
}

/// Charts around the capacity.
fn closer(number: usize, count: &Count, report: &CapacityReport) -> Markup {
    html! {
        @if let Some(picture) = pictures::latency(number, count, report, Range::Near) { (picture) }
        (pictures::throughput(number, count, report))
    }
}

fn row(number: usize, step: &Step, by: By) -> Markup {
    let latency = |nanos: Option<Nanos>| nanos.map_or("–".to_owned(), |nanos| nanos.to_string());
    let share =
        |share: Option<f64>| share.map_or("–".to_owned(), |share| format!("{:.0} %", share * 100.0));
    html! {
        tr {
            th.number scope="row" { (number) }
            td.number { (level(by, step.level)) }
            td { (ended(step)) }
            td.number { (latency(step.p50)) } td.number { (latency(step.p99)) }
            td.number { (format!("{:.0}/s", step.responses_per_s)) } td.number { (step.errors) }
            td.number { (step.planned_ns) @if step.cut_short { ", cut short" } }
            td.number { (share(step.generator_busy)) } td.number { (share(step.machine_busy)) }
            td.why { (step.why.as_deref().unwrap_or_default()) }
            td { code { (step.run) } }
        }
    }
}

/// A step's result as a sign and a word.
fn ended(step: &Step) -> Markup {
    let (outcome, said) = match step.ending {
        Ending::Held => (Outcome::Pass, "held"),
        Ending::Broke => (Outcome::Fail, "broke"),
        Ending::Generator => (Outcome::Inconclusive, "generator"),
        Ending::Unsure => (Outcome::Inconclusive, "unsure"),
    };
    html! { span class={ "mark-of " (class(outcome)) } { span aria-hidden="true" { (sign(outcome)) } span.word { (said) } } }
}

fn search(report: &CapacityReport) -> Markup {
    html! {
        dl.facts-of {
            dt { "objectives" } dd { (report.objectives.join(" · ")) }
            dt { "load" } dd { (raised(report.by)) }
            dt { "precision" } dd { (format!("{:.3}", report.precision * 100.0).trim_end_matches('0').trim_end_matches('.')) " %" }
            @if let Some(least) = report.at_least { dt { "required" } dd { (at_least(report.by, least, report.at_least_with)) ": " (mark(report.outcome)) } }
            dt { "environment" } dd { (report.environment) }
            dt { "recorded in" } dd { code { (report.directory) } }
        }
        p.note {
            "The capacity is the level at which the objectives hold half of the time. Steps at both ends of its interval are repeated until their "
            "results are significant at the 5 % level. Steps limited by the generator are not counted for or against the service."
        }
    }
}

#[cfg(test)]
mod tests;

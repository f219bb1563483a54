//! The page of a search for the capacity: what was found, latency and answers by level, how it scales with replicas, and
//! every step. It is made from `capacity.json` alone; `pictures` draws.

mod pictures;

use maud::{Markup, html};

use self::pictures::Range;
use super::{Document, Section, claims::mark, class, pictures::defined, sign, word};
use crate::capacity::{at_least, brief, counted, in_brief, level, limit, short};
use crate::html::overview::started;
use saasbench_model::{scenario::capacity::By, units::Nanos};
use saasbench_verify::{
    capacity::{
        result::{CapacityReport, Count, Limit, Scaling},
        scaling::Estimate,
        step::{Ending, Step},
    },
    verdict::Outcome,
};

/// The file's name in the directory of the search.
pub const FILE: &str = "capacity.html";

/// Renders the page.
pub fn render(report: &CapacityReport) -> String {
    let document = Document {
        title: format!("{}: capacity of {}", headline(report).0, report.scenario),
        definitions: defined(&html! {}),
        skip: ("#steps-0", "Skip to the steps"),
        header: header(report),
        first: screen(report),
        sections: sections(report),
        source: &report.directory,
        origin: "Everything above comes from the recorded runs of its steps; times are UTC.",
    };
    document.render()
}

/// What it came to, in a word and in a sentence.
fn headline(report: &CapacityReport) -> (&'static str, String) {
    let each = report.counts.iter().map(|count| (count.replicas, brief(count, report.by)));
    let found = in_brief(&each.collect::<Vec<_>>());
    let Some(least) = report.at_least else {
        let is_found = report.outcome == Outcome::Pass;
        return (if is_found { "Found" } else { word(report.outcome) }, found);
    };
    let least = at_least(report.by, least, report.at_least_with);
    let said = match report.outcome {
        Outcome::Pass => format!("{least} is kept"),
        Outcome::Fail => format!("{least} is not kept"),
        Outcome::Inconclusive => format!("whether {least} is kept is not sure"),
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
                p.about { strong { (report.scenario) } " – the highest " (raised(report.by)) " that keeps " (report.objectives.join(" · ")) }
                p.facts {
                    span { (started(report.started_unix_ns)) }
                    span { (format!("{took:.0}")) " s" }
                    span { (steps) " steps" }
                    span { "on " (report.environment) }
                }
                @if report.interrupted { p.remark { "Interrupted: this is what was known by then." } }
                @if let Some(failure) = &report.failure { p.remark { "Broken off: " (failure) } }
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
        let sure = if is_sure { "" } else { " (not sure)" };
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
                @if let Some(knee) = count.knee { dt { "knee" } dd { "p99 doubles for good from " (level(by, knee)) " on" } }
            }
        }
    }
}

fn sections(report: &CapacityReport) -> Vec<Section> {
    let mut sections = Vec::new();
    if report.counts.len() > 1 {
        sections.push(Section {
            id: "scaling".into(),
            title: "What more replicas bring".into(),
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
        title: "How it was searched".into(),
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
            ("λ", "what one replica serves".to_owned(), law.lambda),
            (
                "σ",
                "contention: the share of the work that replicas wait for each other with".to_owned(),
                law.sigma,
            ),
            ("κ", "coherency: what each pair of them spends on agreeing".to_owned(), law.kappa),
            ("gain", format!("what replica {} would bring", law.next), law.next_gain),
            ("capacity", format!("with {}", counted(law.next)), law.next_capacity),
        ];
        if law.peak.value.is_finite() {
            rows.push(("peak", "with so many replicas most is served".to_owned(), law.peak));
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
                p.note { "Nothing speaks against more replicas; the peak may lie at " (short(law.peak.low)) " already." }
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
                th.number { "step" } th.number { "level" } th { "came to" } th.number { "p50" } th.number { "p99" }
                th.number { "answered" } th.number { "errors" } th.number { "planned" } th.number { "generator" }
                th.number { "machine" } th { "why" } th { "recorded in" }
            } }
            tbody { @for (number, step) in count.steps.iter().enumerate() { (row(number + 1, step, report.by)) } }
        } }
    }
}

/// What is seen where one looks closer.
fn closer(number: usize, count: &Count, report: &CapacityReport) -> Markup {
    html! {
        @if let Some(picture) = pictures::latency(number, count, report, Range::Near) { (picture) }
        (pictures::answers(number, count, report))
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
            td.number { (format!("{:.0}/s", step.answered_per_s)) } td.number { (step.errors) }
            td.number { (step.planned_ns) @if step.cut_short { ", cut short" } }
            td.number { (share(step.generator_busy)) } td.number { (share(step.machine_busy)) }
            td.why { (step.why.as_deref().unwrap_or_default()) }
            td { code { (step.run) } }
        }
    }
}

/// What a step came to, as a sign and a word.
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
            dt { "raised" } dd { (raised(report.by)) }
            dt { "precision" } dd { (format!("{:.3}", report.precision * 100.0).trim_end_matches('0').trim_end_matches('.')) " %" }
            @if let Some(least) = report.at_least { dt { "asked for" } dd { (at_least(report.by, least, report.at_least_with)) ": " (mark(report.outcome)) } }
            dt { "environment" } dd { (report.environment) }
            dt { "recorded in" } dd { code { (report.directory) } }
        }
        p.note {
            "The capacity is the level at which the objectives hold half of the time. Both ends of its interval are repeated until so one-sided a "
            "result would come by chance in at most one of twenty cases, were that end the capacity itself. Steps that the generator spoiled say nothing of the service."
        }
    }
}

#[cfg(test)]
mod tests;

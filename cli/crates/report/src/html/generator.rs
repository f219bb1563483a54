//! The sections on alerts, events of the run, and the load generator's own health.

use maud::{Markup, html};

use super::{
    Page,
    chart::{Form, Frame, Lane, OverTime, Picture, Series, Span, Unit, lanes, over_time},
};
use crate::html::timeline_events::Kind;
use saasbench_model::units::Nanos;
use saasbench_record::usage::{Usage, WORKER};
use saasbench_verify::alerts::{AlertTimeline, courses};

/// Events listed.
const EVENTS: usize = 200;

/// When each alert was expected, pending, firing and resolved; `None` without alerts.
pub(crate) fn alerts(page: &Page<'_>) -> Option<Markup> {
    let courses = courses(page.run);
    let end = courses.iter().map(|course| page.seconds(course.until)).fold(page.times.span().1, f64::max);
    let lane = |course: &AlertTimeline| {
        let span = |class, name, (from, to): (Nanos, Nanos)| Span {
            class,
            name,
            from: page.seconds(from),
            to: page.seconds(to),
        };
        let mut spans: Vec<Span> =
            course.pending.map(|both| span("pending", "pending", both)).into_iter().collect();
        spans.extend(course.firing.map(|both| span("firing", "firing", both)));
        let cause = course.cause.map(|both| span("cause-of", "cause", both));
        let promised = |deadline: Option<Nanos>| {
            deadline.map(|at| format!(" (deadline {:.1} s)", page.seconds(at))).unwrap_or_default()
        };
        let (fires, resolves) = (promised(course.deadlines.0), promised(course.deadlines.1));
        let resolved = course.resolved.map(|at| format!(", resolved by {:.1} s{resolves}", page.seconds(at)));
        let state = match (course.firing, course.pending) {
            (Some((from, _)), _) => {
                format!("fired at {:.1} s{fires}{}", page.seconds(from), resolved.unwrap_or_default())
            }
            (None, Some(_)) => format!("pending, did not fire{fires}"),
            (None, None) if course.cause.is_some() => format!("did not fire{fires}"),
            (None, None) => "inactive".to_owned(),
        };
        let because = if cause.is_some() { "expected" } else { "must not fire" };
        [
            Lane { name: format!("{} – {because}", course.alert), spans: cause.into_iter().collect() },
            Lane { name: state, spans },
        ]
    };
    if courses.is_empty() {
        return None;
    }
    let drawn: Vec<Lane> = courses.iter().flat_map(lane).collect();
    let description: Vec<String> = drawn.iter().map(|lane| lane.name.clone()).collect();
    let span = (page.times.span().0, end);
    Some(lanes(
        "alert-courses",
        "Alerts recorded by Prometheus",
        &description.join("; "),
        &drawn,
        span,
        &page.marks,
    ))
}

/// The events marked in the charts, as a list.
pub(crate) fn events(page: &Page<'_>) -> Option<Markup> {
    let faults = &page.run.manifest.environment.faults;
    if page.marks.is_empty() && faults.is_empty() {
        return None;
    }
    let lettered = page.marks.iter().filter(|mark| mark.kind != Kind::Stall);
    let stalls = page.marks.iter().filter(|mark| mark.kind == Kind::Stall);
    Some(html! {
        @for fault in faults {
            p.note { "A fault was injected into the service for the whole run: " code { (fault) } "." }
        }
        ul.events {
            @for mark in lettered.chain(stalls).take(EVENTS) {
                li { strong { (mark.kind.letter()) } " " (format!("{:.2}", mark.from)) " s: " (mark.text) }
            }
        }
    })
}

/// The generator's effect on the measurement.
pub(crate) fn generator(page: &Page<'_>) -> Markup {
    let generator = &page.report.generator;
    let stalls = generator.stalls;
    html! {
        p.note { (generator) }
        dl.facts-of {
            @if let Some(lateness) = &generator.lateness {
                dt { "sent late" } dd { "p50 " (lateness.p50) ", p99 " (lateness.p99) ", max " (lateness.max) " (of " (lateness.requests) " requests outside stalls)" }
            }
            dt { "dropped arrivals" } dd { (generator.dropped) }
            dt { "stalls" } dd {
                @if !generator.self_monitored { "not monitored" }
                @else if stalls.count == 0 { "none" }
                @else { (stalls.count) ", " (stalls.total_ns) " in total, the longest " (stalls.longest_ns) "; " (generator.touched) " requests affected" }
            }
            @for worker in &generator.workers {
                dt { (worker.name) } dd { (format!("{:.0} % of a CPU, saturated for {:.0} % of the time, waiting for a CPU for {:.0} %", worker.busy * 100.0, worker.saturated * 100.0, worker.waited * 100.0)) }
            }
            @if let Some(processors) = generator.processors {
                dt { "whole process" } dd { (format!("{processors:.2} CPUs on average (including an embedded service)")) }
            }
        }
        @if let Some(picture) = usage(page) { div.wide { (picture) } }
    }
}

/// CPU usage of its workers over time.
fn usage(page: &Page<'_>) -> Option<Markup> {
    let usage = &page.run.self_monitor.usage;
    let mut names: Vec<&String> =
        usage.iter().flat_map(|line| line.threads.keys()).filter(|name| name.starts_with(WORKER)).collect();
    names.sort_by_key(|name| (name.len(), name.as_str()));
    names.dedup();
    const CLASSES: [&str; 6] = ["p50", "p90", "p99", "max", "event", "client"];
    let series: Vec<Series> = names
        .iter()
        .zip(CLASSES)
        .map(|(name, class)| Series { name: (*name).clone(), class, values: busy(page, usage, name) })
        .collect();
    if series.iter().all(|series| series.values.iter().all(Option::is_none)) {
        return None;
    }
    let description =
        "CPU usage of each thread that sends requests. At 100 % the generator is the bottleneck.";
    let picture = Picture {
        id: "usage",
        title: "CPU usage of the generator's threads",
        description,
        frame: Frame::WIDE,
    };
    let chart = OverTime { picture, unit: Unit::Percent, form: Form::Lines, series, at_least: 100.0 };
    Some(over_time(&chart, &page.times))
}

/// A thread's CPU usage in percent, by interval: between the two samples around the interval's middle.
fn busy(page: &Page<'_>, usage: &[Usage], name: &str) -> Vec<Option<f64>> {
    let share = |number: usize| {
        let middle = page.times.middle(number);
        let after = usage.partition_point(|line| page.seconds(line.at_ns) <= middle);
        let (before, after) = (usage.get(after.checked_sub(1)?)?, usage.get(after)?);
        let spent = after.threads.get(name)?.cpu_ns - before.threads.get(name)?.cpu_ns;
        let length = (after.at_ns - before.at_ns).as_secs_f64();
        (length > 0.0).then(|| (spent.as_secs_f64() * 100.0 / length).max(0.0))
    };
    (0..page.timeline.intervals().len()).map(share).collect()
}

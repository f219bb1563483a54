//! The three pictures of the first screen, and the numbers beside them.

use maud::{Markup, PreEscaped, html};

use super::{
    Page, Times,
    chart::{Form, Frame, OverTime, Picture, Series, Unit, all_events, histogram, over_time},
};
use crate::html::overview::grouped;
use crate::timeline::{Cell, Group, Kind};

/// How a kind of outcomes is called, and its name in the style sheet.
pub(crate) fn told(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Success => ("2xx", "success"),
        Kind::Redirect => ("3xx", "redirect"),
        Kind::Limited => ("429 (limited)", "limited"),
        Kind::ClientError => ("other 4xx", "client"),
        Kind::ServerError => ("5xx", "server"),
        Kind::Unanswered => ("unanswered", "unanswered"),
        Kind::NotSent => ("not sent", "notsent"),
        Kind::Dropped => ("dropped", "dropped"),
    }
}

/// What each hatching is made of, in a field of 6 by 6.
const HATCHINGS: [(&str, &str); 7] = [
    ("redirect", "M0 3H6"),
    ("limited", "M-1 7L7 -1M-1 1L1 -1M5 7L7 5"),
    ("client", "M-1 -1L7 7M5 -1L7 1M-1 5L1 7"),
    ("server", "M0 0L6 6M6 0L0 6"),
    ("unanswered", "M1.5 1.5h.1M4.5 4.5h.1"),
    ("notsent", "M3 0V6"),
    ("dropped", "M0 3H6M3 0V6"),
];

/// What pictures refer to: the hatchings that areas are filled with, and what happened when.
pub(crate) fn definitions(page: &Page<'_>) -> Markup {
    defined(&all_events(page.times.span(), &page.marks))
}

/// The hatchings, and what else is referred to.
pub(crate) fn defined(others: &Markup) -> Markup {
    html! {
        svg.definitions width="0" height="0" aria-hidden="true" {
            defs {
                @for (name, path) in HATCHINGS {
                    pattern id={ "hatch-" (name) } width="6" height="6" patternUnits="userSpaceOnUse" {
                        rect class={ "hatch-ground " (name) } width="6" height="6" {}
                        path class={ "hatch-lines " (name) } d=(PreEscaped(path)) {}
                    }
                }
                (others)
            }
        }
    }
}

/// Requests per second by what came of them, for a group; kinds that never occurred are left out.
pub(crate) fn rates(history: &[&Cell], times: &Times) -> Vec<Series> {
    let there = |kind: &Kind| history.iter().any(|cell| cell.count(*kind) > 0);
    let series = |kind: Kind| {
        let (name, class) = told(kind);
        let rate = |(number, cell): (usize, &&Cell)| Some(cell.count(kind) as f64 / times.length(number));
        Series { name: name.to_owned(), class, values: history.iter().enumerate().map(rate).collect() }
    };
    Kind::ALL.into_iter().filter(there).map(series).collect()
}

/// Throughput by status over time.
pub(crate) fn throughput(page: &Page<'_>) -> Markup {
    let history = page.timeline.history(Group::All);
    let series = rates(&history, &page.times);
    let total = |kind: Kind| history.iter().map(|cell| cell.count(kind)).sum::<u64>();
    let shares: Vec<String> = Kind::ALL
        .into_iter()
        .filter(|kind| total(*kind) > 0)
        .map(|kind| format!("{} {}", total(kind), told(kind).0))
        .collect();
    let description = format!(
        "Requests per second by what came of them, one upon the other. In all: {}.",
        shares.join(", ")
    );
    let picture = Picture {
        id: "throughput",
        title: "Throughput by status",
        description: &description,
        frame: Frame::LARGE,
    };
    let chart = OverTime { picture, unit: Unit::PerSecond, form: Form::Stacked, series, at_least: 0.0 };
    over_time(&chart, &page.times)
}

/// Latency quantiles over time.
pub(crate) fn latency(page: &Page<'_>) -> Markup {
    let history = page.timeline.history(Group::All);
    let of = |name: &str, class, read: &dyn Fn(&Cell) -> Option<f64>| Series {
        name: name.to_owned(),
        class,
        values: history.iter().map(|cell| read(cell)).collect(),
    };
    let at = |q: f64| move |cell: &Cell| cell.latency.quantile(q).map(|value| value.0 as f64);
    let series = vec![
        of("p50", "p50", &at(0.5)),
        of("p90", "p90", &at(0.9)),
        of("p99", "p99", &at(0.99)),
        of("max", "max", &|cell| cell.latency.max().map(|value| value.0 as f64)),
    ];
    let whole = history.iter().fold(Cell::default(), |mut sum, cell| {
        sum.merge(cell);
        sum
    });
    let said = |q: f64| whole.latency.quantile(q).map_or("none".to_owned(), |value| value.to_string());
    let description = format!(
        "Latency of answered requests from the instant at which each was due, on a logarithmic scale. Over the whole run: p50 {}, p90 {}, p99 {}, max {}.",
        said(0.5),
        said(0.9),
        said(0.99),
        said(1.0)
    );
    let picture =
        Picture { id: "latency", title: "Latency over time", description: &description, frame: Frame::LARGE };
    let chart = OverTime { picture, unit: Unit::Latency, form: Form::LogLines, series, at_least: 0.0 };
    over_time(&chart, &page.times)
}

/// How latency is distributed.
pub(crate) fn distribution(page: &Page<'_>) -> Markup {
    let description = "The share of the answered requests in each bucket of latency, from the instant at which each was due beside the one from which it was sent. Where the two differ, requests waited in the generator.";
    let picture =
        Picture { id: "distribution", title: "Latency distribution", description, frame: Frame::LARGE };
    histogram(&picture, &page.report.summary.distribution)
}

/// What came of the requests, in numbers.
pub(crate) fn numbers(page: &Page<'_>) -> Markup {
    let total = &page.report.summary.total;
    let all = (total.requests + total.dropped).max(1);
    let share = |count: u64| format!("{:.2} %", count as f64 * 100.0 / all as f64);
    let kind = |status: u16| told(Kind::of(saasbench_record::sample::Outcome::Status(status))).1;
    let others = [
        ("unanswered", "unanswered", total.unknown),
        ("not sent", "notsent", total.not_sent),
        ("dropped by the generator", "dropped", total.dropped),
    ];
    html! {
        div.numbers {
            table {
                caption { "In numbers" }
                thead { tr { th { "answer" } th.number { "requests" } th.number { "share" } } }
                tbody {
                    @for (status, count) in &total.statuses {
                        tr { th scope="row" { span class={ "dot " (kind(*status)) } {} (status) } td.number { (grouped(*count)) } td.number { (share(*count)) } }
                    }
                    @for (name, class, count) in others {
                        @if count > 0 {
                            tr { th scope="row" { span class={ "dot " (class) } {} (name) } td.number { (grouped(count)) } td.number { (share(count)) } }
                        }
                    }
                    tr.sum { th scope="row" { "errors" } td.number { (grouped(total.errors)) } td.number { (share(total.errors)) } }
                }
            }
            p.generator { "Generator: " (page.report.generator) }
        }
    }
}

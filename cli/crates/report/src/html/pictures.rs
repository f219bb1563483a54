//! The three charts of the first screen, and the table beside them.

use maud::{Markup, PreEscaped, html};

use super::{
    Page, Times,
    chart::{Form, Frame, OverTime, Picture, Series, Unit, all_events, histogram, over_time},
};
use crate::html::format::grouped;
use crate::timeline::{Cell, Group, Kind};

/// Label and CSS class of a kind of outcome.
pub(crate) fn label(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Success => ("2xx", "success"),
        Kind::Redirect => ("3xx", "redirect"),
        Kind::Limited => ("429 (rejected)", "limited"),
        Kind::ClientError => ("other 4xx", "client"),
        Kind::ServerError => ("5xx", "server"),
        Kind::NoResponse => ("no response", "no-response"),
        Kind::NotSent => ("not sent", "notsent"),
        Kind::Dropped => ("dropped", "dropped"),
    }
}

/// SVG path of each hatching, in a 6 × 6 tile.
const HATCHINGS: [(&str, &str); 7] = [
    ("redirect", "M0 3H6"),
    ("limited", "M-1 7L7 -1M-1 1L1 -1M5 7L7 5"),
    ("client", "M-1 -1L7 7M5 -1L7 1M-1 5L1 7"),
    ("server", "M0 0L6 6M6 0L0 6"),
    ("no-response", "M1.5 1.5h.1M4.5 4.5h.1"),
    ("notsent", "M3 0V6"),
    ("dropped", "M0 3H6M3 0V6"),
];

/// The definitions that charts refer to: hatchings of areas, and event markers.
pub(crate) fn definitions(page: &Page<'_>) -> Markup {
    defined(&all_events(page.times.span(), &page.marks))
}

/// The hatchings and other definitions.
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

/// Requests per second by outcome, for a group; outcomes that never occurred are left out.
pub(crate) fn rates(history: &[&Cell], times: &Times) -> Vec<Series> {
    let occurs = |kind: &Kind| history.iter().any(|cell| cell.count(*kind) > 0);
    let series = |kind: Kind| {
        let (name, class) = label(kind);
        let rate = |(number, cell): (usize, &&Cell)| Some(cell.count(kind) as f64 / times.length(number));
        Series { name: name.to_owned(), class, values: history.iter().enumerate().map(rate).collect() }
    };
    Kind::ALL.into_iter().filter(occurs).map(series).collect()
}

/// Throughput by status over time.
pub(crate) fn throughput(page: &Page<'_>) -> Markup {
    let history = page.timeline.history(Group::All);
    let series = rates(&history, &page.times);
    let total = |kind: Kind| history.iter().map(|cell| cell.count(kind)).sum::<u64>();
    let shares: Vec<String> = Kind::ALL
        .into_iter()
        .filter(|kind| total(*kind) > 0)
        .map(|kind| format!("{} {}", total(kind), label(kind).0))
        .collect();
    let description = format!("Requests per second by outcome, stacked. In total: {}.", shares.join(", "));
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
    let shown = |q: f64| whole.latency.quantile(q).map_or("none".to_owned(), |value| value.to_string());
    let description = format!(
        "Latency of responses from the intended start of each request, on a logarithmic scale. Over the whole run: p50 {}, p90 {}, p99 {}, max {}.",
        shown(0.5),
        shown(0.9),
        shown(0.99),
        shown(1.0)
    );
    let picture =
        Picture { id: "latency", title: "Latency over time", description: &description, frame: Frame::LARGE };
    let chart = OverTime { picture, unit: Unit::Latency, form: Form::LogLines, series, at_least: 0.0 };
    over_time(&chart, &page.times)
}

/// The latency histogram.
pub(crate) fn distribution(page: &Page<'_>) -> Markup {
    let description = "The share of responses in each latency bucket, from the intended start and from the actual send of each request. Where the two differ, requests waited in the generator.";
    let picture =
        Picture { id: "distribution", title: "Latency distribution", description, frame: Frame::LARGE };
    histogram(&picture, &page.report.summary.distribution)
}

/// Requests by outcome, as a table.
pub(crate) fn numbers(page: &Page<'_>) -> Markup {
    let total = &page.report.summary.total;
    let all = (total.requests + total.dropped).max(1);
    let share = |count: u64| format!("{:.2} %", count as f64 * 100.0 / all as f64);
    let kind = |status: u16| label(Kind::of(saasbench_record::sample::RequestOutcome::Status(status))).1;
    let others = [
        ("no response", "no-response", total.unknown),
        ("sent once more", "no-response", total.resent),
        ("not sent", "notsent", total.not_sent),
        ("dropped by the generator", "dropped", total.dropped),
    ];
    html! {
        div.numbers {
            table {
                caption { "Responses" }
                thead { tr { th { "outcome" } th.number { "requests" } th.number { "share" } } }
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

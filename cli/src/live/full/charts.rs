//! The two charts of the full display: responses per second by status, and latency quantiles on a logarithmic
//! scale.

use ratatui::{
    Frame,
    layout::Rect,
    style::{Color, Style},
    symbols::Marker,
    text::{Line, Span},
    widgets::{Axis, Block, Chart, Dataset, GraphType},
};

use super::State;
use crate::live::{view::View, window::Second};
use saasbench_model::units::Nanos;

/// Minimum and maximum number of seconds shown.
const SECONDS: std::ops::RangeInclusive<usize> = 20..=120;

/// Rows of a chart around its content: the border, and the axis with its labels.
const FRAME: u16 = 4;

/// A line of a chart.
struct Series {
    name: String,
    colour: Color,
    points: Vec<(f64, f64)>,
}

/// A group of outcomes: name, colour, and its number of a second's requests.
type Outcomes = (&'static str, Color, fn(&Second) -> u64);

const OUTCOMES: [Outcomes; 6] = [
    ("2xx", Color::Green, |second| statuses(second, |status| (200..300).contains(&status))),
    ("3xx", Color::Cyan, |second| statuses(second, |status| (300..400).contains(&status))),
    ("429", Color::Yellow, |second| statuses(second, |status| status == 429)),
    ("4xx", Color::Magenta, |second| {
        statuses(second, |status| (400..500).contains(&status) && status != 429)
    }),
    ("5xx", Color::Red, |second| statuses(second, |status| status >= 500)),
    ("unanswered", Color::LightRed, |second| second.added.outcomes.unknown + second.added.outcomes.not_sent),
];

fn statuses(second: &Second, is_meant: impl Fn(u16) -> bool) -> u64 {
    second
        .added
        .outcomes
        .statuses
        .iter()
        .filter(|(status, _)| is_meant(**status))
        .map(|(_, count)| count)
        .sum()
}

/// The last seconds, and how long ago each ended.
fn last(view: &View) -> impl Iterator<Item = (f64, &Second)> {
    let end = view.window.seconds.back().map_or(Nanos::ZERO, |second| second.end);
    let skipped = view.window.seconds.len().saturating_sub(*SECONDS.end());
    view.window.seconds.iter().skip(skipped).map(move |second| ((second.end - end).as_secs_f64(), second))
}

/// Requests per second by outcome.
pub(super) fn rates(frame: &mut Frame<'_>, area: Rect, view: &View, state: &State) {
    let series = OUTCOMES.iter().filter_map(|(name, colour, of)| {
        let rate = |second: &Second| of(second) as f64 / second.lasted.as_secs_f64().max(0.001);
        let points: Vec<(f64, f64)> = last(view).map(|(at, second)| (at, rate(second))).collect();
        let series = Series { name: (*name).to_owned(), colour: *colour, points };
        series.points.iter().any(|(_, rate)| *rate > 0.0).then_some(series)
    });
    let series: Vec<Series> = series.collect();
    let most =
        series.iter().flat_map(|series| &series.points).fold(1.0, |most: f64, (_, rate)| most.max(*rate));
    let labels = [0.0, most / 2.0, most].map(|rate| format!("{rate:.0}"));
    draw(frame, area, "requests/s", &series, [0.0, most * 1.05], labels.to_vec(), state);
}

/// Latency from intended, on a logarithmic scale.
pub(super) fn latency(frame: &mut Frame<'_>, area: Rect, view: &View, state: &State) {
    let of = |name: &str, colour, index: usize| {
        let at = |second: &Second| Some((second.quantiles?.get(index)?.0.max(1) as f64).log10());
        let points: Vec<(f64, f64)> = last(view).filter_map(|(x, second)| Some((x, at(second)?))).collect();
        (!points.is_empty()).then(|| Series { name: name.to_owned(), colour, points })
    };
    let series = [of("p99", Color::Red, 2), of("p90", Color::Yellow, 1), of("p50", Color::Green, 0)];
    let series: Vec<Series> = series.into_iter().flatten().collect();
    let all = series.iter().flat_map(|series| &series.points).map(|(_, latency)| *latency);
    let (low, high) =
        all.fold((f64::MAX, f64::MIN), |(low, high), latency| (low.min(latency), high.max(latency)));
    let (low, high) =
        if low <= high { (low.floor(), (low.floor() + 1.0).max(high.ceil())) } else { (6.0, 7.0) };
    let labels =
        (low as i32..=high as i32).map(|power| Nanos(10_i64.pow(power.clamp(0, 18) as u32)).to_string());
    draw(frame, area, "latency", &series, [low, high], labels.collect(), state);
}

/// The axis labels that fit into the rows: the ends are the most important.
fn fitting(labels: Vec<String>, rows: usize) -> Vec<String> {
    if labels.len() <= rows {
        return labels;
    }
    let ends = labels.first().into_iter().chain(labels.last());
    if rows > 1 { ends.cloned().collect() } else { Vec::new() }
}

fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    title: &str,
    series: &[Series],
    bounds: [f64; 2],
    labels: Vec<String>,
    state: &State,
) {
    let style = |colour| if state.coloured { Style::new().fg(colour) } else { Style::new() };
    let mut spans = vec![Span::raw(format!(" {title}: "))];
    for series in series {
        spans.push(Span::styled(format!("{} ", series.name), style(series.colour)));
    }
    let from =
        series.iter().flat_map(|series| series.points.first()).fold(0.0, |from: f64, (at, _)| from.min(*at));
    let from = from.min(-(*SECONDS.start() as f64));
    let datasets = series.iter().map(|series| {
        Dataset::default()
            .marker(Marker::Braille)
            .graph_type(GraphType::Line)
            .style(style(series.colour))
            .data(&series.points)
    });
    let labels = fitting(labels, usize::from(area.height.saturating_sub(FRAME)));
    let chart = Chart::new(datasets.collect())
        .block(Block::bordered().title(Line::from(spans)))
        .legend_position(None)
        .x_axis(Axis::default().bounds([from, 0.0]).labels([format!("{from:.0} s"), "now".to_owned()]))
        .y_axis(Axis::default().bounds(bounds).labels(labels));
    frame.render_widget(chart, area);
}

//! The rows of the default display: totals, time, and one for each tenant. `bars` puts them on the terminal.

use anstyle::Style;
use saasbench_report::spans::{Spans, bar, cut, pad, sparkline};

use super::{
    view::{Phase, View},
    window::Tenant,
};
use saasbench_model::units::Nanos;
use saasbench_report::style::{BAD, FAINT, STRONG, UNSURE};

/// Tenants with a row; others are summed up.
const TENANTS: usize = 8;
/// Maximum columns of a tenant's name.
const NAME: usize = 20;
/// Minimum and maximum columns of a sparkline.
const SPARK: std::ops::RangeInclusive<usize> = 6..=40;
/// Minimum and maximum columns of the time bar.
const BAR: std::ops::RangeInclusive<usize> = 6..=40;
/// Columns of rate, p99, share of rejections and errors, once they have any, so that neighbours do not move.
const CELLS: [usize; 4] = [6, 11, 9, 0];
const PLAIN: Style = Style::new();

/// A row of the display: a text, optionally after a bar.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// Precedes the text, with a blank between them.
    pub bar: Option<Bar>,
    /// The text, with its colours.
    pub text: String,
}

/// The progress of the run, as a bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Columns of the whole bar.
    pub width: usize,
    /// The elapsed part of the plan, from 0 to 1.
    pub share: f64,
}

/// The rows, each at most `width` columns wide: totals, time, and one for each tenant.
pub fn rows(view: &View, width: usize) -> Vec<Row> {
    let text = |text| Row { bar: None, text };
    let mut rows = vec![text(headline(view, width)), time_row(view, width)];
    let named = view.plan.tenants.iter().zip(&view.window.tenants).take(TENANTS);
    let mut tenants: Vec<(String, Tenant)> =
        named.map(|(name, tenant)| (name.to_string(), tenant.clone())).collect();
    let rest = view.window.tenants.get(TENANTS..).unwrap_or_default();
    if !rest.is_empty() {
        tenants.push((format!("{} more", rest.len()), Tenant::sum(rest.iter())));
    }
    rows.extend(tenant_lines(&tenants, width).into_iter().map(text));
    if view.interrupted {
        let mut line = Spans::new(width);
        line.add(UNSURE, interrupted(view, width));
        rows.push(text(line.finish()));
    }
    rows
}

/// Shown once the user has interrupted a run.
pub(super) fn interrupted(view: &View, width: usize) -> &'static str {
    let waits = view.phase == Phase::Preparing || view.is_loading();
    if waits && width >= 55 { super::INTERRUPTED } else { "interrupted (again to quit at once)" }
}

/// The most important numbers first, and only as many as fit:
/// `2412 requests · 195/s · p50 1.2 ms · p99 4.5 ms · errors 0`.
pub(super) fn headline(view: &View, width: usize) -> String {
    let total = &view.window.total;
    let mut parts = vec![(STRONG, format!("{} requests", total.requests()))];
    parts.push((STRONG, rate(view.window.rate())));
    if total.errors > 0 {
        parts.push((BAD, format!("errors {}", total.errors)));
    }
    if total.outcomes.dropped > 0 {
        parts.push((BAD, format!("dropped {}", total.outcomes.dropped)));
    }
    for (name, q) in [("p99", 0.99), ("p50", 0.5)] {
        if let Some(latency) = view.window.quantile(q) {
            parts.push((PLAIN, format!("{name} {latency}")));
        }
    }
    parts.push((FAINT, format!("{} in flight", view.in_flight)));
    if view.stalls.0 > 0 {
        parts.push((UNSURE, format!("stalled {}", view.stalls.1)));
    }
    let mut line = Spans::new(width);
    for (index, (style, text)) in parts.iter().enumerate() {
        let separator = if index == 0 { "" } else { " · " };
        if line.left() < separator.len() + text.chars().count() {
            break;
        }
        line.add(FAINT, separator).add(*style, text);
    }
    line.finish()
}

/// [`time_row`] as text, for a display that draws no bars.
pub(super) fn time_line(view: &View, width: usize) -> String {
    let Row { bar: drawn, text } = time_row(view, width);
    let Some(Bar { width: columns, share }) = drawn else { return text };
    let filled = bar(share, columns);
    let empty = columns - filled.chars().count();
    let mut line = Spans::new(columns + 1);
    line.add(PLAIN, filled).add(FAINT, "░".repeat(empty)).add(PLAIN, " ");
    line.finish() + &text
}

/// `12.0 s of 30 s · 18 s left · load`: the elapsed part of the plan, and the phase. A bar precedes it if it
/// fits and the end is known.
fn time_row(view: &View, width: usize) -> Row {
    let (elapsed, length) = (view.elapsed.as_secs_f64(), view.plan.length.as_secs_f64());
    let most = if view.plan.may_end_early { "at most " } else { "" };
    let time = match view.phase {
        Phase::Preparing => format!("{most}{length:.0} s"),
        _ => format!("{elapsed:.1} s of {most}{length:.0} s"),
    };
    let words = view.phase.words();
    let separator = " · ".chars().count();
    let used = time.chars().count() + separator + words.len();
    let left = match view.phase {
        Phase::Warmup | Phase::Load if !view.plan.may_end_early => {
            format!("{:.0} s left", (length - elapsed).ceil())
        }
        _ => String::new(),
    };
    // The remaining time is dropped first, then the bar.
    let used_with_left = used + if left.is_empty() { 0 } else { left.len() + separator };
    let (left, used) =
        if used_with_left + BAR.start() < width { (left, used_with_left) } else { (String::new(), used) };
    let columns = width.saturating_sub(used + 1).min(width / 3).min(*BAR.end());
    let has_bar = columns >= *BAR.start() && !view.plan.may_end_early;
    let share = if view.phase == Phase::Preparing { 0.0 } else { elapsed / length.max(1e-9) };
    let bar = has_bar.then_some(Bar { width: columns, share });
    let mut line = Spans::new(width - if has_bar { columns + 1 } else { 0 });
    line.add(PLAIN, time).add(FAINT, " · ");
    if !left.is_empty() {
        line.add(PLAIN, left).add(FAINT, " · ");
    }
    line.add(if view.phase == Phase::Load { PLAIN } else { UNSURE }, words);
    Row { bar, text: line.finish() }
}

/// A line per tenant: name, sparkline, rate, p99, rejections and errors, as far as there is room.
fn tenant_lines(tenants: &[(String, Tenant)], width: usize) -> Vec<String> {
    let longest = tenants.iter().map(|(name, _)| unicode_width::UnicodeWidthStr::width(name.as_str())).max();
    let name = longest.unwrap_or_default().min(NAME).min(width / 4);
    let rows: Vec<Vec<(Style, String)>> = tenants.iter().map(|(_, tenant)| cells(tenant)).collect();
    let width_of = |(column, least): (usize, usize)| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|(_, text)| text.chars().count()).max().unwrap_or_default();
        if widest > 0 { widest.max(least) } else { 0 }
    };
    let widths: Vec<usize> = CELLS.into_iter().enumerate().map(width_of).collect();
    // Columns that do not fit beside the shortest sparkline are dropped, the last first.
    let mut room = width.saturating_sub(name + 3 + SPARK.start());
    let shown: Vec<usize> = widths
        .iter()
        .map_while(|column| {
            room = room.checked_sub(if *column > 0 { column + 2 } else { 0 })?;
            Some(*column)
        })
        .collect();
    let spark = (room + SPARK.start()).min(*SPARK.end());
    let each = tenants.iter().zip(&rows).map(|((title, tenant), row)| {
        let mut line = Spans::new(width);
        line.add(PLAIN, format!(" {}  ", pad(title, name)));
        line.add(FAINT, sparkline(tenant.rates.iter().copied(), spark));
        for ((style, text), column) in row.iter().zip(&shown).filter(|(_, column)| **column > 0) {
            line.add(*style, format!("  {text:>column$}"));
        }
        line.finish()
    });
    each.collect()
}

/// Rate, p99, share of rejections, errors.
fn cells(tenant: &Tenant) -> Vec<(Style, String)> {
    let p99 = tenant.quantile(0.99).map_or_else(String::new, |latency| format!("p99 {latency}"));
    let rejected = tenant.rejected().filter(|share| *share > 0.0);
    let rejected = rejected.map_or_else(String::new, |share| format!("429 {:.0} %", share * 100.0));
    let errors = tenant.total.errors;
    vec![
        (PLAIN, rate(tenant.rate())),
        (PLAIN, p99),
        (UNSURE, rejected),
        if errors > 0 { (BAD, format!("errors {errors}")) } else { (PLAIN, String::new()) },
    ]
}

/// `195/s`, `4.5/s`.
pub fn rate(rate: f64) -> String {
    if rate >= 10.0 || rate == 0.0 { format!("{rate:.0}/s") } else { format!("{rate:.1}/s") }
}

/// The line that is written every few seconds without a terminal: `12.4 s of 25 s  2412 requests (195/s)  p50
/// 1.2 ms  p99 4.5 ms  errors 0  2412×200`.
pub fn plain(view: &View) -> String {
    let total = &view.window.total;
    let quantile = |q| view.window.quantile(q).unwrap_or(Nanos::ZERO);
    let mut text = format!(
        "{:5.1} s of {}{:.0} s  {} requests ({})  p50 {}  p99 {}  errors {}",
        view.elapsed.as_secs_f64(),
        if view.plan.may_end_early { "at most " } else { "" },
        view.plan.length.as_secs_f64(),
        total.requests(),
        rate(view.window.rate()),
        quantile(0.5),
        quantile(0.99),
        total.errors,
    );
    text.push_str(&format!("  {}", total.outcomes));
    if !matches!(view.phase, Phase::Load) {
        text.push_str(&format!("  ({})", view.phase.words()));
    }
    cut(&text, 300)
}

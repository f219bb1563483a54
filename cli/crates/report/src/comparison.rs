//! A comparison of a run with its baselines, as a table for terminals and for Markdown; regressions come
//! first.

use std::fmt::Write as _;

use super::{
    style::{BAD, FAINT, GOOD, STRONG, UNSURE, paint},
    terminal::{align, table},
};
use saasbench_model::{safe_text, units::Nanos};
use saasbench_verify::{
    compare::{Change, Clock, Comparison, Quantity, Row, Unit},
    verdict::Outcome,
};

/// Rows of the table that are shown; `--json` has all.
const LINES: usize = 40;
/// Number of columns.
const COLUMNS: usize = 8;
/// Leading columns that hold names, not numbers.
const NAMES: usize = 3;

/// As text for a terminal; it ends with a newline.
pub fn render(comparison: &Comparison) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "\n{}", paint(STRONG, &comparison.scenario));
    for baseline in &comparison.baselines {
        let _ = writeln!(text, "{}", paint(FAINT, format!("baseline  {baseline}")));
    }
    let _ = writeln!(text, "{}\n", paint(FAINT, format!("current   {}", comparison.new)));
    for warning in &comparison.warnings {
        let _ = writeln!(text, "{} {warning}", paint(UNSURE, "note:"));
    }
    for reason in reasons(comparison) {
        let _ = writeln!(text, "{} {reason}", paint(UNSURE, "inconclusive:"));
    }
    if !comparison.warnings.is_empty() || reasons(comparison).next().is_some() {
        text.push('\n');
    }
    let header = header(comparison);
    let mut table = table(&header.each_ref().map(String::as_str));
    let lines = lines(comparison);
    for line in lines.iter().take(LINES) {
        table.add_row(line.cells());
    }
    align(&mut table, NAMES);
    if let Some(last) = table.column_mut(COLUMNS - 1) {
        last.set_cell_alignment(comfy_table::CellAlignment::Left);
    }
    let _ = writeln!(text, "{}", table.trim_fmt());
    if let Some(rest) = lines.len().checked_sub(LINES).filter(|rest| *rest > 0) {
        let _ = writeln!(text, "… and {rest} more (--json has all)");
    }
    let (mark, style) = match comparison.outcome {
        Outcome::Fail => ("✗", BAD),
        Outcome::Inconclusive => ("?", UNSURE),
        Outcome::Pass => ("✓", GOOD),
    };
    let _ = writeln!(text, "\n{} {}", paint(style, mark), verdict(comparison));
    let _ = writeln!(text, "{}", paint(FAINT, basis(comparison)));
    text
}

/// As Markdown, for the summary of a job; it ends with a newline.
pub fn markdown(comparison: &Comparison) -> String {
    let mut text =
        format!("### {}: compared with {}\n\n", escape(&comparison.scenario), baselines(comparison));
    let _ = writeln!(text, "**{}**\n", escape(&verdict(comparison)));
    for warning in &comparison.warnings {
        let _ = writeln!(text, "- note: {}", escape(warning));
    }
    for reason in reasons(comparison) {
        let _ = writeln!(text, "- inconclusive: {}", escape(&reason));
    }
    if !comparison.warnings.is_empty() || reasons(comparison).next().is_some() {
        text.push('\n');
    }
    let _ = writeln!(text, "| {} |", header(comparison).join(" | "));
    let _ = writeln!(text, "|{}{}---|", "---|".repeat(NAMES), "--:|".repeat(COLUMNS - NAMES - 1));
    let lines = lines(comparison);
    for line in lines.iter().take(LINES) {
        let _ = writeln!(text, "| {} |", line.cells().map(|cell| escape(&cell)).join(" | "));
    }
    if let Some(rest) = lines.len().checked_sub(LINES).filter(|rest| *rest > 0) {
        let _ = writeln!(text, "\n… and {rest} more");
    }
    let _ = writeln!(text, "\n{}", escape(&basis(comparison)));
    text
}

/// A text of the runs.
fn escape(text: &str) -> String {
    safe_text::markdown(text, usize::MAX)
}

/// A quantity in one line: `regressed: +12.0 % (+9.1 % … +15.0 %), baseline 10 ms, current 11.2 ms`.
pub(super) fn quantity_line(row: &Row, quantity: &Quantity) -> String {
    let [_, _, _, baseline, current, change, interval, result] = Line { row, quantity }.cells();
    format!("{result}: {change} ({interval}), baseline {baseline}, current {current}")
}

/// Reasons that make results inconclusive.
pub(super) fn reasons(comparison: &Comparison) -> impl Iterator<Item = String> {
    let late = |run: &String| {
        format!("the generator did not keep up, so it may have caused the change itself: {run}")
    };
    let waited = |run: &String| {
        format!(
            "all users were waiting for the service, and the latency of the arrivals dropped meanwhile is unknown: {run}"
        )
    };
    let waiting = comparison.waiting.iter().map(waited);
    comparison.generator.iter().map(late).chain(waiting).chain(comparison.cut_short.clone())
}

fn baselines(comparison: &Comparison) -> String {
    match &*comparison.baselines {
        [only] => format!("`{only}`"),
        several => format!("{} baselines", several.len()),
    }
}

/// The columns' names; the interval's confidence level is the comparison's.
fn header(comparison: &Comparison) -> [String; COLUMNS] {
    let interval = format!("{} CI", percent(1.0 - comparison.terms.error_probability));
    ["tenant", "step", "metric", "baseline", "current", "change", &interval, "result"].map(str::to_owned)
}

/// One quantity of one row.
struct Line<'a> {
    row: &'a Row,
    quantity: &'a Quantity,
}

/// All quantities, regressions first.
fn lines(comparison: &Comparison) -> Vec<Line<'_>> {
    let rows = comparison.rows.iter();
    let mut lines: Vec<Line<'_>> =
        rows.flat_map(|row| row.quantities.iter().map(move |quantity| Line { row, quantity })).collect();
    lines.sort_by_key(|line| line.quantity.outcome as u8);
    lines
}

impl Line<'_> {
    fn cells(&self) -> [String; COLUMNS] {
        let Quantity { name, unit, base, new, change, low, high, .. } = *self.quantity;
        let shown =
            |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| value_text(value, unit));
        let relative = |value: Option<f64>| value.map(|value| change_text(value, unit));
        let interval = match (relative(low), relative(high)) {
            (Some(low), Some(high)) => format!("{low} … {high}"),
            (Some(low), None) => format!("{low} or more"),
            _ => "–".to_owned(),
        };
        [
            self.row.tenant.clone(),
            self.row.step.clone(),
            name.to_owned(),
            shown(base),
            shown(new),
            relative(change).unwrap_or_else(|| "–".to_owned()),
            interval,
            outcome_text(self.quantity),
        ]
    }
}

fn value_text(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Seconds => Nanos::from_secs_f64(value).to_string(),
        Unit::Share => format!("{:.2} %", value * 100.0),
        Unit::PerSecond => format!("{value:.1}/s"),
    }
}

/// `+4.2 %`, and for shares `+0.31 points`.
fn change_text(change: f64, unit: Unit) -> String {
    match unit {
        Unit::Share => format!("{:+.2} points", change * 100.0),
        _ if change.abs() >= 9.995 => format!("×{:.0}", change + 1.0),
        _ => format!("{:+.1} %", change * 100.0),
    }
}

fn outcome_text(quantity: &Quantity) -> String {
    let word = match quantity.outcome {
        Change::Regressed => "regressed",
        Change::Improved => "improved",
        Change::Unchanged => "unchanged",
        Change::NotRegressed => "not regressed",
        Change::Inconclusive => "inconclusive",
        Change::TooFew => "too few requests",
    };
    match quantity.needed {
        _ if quantity.by_lateness => format!("{word}: regressed only because the generator sent late"),
        Some(needed) if quantity.outcome == Change::TooFew => format!("{word}: {needed} needed"),
        Some(needed) => format!("{word}: about {needed} requests needed"),
        None => word.to_owned(),
    }
}

/// The result in one sentence.
pub(super) fn verdict(comparison: &Comparison) -> String {
    let count = |change: Change| {
        let all = comparison.rows.iter().flat_map(|row| &row.quantities);
        all.filter(|quantity| quantity.outcome == change).count()
    };
    let counts = [
        (count(Change::Regressed), "regressed"),
        (count(Change::Inconclusive), "inconclusive"),
        (count(Change::Improved), "improved"),
        (count(Change::NotRegressed), "not regressed"),
        (count(Change::Unchanged), "unchanged"),
        (count(Change::TooFew), "with too few requests"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, result)| format!("{count} {result}")).collect();
    let result = match comparison.outcome {
        Outcome::Fail => "regression",
        Outcome::Inconclusive => "a regression cannot be ruled out",
        Outcome::Pass => "no regression",
    };
    format!("{result}: {}", counts.join(", "))
}

/// Clock, tolerances and confidence level.
fn basis(comparison: &Comparison) -> String {
    let terms = &comparison.terms;
    let from = match terms.clock {
        Clock::Intended => "intended",
        Clock::Sent => "sent",
    };
    let excluded: u64 = comparison.rows.iter().map(|row| row.excluded).sum();
    let excluded = match excluded {
        0 => String::new(),
        count => format!(" · {count} responses during generator stalls excluded"),
    };
    let dropped: u64 = comparison.rows.iter().map(|row| row.dropped).sum();
    let dropped = match dropped {
        0 => String::new(),
        count => format!(" · {count} arrivals dropped, not counted as errors"),
    };
    format!(
        "latency from {from} · tolerance {} (p90 {}, p99 {}) or {}, errors {} points · simultaneous confidence {}{excluded}{dropped}",
        percent(terms.tolerance),
        percent(1.5 * terms.tolerance),
        percent(2.0 * terms.tolerance),
        terms.floor_ns,
        format_args!("{}", terms.error_tolerance * 100.0),
        percent(1.0 - terms.error_probability),
    )
}

fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use saasbench_verify::compare::{COMPARISON_VERSION, Terms};

    fn quantity(
        name: &'static str,
        unit: Unit,
        values: [f64; 2],
        ends: Option<[f64; 2]>,
        outcome: Change,
    ) -> Quantity {
        let [base, new] = values;
        let change = if unit == Unit::Share { new - base } else { new / base - 1.0 };
        let needed = match outcome {
            Change::Inconclusive => Some(4300),
            Change::TooFew => Some(1000),
            _ => None,
        };
        Quantity {
            name,
            unit,
            base: Some(base),
            new: Some(new),
            change: Some(change),
            low: ends.map(|[low, _]| low),
            high: ends.map(|[_, high]| high),
            tolerance: 0.05,
            outcome,
            by_lateness: false,
            needed,
        }
    }

    pub(crate) fn comparison(outcome: Outcome) -> Comparison {
        let row = |tenant: &str, quantities| Row {
            tenant: tenant.to_owned(),
            journey: "chat".to_owned(),
            step: "POST /chat|x".to_owned(),
            base_requests: 4000,
            new_requests: 4000,
            dropped: 0,
            excluded: 12,
            quantities,
        };
        Comparison {
            version: COMPARISON_VERSION,
            scenario: "flood".to_owned(),
            baselines: vec!["runs/old".to_owned()],
            new: "runs/new".to_owned(),
            terms: Terms::default(),
            warnings: vec!["workers: 1, now 2".to_owned()],
            generator: Vec::new(),
            waiting: Vec::new(),
            cut_short: None,
            rows: vec![
                row(
                    "acme",
                    vec![
                        quantity(
                            "p50",
                            Unit::Seconds,
                            [0.0102, 0.0103],
                            Some([-0.01, 0.02]),
                            Change::Unchanged,
                        ),
                        quantity(
                            "p90",
                            Unit::Seconds,
                            [0.02, 0.019],
                            Some([-0.12, 0.02]),
                            Change::NotRegressed,
                        ),
                        quantity("p99", Unit::Seconds, [0.04, 0.06], Some([0.31, 0.72]), Change::Regressed),
                        quantity("errors", Unit::Share, [0.001, 0.05], Some([0.03, 0.07]), Change::Regressed),
                        quantity(
                            "served",
                            Unit::PerSecond,
                            [200.0, 20.0],
                            Some([-0.95, -0.8]),
                            Change::Regressed,
                        ),
                    ],
                ),
                row(
                    "globex",
                    vec![
                        quantity("p50", Unit::Seconds, [0.01, 0.2], Some([15.0, 25.0]), Change::Regressed),
                        quantity("p90", Unit::Seconds, [0.02, 0.01], Some([-0.6, -0.4]), Change::Improved),
                        quantity("p99", Unit::Seconds, [0.04, 0.041], None, Change::TooFew),
                        quantity(
                            "errors",
                            Unit::Share,
                            [0.0, 0.0],
                            Some([-0.02, 0.02]),
                            Change::Inconclusive,
                        ),
                    ],
                ),
            ],
            outcome,
        }
    }

    #[test]
    fn renders_a_comparison() {
        insta::assert_snapshot!(anstream::adapter::strip_str(&render(&comparison(Outcome::Fail))));
        insta::assert_snapshot!("verdict_inconclusive", verdict(&comparison(Outcome::Inconclusive)));
        insta::assert_snapshot!("verdict_pass", verdict(&comparison(Outcome::Pass)));
    }

    #[test]
    fn reports_a_generator_that_did_not_keep_up() {
        let mut comparison = comparison(Outcome::Inconclusive);
        comparison.generator = vec!["runs/new: 30 of 1000 arrivals were dropped".to_owned()];
        comparison.rows.truncate(1);
        comparison.rows[0].dropped = 30;
        for quantity in &mut comparison.rows[0].quantities {
            (quantity.outcome, quantity.high) = (Change::Inconclusive, None);
        }
        comparison.rows[0].quantities[2].by_lateness = true;
        insta::assert_snapshot!(
            "generator_not_keeping_up",
            anstream::adapter::strip_str(&render(&comparison))
        );
        insta::assert_snapshot!("generator_not_keeping_up_markdown", markdown(&comparison));
    }

    #[test]
    fn reports_users_that_waited_for_the_service() {
        let mut comparison = comparison(Outcome::Fail);
        comparison.waiting = vec!["runs/new: 300 of 1000 arrivals were dropped".to_owned()];
        comparison.cut_short = Some("runs/new was interrupted: only the first 4.5 s are compared".to_owned());
        comparison.warnings.clear();
        comparison.rows.truncate(1);
        insta::assert_snapshot!("users_waiting", anstream::adapter::strip_str(&render(&comparison)));
        insta::assert_snapshot!("users_waiting_markdown", markdown(&comparison));
    }

    #[test]
    fn renders_a_comparison_as_markdown() {
        insta::assert_snapshot!(markdown(&comparison(Outcome::Fail)));
    }
}

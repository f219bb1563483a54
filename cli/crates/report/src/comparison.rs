//! A comparison of runs, as text for a terminal and as Markdown; changes for the worse come first.

use std::fmt::Write as _;

use super::{
    style::{BAD, FAINT, GOOD, STRONG, UNSURE, paint},
    terminal::{align, table},
};
use saasbench_model::units::Nanos;
use saasbench_verify::{
    compare::{Change, Clock, Comparison, Quantity, Row, Unit},
    verdict::Outcome,
};

/// Lines of the table that are shown; the rest stand in the JSON.
const LINES: usize = 40;
const HEADER: [&str; 8] = ["tenant", "step", "what", "before", "now", "change", "surely between", "so it is"];
/// Columns of names.
const NAMES: usize = 3;

/// As text for a terminal; it ends with a newline.
pub fn render(comparison: &Comparison) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "\n{}", paint(STRONG, &comparison.scenario));
    for baseline in &comparison.baselines {
        let _ = writeln!(text, "{}", paint(FAINT, format!("before  {baseline}")));
    }
    let _ = writeln!(text, "{}\n", paint(FAINT, format!("now     {}", comparison.new)));
    for warning in &comparison.warnings {
        let _ = writeln!(text, "{} {warning}", paint(UNSURE, "note:"));
    }
    for reason in reasons(comparison) {
        let _ = writeln!(text, "{} {reason}", paint(UNSURE, "unknown:"));
    }
    if !comparison.warnings.is_empty() || reasons(comparison).next().is_some() {
        text.push('\n');
    }
    let mut table = table(&HEADER);
    let lines = lines(comparison);
    for line in lines.iter().take(LINES) {
        table.add_row(line.cells());
    }
    align(&mut table, NAMES);
    if let Some(last) = table.column_mut(HEADER.len() - 1) {
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
    let mut text = format!("### {}: compared with {}\n\n", escape(&comparison.scenario), before(comparison));
    let _ = writeln!(text, "**{}**\n", escape(&verdict(comparison)));
    for warning in &comparison.warnings {
        let _ = writeln!(text, "- note: {}", escape(warning));
    }
    for reason in reasons(comparison) {
        let _ = writeln!(text, "- unknown: {}", escape(&reason));
    }
    if !comparison.warnings.is_empty() || reasons(comparison).next().is_some() {
        text.push('\n');
    }
    let _ = writeln!(text, "| {} |", HEADER.join(" | "));
    let _ = writeln!(text, "|{}{}---|", "---|".repeat(NAMES), "--:|".repeat(HEADER.len() - NAMES - 1));
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

/// What Markdown would take for its own.
fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, c| {
        if matches!(c, '|' | '*' | '_' | '`' | '<' | '>' | '[' | ']' | '\\') {
            escaped.push('\\');
        }
        escaped.push(if c == '\n' { ' ' } else { c });
        escaped
    })
}

/// A quantity of a row, in one line: `+12.0 % (+9.1 % … +15.0 %), 10 ms before, 11.2 ms now: slower`.
pub(super) fn told(row: &Row, quantity: &Quantity) -> String {
    let [_, _, _, before, now, change, between, outcome] = Line { row, quantity }.cells();
    format!("{change} ({between}), {before} before, {now} now: {outcome}")
}

/// Why nothing, or less, can be said, if so.
pub(super) fn reasons(comparison: &Comparison) -> impl Iterator<Item = String> {
    let told = |run: &String| format!("the generator did not keep up, so what changed may be its own: {run}");
    let waited = |run: &String| {
        format!(
            "all users were waiting for the service, and nobody knows how the arrivals that were dropped for it would have gone: {run}"
        )
    };
    let waiting = comparison.waiting.iter().map(waited);
    comparison.generator.iter().map(told).chain(waiting).chain(comparison.cut_short.clone())
}

fn before(comparison: &Comparison) -> String {
    match &*comparison.baselines {
        [only] => format!("`{only}`"),
        several => format!("{} baselines", several.len()),
    }
}

/// One quantity of one row.
struct Line<'a> {
    row: &'a Row,
    quantity: &'a Quantity,
}

/// All of them, those that got worse first.
fn lines(comparison: &Comparison) -> Vec<Line<'_>> {
    let rows = comparison.rows.iter();
    let mut lines: Vec<Line<'_>> =
        rows.flat_map(|row| row.quantities.iter().map(move |quantity| Line { row, quantity })).collect();
    lines.sort_by_key(|line| line.quantity.outcome as u8);
    lines
}

impl Line<'_> {
    fn cells(&self) -> [String; HEADER.len()] {
        let Quantity { name, unit, base, new, change, low, high, .. } = *self.quantity;
        let shown =
            |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| value_text(value, unit));
        let moved = |value: Option<f64>| value.map(|value| change_text(value, unit));
        let between = match (moved(low), moved(high)) {
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
            moved(change).unwrap_or_else(|| "–".to_owned()),
            between,
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

/// `+4.2 %`, and of shares `+0.31 points`.
fn change_text(change: f64, unit: Unit) -> String {
    match unit {
        Unit::Share => format!("{:+.2} points", change * 100.0),
        _ if change.abs() >= 9.995 => format!("×{:.0}", change + 1.0),
        _ => format!("{:+.1} %", change * 100.0),
    }
}

fn outcome_text(quantity: &Quantity) -> String {
    let [worse, better] = match quantity.unit {
        Unit::Seconds => ["slower", "faster"],
        Unit::Share => ["more", "fewer"],
        Unit::PerSecond => ["less", "more"],
    };
    let word = match quantity.outcome {
        Change::Worse => worse.to_owned(),
        Change::Better => better.to_owned(),
        Change::Same => "same".to_owned(),
        Change::NoWorse => format!("not {worse}"),
        Change::Unknown => "unknown".to_owned(),
        Change::TooFew => "too few".to_owned(),
    };
    match quantity.needed {
        _ if quantity.by_lateness => format!("{word}: {worse}, but only as the generator was late"),
        Some(needed) if quantity.outcome == Change::TooFew => format!("{word}: it takes {needed}"),
        Some(needed) => format!("{word}: about {needed} requests would do"),
        None => word,
    }
}

/// One sentence.
pub(super) fn verdict(comparison: &Comparison) -> String {
    let count = |change: Change| {
        let all = comparison.rows.iter().flat_map(|row| &row.quantities);
        all.filter(|quantity| quantity.outcome == change).count()
    };
    let (worse, unknown) = (count(Change::Worse), count(Change::Unknown));
    let told = [
        (worse, "worse"),
        (unknown, "unknown"),
        (count(Change::Better), "better"),
        (count(Change::NoWorse) + count(Change::Same), "no worse"),
        (count(Change::TooFew), "too few"),
    ];
    let told: Vec<String> =
        told.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let said = match comparison.outcome {
        Outcome::Fail => "a change for the worse",
        Outcome::Inconclusive => "a change for the worse cannot be ruled out",
        Outcome::Pass => "no change for the worse",
    };
    format!("{said}: {}", told.join(", "))
}

/// What it rests on.
fn basis(comparison: &Comparison) -> String {
    let terms = &comparison.terms;
    let from = match terms.clock {
        Clock::Intended => "intended",
        Clock::Sent => "sent",
    };
    let left_out: u64 = comparison.rows.iter().map(|row| row.left_out).sum();
    let left_out = match left_out {
        0 => String::new(),
        count => format!(" · {count} answers left out, as the generator stood still"),
    };
    let dropped: u64 = comparison.rows.iter().map(|row| row.dropped).sum();
    let dropped = match dropped {
        0 => String::new(),
        count => format!(" · {count} arrivals dropped, which are no errors"),
    };
    format!(
        "latency from {from} · may change by {} (p90 {}, p99 {}) or {}, errors by {} points · all changes that are told hold together with {}{left_out}{dropped}",
        percent(terms.tolerance),
        percent(1.5 * terms.tolerance),
        percent(2.0 * terms.tolerance),
        terms.floor_ns,
        format_args!("{}", terms.error_tolerance * 100.0),
        percent(1.0 - terms.doubt),
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
            Change::Unknown => Some(4300),
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
            left_out: 12,
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
                        quantity("p50", Unit::Seconds, [0.0102, 0.0103], Some([-0.01, 0.02]), Change::Same),
                        quantity("p90", Unit::Seconds, [0.02, 0.019], Some([-0.12, 0.02]), Change::NoWorse),
                        quantity("p99", Unit::Seconds, [0.04, 0.06], Some([0.31, 0.72]), Change::Worse),
                        quantity("errors", Unit::Share, [0.001, 0.05], Some([0.03, 0.07]), Change::Worse),
                        quantity(
                            "served",
                            Unit::PerSecond,
                            [200.0, 20.0],
                            Some([-0.95, -0.8]),
                            Change::Worse,
                        ),
                    ],
                ),
                row(
                    "globex",
                    vec![
                        quantity("p50", Unit::Seconds, [0.01, 0.2], Some([15.0, 25.0]), Change::Worse),
                        quantity("p90", Unit::Seconds, [0.02, 0.01], Some([-0.6, -0.4]), Change::Better),
                        quantity("p99", Unit::Seconds, [0.04, 0.041], None, Change::TooFew),
                        quantity("errors", Unit::Share, [0.0, 0.0], Some([-0.02, 0.02]), Change::Unknown),
                    ],
                ),
            ],
            outcome,
        }
    }

    #[test]
    fn a_comparison_reads_well() {
        insta::assert_snapshot!(anstream::adapter::strip_str(&render(&comparison(Outcome::Fail))));
        for outcome in [Outcome::Inconclusive, Outcome::Pass] {
            let last = verdict(&comparison(outcome));
            insta::assert_snapshot!(last);
        }
    }

    #[test]
    fn a_generator_that_did_not_keep_up_is_told() {
        let mut comparison = comparison(Outcome::Inconclusive);
        comparison.generator = vec!["runs/new: 30 of 1000 arrivals were dropped".to_owned()];
        comparison.rows.truncate(1);
        comparison.rows[0].dropped = 30;
        for quantity in &mut comparison.rows[0].quantities {
            (quantity.outcome, quantity.high) = (Change::Unknown, None);
        }
        comparison.rows[0].quantities[2].by_lateness = true;
        insta::assert_snapshot!(anstream::adapter::strip_str(&render(&comparison)));
        insta::assert_snapshot!(markdown(&comparison));
    }

    #[test]
    fn users_that_waited_for_the_service_are_told() {
        let mut comparison = comparison(Outcome::Fail);
        comparison.waiting = vec!["runs/new: 300 of 1000 arrivals were dropped".to_owned()];
        comparison.cut_short = Some("runs/new was interrupted: only the first 4.5 s are compared".to_owned());
        comparison.warnings.clear();
        comparison.rows.truncate(1);
        insta::assert_snapshot!(anstream::adapter::strip_str(&render(&comparison)));
        insta::assert_snapshot!(markdown(&comparison));
    }

    #[test]
    fn a_comparison_is_markdown() {
        insta::assert_snapshot!(markdown(&comparison(Outcome::Fail)));
    }
}

//! The list of recorded runs, as text and as JSON.

use std::{fmt::Write as _, path::Path};

use anstyle::Style;
use serde::Serialize;

use super::Output;
use crate::{
    exit::Failure,
    run_store::{CapacitySummary, Content, Recorded, RunEntry},
};
use saasbench_record::manifest::State;
use saasbench_report::{
    capacity,
    style::{BAD, FAINT, GOOD, UNSURE, paint},
    terminal,
};
use saasbench_verify::verdict::Outcome;

/// Version of the JSON; incremented when a reader of the old one would be misled.
const VERSION: u32 = 1;

/// Recorded runs, the latest first.
#[derive(Debug, Serialize)]
pub struct RunList<'a> {
    version: u32,
    runs: &'a [RunEntry],
}

impl<'a> RunList<'a> {
    /// A list of these runs.
    pub fn new(runs: &'a [RunEntry]) -> Self {
        Self { version: VERSION, runs }
    }
}

impl Output<'_> {
    /// Delivers the list of runs, like [`Self::report`]; `now_unix_ns` is the current time.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn run_list(
        &mut self,
        runs: &[RunEntry],
        now_unix_ns: i64,
        json: Option<&Path>,
    ) -> Result<(), Failure> {
        let text = || if runs.is_empty() { String::new() } else { render(runs, now_unix_ns) };
        self.deliver(&RunList::new(runs), text, json)
    }
}

/// Renders the list; `now_unix_ns` is the current time. It ends with a newline.
fn render(runs: &[RunEntry], now_unix_ns: i64) -> String {
    let mut table =
        terminal::table(&["run", "started", "environment", "requests", "99 % within", "size", "outcome"]);
    let mut outcomes = Vec::new();
    for entry in runs {
        let (started, place, requests, within, outcome) = match &entry.content {
            Content::Run(run) => (
                age(now_unix_ns, run.started_unix_ns),
                environment(run),
                run.requests.map(|requests| requests.to_string()),
                run.p99_below_ns.map(|p99| p99.to_string()),
                outcome(run),
            ),
            Content::Capacity { capacity } => {
                let started = age(now_unix_ns, capacity.started_unix_ns);
                (started, capacity.environment.clone(), None, None, found(capacity))
            }
            Content::Broken { broken } => {
                let reported =
                    Reported { style: FAINT, word: format!("no run: {broken}"), more: String::new() };
                (String::new(), String::new(), None, None, reported)
            }
        };
        let (requests, within) = (requests.unwrap_or_default(), within.unwrap_or_default());
        let size = size(entry.bytes);
        table.add_row([&entry.run, &started, &place, &requests, &within, &size, &outcome.plain()]);
        outcomes.push(outcome);
    }
    terminal::align(&mut table, 3);
    if let Some(column) = table.column_mut(6) {
        column.set_cell_alignment(comfy_table::CellAlignment::Left);
    }
    painted(&table.trim_fmt(), &outcomes)
}

/// The table with its last column coloured: inside the table, escape sequences would count as width.
fn painted(table: &str, outcomes: &[Reported]) -> String {
    let mut text = String::new();
    // The header and its separator come first.
    let tells = [None, None].into_iter().chain(outcomes.iter().map(Some));
    for (line, reported) in table.lines().zip(tells) {
        let parts = reported.and_then(|reported| Some((line.strip_suffix(&reported.plain())?, reported)));
        let _ = match parts {
            Some((before, Reported { style, word, more })) => {
                writeln!(text, "{before}{}{more}", paint(*style, word))
            }
            None => writeln!(text, "{line}"),
        };
    }
    text
}

/// The result of a run: a word in its colour, and notes.
struct Reported {
    style: Style,
    word: String,
    more: String,
}

impl Reported {
    fn plain(&self) -> String {
        format!("{}{}", self.word, self.more)
    }
}

fn environment(run: &Recorded) -> String {
    let faults = run.faults.iter().map(|fault| format!(" --fault {fault}"));
    run.environment.clone() + &faults.collect::<String>()
}

/// The result of a run. A run in progress cannot be distinguished from one that was killed.
fn outcome(run: &Recorded) -> Reported {
    let (style, word) = match run.outcome {
        Some(outcome) => (style(outcome), outcome.to_string()),
        None if run.state == State::Running => (UNSURE, "running, or killed".to_owned()),
        None => (UNSURE, "not judged".to_owned()),
    };
    let more = match run.state {
        State::Interrupted => " (interrupted)",
        State::Aborted => " (aborted)",
        State::Running | State::Finished => "",
    };
    Reported { style, word, more: more.to_owned() }
}

/// The result of a capacity search, for the greatest number of replicas: `Inconclusive, 1000/s or more`.
fn found(search: &CapacitySummary) -> Reported {
    let count = search.counts.iter().max_by_key(|count| count.replicas);
    let figure = count.map(|count| capacity::figure(count.capacity, count.held, count.broke, search.by));
    let mut more = format!(", {}", figure.as_deref().unwrap_or("nothing was measured"));
    if let Some(count) = count.filter(|_| search.counts.len() > 1) {
        let _ = write!(more, " with {}", capacity::counted(count.replicas));
    }
    if search.interrupted {
        more += " (interrupted)";
    }
    Reported { style: style(search.outcome), word: search.outcome.to_string(), more }
}

fn style(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Pass => GOOD,
        Outcome::Inconclusive => UNSURE,
        Outcome::Fail => BAD,
    }
}

/// The age in the most readable unit, or the date if it is more than a month.
fn age(now: i64, then: i64) -> String {
    let seconds = now.saturating_sub(then) / 1_000_000_000;
    match seconds {
        ..60 => "just now".to_owned(),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..86_400 => format!("{} h ago", seconds / 3_600),
        86_400..2_592_000 => format!("{} d ago", seconds / 86_400),
        _ => jiff::Timestamp::from_nanosecond(i128::from(then))
            .map(|then| then.strftime("%Y-%m-%d").to_string())
            .unwrap_or_default(),
    }
}

/// Formats a size: `12.3 MB`.
fn size(bytes: u64) -> String {
    match bytes {
        ..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use saasbench_model::units::Nanos;

    fn run(name: &str, state: State, outcome: Option<Outcome>, hours_ago: i64) -> RunEntry {
        let recorded = Recorded {
            scenario: "flood".to_owned(),
            started_unix_ns: NOW - hours_ago * 3_600_000_000_000,
            environment: "embedded".to_owned(),
            faults: Vec::new(),
            state,
            outcome,
            requests: outcome.map(|_| 5_123),
            p99_below_ns: outcome.map(|_| Nanos::from_millis(12)),
        };
        let content = Content::Run(Box::new(recorded));
        RunEntry { run: name.to_owned(), path: PathBuf::new(), bytes: 1_234_567, content }
    }

    const NOW: i64 = 1_795_000_000_000_000_000;

    #[test]
    fn a_list_of_every_kind() {
        let mut lying = run("20261121T100002Z-flood", State::Finished, Some(Outcome::Fail), 3);
        if let Content::Run(run) = &mut lying.content {
            run.faults = vec!["limit-per-replica".to_owned()];
        }
        let broken = Content::Broken { broken: "no manifest.json".to_owned() };
        let text = r#"{"version": 1, "scenario": "shop", "started_unix_ns": 1794990000000000000, "environment": "embedded",
            "by": "rate", "outcome": "inconclusive", "interrupted": true, "counts": [
            {"replicas": 2, "capacity": null, "held": 1900.0, "broke": null},
            {"replicas": 1, "capacity": {"value": 1025.0, "low": 1000.0, "high": 1050.0}, "held": 1000.0, "broke": 1050.0}]}"#;
        let search = Content::Capacity { capacity: serde_json::from_str(text).unwrap() };
        let runs = [
            RunEntry {
                run: "20261121T100004Z-shop-capacity".to_owned(),
                path: PathBuf::new(),
                bytes: 12,
                content: search,
            },
            run("20261121T100003Z-flood", State::Running, None, 0),
            lying,
            run("20261120T100000Z-flood", State::Interrupted, Some(Outcome::Inconclusive), 30),
            run("20260101T100000Z-flood", State::Finished, Some(Outcome::Pass), 8_000),
            run("20260101T090000Z-flood", State::Finished, None, 8_001),
            RunEntry { run: "notes".to_owned(), path: PathBuf::new(), bytes: 12, content: broken },
        ];
        let text = render(&runs, NOW);
        assert!(text.contains(&paint(BAD, "Fail")), "{text:?}");
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
    }
}

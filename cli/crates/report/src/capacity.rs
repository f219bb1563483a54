//! A capacity search as text: the capacity, what limits it, latency by load level, and how it scales with
//! replicas.

use std::fmt::Write as _;

use super::style::{BAD, FAINT, GOOD, STRONG, UNSURE, paint};
use saasbench_model::{scenario::capacity::By, units::Nanos};
use saasbench_verify::{
    capacity::{
        result::{CapacityReport, Count, Limit, Scaling},
        scaling::Estimate,
        step::{Ending, Step},
    },
    verdict::Outcome,
};

/// Columns of the longest bar.
const WIDTH: f64 = 40.0;

/// Renders the whole report; it ends with a newline.
pub fn render(report: &CapacityReport) -> String {
    let mut text = String::new();
    let by = report.by;
    let raised = match by {
        By::Rate => "by rate",
        By::Users => "by users",
    };
    let title = format!("capacity of {} on {}, {raised}", report.scenario, report.environment);
    let _ = writeln!(text, "{}", paint(STRONG, title));
    let _ = writeln!(text, "  objectives: {}", report.objectives.join(" · "));
    let _ = writeln!(text, "{}", paint(FAINT, format!("  recorded in {}", report.directory)));
    for count in &report.counts {
        text.push('\n');
        text.push_str(&one(count, by));
    }
    if report.counts.len() > 1 {
        text.push('\n');
        text.push_str(&scaling(report));
    }
    if report.interrupted {
        let _ = writeln!(text, "\n{}", paint(UNSURE, "interrupted: results up to that point"));
    }
    if let Some(failure) = &report.failure {
        let _ = writeln!(text, "\n{} {failure}", paint(UNSURE, "stopped early, results up to that point:"));
    }
    if let Some(least) = report.at_least {
        let asked = at_least(by, least, report.at_least_with);
        let _ = writeln!(text, "\n{asked}: {}", outcome(report.outcome));
    }
    text
}

/// A step's progress line: `step   7    1600/s  held       p99 1.2 ms  1598 responses/s`.
pub fn line(number: usize, by: By, step: &Step) -> String {
    let p99 = step.p99.map_or_else(|| "-".to_owned(), |p99| p99.to_string());
    let mut text = format!(
        "step {number:>3}  {:>10}  {}  p99 {p99:>7}  {:.0} responses/s",
        level(by, step.level),
        ending(step.ending),
        step.responses_per_s
    );
    if let Some(why) = &step.why {
        let _ = write!(text, "  {}", paint(FAINT, why));
    }
    text
}

/// A level with its unit: `2500/s`, `12 users`.
pub fn level(by: By, level: f64) -> String {
    match by {
        By::Rate => format!("{}/s", short(level)),
        By::Users if level == 1.0 => "1 user".to_owned(),
        By::Users => format!("{level:.0} users"),
    }
}

/// `at least 2500/s`, or `at least 2500/s with 4 replicas`.
pub(super) fn at_least(by: By, least: f64, with: Option<usize>) -> String {
    let with = with.map(|replicas| format!(" with {}", counted(replicas))).unwrap_or_default();
    format!("at least {}{with}", level(by, least))
}

/// `1 replica`, `2 replicas`.
pub fn counted(replicas: usize) -> String {
    if replicas == 1 { "1 replica".to_owned() } else { format!("{replicas} replicas") }
}

/// Four significant digits.
pub(super) fn short(value: f64) -> String {
    if !value.is_finite() {
        return "∞".to_owned();
    }
    let digits = (3.0 - value.abs().max(f64::MIN_POSITIVE).log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn one(count: &Count, by: By) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}: {}", paint(STRONG, counted(count.replicas)), found(count, by));
    let _ = writeln!(text, "  limit: {}{}", limit(count.limit), because(&count.why));
    if let Some(knee) = count.knee {
        let _ = writeln!(text, "  knee: {} (from there on p99 stays doubled)", level(by, knee));
    }
    let _ = writeln!(text, "  {} steps in {:.0} s", count.steps.len(), count.took_ns.as_secs_f64());
    if !count.steps.is_empty() {
        text.push('\n');
        text.push_str(&table(count, by));
    }
    text
}

fn because(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(" ({why})") }
}

fn found(count: &Count, by: By) -> String {
    let figure = paint(STRONG, brief(count, by));
    match (count.capacity, count.broke) {
        (Some(Estimate { low, high, .. }), _) => {
            let sure = if count.sure { "" } else { ", not confirmed" };
            format!("{figure} (held at {}, broke at {}{sure})", level(by, low), level(by, high))
        }
        (None, Some(_)) if count.held.is_none() && !count.broke_is_sure => format!("{figure}, not confirmed"),
        _ => figure,
    }
}

/// The capacity or a bound on it: `2998/s`, `3000/s or more`.
pub fn brief(count: &Count, by: By) -> String {
    figure(count.capacity, count.held, count.broke, by)
}

/// The same from a capacity, the highest level that held, and the lowest that broke.
pub fn figure(capacity: Option<Estimate>, held: Option<f64>, broke: Option<f64>, by: By) -> String {
    match (capacity, held, broke) {
        (Some(Estimate { value, .. }), _, _) => level(by, value),
        (None, Some(held), _) => format!("{} or more", level(by, held)),
        (None, None, Some(broke)) => format!("less than {}", level(by, broke)),
        (None, None, None) => "unknown".to_owned(),
    }
}

/// Capacities by number of replicas in one line: `1025/s with 1 replica, 1947/s with 2 replicas`.
pub fn in_brief(figures: &[(usize, String)]) -> String {
    match figures {
        [] => "nothing was measured".to_owned(),
        [(_, figure)] => figure.clone(),
        several => {
            let one = |(replicas, figure): &(usize, String)| format!("{figure} with {}", counted(*replicas));
            several.iter().map(one).collect::<Vec<_>>().join(", ")
        }
    }
}

pub(super) fn limit(limit: Limit) -> &'static str {
    match limit {
        Limit::Service => "the service",
        Limit::Machine => "this machine, shared by the service and the generator",
        Limit::Generator => "the generator: the service may be capable of more",
        Limit::Budget => "the time budget of the search",
        Limit::Most => "the highest level allowed: the service may be capable of more",
        Limit::Lowest => "the service: its objectives break at the lowest level",
        Limit::Interrupted => "the search was interrupted",
        Limit::Failure => "the search could not continue",
    }
}

fn ending(ending: Ending) -> String {
    match ending {
        Ending::Held => paint(GOOD, "held     "),
        Ending::Broke => paint(BAD, "broke    "),
        Ending::Generator => paint(UNSURE, "generator"),
        Ending::Unsure => paint(UNSURE, "unsure   "),
    }
}

fn outcome(outcome: Outcome) -> String {
    match outcome {
        Outcome::Pass => paint(GOOD, "yes"),
        Outcome::Fail => paint(BAD, "no"),
        Outcome::Inconclusive => paint(UNSURE, "unknown"),
    }
}

/// A row per level in rising order: steps that held, figures of the median step, and p99 as a bar on a log
/// scale.
fn table(count: &Count, by: By) -> String {
    let mut levels: Vec<f64> = count.steps.iter().map(|step| step.level).collect();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    let seen = count.steps.iter().filter_map(|step| step.p99);
    let (least, most) =
        seen.fold((Nanos::MAX, Nanos(1)), |(least, most), p99| (least.min(p99), most.max(p99)));
    let mut text = paint(
        FAINT,
        format!(
            "  {:>12}  {:>6}  {:>9}  {:>9}  {:>11}  p99 (log scale)",
            "level", "held", "p50", "p99", "responses"
        ),
    );
    text.push('\n');
    for at in levels {
        let mut steps: Vec<&Step> = count.steps.iter().filter(|step| step.level == at).collect();
        steps.sort_by_key(|step| step.p99);
        let held = steps.iter().filter(|step| step.ending == Ending::Held).count();
        let Some(middle) = steps.get((steps.len() - 1) / 2) else { continue };
        let latency = |nanos: Option<Nanos>| nanos.map_or_else(|| "-".to_owned(), |nanos| nanos.to_string());
        let _ = writeln!(
            text,
            "  {:>12}  {:>6}  {:>9}  {:>9}  {:>9.0}/s  {}",
            level(by, at),
            format!("{held}/{}", steps.len()),
            latency(middle.p50),
            latency(middle.p99),
            middle.responses_per_s,
            middle.p99.map(|p99| bar(p99, least, most)).unwrap_or_default()
        );
    }
    text
}

/// The lowest value has a bar of one character.
fn bar(value: Nanos, least: Nanos, most: Nanos) -> String {
    let log = |nanos: Nanos| (nanos.0.max(1) as f64).ln();
    let span = log(most) - log(least);
    let share = if span > 0.0 { (log(value) - log(least)) / span } else { 0.0 };
    "█".repeat(1 + (share * (WIDTH - 1.0)).round().max(0.0) as usize)
}

fn scaling(report: &CapacityReport) -> String {
    let mut text = paint(STRONG, "scaling");
    text.push('\n');
    if let Some(law) = &report.scaling {
        text.push_str(&fitted(law, report.by));
    }
    if let Some(note) = &report.scaling_note {
        let _ = writeln!(text, "  {}", paint(UNSURE, note));
    }
    text
}

fn fitted(law: &Scaling, by: By) -> String {
    let range = |estimate: &Estimate| {
        format!("{} ({} to {})", short(estimate.value), short(estimate.low), short(estimate.high))
    };
    let mut text = String::from(
        "  Universal Scalability Law, X(N) = λN / (1 + σ(N − 1) + κN(N − 1)), with 95 % intervals\n",
    );
    let _ = writeln!(text, "  λ {}, throughput of one replica", range(&law.lambda));
    let _ = writeln!(text, "  σ {}, contention", range(&law.sigma));
    let _ = writeln!(text, "  κ {}, coherency", range(&law.kappa));
    let _ = writeln!(
        text,
        "  replica {} would add {}, for a total of {}{}",
        law.next,
        range(&law.next_gain),
        range(&law.next_capacity),
        if by == By::Rate { " per second" } else { " users" }
    );
    let _ = if law.peak.value.is_finite() {
        writeln!(text, "  throughput peaks at {} replicas", range(&law.peak))
    } else {
        writeln!(text, "  no peak found; it is at {} replicas or more", short(law.peak.low))
    };
    text
}

#[cfg(test)]
mod tests;

//! Do recording rules agree with their expressions? What a rule recorded at an instant is compared with its
//! expression, queried later for the same instant.
//!
//! A rule sees what had been ingested when it ran; a later query may see more, such as samples of scrapes
//! that were in progress then. Instants shortly after the start of a scrape prove nothing, and one differing
//! instant is no proof by itself.

use std::collections::BTreeMap;

use super::verdict::{Claim, Evidence, Outcome, Verdict};
use crate::counters::raw::{named, same_time, whole};
use saasbench_exposition::{Labels, show_labels};
use saasbench_record::{
    prometheus::{ResponseRecord, values},
    reader::RecordedRun,
    rules::{Group, Rule, concerned, groups},
};

/// Relative difference that rounding may make: sums are added up in another order.
const ROUNDING: f64 = 1e-9;
/// A scrape is taken to be over after this many seconds, unless those of the run took longer.
const UNDER_WAY: f64 = 0.1;
/// From this many differing instants on, they are no coincidence.
const PROOF: usize = 2;

/// One verdict per group with rules about the run; none where Prometheus has no such rules.
pub fn judge(run: &RecordedRun) -> Vec<Verdict> {
    let answers = &run.observations.prometheus;
    let path = saasbench_record::query::ApiRequest::Rules;
    let Some(record) = answers.iter().rfind(|answer| answer.query == path.text()) else { return Vec::new() };
    match whole(record) {
        Ok(answer) => {
            let groups = concerned(&groups(answer), &run.scenario);
            groups.iter().filter_map(|group| of_group(answers, group)).collect()
        }
        Err(why) => vec![Verdict::inconclusive(Claim::Rules, "rules", why)],
    }
}

fn of_group(answers: &[ResponseRecord], group: &Group) -> Option<Verdict> {
    let subject = format!("rules of {}", group.name);
    let mut evidence: Vec<Evidence> = group.rules.iter().filter_map(|rule| of_rule(answers, rule)).collect();
    let (tested, of) = (evidence.len(), group.rules.len());
    if group.interval > 0.0 && group.evaluation_time > group.interval {
        let observed = format!(
            "the last evaluation took {:.3} s, and one is due every {} s",
            group.evaluation_time, group.interval
        );
        let expected = "an evaluation ends before the next is due";
        evidence.push(Evidence::new(Outcome::Inconclusive, "evaluation", expected, observed));
    }
    if evidence.is_empty() {
        return None;
    }
    Some(Verdict::from_evidence(Claim::Rules, subject, evidence, |outcome, evidence| match outcome {
        Outcome::Pass if tested < of => {
            format!("{tested} of {of} rules were tested and are healthy; {}", evidence[0].observed)
        }
        Outcome::Pass => format!("{of} rules are healthy; {}", evidence[0].observed),
        _ => evidence[0].observed.clone(),
    }))
}

fn of_rule(answers: &[ResponseRecord], rule: &Rule) -> Option<Evidence> {
    if rule.health == "err" {
        let observed = format!("{} cannot be evaluated: {}", rule.name, rule.last_error);
        return Some(Evidence::new(Outcome::Fail, &rule.name, "a rule that can be evaluated", observed));
    }
    if rule.health == "unknown" {
        // Its group is evaluated less often than a short run lasts: the verdict says how many were tested.
        return None;
    }
    if !rule.is_recording() {
        let observed = format!("{} is healthy", rule.name);
        return Some(Evidence::new(Outcome::Pass, &rule.name, "a rule that can be evaluated", observed));
    }
    let expected = format!("the value of {}", rule.query);
    let finding = |outcome, observed| Some(Evidence::new(outcome, &rule.name, &expected, observed));
    let recorded = named(answers, &rule.name);
    let margin = margin(answers);
    let (mut agree, mut unclear, mut differ) = (0, 0, Vec::new());
    for record in answers.iter().filter(|answer| answer.query == rule.query && answer.range_s.is_none()) {
        let Ok(answer) = whole(record) else { continue };
        let at = record.time_unix_s;
        let stored: BTreeMap<Labels, f64> = recorded
            .iter()
            .filter_map(|series| {
                let (_, value) = series.samples.iter().find(|(time, _)| same_time(*time, at))?;
                Some((series.labels.clone(), *value))
            })
            .collect();
        if stored.is_empty() {
            continue;
        }
        let asked = values(answer)
            .into_iter()
            .filter_map(|series| Some((rule.recorded(series.labels), series.samples.first()?.1)));
        match difference(&stored, &asked.collect()) {
            None => agree += 1,
            Some(_) if in_flight(answers, at, margin) => unclear += 1,
            Some(text) => differ.push(text),
        }
    }
    match (agree, differ.as_slice()) {
        // Not evaluated during the run, or without data: no claim is made.
        (0, []) if unclear == 0 => None,
        (0, []) => finding(
            Outcome::Inconclusive,
            format!("{}: a scrape was in progress at every evaluation", rule.name),
        ),
        (_, []) => finding(Outcome::Pass, format!("{} agrees at {agree} instants", rule.name)),
        (_, [first, ..]) => {
            let proven = differ.len() >= PROOF && differ.len() > agree;
            let outcome = if proven { Outcome::Fail } else { Outcome::Inconclusive };
            let of = agree + differ.len();
            finding(outcome, format!("{} differs at {} of {of} instants: {first}", rule.name, differ.len()))
        }
    }
}

/// The first series that differs, if any.
fn difference(stored: &BTreeMap<Labels, f64>, asked: &BTreeMap<Labels, f64>) -> Option<String> {
    let same = |a: f64, b: f64| {
        a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= ROUNDING * a.abs().max(b.abs())
    };
    let mut labels: Vec<&Labels> = stored.keys().chain(asked.keys()).collect();
    labels.sort();
    labels.dedup();
    let value = |of: Option<&f64>| of.map_or("nothing".to_owned(), f64::to_string);
    labels.into_iter().find_map(|labels| {
        let (stored, asked) = (stored.get(labels), asked.get(labels));
        let agree = stored.zip(asked).is_some_and(|(a, b)| same(*a, *b));
        let name = if labels.is_empty() { String::new() } else { format!("{} ", show_labels("", labels)) };
        (!agree).then(|| format!("{name}recorded {}, the expression gives {}", value(stored), value(asked)))
    })
}

/// How long after its start a scrape's samples may not have been ingested, in seconds.
fn margin(answers: &[ResponseRecord]) -> f64 {
    let durations = named(answers, "scrape_duration_seconds");
    let longest = durations.iter().flat_map(|series| &series.samples).map(|(_, value)| *value);
    longest.fold(UNDER_WAY, |longest, value| longest.max(2.0 * value))
}

/// Whether a scrape had started so shortly before `at` that its samples may have come after it.
fn in_flight(answers: &[ResponseRecord], at: f64, margin: f64) -> bool {
    let scrapes = named(answers, "up");
    let mut starts = scrapes.iter().flat_map(|series| &series.samples).map(|(start, _)| *start);
    starts.any(|start| start <= at && at < start + margin)
}

#[cfg(test)]
mod tests;

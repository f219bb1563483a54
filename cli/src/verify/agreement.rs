//! Do the service's counters agree with what clients saw? For a label set with `d` definite and `u` unknown requests
//! the server's delta lies in `[d, d+u]`, exactly, and the excesses of all statuses of a route together are at most
//! its unknowns.
//!
//! Two witnesses are held against the ledger: the replica's own `/metrics`, and Prometheus's raw samples of it.

use std::collections::BTreeMap;

use super::{
    ledger::{Cell, Seen, Views},
    replicas::{Settled, Unsettled},
    verdict::{Claim, Evidence, Outcome, Verdict},
};
use crate::{
    observe::{
        exposition::Labels,
        prometheus::{AnswerRecord, RawSeries, matrix},
    },
    record::manifest::Replica,
    scenario::MetricsContract,
};

/// What a counter gained over the run, by cell and status label.
type Gains = BTreeMap<(Cell, String), f64>;

/// What may be assumed when a witness's gains are judged.
#[derive(Debug, Clone, Copy)]
pub struct Assumptions {
    /// Nobody else sent requests.
    pub exclusive: bool,
    /// The replica was restarted, so that some of its gains are lost.
    pub restarted: bool,
    /// Every sample of the run is in the record.
    pub complete: bool,
}

/// A counter of the contract, and how the ledger groups requests for it.
#[derive(Debug, Clone, Copy)]
struct Counter<'a> {
    name: &'a str,
    per_tenant: bool,
}

fn counters(contract: &MetricsContract) -> Vec<Counter<'_>> {
    let requests = Counter { name: &contract.requests, per_tenant: false };
    let tenants = contract.tenant_requests.as_deref().map(|name| Counter { name, per_tenant: true });
    [Some(requests), tenants].into_iter().flatten().collect()
}

/// Holds a replica's own `/metrics` against the ledger: one verdict a counter.
pub fn by_scrape(
    contract: &MetricsContract,
    replica: &Replica,
    views: &Views,
    settled: &Result<Settled, Unsettled>,
    assumptions: Assumptions,
) -> Vec<Verdict> {
    let judge = |counter: Counter<'_>| {
        let subject = format!("{} of {} by scrape", counter.name, replica.name);
        let settled = match settled {
            Ok(settled) => settled,
            Err(broken @ Unsettled::Broken { .. }) => {
                return broken_exposition(Claim::Counters, subject, broken);
            }
            Err(other) => return Verdict::inconclusive(Claim::Counters, subject, other.to_string()),
        };
        let restarted = !settled.restarts.is_empty();
        let mut gains = Gains::new();
        for (labels, after) in settled.after.named(counter.name) {
            let before =
                if restarted { 0.0 } else { settled.before.value(counter.name, labels).unwrap_or(0.0) };
            if let Some(key) = cell(contract, labels, counter.per_tenant) {
                *gains.entry(key).or_default() += after - before;
            }
        }
        let place = format!("see {}", settled.file);
        compare(subject, counter, views, &gains, Assumptions { restarted, ..assumptions }, &place)
    };
    counters(contract).into_iter().map(judge).collect()
}

/// Holds Prometheus's raw samples of a replica against the ledger: one verdict a counter. `from` and `settled` are
/// seconds since the epoch: the samples must begin before the one and reach past the other.
pub fn by_prometheus(
    contract: &MetricsContract,
    replica: &Replica,
    views: &Views,
    answers: &[AnswerRecord],
    (from, settled): (f64, f64),
    assumptions: Assumptions,
) -> Vec<Verdict> {
    let up = series_of(answers, "up", replica);
    let judge = |counter: Counter<'_>| {
        let subject = format!("{} of {} by Prometheus", counter.name, replica.name);
        let answer = answers.iter().rfind(|answer| is_about(answer, counter.name));
        let inconclusive = |why: String| Verdict::inconclusive(Claim::Counters, subject.clone(), why);
        match answer {
            None => return inconclusive("Prometheus was not asked: the run ended before".to_owned()),
            Some(AnswerRecord { answer: None, error, .. }) => {
                return inconclusive(format!(
                    "Prometheus did not answer: {}",
                    error.as_deref().unwrap_or("no reason given")
                ));
            }
            Some(_) => {}
        }
        let scrapes: Vec<(f64, f64)> = up.iter().flat_map(|series| series.samples.iter().copied()).collect();
        if scrapes.is_empty() {
            return inconclusive(format!(
                "Prometheus has no target with instance=\"{}\"{}",
                replica.instance,
                known_instances(answers)
            ));
        }
        if !scrapes.iter().any(|(at, up)| *at <= from && *up == 1.0) {
            return inconclusive("Prometheus had not scraped it before the load began".to_owned());
        }
        match scrapes.iter().rfind(|(at, _)| *at >= settled) {
            None => return inconclusive("Prometheus has not scraped it since the load ended".to_owned()),
            Some((_, up)) if *up != 1.0 => {
                return inconclusive("Prometheus found it down after the load".to_owned());
            }
            Some(_) => {}
        }
        let restarted = series_of(answers, "process_start_time_seconds", replica)
            .iter()
            .any(|series| series.samples.windows(2).any(|pair| pair[0].1 != pair[1].1));
        let mut gains = Gains::new();
        for series in series_of(answers, counter.name, replica) {
            if let Some(key) = cell(contract, &series.labels, counter.per_tenant) {
                *gains.entry(key).or_default() += gain(&series, from);
            }
        }
        let assumptions = Assumptions { restarted, ..assumptions };
        compare(subject.clone(), counter, views, &gains, assumptions, "see observations/prometheus.jsonl")
    };
    counters(contract).into_iter().map(judge).collect()
}

/// The verdict about metrics that cannot even be read.
pub fn broken_exposition(claim: Claim, subject: String, broken: &Unsettled) -> Verdict {
    let finding =
        Evidence::new(Outcome::Fail, "exposition", "the Prometheus text format", broken.to_string());
    Verdict::from_evidence(claim, subject, vec![finding], |_, _| broken.to_string())
}

/// What a counter gained since `from`: the sum of its rises; a fall is a reset, after which it counts from zero. A
/// series that did not exist at `from` began at zero.
fn gain(series: &RawSeries, from: f64) -> f64 {
    let before = series.samples.iter().rfind(|(at, _)| *at <= from).map_or(0.0, |(_, value)| *value);
    let mut last = before;
    let mut gain = 0.0;
    for (_, value) in series.samples.iter().filter(|(at, _)| *at > from) {
        gain += if *value >= last { value - last } else { *value };
        last = *value;
    }
    gain
}

fn is_about(answer: &AnswerRecord, metric: &str) -> bool {
    answer.query.strip_prefix(metric).is_some_and(|rest| rest.starts_with('['))
}

fn series_of(answers: &[AnswerRecord], metric: &str, replica: &Replica) -> Vec<RawSeries> {
    let answer =
        answers.iter().rfind(|answer| is_about(answer, metric)).and_then(|answer| answer.answer.as_ref());
    let mut series = answer.map(matrix).unwrap_or_default();
    series.retain(|series| series.labels.get("instance") == Some(&replica.instance));
    series
}

fn known_instances(answers: &[AnswerRecord]) -> String {
    let answer =
        answers.iter().rfind(|answer| is_about(answer, "up")).and_then(|answer| answer.answer.as_ref());
    let mut instances: Vec<String> = answer
        .map(matrix)
        .unwrap_or_default()
        .iter()
        .filter_map(|series| series.labels.get("instance").cloned())
        .collect();
    instances.sort();
    instances.dedup();
    if instances.is_empty() {
        "; it has none at all".to_owned()
    } else {
        format!("; it has {}", instances.join(", "))
    }
}

/// The cell and status that a series counts; `None` for routes that are not the load's.
fn cell(contract: &MetricsContract, labels: &Labels, per_tenant: bool) -> Option<(Cell, String)> {
    let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
    let path = label(&contract.route_label);
    if contract.ignore.contains(&path) {
        return None;
    }
    let tenant = per_tenant.then(|| label(&contract.tenant_label));
    Some((Cell { tenant, method: label(&contract.method_label), path }, label(&contract.status_label)))
}

fn compare(
    subject: String,
    counter: Counter<'_>,
    views: &Views,
    gains: &Gains,
    assumptions: Assumptions,
    place: &str,
) -> Verdict {
    let ledger = if counter.per_tenant { &views.tenants } else { &views.routes };
    if gains.is_empty() && !ledger.is_empty() {
        let why = format!(
            "there is no series {}: the service may name its counter otherwise ([metrics])",
            counter.name
        );
        return Verdict::inconclusive(Claim::Counters, subject, why);
    }
    let mut evidence = Vec::new();
    let mut cells: Vec<&Cell> = ledger.keys().chain(gains.keys().map(|(cell, _)| cell)).collect();
    cells.sort();
    cells.dedup();
    let nothing = Seen::default();
    for cell in cells {
        let seen = ledger.get(cell).unwrap_or(&nothing);
        compare_cell(cell, seen, gains, assumptions, place, &mut evidence);
    }
    let requests: u64 = ledger.values().map(|seen| seen.answered() + seen.unknown).sum();
    let unknown: u64 = ledger.values().map(|seen| seen.unknown).sum();
    Verdict::from_evidence(Claim::Counters, subject, evidence, |outcome, evidence| {
        let against = evidence.iter().filter(|finding| finding.outcome == outcome).count();
        match outcome {
            Outcome::Pass if unknown == 0 => {
                format!("{requests} requests in {against} series agree to the request")
            }
            Outcome::Pass => {
                format!("{requests} requests in {against} series agree; {unknown} of them were not answered")
            }
            _ => format!("{against} of {} series: {}", evidence.len(), evidence[0].observed),
        }
    })
}

/// Compares every status of one cell, and their excesses together.
fn compare_cell(
    cell: &Cell,
    seen: &Seen,
    gains: &Gains,
    assumptions: Assumptions,
    place: &str,
    evidence: &mut Vec<Evidence>,
) {
    let mut statuses: Vec<String> = seen.statuses.keys().map(u16::to_string).collect();
    statuses.extend(gains.keys().filter(|(of, _)| of == cell).map(|(_, status)| status.clone()));
    statuses.sort();
    statuses.dedup();
    let unknown = seen.unknown as f64;
    let mut excess = 0.0;
    for status in statuses {
        let definite =
            status.parse().ok().and_then(|status: u16| seen.statuses.get(&status)).copied().unwrap_or(0)
                as f64;
        let gain = gains.get(&(cell.clone(), status.clone())).copied();
        let observed = gain.unwrap_or(0.0);
        if definite == 0.0 && observed == 0.0 {
            // A series from before the load, of which this run is no part.
            continue;
        }
        excess += (observed - definite).max(0.0);
        let expected = if unknown == 0.0 {
            format!("{definite}")
        } else {
            format!("{definite} to {}", definite + unknown)
        };
        let shown = match gain {
            Some(gain) => format!("{cell} {status}: {gain} counted, {expected} seen by clients"),
            None => format!("{cell} {status}: no such series, {expected} seen by clients"),
        };
        let mut finding = Evidence::new(
            judge(observed, definite, unknown, assumptions),
            format!("{cell} {status}"),
            expected,
            shown,
        );
        match finding.outcome {
            Outcome::Fail => finding = finding.detail(place),
            Outcome::Inconclusive => finding = finding.detail(doubt(assumptions)),
            Outcome::Pass => {}
        }
        evidence.push(finding);
    }
    // Each unanswered request can have counted once, under one status.
    if unknown > 0.0 && excess > unknown {
        let outcome = judge(excess, 0.0, unknown, assumptions);
        let observed = format!(
            "{cell}: {excess} more counted than answered, over all statuses, {unknown} went unanswered"
        );
        evidence.push(
            Evidence::new(outcome, format!("{cell} all statuses"), format!("at most {unknown}"), observed)
                .detail(place),
        );
    }
}

/// Whether what a counter gained lies in `[definite, definite + unknown]`, as far as the assumptions carry.
fn judge(gain: f64, definite: f64, unknown: f64, assumptions: Assumptions) -> Outcome {
    let Assumptions { exclusive, restarted, complete } = assumptions;
    if gain.is_nan() || (gain < definite && !restarted) {
        return Outcome::Fail;
    }
    // Others' requests, and ours that are not in the record, can have counted too.
    if gain > definite + unknown && exclusive && complete {
        return Outcome::Fail;
    }
    if restarted || gain > definite + unknown { Outcome::Inconclusive } else { Outcome::Pass }
}

fn doubt(assumptions: Assumptions) -> &'static str {
    let Assumptions { exclusive, restarted, .. } = assumptions;
    if restarted {
        "the replica was restarted: what it had counted since the scrape before is lost"
    } else if !exclusive {
        "others may use the service: what it counted too much cannot be told from theirs (`exclusive = true` says that the run is alone)"
    } else {
        "the run was cut off: its last requests are not in the record"
    }
}

#[cfg(test)]
mod tests;

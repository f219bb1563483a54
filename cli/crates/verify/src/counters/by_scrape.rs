//! A replica's own `/metrics` as a source: the counters before and after the run, and the counter of requests
//! at every scrape in between.

use serde_json::json;

use super::{
    Assumptions, Counter, CounterSource, Gains, cell, compare, counters, diagnose::Accounts,
    during::CounterHistory, expected::expected, progress::Standings, usable,
};
use crate::{
    ledger::Views,
    replicas::{NotQuiescent, QuiescentScrapes},
    verdict::{Claim, Diagnosis, Evidence, Outcome, Verdict},
};
use saasbench_model::scenario::MetricsContract;
use saasbench_record::{manifest::Replica, observations::Scrape};

/// Everything known about a replica's counters.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'a> {
    /// How requests map to series.
    pub contract: &'a MetricsContract,
    /// The replica.
    pub replica: &'a Replica,
    /// What clients saw of it.
    pub views: &'a Views,
    /// Its counters before and after the load.
    pub settled: &'a Result<QuiescentScrapes, NotQuiescent>,
    /// All its scrapes.
    pub scrapes: &'a [Scrape],
    /// The ledger's state at each of the scrapes.
    pub standings: &'a [Standings],
}

/// Whether the counter of requests falls and then goes on where it was, by more than clients can have sent since:
/// then it is that of another process, met in between.
pub fn is_met_again(observed: &Observed<'_>) -> bool {
    let Observed { contract, scrapes, standings, .. } = *observed;
    let counter = Counter { contract, name: &contract.requests, per_tenant: false };
    CounterHistory::new(counter, scrapes, &[], standings).is_met_again()
}

/// Compares a replica's own `/metrics` with the ledger: one verdict per counter.
pub fn by_scrape<'a>(observed: &Observed<'a>, assumptions: Assumptions) -> Vec<CounterSource> {
    let mut whole = None;
    let judge = |counter: Counter<'a>| {
        let subject = counter.subject(observed.replica, "scrape");
        let settled = match usable(Claim::Counters, &subject, observed.settled) {
            Ok(settled) => settled,
            Err(verdict) => return CounterSource { verdict, gains: None },
        };
        let assumptions = Assumptions { restarted: !settled.restarts.is_empty(), ..assumptions };
        let course = course(observed, counter, settled);
        let mut gains = gains(counter, settled, assumptions.restarted);
        for (key, gained) in course.iter().flat_map(CounterHistory::by_earlier_processes) {
            *gains.entry(key).or_default() += gained;
        }
        let place = format!("see {}", settled.file);
        let verdict = compare(subject, counter, observed.views, &gains, assumptions, &place);
        // A finding that names the wrong series comes first; `unsteady` finds what comparing only start and
        // end does not show.
        let verdict = match verdict.outcome {
            Outcome::Fail => verdict,
            _ => unsteady(verdict, settled, course.as_ref(), assumptions),
        };
        let reported = assumptions.exclusive && assumptions.complete && !assumptions.restarted;
        let accounts = Accounts::new(&expected(counter, counter.ledger(observed.views), &gains), &gains);
        let diagnosis = fallen(settled)
            .or_else(|| whole.clone().filter(|_| accounts.lack() > 0.0))
            .or_else(|| accounts.diagnose(course.as_ref()).filter(|_| reported));
        if course.is_some() {
            // These two faults affect all counters of a scrape body alike.
            whole = diagnosis
                .clone()
                .filter(|found| ["metrics-stale", "counter-reset"].contains(&&*found.hypothesis));
        }
        CounterSource { verdict: verdict.explained(diagnosis), gains: Some(gains) }
    };
    counters(observed.contract).into_iter().map(judge).collect()
}

/// The increase of a counter, counted from the start of its process if that started during the run.
fn gains(counter: Counter<'_>, settled: &QuiescentScrapes, restarted: bool) -> Gains {
    let mut gains = Gains::new();
    for (labels, after) in settled.after.named(counter.name) {
        let before = if restarted { None } else { settled.before.value(counter.name, labels) };
        if let Some(key) = cell(counter, labels) {
            *gains.entry(key).or_default() += after - before.unwrap_or(0.0);
        }
    }
    gains
}

/// The counter from scrape to scrape; retained only for the counter of all requests.
fn course<'a>(
    observed: &Observed<'a>,
    counter: Counter<'a>,
    settled: &QuiescentScrapes,
) -> Option<CounterHistory<'a>> {
    let Observed { scrapes, standings, .. } = *observed;
    (!counter.per_tenant).then(|| CounterHistory::new(counter, scrapes, &settled.restarts, standings))
}

/// Turns the verdict into a failure if counters decreased or were wrong in between, or if the record was
/// changed.
fn unsteady(
    verdict: Verdict,
    settled: &QuiescentScrapes,
    course: Option<&CounterHistory<'_>>,
    assumptions: Assumptions,
) -> Verdict {
    let mut evidence: Vec<Evidence> = settled
        .falls
        .iter()
        .map(|fall| {
            let (before, after) = fall.values;
            let observed =
                format!("{} fell from {before} to {after}, and the replica was not restarted", fall.series);
            let finding = Evidence::new(Outcome::Fail, &fall.series, "a counter that only rises", observed);
            finding.detail(format!("see {} and the one before it", fall.file))
        })
        .collect();
    evidence.extend(settled.changed.iter().map(|file| {
        let observed =
            "two scrapes were equal when they were recorded, and are not now: the record was changed";
        let finding = Evidence::new(Outcome::Fail, "record", "two equal scrapes", observed);
        finding.detail(format!("see {file} and the one before it"))
    }));
    // Without evidence nothing could be compared.
    let course = course.filter(|_| !verdict.evidence.is_empty());
    evidence.extend(course.into_iter().flat_map(|course| course.judge(assumptions)));
    match evidence.first() {
        Some(first) => {
            let summary = first.observed.clone();
            Verdict::from_evidence(verdict.claim, verdict.subject, evidence, |_, _| summary)
        }
        None => verdict,
    }
}

/// Diagnoses a counter that decreased although its process was not restarted.
fn fallen(settled: &QuiescentScrapes) -> Option<Diagnosis> {
    let fall = settled.falls.first()?;
    let (before, after) = fall.values;
    Some(Diagnosis::new(
        "counter-reset",
        json!({ "before": before, "after": after }),
        format!(
            "counters restarted from zero although the process did not: {} fell from {before} to {after}",
            fall.series
        ),
    ))
}

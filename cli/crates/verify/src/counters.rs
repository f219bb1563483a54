//! Do the service's counters agree with what clients saw? For a label set with `d` definite and `u` unknown
//! requests, the counter's increase must lie in `[d, d+u]`, exactly, and the surpluses of all statuses of a
//! route together must not exceed its unknowns.
//!
//! Two sources are compared with the ledger: the replica's own `/metrics` (`by_scrape`; also `during` the
//! load, using the ledger's `progress`), and Prometheus's raw samples of it (`by_prometheus`). `cross_check`
//! finds which source disagrees with the other two; `diagnose` finds the fault that explains the findings.

mod by_prometheus;
mod by_scrape;
mod cross_check;
mod diagnose;
mod during;
mod expected;
mod progress;
pub(super) mod raw;

use std::collections::BTreeMap;

use self::expected::{Expected, expected, misread};
pub use self::{
    by_prometheus::{PrometheusSpan, by_prometheus},
    by_scrape::{Observed, by_scrape, is_met_again},
    progress::{Progress, Standings},
};
pub use crate::counters::cross_check::{CounterSource, compare_source};

use super::{
    ledger::{Cell, Seen, Views},
    replicas::{NotQuiescent, QuiescentScrapes},
    verdict::{Claim, Evidence, Outcome, Verdict},
};
use saasbench_exposition::Labels;
use saasbench_model::scenario::MetricsContract;
use saasbench_record::manifest::Replica;

/// The increase of a counter over the run, by cell and status label.
type Gains = BTreeMap<(Cell, String), f64>;

/// What may be assumed when a counter's increase is judged.
#[derive(Debug, Clone, Copy)]
pub struct Assumptions {
    /// Nothing else sent requests.
    pub exclusive: bool,
    /// The replica was restarted, so some of the increase is lost.
    pub restarted: bool,
    /// Every sample of the run is in the record.
    pub complete: bool,
}

/// A counter of the contract, and how it groups the ledger's requests.
#[derive(Debug, Clone, Copy)]
struct Counter<'a> {
    contract: &'a MetricsContract,
    name: &'a str,
    per_tenant: bool,
}

impl Counter<'_> {
    /// The subject of a verdict. One metric can be checked as two counters, with and without tenants.
    fn subject(&self, replica: &Replica, source: &str) -> String {
        let twice = self.per_tenant && self.name == self.contract.requests;
        let by_tenant = if twice { " by tenant" } else { "" };
        format!("{}{by_tenant} of {} by {source}", self.name, replica.name)
    }

    /// The ledger's requests, grouped as this counter groups them.
    fn ledger<'v>(&self, views: &'v Views) -> &'v BTreeMap<Cell, Seen> {
        if self.per_tenant { &views.tenants } else { &views.routes }
    }
}

fn counters(contract: &MetricsContract) -> Vec<Counter<'_>> {
    let requests = Counter { contract, name: &contract.requests, per_tenant: false };
    let tenants =
        contract.tenant_requests.as_deref().map(|name| Counter { contract, name, per_tenant: true });
    [Some(requests), tenants].into_iter().flatten().collect()
}

/// The quiescent scrapes that a claim about a replica's metrics is judged from.
///
/// # Errors
/// An Inconclusive verdict where there are none. Metrics that cannot be read at all fail the claim `scrapes`.
pub fn usable<'a>(
    claim: Claim,
    subject: &str,
    settled: &'a Result<QuiescentScrapes, NotQuiescent>,
) -> Result<&'a QuiescentScrapes, Verdict> {
    settled.as_ref().map_err(|why| Verdict::inconclusive(claim, subject, why.to_string()))
}

/// The cell and status that a series counts; `None` for routes outside the load, and, for a counter by
/// tenant, for routes without a tenant.
fn cell(counter: Counter<'_>, labels: &Labels) -> Option<(Cell, String)> {
    let key = counter.contract.key(labels)?;
    if counter.per_tenant && key.tenant.is_empty() && counter.contract.is_tenantless(&key.route) {
        return None;
    }
    let tenant = counter.per_tenant.then_some(key.tenant);
    Some((Cell { tenant, method: key.method, path: key.route }, key.status))
}

fn compare(
    subject: String,
    counter: Counter<'_>,
    views: &Views,
    gains: &Gains,
    assumptions: Assumptions,
    place: &str,
) -> Verdict {
    let ledger = counter.ledger(views);
    if gains.is_empty() && !ledger.is_empty() {
        let why = format!(
            "there is no series {}: the service may use another name for its counter ([metrics])",
            counter.name
        );
        return Verdict::inconclusive(Claim::Counters, subject, why);
    }
    let expected = expected(counter, ledger, gains);
    if let Some(why) = misread(counter, &expected, gains) {
        return Verdict::inconclusive(Claim::Counters, subject, why);
    }
    let mut evidence = Vec::new();
    let mut cells: Vec<&Cell> = expected.keys().chain(gains.keys().map(|(cell, _)| cell)).collect();
    cells.sort();
    cells.dedup();
    let nothing = Expected::default();
    for cell in cells {
        let Expected { answered, unknown } = expected.get(cell).unwrap_or(&nothing);
        compare_cell(cell, answered, *unknown, gains, assumptions, place, &mut evidence);
    }
    let requests: u64 = ledger.values().map(|seen| seen.answered() + seen.unknown).sum();
    let unknown: u64 = ledger.values().map(|seen| seen.unknown).sum();
    Verdict::from_evidence(Claim::Counters, subject, evidence, |outcome, evidence| {
        let against = evidence.iter().filter(|finding| finding.outcome == outcome).count();
        match outcome {
            Outcome::Pass if unknown == 0 => {
                format!("{requests} requests in {against} series agree exactly")
            }
            Outcome::Pass => {
                format!("{requests} requests in {against} series agree; {unknown} of them got no response")
            }
            _ => format!("{against} of {} series: {}", evidence.len(), evidence[0].observed),
        }
    })
}

/// Compares every status of one cell, and then their surpluses together.
fn compare_cell(
    cell: &Cell,
    answered: &BTreeMap<String, u64>,
    unknown: u64,
    gains: &Gains,
    assumptions: Assumptions,
    place: &str,
    evidence: &mut Vec<Evidence>,
) {
    let mut statuses: Vec<String> = answered.keys().cloned().collect();
    let own = gains.range((cell.clone(), String::new())..).take_while(|((of, _), _)| of == cell);
    statuses.extend(own.map(|((_, status), _)| status.clone()));
    statuses.sort();
    statuses.dedup();
    let unknown = unknown as f64;
    let mut excess = 0.0;
    for status in statuses {
        let definite = answered.get(&status).copied().unwrap_or(0) as f64;
        let gain = gains.get(&(cell.clone(), status.clone())).copied();
        let observed = gain.unwrap_or(0.0);
        if definite == 0.0 && observed == 0.0 {
            // A series left over from before the load.
            continue;
        }
        excess += (observed - definite).max(0.0);
        let expected = if unknown == 0.0 {
            format!("{definite}")
        } else {
            format!("{definite} to {}", definite + unknown)
        };
        let series = format!("{cell} {status}").trim_end().to_owned();
        let shown = match gain {
            Some(gain) => format!("{series}: {gain} counted, {expected} seen by clients"),
            None => format!("{series}: no such series, {expected} seen by clients"),
        };
        let mut finding =
            Evidence::new(judge(observed, definite, unknown, assumptions), series, expected, shown).compared(
                (definite, definite + unknown),
                (observed, observed),
                false,
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
            "{cell}: {excess} more counted than responses over all statuses; {unknown} got no response"
        );
        evidence.push(
            Evidence::new(outcome, format!("{cell} all statuses"), format!("at most {unknown}"), observed)
                .detail(place),
        );
    }
}

/// Whether an increase lies in `[definite, definite + unknown]`, as far as the assumptions allow.
fn judge(gain: f64, definite: f64, unknown: f64, assumptions: Assumptions) -> Outcome {
    let Assumptions { exclusive, restarted, complete } = assumptions;
    if gain.is_nan() || (gain < definite && !restarted) {
        return Outcome::Fail;
    }
    // Requests of other clients, and requests missing from the record, can have counted, too.
    if gain > definite + unknown && exclusive && complete {
        return Outcome::Fail;
    }
    if restarted || gain > definite + unknown { Outcome::Inconclusive } else { Outcome::Pass }
}

fn doubt(assumptions: Assumptions) -> &'static str {
    let Assumptions { exclusive, restarted, .. } = assumptions;
    if restarted {
        "the replica was restarted: counts since the previous scrape are lost"
    } else if !exclusive {
        "the environment is shared: the surplus may be other clients' requests (`exclusive = true` declares that there are none)"
    } else {
        "the run was cut off: its last requests are not in the record"
    }
}

#[cfg(test)]
mod simulated;
#[cfg(test)]
mod tests;

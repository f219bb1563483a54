//! The client's ledger: who was answered what, by which replica. The first of the witnesses that agreement compares.

use std::collections::BTreeMap;

use super::grouped::Grouped;
use crate::{
    observe::quantile::BucketBounds,
    record::sample::{Outcome, Sample},
    scenario::Scenario,
    units::Nanos,
};

/// What one group of requests is told apart by in the service's metrics.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// The tenant, in series per tenant.
    pub tenant: Option<String>,
    /// Upper-case method; empty where series have no method.
    pub method: String,
    /// Path template; empty where series have no route.
    pub path: String,
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [self.tenant.as_deref().unwrap_or_default(), &self.method, &self.path];
        let told: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        f.write_str(&if told.is_empty() { "all requests".to_owned() } else { told.join(" ") })
    }
}

/// What clients saw of one [`Cell`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// Answers by status: they have counted.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests without an answer: each may have counted once, under any status, or not at all.
    pub unknown: u64,
    /// Latencies from sent of the answered requests, by bucket: how many lie in each gap between the ledger's bounds,
    /// one more than there are bounds.
    pub latencies: Vec<u64>,
    /// Sum of these latencies.
    pub latency_sum: Nanos,
}

impl Seen {
    /// Answers of any status.
    pub fn answered(&self) -> u64 {
        self.statuses.values().sum()
    }

    fn add(&mut self, other: &Self) {
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        self.unknown += other.unknown;
        if other.answered() > 0 {
            self.latencies.resize(other.latencies.len(), 0);
        }
        for (sum, count) in self.latencies.iter_mut().zip(&other.latencies) {
            *sum += count;
        }
        self.latency_sum = self.latency_sum + other.latency_sum;
    }
}

/// The client's ledger of one run.
#[derive(Debug)]
pub struct Ledger {
    /// Bucket bounds of the service's histograms in seconds, sorted, without infinity.
    bounds: Vec<f64>,
    /// What a client's clock can show at the least for a server's duration of each bound.
    thresholds: Vec<Nanos>,
    /// What was entered.
    groups: Grouped<Seen>,
    /// Per replica: by method and path, and by tenant, method and path.
    replicas: Vec<Views>,
}

/// The same requests, grouped in two ways.
#[derive(Debug, Clone, Default)]
pub struct Views {
    /// Without tenants.
    pub routes: BTreeMap<Cell, Seen>,
    /// With tenants.
    pub tenants: BTreeMap<Cell, Seen>,
}

impl Ledger {
    /// An empty ledger for so many replicas under the scenario's contract, whose histograms have these bounds in seconds. `drift` is
    /// how much faster the server's clock may run than the client's: by so much shorter is what the client sees.
    pub fn new(
        scenario: &Scenario,
        replicas: usize,
        bounds: impl IntoIterator<Item = f64>,
        drift: f64,
    ) -> Self {
        let mut bounds: Vec<f64> = bounds.into_iter().filter(|bound| bound.is_finite()).collect();
        bounds.sort_by(f64::total_cmp);
        bounds.dedup();
        Self {
            groups: Grouped::new(scenario, replicas),
            thresholds: bounds.iter().map(|bound| Nanos::from_secs_f64(bound * (1.0 - drift))).collect(),
            bounds,
            replicas: vec![Views::default(); replicas],
        }
    }

    /// Enters a sample. What was never sent has not counted anywhere.
    pub fn add(&mut self, sample: &Sample) {
        if matches!(sample.outcome, Outcome::NotSent(_) | Outcome::Dropped) {
            return;
        }
        let gaps = self.bounds.len() + 1;
        let empty = || Seen { latencies: vec![0; gaps], ..Seen::default() };
        let Some(seen) = self.groups.of(sample, empty) else { return };
        match sample.outcome {
            Outcome::Status(status) => {
                let latency = sample.latency_sent();
                let bucket = self.thresholds.partition_point(|threshold| *threshold < latency);
                *seen.statuses.entry(status).or_default() += 1;
                seen.latencies[bucket] += 1;
                seen.latency_sum = seen.latency_sum + latency;
            }
            _ => seen.unknown += 1,
        }
    }

    /// Closes the ledger: what was entered is told apart as the service's metrics do.
    pub fn close(&mut self, scenario: &Scenario) {
        let Some(contract) = &scenario.metrics else { return };
        for (key, seen) in self.groups.iter() {
            let (Some(step), Some(views)) =
                (scenario.steps.get(key.step), self.replicas.get_mut(key.replica))
            else {
                continue;
            };
            let (method, path) = step.route.split_once(' ').unwrap_or((&step.method, &step.route));
            let Some((method, path)) = contract.key_of(method, path) else { continue };
            let tenant = scenario.attributed_tenant(key.tenant, key.step);
            let tenantless = contract.is_tenantless(&path);
            let route = Cell { tenant: None, method, path };
            if !tenantless {
                let cell = Cell { tenant: Some(tenant.to_owned()), ..route.clone() };
                views.tenants.entry(cell).or_default().add(seen);
            }
            views.routes.entry(route).or_default().add(seen);
        }
    }

    /// What clients saw of one replica.
    pub fn replica(&self, index: usize) -> Option<&Views> {
        self.replicas.get(index)
    }

    /// The gap between two of the ledger's bounds in which the `rank`-th shortest of `seen`'s latencies lies.
    pub fn quantile_bucket(&self, seen: &Seen, rank: u64) -> BucketBounds {
        let mut below = 0;
        let position = seen.latencies.iter().position(|count| {
            below += count;
            below >= rank
        });
        let position = position.unwrap_or(self.bounds.len());
        let bound = |index: usize| self.bounds.get(index).copied();
        BucketBounds {
            lower: position.checked_sub(1).and_then(bound).unwrap_or(0.0),
            upper: bound(position).unwrap_or(f64::INFINITY),
        }
    }

    /// How many of `seen`'s answers took at most `bound` seconds, which must be one of the ledger's bounds or infinite.
    pub fn at_most(&self, seen: &Seen, bound: f64) -> u64 {
        let end = if bound.is_finite() {
            self.bounds.partition_point(|known| *known <= bound)
        } else {
            seen.latencies.len()
        };
        seen.latencies.iter().take(end).sum()
    }
}

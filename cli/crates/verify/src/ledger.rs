//! The client's ledger: who was answered what, by which replica. The first of the sources that agreement compares.

use std::collections::BTreeMap;

use super::grouped::Grouped;
use crate::{latency_bounds::LatencyLowerBounds, stall_attribution::Excuse};
use saasbench_exposition::quantile::BucketBounds;
use saasbench_model::{
    scenario::{MetricsContract, Scenario, Step},
    units::Nanos,
};
use saasbench_record::sample::{Outcome, Sample};

/// What one group of requests is distinguished by in the service's metrics.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// The tenant, in series per tenant.
    pub tenant: Option<String>,
    /// Upper-case method; empty where series have no method.
    pub method: String,
    /// Path template; empty where series have no route.
    pub path: String,
}

impl Cell {
    /// That of a step's requests, tenants not distinguished; `None` where the contract ignores the route.
    pub fn of_route(contract: &MetricsContract, step: &Step) -> Option<Self> {
        let (method, path) = step.route.split_once(' ').unwrap_or((&step.method, &step.route));
        let (method, path) = contract.key_of(method, path)?;
        Some(Self { tenant: None, method, path })
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [self.tenant.as_deref().unwrap_or_default(), &self.method, &self.path];
        let reported: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        f.write_str(&if reported.is_empty() { "all requests".to_owned() } else { reported.join(" ") })
    }
}

/// Answers of one status.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answered {
    /// How many.
    pub count: u64,
    /// Latencies from sent, by bucket: how many lie in each gap between the ledger's bounds, one more than there are
    /// bounds.
    pub latencies: Vec<u64>,
    /// Sum of these latencies.
    pub latency_sum: Nanos,
    /// The same latencies without the time in which the generator stood still ([`Excuse`]), by size.
    pub clear: LatencyLowerBounds,
    /// Bytes of the requests' bodies.
    pub bytes_out: u64,
    /// Bytes of the answers' bodies.
    pub bytes_in: u64,
}

impl Answered {
    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.latencies.resize(self.latencies.len().max(other.latencies.len()), 0);
        for (sum, count) in self.latencies.iter_mut().zip(&other.latencies) {
            *sum += count;
        }
        self.latency_sum = self.latency_sum + other.latency_sum;
        self.clear.merge(&other.clear);
        self.bytes_out += other.bytes_out;
        self.bytes_in += other.bytes_in;
    }
}

/// What clients saw of one [`Cell`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// Answers by status: they have counted.
    pub statuses: BTreeMap<u16, Answered>,
    /// Requests without an answer: each may have counted once, under any status, or not at all.
    pub unknown: u64,
    /// Bytes of their bodies.
    pub unknown_bytes_out: u64,
    /// When the last of them was sent; zero without any.
    pub unknown_sent: Nanos,
}

impl Seen {
    /// Answers of any status.
    pub fn answered(&self) -> u64 {
        self.statuses.values().map(|answered| answered.count).sum()
    }

    /// All answers together.
    pub fn total(&self) -> Answered {
        let mut total = Answered::default();
        self.statuses.values().for_each(|answered| total.add(answered));
        total
    }

    /// Adds what was seen of other requests, as far as their status is one of those that are asked for. A request that was
    /// not answered may have any.
    pub fn add(&mut self, other: &Self, status: impl Fn(u16) -> bool) {
        for (of, answered) in other.statuses.iter().filter(|(of, _)| status(**of)) {
            self.statuses.entry(*of).or_default().add(answered);
        }
        self.unknown += other.unknown;
        self.unknown_bytes_out += other.unknown_bytes_out;
        self.unknown_sent = self.unknown_sent.max(other.unknown_sent);
    }
}

/// The client's ledger of one run.
#[derive(Debug)]
pub struct Ledger {
    /// Bucket bounds of the service's histograms in seconds, sorted, without infinity.
    bounds: Vec<f64>,
    /// What a client's clock can show at least for a server's duration of each bound.
    thresholds: Vec<Nanos>,
    /// How much faster the server's clock may run.
    drift: f64,
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

impl Views {
    /// Answers of any route.
    pub fn answered(&self) -> u64 {
        self.routes.values().map(Seen::answered).sum()
    }

    /// Until when requests that were not answered may still move the replica's metrics, if nothing that the service does
    /// outlasts `timeout`; `None` if all were answered.
    pub fn unanswered_until(&self, timeout: Nanos) -> Option<Nanos> {
        let unknown = self.routes.values().filter(|seen| seen.unknown > 0);
        unknown.map(|seen| seen.unknown_sent + timeout).max()
    }
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
            drift,
            replicas: vec![Views::default(); replicas],
        }
    }

    /// Enters a sample. What was never sent has not counted anywhere.
    pub fn add(&mut self, sample: &Sample, excuse: Excuse) {
        if matches!(sample.outcome, Outcome::NotSent(_) | Outcome::Dropped) {
            return;
        }
        let Some(seen) = self.groups.of(sample, Seen::default) else { return };
        let Outcome::Status(status) = sample.outcome else {
            seen.unknown += 1;
            seen.unknown_bytes_out += sample.bytes_out;
            seen.unknown_sent = seen.unknown_sent.max(sample.sent);
            return;
        };
        let latency = sample.latency_sent();
        let bucket = self.thresholds.partition_point(|threshold| *threshold < latency);
        let gaps = self.bounds.len() + 1;
        let empty = || Answered { latencies: vec![0; gaps], ..Answered::default() };
        let answered = seen.statuses.entry(status).or_insert_with(empty);
        answered.count += 1;
        answered.latencies[bucket] += 1;
        answered.latency_sum = answered.latency_sum + latency;
        answered.clear.add(excuse.from_sent);
        answered.bytes_out += sample.bytes_out;
        answered.bytes_in += sample.bytes_in;
    }

    /// Closes the ledger: what was entered is distinguished as the service's metrics do.
    pub fn close(&mut self, scenario: &Scenario) {
        let Some(contract) = &scenario.metrics else { return };
        for (key, seen) in self.groups.iter() {
            let (Some(step), Some(views)) =
                (scenario.steps.get(key.step), self.replicas.get_mut(key.replica))
            else {
                continue;
            };
            let Some(route) = Cell::of_route(contract, step) else { continue };
            if !contract.is_tenantless(&route.path) {
                let tenant = scenario.attributed_tenant(key.tenant, key.step);
                let cell = Cell { tenant: Some(tenant.to_owned()), ..route.clone() };
                views.tenants.entry(cell).or_default().add(seen, |_| true);
            }
            views.routes.entry(route).or_default().add(seen, |_| true);
        }
    }

    /// What clients saw of one replica.
    pub fn replica(&self, index: usize) -> Option<&Views> {
        self.replicas.get(index)
    }

    /// How much faster, or slower, the server's clock may run than the client's.
    pub fn drift(&self) -> f64 {
        self.drift
    }

    /// The longest that the server's clock may show for what took the client so long, in seconds.
    pub fn longest(&self, latency: Nanos) -> f64 {
        latency.as_secs_f64() / (1.0 - self.drift)
    }

    /// The gap between two of the ledger's bounds in which the `rank`-th shortest of these latencies lies.
    pub fn quantile_bucket(&self, seen: &Answered, rank: u64) -> BucketBounds {
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

    /// How many of these answers took at most `bound` seconds, which must be one of the ledger's bounds or infinite.
    pub fn at_most(&self, seen: &Answered, bound: f64) -> u64 {
        let end = if bound.is_finite() {
            self.bounds.partition_point(|known| *known <= bound)
        } else {
            seen.latencies.len()
        };
        seen.latencies.iter().take(end).sum()
    }
}

//! The client's ledger: what clients saw, counted as the service's metrics count. It is the first of the
//! sources that the claim `counters` compares.

use std::collections::BTreeMap;

use super::{grouped::Grouped, start_bursts::StartBursts};
use crate::{latency_bounds::LatencyLowerBounds, stall_attribution::StallAttribution};
use saasbench_exposition::quantile::BucketBounds;
use saasbench_model::{
    scenario::{MetricsContract, Scenario, Step},
    units::Nanos,
};
use saasbench_record::sample::{RequestOutcome, Sample};

/// The labels that distinguish a group of requests in the service's metrics.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Cell {
    /// The tenant; `None` in series without tenants.
    pub tenant: Option<String>,
    /// Upper-case method; empty where series have no method.
    pub method: String,
    /// Path template; empty where series have no route.
    pub path: String,
}

impl Cell {
    /// The cell of a step's requests, without a tenant; `None` where the contract ignores the route.
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

/// The client overhead that is allowed where the contract states none: queues and network of one machine take far less.
pub const CLIENT_OVERHEAD: Nanos = Nanos::from_millis(25);

/// Responses of one status.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answered {
    /// Number of responses.
    pub count: u64,
    /// Latencies from sent, by bucket: how many lie in each gap between the ledger's bounds, one more than
    /// there are bounds.
    pub latencies: Vec<u64>,
    /// Sum of these latencies.
    pub latency_sum: Nanos,
    /// The same latencies without the generator's stalls ([`StallAttribution`]) and what else it may have
    /// added itself, as lower bounds.
    pub clear: LatencyLowerBounds,
    /// Responses to which the generator itself may have added more than the allowed client overhead, and those of
    /// users that started together.
    pub untested: u64,
    /// Bytes of the request bodies.
    pub bytes_out: u64,
    /// Bytes of the response bodies.
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
        self.untested += other.untested;
        self.bytes_out += other.bytes_out;
        self.bytes_in += other.bytes_in;
    }
}

/// What clients saw of one [`Cell`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// Responses by status: the service must have counted them.
    pub statuses: BTreeMap<u16, Answered>,
    /// Requests without a response: each may have counted once, under any status, or not at all.
    pub unknown: u64,
    /// Bytes of their bodies.
    pub unknown_bytes_out: u64,
    /// When the last of them was sent; zero if there are none.
    pub unknown_sent: Nanos,
}

impl Seen {
    /// Number of responses, of any status.
    pub fn answered(&self) -> u64 {
        self.statuses.values().map(|answered| answered.count).sum()
    }

    /// Responses of all statuses added up.
    pub fn total(&self) -> Answered {
        let mut total = Answered::default();
        self.statuses.values().for_each(|answered| total.add(answered));
        total
    }

    /// Adds other requests whose status `status` accepts. Requests without a response are always added, since
    /// they may have any.
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
    /// For each bound, the shortest latency on the client's clock that can exceed it on the server's.
    thresholds: Vec<Nanos>,
    /// How much faster the server's clock may run, as a share.
    drift: f64,
    /// The client overhead that the contract allows.
    client_overhead: Nanos,
    /// Samples entered so far, by tenant, step and replica.
    groups: Grouped<Seen>,
    bursts: StartBursts,
    /// Per replica; filled by [`Self::close`].
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
    /// Number of responses of all routes.
    pub fn answered(&self) -> u64 {
        self.routes.values().map(Seen::answered).sum()
    }

    /// Until when requests without a response may still change the replica's metrics, if the service gives up
    /// after `timeout`; `None` if all got a response.
    pub fn unanswered_until(&self, timeout: Nanos) -> Option<Nanos> {
        let unknown = self.routes.values().filter(|seen| seen.unknown > 0);
        unknown.map(|seen| seen.unknown_sent + timeout).max()
    }
}

impl Ledger {
    /// An empty ledger for `replicas` replicas under the scenario's contract, whose histograms have these
    /// bounds in seconds. `drift` is the share by which the server's clock may run faster than the client's.
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
            client_overhead: scenario
                .metrics
                .as_ref()
                .and_then(|contract| contract.unseen)
                .unwrap_or(CLIENT_OVERHEAD),
            bursts: StartBursts::new(replicas),
            replicas: vec![Views::default(); replicas],
        }
    }

    /// Enters a sample; requests that were never sent have no effect.
    pub fn add(&mut self, sample: &Sample, attribution: StallAttribution) {
        if matches!(sample.outcome, RequestOutcome::NotSent(_) | RequestOutcome::Dropped) {
            return;
        }
        let Some(seen) = self.groups.of(sample, Seen::default) else { return };
        let RequestOutcome::Status(status) = sample.outcome else {
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
        let is_burst = self.bursts.is_in_one(sample);
        let own = if is_burst { Nanos::ZERO } else { attribution.from_sent - sample.queued };
        answered.clear.add(own.max(Nanos::ZERO));
        answered.untested += u64::from(is_burst || sample.queued > self.client_overhead);
        answered.bytes_out += sample.bytes_out;
        answered.bytes_in += sample.bytes_in;
    }

    /// Closes the ledger: groups what was entered as the service's metrics group it.
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

    /// How much faster, or slower, the server's clock may run than the client's, as a share.
    pub fn drift(&self) -> f64 {
        self.drift
    }

    /// The longest duration that the server's clock may show for a client's latency, in seconds.
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

    /// How many of these responses took at most `bound` seconds, which must be one of the ledger's bounds or
    /// infinite.
    pub fn at_most(&self, seen: &Answered, bound: f64) -> u64 {
        let end = if bound.is_finite() {
            self.bounds.partition_point(|known| *known <= bound)
        } else {
            seen.latencies.len()
        };
        seen.latencies.iter().take(end).sum()
    }
}

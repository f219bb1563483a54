//! The tables of what clients saw: latency and outcomes per tenant and step, and counts per replica.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    distribution::{self, Distribution},
    grouped::Grouped,
};
use saasbench_model::{scenario::Scenario, units::Nanos};
use saasbench_record::{
    sample::{RequestOutcome, Sample},
    tally::{Outcomes, count_latency, latency_histogram},
};

/// Requests, outcomes and latency as clients saw them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// One row per tenant and step, in the scenario's order.
    pub rows: Vec<Row>,
    /// One row per replica, in the environment's order.
    pub replicas: Vec<ReplicaRow>,
    /// Outcomes of all requests, warm-up included.
    pub total: Counts,
    /// Outcomes of the requests of the warm-up, whose latency is excluded from `rows`; absent without a
    /// warm-up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup: Option<Counts>,
    /// Latency of all responses after the warm-up.
    pub distribution: Distribution,
}

/// The requests of one tenant and step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// Id of the tenant.
    pub tenant: String,
    /// Name of the journey.
    pub journey: String,
    /// Name of the step.
    pub step: String,
    /// Outcomes, warm-up included.
    pub counts: Counts,
    /// Latency from the instant at which each request was due; `null` without a response.
    pub from_intended: Option<Quantiles>,
    /// Latency from the instant at which each request was sent; `null` without a response.
    pub from_sent: Option<Quantiles>,
}

/// The requests sent to one replica.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReplicaRow {
    /// Name of the replica.
    pub name: String,
    /// Outcomes, warm-up included.
    pub counts: Counts,
}

/// Numbers of requests by outcome.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// All requests: responses, `unknown` and `not_sent`, without dropped arrivals.
    pub requests: u64,
    /// Number of responses by HTTP status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests that were sent and got no complete response.
    pub unknown: u64,
    /// Requests that were sent once more on a new connection, because the server was closing the idle one that
    /// they were first sent on. Each counts once in `requests`.
    #[serde(default)]
    pub resent: u64,
    /// Requests that could not be sent.
    pub not_sent: u64,
    /// Arrivals of an open load that were dropped because no user was idle.
    pub dropped: u64,
    /// Errors: requests without a response, or whose response is not as their step expects, and dropped
    /// arrivals.
    pub errors: u64,
}

/// Latency quantiles in nanoseconds, to three significant digits (HdrHistogram).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Quantiles {
    /// Median.
    pub p50: Nanos,
    /// 90th percentile.
    pub p90: Nanos,
    /// 99th percentile.
    pub p99: Nanos,
    /// 99.9th percentile.
    #[serde(rename = "p99.9")]
    pub p99_9: Nanos,
    /// Maximum.
    pub max: Nanos,
}

impl Quantiles {
    fn of(histogram: &Histogram<u64>) -> Option<Self> {
        let at = |q| Nanos(histogram.value_at_quantile(q) as i64);
        (!histogram.is_empty()).then(|| Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: Nanos(histogram.max() as i64),
        })
    }
}

/// Collects a [`Summary`], sample by sample.
#[derive(Debug)]
pub struct SummaryCollector {
    /// By tenant and step.
    groups: Grouped<Group>,
    replicas: Vec<Outcomes>,
    replica_errors: Vec<u64>,
    judged_from: Nanos,
    warmup: Outcomes,
    warmup_errors: u64,
    distribution: distribution::DistributionCollector,
}

#[derive(Debug)]
struct Group {
    outcomes: Outcomes,
    errors: u64,
    intended: Histogram<u64>,
    sent: Histogram<u64>,
}

impl Group {
    fn new() -> Self {
        Self {
            outcomes: Outcomes::default(),
            errors: 0,
            intended: latency_histogram(),
            sent: latency_histogram(),
        }
    }
}

impl SummaryCollector {
    /// No samples yet, for `replicas` replicas; samples due before `judged_from` belong to the warm-up.
    pub fn new(scenario: &Scenario, replicas: usize, judged_from: Nanos) -> Self {
        Self {
            groups: Grouped::new(scenario, 1),
            replicas: vec![Outcomes::default(); replicas],
            replica_errors: vec![0; replicas],
            judged_from,
            warmup: Outcomes::default(),
            warmup_errors: 0,
            distribution: distribution::DistributionCollector::new(),
        }
    }

    /// Counts a sample.
    pub fn add(&mut self, sample: &Sample) {
        let is_warmup = sample.intended < self.judged_from;
        if let Some(group) = self.groups.of(sample, Group::new) {
            group.outcomes.add(sample.outcome);
            group.errors += u64::from(sample.is_error());
            if !is_warmup && matches!(sample.outcome, RequestOutcome::Status(_)) {
                count_latency(&mut group.intended, sample.latency_intended());
                count_latency(&mut group.sent, sample.latency_sent());
                self.distribution.add(sample);
            }
        }
        if is_warmup {
            self.warmup.add(sample.outcome);
            self.warmup_errors += u64::from(sample.is_error());
        }
        if let (Some(outcomes), Some(errors)) =
            (self.replicas.get_mut(sample.replica), self.replica_errors.get_mut(sample.replica))
        {
            outcomes.add(sample.outcome);
            *errors += u64::from(sample.is_error());
        }
    }

    /// The finished tables.
    pub fn finish(&self, scenario: &Scenario, replica_names: &[String]) -> Summary {
        let rows = self
            .groups
            .iter()
            .filter_map(|(key, group)| {
                let step = scenario.steps.get(key.step)?;
                Some(Row {
                    tenant: scenario.tenants.get(key.tenant)?.to_string(),
                    journey: scenario.journeys.get(step.journey)?.name.clone(),
                    step: step.name.clone(),
                    counts: Counts::of(&group.outcomes, group.errors),
                    from_intended: Quantiles::of(&group.intended),
                    from_sent: Quantiles::of(&group.sent),
                })
            })
            .collect();
        let replicas: Vec<ReplicaRow> = replica_names
            .iter()
            .zip(self.replicas.iter().zip(&self.replica_errors))
            .map(|(name, (outcomes, errors))| ReplicaRow {
                name: name.clone(),
                counts: Counts::of(outcomes, *errors),
            })
            .collect();
        let total = replicas.iter().fold(Counts::default(), |sum, replica| sum.plus(&replica.counts));
        let warmup = (scenario.warmup > Nanos::ZERO).then(|| Counts::of(&self.warmup, self.warmup_errors));
        Summary { rows, replicas, total, warmup, distribution: self.distribution.finish() }
    }
}

impl Counts {
    fn of(outcomes: &Outcomes, errors: u64) -> Self {
        Self {
            requests: outcomes.answered() + outcomes.unknown + outcomes.not_sent,
            statuses: outcomes.statuses.clone(),
            unknown: outcomes.unknown,
            resent: outcomes.resent,
            not_sent: outcomes.not_sent,
            dropped: outcomes.dropped,
            errors,
        }
    }

    fn plus(mut self, other: &Self) -> Self {
        self.requests += other.requests;
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        self.unknown += other.unknown;
        self.resent += other.resent;
        self.not_sent += other.not_sent;
        self.dropped += other.dropped;
        self.errors += other.errors;
        self
    }
}

/// Formats counts: `5000×200  56×429  3 unanswered`.
impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Outcomes {
            statuses: self.statuses.clone(),
            unknown: self.unknown,
            resent: self.resent,
            not_sent: self.not_sent,
            dropped: self.dropped,
        }
        .fmt(f)
    }
}

//! The counts behind the generator's own metrics: requests, latencies and lateness by tenant, step and
//! replica.
//!
//! Counted on the recorder's thread, and only if these metrics are published.

use super::{
    batch::{Batch, NONE, Row},
    sample::RequestOutcome,
};
use saasbench_model::{scenario::Scenario, units::Nanos};

/// Tenants that are counted by name; all further ones are counted together, so that the exposition stays
/// small.
pub const TENANTS_BY_NAME: usize = 100;

/// Upper bounds of the buckets in microseconds: those of the usual high-resolution HTTP histogram from 10 ms
/// to 60 s, with four below them, where a client on the same machine has most of its responses.
pub const BOUNDS_US: [i64; 25] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 250_000, 500_000, 750_000, 1_000_000,
    1_500_000, 2_000_000, 2_500_000, 3_000_000, 3_500_000, 4_000_000, 4_500_000, 5_000_000, 7_500_000,
    10_000_000, 30_000_000, 60_000_000,
];

/// A histogram with the buckets of [`BOUNDS_US`].
#[derive(Debug, Clone, Default)]
pub struct Buckets {
    /// Counts per bucket, not cumulative; the last one is above all bounds.
    pub counts: [u64; BOUNDS_US.len() + 1],
    /// Sum of all values in nanoseconds.
    pub sum_ns: u64,
}

impl Buckets {
    fn add(&mut self, value: Nanos) {
        let bucket = BOUNDS_US.partition_point(|bound| bound * 1_000 < value.0);
        self.counts[bucket] += 1;
        self.sum_ns = self.sum_ns.saturating_add(value.0.max(0).unsigned_abs());
    }
}

/// Requests of one tenant (or of all further tenants) by one step to one replica.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// Number of requests by outcome; dropped arrivals are not included.
    pub outcomes: Vec<(RequestOutcome, u64)>,
    /// Responses among them that were not as their step expects.
    pub failed_checks: u64,
    /// Latency of the responses from intended.
    pub intended: Buckets,
    /// Latency of the responses from sent.
    pub sent: Buckets,
}

/// The generator's own counts.
#[derive(Debug, Clone)]
pub struct SelfMetrics {
    steps: usize,
    replicas: usize,
    /// By tenant, step and replica.
    groups: Vec<Option<Box<Group>>>,
    /// Arrivals that found no idle user, by tenant.
    pub dropped: Vec<u64>,
    /// By how much requests were sent later than intended.
    pub lateness: Buckets,
}

impl SelfMetrics {
    /// No samples yet.
    pub fn new(scenario: &Scenario, replicas: usize) -> Self {
        // One more for all further tenants.
        let tenants = scenario.tenants.len().min(TENANTS_BY_NAME + 1);
        let steps = scenario.steps.len();
        Self {
            steps,
            replicas,
            groups: vec![None; tenants * steps * replicas],
            dropped: vec![0; tenants],
            lateness: Buckets::default(),
        }
    }

    /// Counts the samples of a batch.
    pub(super) fn add(&mut self, batch: &Batch) {
        for row in &batch.rows {
            let tenant = (row.tenant as usize).min(TENANTS_BY_NAME);
            if row.outcome == RequestOutcome::Dropped {
                if let Some(dropped) = self.dropped.get_mut(tenant) {
                    *dropped += 1;
                }
                continue;
            }
            self.lateness.add(Nanos(row.sent - row.intended));
            let Some(group) = self.group(tenant, row) else { continue };
            match group.outcomes.iter_mut().find(|(outcome, _)| *outcome == row.outcome) {
                Some((_, count)) => *count += 1,
                None => group.outcomes.push((row.outcome, 1)),
            }
            let is_response = matches!(row.outcome, RequestOutcome::Status(_));
            let failed = is_response
                && batch.extras.get(row.extra as usize).is_some_and(|extra| extra.failed_check != NONE);
            group.failed_checks += u64::from(failed);
            if let RequestOutcome::Status(_) = row.outcome {
                group.intended.add(Nanos(row.done - row.intended));
                group.sent.add(Nanos(row.done - row.sent));
            }
        }
    }

    /// The group of a request; `None` if the scenario has no such step or replica.
    fn group(&mut self, tenant: usize, row: &Row) -> Option<&mut Group> {
        let (step, replica) = (usize::from(row.step), usize::from(row.replica));
        if step >= self.steps || replica >= self.replicas {
            return None;
        }
        let group = self.groups.get_mut((tenant * self.steps + step) * self.replicas + replica)?;
        Some(group.get_or_insert_default())
    }

    /// Every group that has requests, with its tenant, step and replica. The tenant [`TENANTS_BY_NAME`]
    /// represents all further ones.
    pub fn groups(&self) -> impl Iterator<Item = ([usize; 3], &Group)> {
        self.groups.iter().enumerate().filter_map(|(key, group)| {
            let (replica, key) = (key % self.replicas, key / self.replicas);
            Some(([key / self.steps, key % self.steps, replica], group.as_deref()?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::sample;
    use saasbench_model::scenario::testing::{SCENARIO, scenario};

    #[test]
    fn requests_are_counted_by_outcome_and_dropped_arrivals_separately() {
        let mut own = SelfMetrics::new(&scenario(SCENARIO), 1);
        let outcomes = [
            RequestOutcome::Status(200),
            RequestOutcome::Status(200),
            RequestOutcome::Status(429),
            RequestOutcome::Dropped,
        ];
        let batch: Batch =
            outcomes.iter().map(|outcome| sample(0, 0, *outcome)).collect::<Vec<_>>().iter().collect();
        own.add(&batch);
        let groups: Vec<_> = own.groups().collect();
        assert_eq!(groups.len(), 1);
        let ([tenant, step, replica], group) = groups[0];
        assert_eq!([tenant, step, replica], [0, 0, 0]);
        assert_eq!(group.outcomes, [(RequestOutcome::Status(200), 2), (RequestOutcome::Status(429), 1)]);
        assert_eq!(group.intended.counts.iter().sum::<u64>(), 3);
        assert_eq!(own.lateness.counts.iter().sum::<u64>(), 3);
        assert_eq!(own.dropped[0], 1);
    }

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let mut buckets = Buckets::default();
        for ns in [-5, 0, 500_000, 500_001, 60_000_000_000, 60_000_000_001] {
            buckets.add(Nanos(ns));
        }
        assert_eq!(buckets.counts[0], 3);
        assert_eq!(buckets.counts[1], 1);
        assert_eq!(buckets.counts[BOUNDS_US.len() - 1], 1);
        assert_eq!(buckets.counts[BOUNDS_US.len()], 1);
        assert_eq!(buckets.sum_ns, 500_000 + 500_001 + 60_000_000_000 + 60_000_000_001);
    }
}

//! Running totals of a run: the recorder adds, live views read.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::{
    batch::{Batch, NONE},
    log_linear::LONGEST,
    recent::Recent,
    sample::{NoResponseReason, RequestOutcome},
};
use crate::self_metrics::SelfMetrics;
use saasbench_model::units::Nanos;

/// A histogram of latencies in nanoseconds, three significant digits, up to an hour.
pub fn latency_histogram() -> Histogram<u64> {
    // These bounds are constants that the library accepts; an error is a bug in this line.
    Histogram::new_with_bounds(1, LONGEST.0.unsigned_abs(), 3).unwrap_or_else(|_| unreachable!())
}

/// Counts `latency`, limited to between 1 ns and an hour.
pub fn count_latency(histogram: &mut Histogram<u64>, latency: Nanos) {
    histogram.saturating_record(latency.0.clamp(1, LONGEST.0).unsigned_abs());
}

/// Running totals of a run.
#[derive(Debug)]
pub struct Tally {
    /// Requests with a known outcome, without dropped arrivals.
    pub requests: u64,
    /// Requests that count as errors.
    pub errors: u64,
    /// Arrivals that found no idle user.
    pub dropped: u64,
    /// Latency from intended of every response.
    pub latency: Histogram<u64>,
    /// Outcomes by tenant.
    pub tenants: Vec<Outcomes>,
    /// Requests that count as errors, by tenant; dropped arrivals do not.
    pub tenant_errors: Vec<u64>,
    /// Counts for the generator's own metrics, if they are published.
    pub own: Option<SelfMetrics>,
    /// The latest latencies, if a live view is active.
    pub recent: Option<Recent>,
}

/// Outcomes of a group of requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Responses by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Sent, but without a response.
    pub unknown: u64,
    /// Sent once more, because the server was closing the connection ([`NoResponseReason::Resent`]).
    pub resent: u64,
    /// Never sent.
    pub not_sent: u64,
    /// Arrivals that found no idle user.
    pub dropped: u64,
}

impl Outcomes {
    /// Counts one outcome.
    pub fn add(&mut self, outcome: RequestOutcome) {
        match outcome {
            RequestOutcome::Status(status) => *self.statuses.entry(status).or_default() += 1,
            RequestOutcome::NoResponse(NoResponseReason::Resent) => self.resent += 1,
            RequestOutcome::NoResponse(_) => self.unknown += 1,
            RequestOutcome::NotSent(_) => self.not_sent += 1,
            RequestOutcome::Dropped => self.dropped += 1,
        }
    }

    /// Responses of any status.
    pub fn answered(&self) -> u64 {
        self.statuses.values().sum()
    }
}

/// Formats outcomes, the most relevant first: `1,234×200  56×429  3 unanswered`.
impl std::fmt::Display for Outcomes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts: Vec<String> =
            self.statuses.iter().map(|(status, count)| format!("{count}×{status}")).collect();
        for (count, word) in [
            (self.unknown, "unanswered"),
            (self.resent, "resent"),
            (self.not_sent, "not sent"),
            (self.dropped, "dropped"),
        ] {
            if count > 0 {
                parts.push(format!("{count} {word}"));
            }
        }
        if parts.is_empty() {
            parts.push("none".to_owned());
        }
        f.write_str(&parts.join("  "))
    }
}

impl Tally {
    /// No samples yet, for this many tenants.
    pub fn new(tenants: usize) -> Self {
        Self {
            requests: 0,
            errors: 0,
            dropped: 0,
            latency: latency_histogram(),
            tenants: vec![Outcomes::default(); tenants],
            tenant_errors: vec![0; tenants],
            own: None,
            recent: None,
        }
    }

    /// Outcomes of all tenants together.
    pub fn total(&self) -> Outcomes {
        let mut total = Outcomes::default();
        for tenant in &self.tenants {
            for (status, count) in &tenant.statuses {
                *total.statuses.entry(*status).or_default() += count;
            }
            total.unknown += tenant.unknown;
            total.resent += tenant.resent;
            total.not_sent += tenant.not_sent;
            total.dropped += tenant.dropped;
        }
        total
    }

    /// Counts the samples of a batch.
    pub fn add(&mut self, batch: &Batch) {
        if let Some(own) = &mut self.own {
            own.add(batch);
        }
        if let Some(recent) = &mut self.recent {
            recent.add(batch);
        }
        for row in &batch.rows {
            if let Some(tenant) = self.tenants.get_mut(row.tenant as usize) {
                tenant.add(row.outcome);
            }
            if row.outcome == RequestOutcome::Dropped {
                self.dropped += 1;
                continue;
            }
            if row.outcome == RequestOutcome::NoResponse(NoResponseReason::Resent) {
                continue;
            }
            self.requests += 1;
            let mut is_error =
                batch.extras.get(row.extra as usize).is_some_and(|extra| extra.failed_check != NONE);
            match row.outcome {
                RequestOutcome::Status(_) => count_latency(&mut self.latency, Nanos(row.done - row.intended)),
                outcome => is_error = !outcome.tells_nothing(),
            }
            if is_error {
                self.errors += 1;
                if let Some(errors) = self.tenant_errors.get_mut(row.tenant as usize) {
                    *errors += 1;
                }
            }
        }
    }
}

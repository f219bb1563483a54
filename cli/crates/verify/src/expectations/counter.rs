//! Counts the samples that one expectation covers. `judge` turns the counts into an outcome; `ruled_out`
//! decides whether the outcome can still change.

mod judge;
mod ruled_out;

use crate::stall_attribution::{StallAttribution, StallExclusions};
use saasbench_model::{
    scenario::{
        Scenario,
        expectation::{Expectation, Filter, LatencyFrom, Measure},
    },
    units::Nanos,
};
use saasbench_record::{
    sample::{NoResponseReason, NotSentReason, RequestOutcome, Sample},
    stall::SHORTEST,
    tally::{count_latency, latency_histogram},
};

/// One expectation and its counts.
#[derive(Debug)]
pub(super) struct Counter {
    expectation: Expectation,
    /// Covered requests, without dropped arrivals.
    requests: u64,
    dropped: u64,
    errors: u64,
    /// Errors that are not attributed to the generator: without timeouts during its stalls, and without
    /// requests for which its machine had no port or file descriptor.
    errors_of_service: u64,
    /// Requests on connections that the server closed while they were idle: neither errors nor answered.
    closed_idle: u64,
    /// The same, if they were sent once more.
    resent: u64,
    /// The first few errors: sample number, and what was wrong.
    first_errors: Vec<(u64, String)>,
    answered: u64,
    /// Responses with the status that the expectation names.
    matching: u64,
    measured: Latencies,
    /// The same without what may be the generator's own.
    without_stalls: Latencies,
    /// Requests that each stall touched.
    touched: Vec<u64>,
    longest: Nanos,
    histogram: hdrhistogram::Histogram<u64>,
    /// The same without what may be the generator's own.
    histogram_without_stalls: hdrhistogram::Histogram<u64>,
}

/// Latencies, counted by their relation to a bound.
#[derive(Debug, Default)]
struct Latencies {
    below: u64,
    equal: u64,
    sum: i128,
}

impl Latencies {
    fn add(&mut self, latency: Nanos, bound: f64) {
        self.below += u64::from((latency.0 as f64) < bound);
        self.equal += u64::from(latency.0 as f64 == bound);
        self.sum += i128::from(latency.0);
    }
}

impl Counter {
    pub(super) fn new(expectation: Expectation) -> Self {
        Self {
            expectation,
            requests: 0,
            dropped: 0,
            errors: 0,
            errors_of_service: 0,
            closed_idle: 0,
            resent: 0,
            first_errors: Vec::new(),
            answered: 0,
            matching: 0,
            measured: Latencies::default(),
            without_stalls: Latencies::default(),
            touched: Vec::new(),
            longest: Nanos::ZERO,
            histogram: latency_histogram(),
            histogram_without_stalls: latency_histogram(),
        }
    }

    pub(super) fn expectation(&self) -> &Expectation {
        &self.expectation
    }

    pub(super) fn add(
        &mut self,
        scenario: &Scenario,
        id: u64,
        sample: &Sample,
        attribution: StallAttribution,
        exclusions: &StallExclusions,
    ) {
        if !self.expectation.applies(scenario, sample.tenant, sample.step) {
            return;
        }
        if attribution.touched {
            self.touched.resize(exclusions.stalls().len(), 0);
            for stall in exclusions.touching(sample) {
                if let Some(count) = self.touched.get_mut(stall) {
                    *count += 1;
                }
            }
        }
        if sample.is_error() {
            self.errors += 1;
            let without_stalls = match sample.outcome {
                RequestOutcome::NoResponse(NoResponseReason::Timeout) => {
                    attribution.touched && attribution.from_sent < scenario.timeout
                }
                RequestOutcome::NotSent(NotSentReason::ConnectTimeout) => {
                    let allowed = scenario.http.connect_timeout.unwrap_or(scenario.timeout);
                    attribution.touched && attribution.from_sent < allowed.min(scenario.timeout)
                }
                RequestOutcome::NotSent(NotSentReason::Exhausted) => true,
                // Arrivals that the generator hands out late come all at once and find too few idle users.
                RequestOutcome::Dropped => attribution.touched || sample.sent - sample.intended >= SHORTEST,
                _ => false,
            };
            self.errors_of_service += u64::from(!without_stalls);
            if self.first_errors.len() < 5 {
                self.first_errors.push((id, describe_error(scenario, sample)));
            }
        }
        match sample.outcome {
            RequestOutcome::NoResponse(NoResponseReason::ClosedIdle) => self.closed_idle += 1,
            // The sample that follows shows how it ended.
            RequestOutcome::NoResponse(NoResponseReason::Resent) => {
                self.resent += 1;
                return;
            }
            _ => {}
        }
        let status = match sample.outcome {
            RequestOutcome::Dropped => {
                self.dropped += 1;
                return;
            }
            RequestOutcome::Status(status) => status,
            _ => {
                self.requests += 1;
                return;
            }
        };
        self.requests += 1;
        self.answered += 1;
        let wanted = match self.expectation.measure {
            Measure::Count(status) | Measure::Rate(status) => status,
            Measure::Ratio(status) => Some(status),
            _ => None,
        };
        self.matching += u64::from(wanted.is_none_or(|wanted| wanted == status));
        let (latency, without_stalls) = match self.from() {
            LatencyFrom::Intended => (sample.latency_intended(), attribution.from_intended),
            LatencyFrom::Sent => (sample.latency_sent(), attribution.from_sent),
        };
        self.measured.add(latency, self.expectation.bound);
        self.without_stalls.add(without_stalls, self.expectation.bound);
        self.longest = self.longest.max(latency);
        if matches!(self.expectation.measure, Measure::Quantile { .. }) {
            count_latency(&mut self.histogram, latency);
            count_latency(&mut self.histogram_without_stalls, without_stalls);
        }
    }

    fn from(&self) -> LatencyFrom {
        match self.expectation.measure {
            Measure::Quantile { from, .. } | Measure::Max(from) | Measure::Mean(from) => from,
            _ => LatencyFrom::Intended,
        }
    }
}

/// The rank, from 1, of the quantile `q` among `count` values: the smallest value that at least `q` of them
/// do not exceed.
fn rank(q: f64, count: u64) -> u64 {
    ((q * count as f64) - 1e-9).ceil().max(1.0) as u64
}

/// The text as written, with the tenant, journey and step that it is restricted to.
pub(super) fn subject_of(scenario: &Scenario, expectation: &Expectation) -> String {
    let Filter { tenant, journey, steps } = &expectation.filter;
    let mut about = Vec::new();
    about.extend(tenant.and_then(|i| scenario.tenants.get(i)).map(ToString::to_string));
    about.extend(journey.and_then(|i| scenario.journeys.get(i)).map(|journey| journey.name.clone()));
    about.extend(
        steps.iter().flatten().next().and_then(|i| scenario.steps.get(*i)).map(|step| step.name.clone()),
    );
    if about.is_empty() {
        expectation.that.clone()
    } else {
        format!("{} for {}", expectation.that, about.join(", "))
    }
}

fn describe_error(scenario: &Scenario, sample: &Sample) -> String {
    let tenant = scenario.tenants.get(sample.tenant).map_or("", |tenant| tenant.as_str());
    let step = scenario.steps.get(sample.step).map_or("", |step| step.name.as_str());
    let what = match (&sample.failed_check, sample.outcome.to_words()) {
        (Some(check), _) => check.clone(),
        (None, (kind, _, Some(cause))) => format!("{kind} ({cause})"),
        (None, (kind, ..)) => kind.to_owned(),
    };
    format!("{:>9.4} s  {tenant}, {step}: {what}", sample.sent.as_secs_f64())
}

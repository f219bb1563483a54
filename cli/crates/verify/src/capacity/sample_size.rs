//! How long a step has to be for its quantiles to be reliable.
//!
//! Before the first step only the expected number of requests is known. After a step, the responses behind
//! each quantile have been counted, and the quantile with the fewest decides: an objective for one tenant
//! needs a longer step than one for all tenants together.

use std::sync::Arc;

use crate::quantiles;
use saasbench_model::{
    scenario::{
        Scenario,
        expectation::{Expectation, Measure},
    },
    units::Nanos,
};
use saasbench_record::sample::{RequestOutcome, Sample};

/// A quantile `q` needs this many samples divided by `1 − q`: ten, and a fifth more so that a few may be
/// missing.
const SAMPLES: f64 = 12.0;

/// How many requests the scenario's quantiles need, if all of them cover all requests.
pub fn samples_needed(scenario: &Scenario) -> f64 {
    let quantiles = scenario.expectations.iter().filter_map(quantile);
    quantiles.map(needed).fold(0.0, f64::max)
}

fn quantile(expectation: &Expectation) -> Option<f64> {
    match expectation.measure {
        Measure::Quantile { q, .. } => Some(q),
        _ => None,
    }
}

fn needed(q: f64) -> f64 {
    SAMPLES / (1.0 - q)
}

/// Counts, sample by sample, the responses that each quantile of a step is computed from.
#[derive(Debug)]
pub struct ResponseCounts {
    scenario: Arc<Scenario>,
    /// Samples due earlier belong to the warm-up.
    judged_from: Nanos,
    quantiles: Vec<Quantile>,
}

#[derive(Debug)]
struct Quantile {
    of: Expectation,
    q: f64,
    answers: u64,
}

impl ResponseCounts {
    /// Starts with no responses counted. Expectations on a `fresh` start count only if `fresh` is set;
    /// samples due before `judged_from` do not count.
    pub fn new(scenario: &Arc<Scenario>, fresh: bool, judged_from: Nanos) -> Self {
        let expected = scenario.expectations.iter().filter(|expectation| fresh || !expectation.fresh);
        let quantiles = expected
            .filter_map(|of| Some(Quantile { of: of.clone(), q: quantile(of)?, answers: 0 }))
            .collect();
        Self { scenario: Arc::clone(scenario), judged_from, quantiles }
    }

    /// Counts a sample that is a response and not part of the warm-up.
    pub fn add(&mut self, sample: &Sample) {
        if sample.intended < self.judged_from || !matches!(sample.outcome, RequestOutcome::Status(_)) {
            return;
        }
        for quantile in &mut self.quantiles {
            let is_of_it = quantile.of.applies(&self.scenario, sample.tenant, sample.step);
            quantile.answers += u64::from(is_of_it);
        }
    }

    /// By which factor the step has to be longer for the scarcest quantile to be reliable; 0 without
    /// quantiles. A quantile without any response is treated as if it had one.
    pub fn shortfall(&self) -> f64 {
        let shortfall = |quantile: &Quantile| needed(quantile.q) / quantile.answers.max(1) as f64;
        self.quantiles.iter().map(shortfall).fold(0.0, f64::max)
    }

    /// Whether some quantile has too few responses to be judged at all.
    pub fn is_insufficient(&self) -> bool {
        self.quantiles.iter().any(|quantile| quantile.answers < quantiles::samples_needed(quantile.q))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saasbench_model::scenario::testing::{SCENARIO, scenario};
    use saasbench_record::testing::sample;

    /// A thousand requests, every `first_of`-th by the first tenant.
    fn counted(expectations: &str, fresh: bool, first_of: i64) -> (String, bool) {
        let scenario = Arc::new(scenario(&format!("{SCENARIO}{expectations}")));
        let mut answers = ResponseCounts::new(&scenario, fresh, Nanos::ZERO);
        for n in 0..1000 {
            let mut sample = sample(n, 0, RequestOutcome::Status(200));
            sample.tenant = usize::from(n % first_of != 0);
            answers.add(&sample);
        }
        (format!("{:.2}", answers.shortfall()), answers.is_insufficient())
    }

    #[test]
    fn the_quantile_with_the_fewest_responses_decides_how_long_a_step_is() {
        let all = "[[expect]]\nthat = \"p99 < 50ms\"\n";
        let one = "[[expect]]\nthat = \"p99 < 50ms\"\nwhere = { tenant = \"acme\" }\n";
        assert_eq!(counted(all, true, 10), ("1.20".to_owned(), false));
        assert_eq!(counted(&format!("{all}{one}"), true, 10), ("12.00".to_owned(), true));
        assert_eq!(counted(one, true, 1), ("1.20".to_owned(), false), "all of them are the tenant's");
        assert_eq!(counted("[[expect]]\nthat = \"max < 1s\"\n", true, 10), ("0.00".to_owned(), false));
        let fresh = format!("{all}{one}fresh = true\n");
        assert_eq!(counted(&fresh, true, 10), ("12.00".to_owned(), true));
        assert_eq!(counted(&fresh, false, 10), ("1.20".to_owned(), false), "not judged, so not waited for");
    }

    #[test]
    fn only_responses_to_judged_requests_count() {
        let scenario = Arc::new(scenario(&format!("{SCENARIO}[[expect]]\nthat = \"p50 < 50ms\"\n")));
        let mut answers = ResponseCounts::new(&scenario, true, Nanos::from_millis(100));
        answers.add(&sample(99, 0, RequestOutcome::Status(200)));
        answers.add(&sample(101, 0, RequestOutcome::Dropped));
        assert_eq!(answers.shortfall(), 24.0, "none yet");
        answers.add(&sample(101, 0, RequestOutcome::Status(200)));
        answers.add(&sample(102, 0, RequestOutcome::Status(200)));
        assert_eq!(answers.shortfall(), 12.0);
    }
}

//! What a scenario expects of latency, rates and statuses, judged exactly: whether a quantile is below a bound depends
//! only on how many samples are, so no bucket's width is ever in the way.

mod counter;
pub mod live;

use self::counter::Counter;
use super::{generator::Bottleneck, verdict::Verdict};
use crate::stall_attribution::{Excuse, StallExclusions};
use saasbench_model::{
    scenario::{
        Scenario,
        expectation::{Comparison, Expectation, Filter, Measure},
    },
    units::Nanos,
};
use saasbench_record::{reader::RecordedRun, sample::Sample};

/// Share of arrivals that may be dropped before the load is no longer the one that was asked for.
pub(super) const DROPS_ALLOWED: f64 = 0.01;

/// Text of the expectation that holds unless a scenario states one on all requests' errors itself.
const NO_ERRORS: &str = "error_ratio == 0";

/// All expectations of a scenario, counting.
#[derive(Debug)]
pub struct Expectations {
    counters: Vec<Counter>,
    /// What was due earlier belongs to the warm-up.
    judged_from: Nanos,
}

impl Expectations {
    /// Those of the scenario, and the one that is always there: that every request is answered as its step expects. What
    /// is expected of a `fresh` start alone is left out elsewhere. Nothing is expected of what was due before `judged_from`.
    pub fn new(scenario: &Scenario, fresh: bool, judged_from: Nanos) -> Self {
        let mut all: Vec<Expectation> =
            scenario.expectations.iter().filter(|expectation| fresh || !expectation.fresh).cloned().collect();
        let states_errors =
            |e: &Expectation| e.measure == Measure::ErrorRatio && e.filter == Filter::default();
        if !all.iter().any(states_errors) {
            all.insert(
                0,
                Expectation {
                    that: NO_ERRORS.to_owned(),
                    measure: Measure::ErrorRatio,
                    comparison: Comparison::Equal,
                    bound: 0.0,
                    filter: Filter::default(),
                    fresh: false,
                    abort: false,
                    stated_at: None,
                },
            );
        }
        Self { counters: all.into_iter().map(Counter::new).collect(), judged_from }
    }

    /// Counts a sample, and what excuses it.
    pub fn add(
        &mut self,
        scenario: &Scenario,
        id: u64,
        sample: &Sample,
        excuse: Excuse,
        excuses: &StallExclusions,
    ) {
        if sample.intended < self.judged_from {
            return;
        }
        for counter in &mut self.counters {
            counter.add(scenario, id, sample, excuse, excuses);
        }
    }

    /// Judges them. What fails through the generator's own doing is Inconclusive: through lateness or stalls, or because it
    /// was the `bottleneck`.
    pub fn judge(
        self,
        run: &RecordedRun,
        excuses: &StallExclusions,
        bottleneck: Option<Bottleneck<'_>>,
    ) -> Vec<Verdict> {
        let judged = self.counters.iter().map(|counter| {
            let stated_at = counter.expectation().stated_at;
            counter.judge(run, excuses, bottleneck).stated(&run.manifest.scenario, stated_at)
        });
        judged.collect()
    }
}

#[cfg(test)]
mod tests;

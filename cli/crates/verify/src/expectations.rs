//! Judges a scenario's expectations of latency, rates and statuses, exactly: whether a quantile is below a
//! bound depends only on how many samples are, so the width of histogram buckets does not matter.

mod counter;
pub mod live;

use self::counter::Counter;
use super::{generator::Bottleneck, verdict::Verdict};
use crate::stall_attribution::{StallAttribution, StallExclusions};
use saasbench_model::{
    scenario::{
        Scenario,
        expectation::{Comparison, Expectation, Filter, Measure},
    },
    units::Nanos,
};
use saasbench_record::{reader::RecordedRun, sample::Sample};

/// The expectation that applies unless the scenario states one on the error ratio of all requests.
const NO_ERRORS: &str = "error_ratio == 0";

/// All expectations of a scenario, and what they have counted.
#[derive(Debug)]
pub struct Expectations {
    counters: Vec<Counter>,
    /// Samples due earlier belong to the warm-up.
    judged_from: Nanos,
}

impl Expectations {
    /// The scenario's expectations, plus the default one that every response is as its step expects. Those on
    /// a `fresh` start are left out elsewhere. Samples due before `judged_from` are not judged.
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

    /// Counts a sample with its stall attribution.
    pub fn add(
        &mut self,
        scenario: &Scenario,
        id: u64,
        sample: &Sample,
        attribution: StallAttribution,
        exclusions: &StallExclusions,
    ) {
        if sample.intended < self.judged_from {
            return;
        }
        for counter in &mut self.counters {
            counter.add(scenario, id, sample, attribution, exclusions);
        }
    }

    /// Judges all of them. A failure that the generator may have caused is Inconclusive: by lateness, by
    /// stalls, or because it was the `bottleneck`.
    pub fn judge(
        self,
        run: &RecordedRun,
        exclusions: &StallExclusions,
        bottleneck: Option<Bottleneck<'_>>,
    ) -> Vec<Verdict> {
        let judged = self.counters.iter().map(|counter| {
            let stated_at = counter.expectation().stated_at;
            counter.judge(run, exclusions, bottleneck).stated(&run.manifest.scenario, stated_at)
        });
        judged.collect()
    }
}

#[cfg(test)]
mod tests;

//! Evaluates expectations with `abort = true` during the load, and reports when one can no longer be met.
//!
//! It counts exactly what the final judgement will count, with the same stalls excluded; samples that the
//! hiccup meter has not yet covered are not counted. A run that would pass is therefore never aborted.

use std::{collections::VecDeque, sync::Arc};

use super::counter::{Counter, subject_of};
use crate::stall_attribution::StallExclusions;
use saasbench_model::{plan::upper_bounds::requests_at_most, scenario::Scenario, units::Nanos};
use saasbench_record::{sample::Sample, stall::Stall};

/// Counts along with the load.
#[derive(Debug)]
pub struct Live {
    scenario: Arc<Scenario>,
    monitored: Vec<MonitoredExpectation>,
    exclusions: StallExclusions,
    stalls: usize,
    /// Samples from a time that is not yet known to be free of stalls.
    waiting: VecDeque<Sample>,
    /// When the first iteration was due: the load had started by then.
    started: Option<Nanos>,
    /// When the warm-up has certainly ended.
    judged_from: Option<Nanos>,
}

#[derive(Debug)]
struct MonitoredExpectation {
    counter: Counter,
    /// The most requests that it can cover in the whole run.
    planned: Option<u64>,
}

impl Live {
    /// The expectations with `abort`, in an environment that is `fresh` or not; `None` if there are none.
    pub fn new(scenario: &Arc<Scenario>, fresh: bool) -> Option<Self> {
        let all =
            scenario.expectations.iter().filter(|expected| expected.abort && (fresh || !expected.fresh));
        let monitored: Vec<MonitoredExpectation> = all
            .map(|expected| {
                let counter = Counter::new(expected.clone());
                let planned = requests_at_most(scenario, expected.filter.tenant, |step| {
                    expected.is_about(scenario, step)
                });
                MonitoredExpectation { counter, planned }
            })
            .collect();
        (!monitored.is_empty()).then(|| Self {
            scenario: Arc::clone(scenario),
            monitored,
            exclusions: StallExclusions::new(&[]),
            stalls: 0,
            waiting: VecDeque::new(),
            started: None,
            judged_from: (scenario.warmup == Nanos::ZERO).then_some(Nanos(i64::MIN)),
        })
    }

    /// Queues a sample until it is known whether a stall affected it.
    pub fn add(&mut self, sample: Sample) {
        // No iteration is due before the load starts.
        if self.started.is_none() && sample.iteration > 0 {
            self.started = Some(sample.intended);
            self.judged_from = self.judged_from.or(Some(sample.intended + self.scenario.warmup));
        }
        self.waiting.push_back(sample);
    }

    /// Judges everything up to `known`, until when `stalls` is complete; returns why the run is hopeless, if
    /// it is.
    pub fn judge(&mut self, known: Nanos, stalls: &[Stall]) -> Option<String> {
        if stalls.len() != self.stalls {
            self.stalls = stalls.len();
            self.exclusions.replace_stalls(stalls);
        }
        while self.waiting.front().is_some_and(|sample| sample.done <= known) {
            let Some(sample) = self.waiting.pop_front() else { break };
            self.count(&sample);
        }
        let ruled_out = self.monitored.iter().find(|MonitoredExpectation { counter, planned }| {
            counter.is_ruled_out(planned.map(|planned| planned.saturating_sub(counter.seen())))
        })?;
        let subject = subject_of(&self.scenario, ruled_out.counter.expectation());
        Some(format!("`{subject}` can no longer hold: {}", ruled_out.counter.so_far()))
    }

    fn count(&mut self, sample: &Sample) {
        let attribution = self.exclusions.of(sample);
        if self.judged_from.is_some_and(|from| sample.intended >= from) {
            for monitored in &mut self.monitored {
                monitored.counter.add(&self.scenario, 0, sample, attribution, &self.exclusions);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        testing::Judge as _,
        verdict::{Claim, Outcome as Verdict},
    };
    use saasbench_model::scenario::testing::{SCENARIO, scenario};
    use saasbench_record::{
        manifest::State,
        sample::RequestOutcome,
        testing::{self, TestRun, stall},
    };

    /// The load plans a hundred requests.
    const PLANNED: usize = 100;

    fn text(that: &str) -> String {
        format!("{SCENARIO}[metrics]\nenabled = false\n[[expect]]\nthat = \"{that}\"\nabort_on_fail = true\n")
    }

    fn samples(drawn: &[(u16, i64)]) -> Vec<Sample> {
        let sample = |(i, (status, millis)): (usize, &(u16, i64))| {
            let sample = testing::sample(i as i64 * 100, 0, RequestOutcome::Status(*status));
            let failed_check = (*status == 500).then(|| "status 500, expected 200 or 429".to_owned());
            Sample { done: sample.sent + Nanos::from_millis(*millis), failed_check, ..sample }
        };
        drawn.iter().enumerate().map(sample).collect()
    }

    /// After how many samples the run is aborted, and why.
    fn given_up(text: &str, samples: &[Sample]) -> Option<(usize, String)> {
        let mut live = Live::new(&Arc::new(scenario(text)), true).unwrap();
        samples.iter().enumerate().find_map(|(i, sample)| {
            live.add(sample.clone());
            Some((i + 1, live.judge(Nanos::MAX, &[])?))
        })
    }

    fn judged(text: &str, samples: &[Sample], state: State) -> Verdict {
        let mut made = TestRun::of(text.to_owned(), samples);
        made.manifest.state = state;
        let report = made.judge();
        let of = |v: &&crate::verdict::Verdict| v.claim == Claim::Expectation && v.place.is_some();
        report.verdicts.iter().find(of).unwrap().outcome
    }

    const EXPECTED: [&str; 9] = [
        "p50 < 20ms",
        "p90 from sent <= 15ms",
        "max < 40ms",
        "mean <= 20ms",
        "error_ratio <= 20%",
        "error_ratio == 0%",
        "ratio(429) < 30%",
        "ratio(200) >= 60%",
        "count(429) <= 25",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn an_aborted_run_would_have_failed_in_any_case(
            that in prop::sample::select(EXPECTED.as_slice()),
            bad in 0.0..1.0_f64,
            drawn in prop::collection::vec((0.0..1.0_f64, 0..3_usize, 1_i64..60), PLANNED),
        ) {
            let drawn: Vec<(u16, i64)> = drawn
                .into_iter()
                .map(|(chance, kind, millis)| if chance < bad { ([500, 429, 200][kind], millis) } else { (200, 1) })
                .collect();
            let (text, all) = (text(that), samples(&drawn));
            if let Some((enough, _)) = given_up(&text, &all) {
                prop_assert_eq!(judged(&text, &all[..enough], State::Aborted), Verdict::Fail);
                for (status, millis) in [(200, 1), (429, 1), (500, 59), (200, 59)] {
                    let mut rest = drawn.clone();
                    rest[enough..].fill((status, millis));
                    prop_assert_eq!(judged(&text, &samples(&rest), State::Finished), Verdict::Fail);
                }
                prop_assert_eq!(judged(&text, &all, State::Finished), Verdict::Fail);
            }
        }
    }

    #[test]
    fn a_run_is_aborted_as_soon_as_its_expectation_cannot_hold() {
        let slow = samples(&[(200, 50); PLANNED]);
        let failing = samples(&[(500, 1); PLANNED]);
        let rejected = samples(&[(429, 1); PLANNED]);
        let shown: Vec<String> = EXPECTED
            .iter()
            .map(|that| {
                let found =
                    [&slow, &failing, &rejected].into_iter().find_map(|all| given_up(&text(that), all));
                let (enough, why) = found.unwrap_or_else(|| panic!("{that} is never ruled out"));
                format!("after {enough}: {why}")
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"));
    }

    #[test]
    fn an_expectation_without_an_upper_bound_aborts_nothing() {
        let endless = text("error_ratio <= 20%").replace("rate = \"10/s\"", "users = 3");
        let failing = samples(&[(500, 1); PLANNED]);
        assert_eq!(given_up(&endless, &failing), None);
        let pausing = endless.replace("users = 3", "users = 1\nthink_time = \"1s\"");
        assert!(given_up(&pausing, &failing).is_some());
        let again = text("error_ratio <= 20%").replace("rate =", "retry = \"retry-after\"\nrate =")
            + "[[limit]]\nroute = \"POST /chat\"\nalgorithm = \"fixed-window\"\nquota = \"8/10s\"\n";
        assert_eq!(given_up(&again, &failing), None);
    }

    #[test]
    fn samples_that_a_stall_may_have_affected_abort_nothing() {
        let text = text("max < 40ms");
        let mut live = Live::new(&Arc::new(scenario(&text)), true).unwrap();
        for sample in samples(&[(200, 50)]) {
            live.add(sample);
        }
        assert_eq!(live.judge(Nanos::from_millis(49), &[]), None, "not looked at yet");
        assert_eq!(live.judge(Nanos::from_millis(51), &[stall(10, 20)]), None, "excused");
        for sample in samples(&[(200, 1), (200, 50)]) {
            live.add(sample);
        }
        assert!(live.judge(Nanos::from_secs(1), &[stall(10, 20)]).is_some());
    }

    #[test]
    fn the_warm_up_ends_no_run() {
        let text = text("error_ratio == 0%").replace("name = \"test\"", "name = \"test\"\nwarmup = \"1s\"");
        let failing = samples(&[(500, 1); PLANNED]);
        assert_eq!(given_up(&text, &failing).map(|(enough, _)| enough), Some(11));
    }
}

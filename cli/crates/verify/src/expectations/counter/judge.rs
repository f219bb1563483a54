//! Turns a run's counts into an outcome: whether the expectation holds and, if not, whether the generator or
//! an early end may be the reason.

use super::{
    super::super::{
        generator::{Bottleneck, DROPS_ALLOWED},
        quantiles::samples_needed,
        verdict::{Claim, Evidence, Outcome, Verdict},
    },
    Counter, Latencies, rank, subject_of,
};
use crate::stall_attribution::StallExclusions;
use saasbench_model::{
    scenario::expectation::{Comparison, Measure},
    units::Nanos,
};
use saasbench_record::{
    manifest::{LoadPhase, State},
    reader::RecordedRun,
};

/// The share of requests that may meet a connection which the server is closing.
const CLOSED_IDLE_ALLOWED: f64 = 0.01;

impl Counter {
    pub(in super::super) fn judge(
        &self,
        run: &RecordedRun,
        exclusions: &StallExclusions,
        bottleneck: Option<Bottleneck<'_>>,
    ) -> Verdict {
        let subject = subject_of(&run.scenario, &self.expectation);
        let inconclusive = |why: String| Verdict::inconclusive(Claim::Expectation, subject.clone(), why);
        if run.scenario.warmup > Nanos::ZERO && run.manifest.load.is_none() {
            return inconclusive("the run was cut off: when its warm-up ended is not known".to_owned());
        }
        if self.requests + self.dropped == 0 {
            return inconclusive("no matching request".to_owned());
        }
        if (self.is_latency() || matches!(self.expectation.measure, Measure::Ratio(_))) && self.answered == 0
        {
            return inconclusive("no matching request got a response".to_owned());
        }
        let dropped_share = self.dropped as f64 / (self.requests + self.dropped) as f64;
        let drops_matter = self.expectation.measure != Measure::ErrorRatio && !self.fails_in_any_case();
        if drops_matter && dropped_share > DROPS_ALLOWED {
            return inconclusive(format!(
                "{} of {} arrivals were dropped: the load was not as planned",
                self.dropped,
                self.requests + self.dropped
            ));
        }
        if matches!(self.expectation.measure, Measure::Rate(_)) && run.manifest.load.is_none() {
            return inconclusive("the run was cut off: how long its load lasted is not known".to_owned());
        }
        if let Measure::Quantile { q, .. } = self.expectation.measure {
            let needed = samples_needed(q);
            if self.answered < needed {
                return inconclusive(format!(
                    "{} responses; a p{} needs {needed}",
                    self.answered,
                    percent(q)
                ));
            }
        }
        let (holds, observed) = self.measure(run);
        let of_responses = matches!(self.expectation.measure, Measure::Count(Some(_)) | Measure::Rate(_));
        if of_responses && holds && self.answered == 0 {
            return inconclusive(format!("{observed}, but no matching request got a response"));
        }
        let (outcome, doubt) = self.weigh(run, holds, bottleneck);
        let mut finding =
            Evidence::new(outcome, subject.clone(), self.expectation.that.clone(), observed.clone());
        if outcome != Outcome::Pass && self.expectation.measure == Measure::ErrorRatio {
            for (id, what) in &self.first_errors {
                finding = finding.detail(format!("sample {id:>6}  {what}"));
                finding.samples.push(*id);
            }
            if self.errors > self.first_errors.len() as u64 {
                finding =
                    finding.detail(format!("… and {} more", self.errors - self.first_errors.len() as u64));
            }
        }
        if outcome == Outcome::Inconclusive {
            finding.details.extend(exclusions.name(&self.touched));
        }
        let doubt = doubt.map(|doubt| format!("; {doubt}")).unwrap_or_default();
        Verdict::from_evidence(Claim::Expectation, subject, vec![finding], |_, _| {
            format!("{observed}{doubt}")
        })
    }

    fn is_latency(&self) -> bool {
        matches!(self.expectation.measure, Measure::Quantile { .. } | Measure::Max(_) | Measure::Mean(_))
    }

    /// Whether an upper bound on a quantile would fail even if every dropped arrival had been served at once.
    fn fails_in_any_case(&self) -> bool {
        let Measure::Quantile { q, .. } = self.expectation.measure else { return false };
        let rank = rank(q, self.answered + self.dropped);
        let below = self.without_stalls.below + self.dropped;
        match self.expectation.comparison {
            Comparison::Less => below < rank,
            Comparison::AtMost => below + self.without_stalls.equal < rank,
            _ => false,
        }
    }

    /// Whether a quantile exceeds its upper bound by more than this generator's lateness can explain.
    fn is_far_off(&self, slack: Nanos) -> bool {
        let Measure::Quantile { q, .. } = self.expectation.measure else { return false };
        let is_upper = matches!(self.expectation.comparison, Comparison::Less | Comparison::AtMost);
        let without_stalls = self.histogram_without_stalls.value_at_quantile(q) as f64;
        is_upper && without_stalls > self.expectation.bound + slack.0 as f64
    }

    /// The outcome, and why it is Inconclusive where the generator or an early end may be the reason.
    fn weigh(
        &self,
        run: &RecordedRun,
        holds: bool,
        bottleneck: Option<Bottleneck<'_>>,
    ) -> (Outcome, Option<String>) {
        // Counts only rise: one that is too high stays so; everything else may still change.
        if matches!(self.expectation.measure, Measure::Count(_) | Measure::Resent)
            && run.manifest.state != State::Finished
        {
            return match self.count_so_far(holds) {
                Outcome::Inconclusive => {
                    (Outcome::Inconclusive, Some("the run ended before its time".to_owned()))
                }
                outcome => (outcome, None),
            };
        }
        if holds {
            return match self.closed_too_often() {
                Some(doubt) => (Outcome::Inconclusive, Some(doubt)),
                None => (Outcome::Pass, None),
            };
        }
        if self.holds_without_stalls() {
            let doubt = "it holds once what the generator itself may have caused is left out".to_owned();
            return (Outcome::Inconclusive, Some(doubt));
        }
        // A generator that cannot keep up sends too little, and reads responses late.
        let is_rate = matches!(self.expectation.measure, Measure::Rate(_));
        let exclusions =
            |late: &Bottleneck<'_>| is_rate || (self.is_latency() && !self.is_far_off(late.slack));
        match bottleneck.filter(exclusions) {
            Some(Bottleneck { bound, .. }) => {
                (Outcome::Inconclusive, Some(format!("the generator was the bottleneck: {bound}")))
            }
            None => (Outcome::Fail, None),
        }
    }

    /// Why a bound on errors that holds shows little: of too many requests it is unknown how they would have
    /// ended.
    fn closed_too_often(&self) -> Option<String> {
        let is_often = self.closed_idle as f64 > CLOSED_IDLE_ALLOWED * self.requests as f64;
        (is_often && self.expectation.measure == Measure::ErrorRatio).then(|| {
            format!(
                "{} met a connection that the server was closing because it was idle: think for less long than the server keeps connections",
                self.closed_idle
            )
        })
    }

    /// The outcome of a count that could still have risen.
    fn count_so_far(&self, holds: bool) -> Outcome {
        let excess = match self.expectation.comparison {
            Comparison::Less => self.count() >= self.expectation.bound,
            Comparison::AtMost | Comparison::Equal => self.count() > self.expectation.bound,
            Comparison::Greater | Comparison::AtLeast => false,
        };
        let rising = matches!(self.expectation.comparison, Comparison::Greater | Comparison::AtLeast);
        match (excess, rising && holds) {
            (true, _) => Outcome::Fail,
            (_, true) => Outcome::Pass,
            _ => Outcome::Inconclusive,
        }
    }

    /// Whether it holds, and what was measured, in words.
    fn measure(&self, run: &RecordedRun) -> (bool, String) {
        let compare = |value: f64| self.expectation.comparison.holds(value, self.expectation.bound);
        let requests = self.requests + self.dropped;
        match &self.expectation.measure {
            Measure::Quantile { q, .. } => {
                let value = Nanos(self.histogram.value_at_quantile(*q) as i64);
                (
                    self.rank_holds(&self.measured),
                    format!("p{} is {value} of {} responses", percent(*q), self.answered),
                )
            }
            Measure::Max(_) => (compare(self.longest.0 as f64), format!("the longest took {}", self.longest)),
            Measure::Mean(_) => {
                let mean = self.measured.sum as f64 / self.answered as f64;
                (compare(mean), format!("the mean is {}", Nanos(mean as i64)))
            }
            Measure::ErrorRatio => {
                let ratio = self.errors as f64 / requests as f64;
                (compare(ratio), format!("{} of {requests} requests failed", self.errors))
            }
            Measure::Rate(_) => {
                // Paused time is not part of a rate.
                let ended = |load: LoadPhase| run.manifest.plan_time().to_plan_time(load.to_ns).0;
                let judged = |load: LoadPhase| ended(load) - load.start_ns - run.scenario.warmup;
                let seconds = run.manifest.load.map_or(0.0, |load| judged(load).as_secs_f64());
                let rate = if seconds > 0.0 { self.matching as f64 / seconds } else { 0.0 };
                (compare(rate), format!("{rate:.1}/s"))
            }
            Measure::Count(_) | Measure::Resent => (compare(self.count()), format!("{}", self.count())),
            Measure::Ratio(_) => {
                let ratio = self.matching as f64 / self.answered as f64;
                (
                    compare(ratio),
                    format!("{} of {} responses ({:.2} %)", self.matching, self.answered, ratio * 100.0),
                )
            }
        }
    }

    pub(super) fn count(&self) -> f64 {
        match self.expectation.measure {
            Measure::Count(None) => self.requests as f64,
            Measure::Resent => self.resent as f64,
            _ => self.matching as f64,
        }
    }

    /// Whether it would hold without what may be the generator's own.
    fn holds_without_stalls(&self) -> bool {
        let compare = |value: f64| self.expectation.comparison.holds(value, self.expectation.bound);
        match self.expectation.measure {
            Measure::Mean(_) => compare(self.without_stalls.sum as f64 / self.answered as f64),
            Measure::Quantile { .. } | Measure::Max(_) => self.rank_holds(&self.without_stalls),
            Measure::ErrorRatio => {
                compare(self.errors_of_service as f64 / (self.requests + self.dropped) as f64)
            }
            _ => false,
        }
    }

    /// Whether a bound on a quantile or on the longest latency holds, given how many responses took less than
    /// the bound and exactly as long. The quantile is the smallest latency that at least `q` of the responses
    /// do not exceed.
    fn rank_holds(&self, latencies: &Latencies) -> bool {
        let rank = match self.expectation.measure {
            Measure::Quantile { q, .. } => rank(q, self.answered),
            _ => self.answered,
        };
        let Latencies { below, equal, .. } = *latencies;
        let (less, at_most) = (below >= rank, below + equal >= rank);
        match self.expectation.comparison {
            Comparison::Less => less,
            Comparison::AtMost => at_most,
            Comparison::Greater => !at_most,
            Comparison::AtLeast => !less,
            Comparison::Equal => at_most && !less,
        }
    }
}

/// Formats a quantile: `99.9` for 0.999.
fn percent(q: f64) -> String {
    let text = format!("{:.4}", q * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

//! What a scenario expects of latency, rates and statuses, judged exactly: whether a quantile is below a bound depends
//! only on how many samples are, so no bucket's width is ever in the way.

use std::collections::HashMap;

use super::{
    quantiles::samples_needed,
    verdict::{Claim, Evidence, Outcome, Verdict},
};
use crate::{
    record::{
        manifest::{LoadPhase, State},
        reader::RecordedRun,
        sample::{Outcome as SampleOutcome, Sample},
        tally::{count_latency, latency_histogram},
    },
    scenario::{
        Scenario,
        expectation::{Comparison, Expectation, Filter, LatencyFrom, Measure},
    },
    units::Nanos,
};

/// Share of arrivals that may be dropped before the load is no longer the one that was asked for.
pub(super) const DROPS_ALLOWED: f64 = 0.01;

/// Text of the expectation that holds unless a scenario states one on all requests' errors itself.
const NO_ERRORS: &str = "error_ratio == 0";

/// One expectation, counting.
#[derive(Debug)]
struct Counter {
    expectation: Expectation,
    /// Requests that it is about, drops left out.
    requests: u64,
    dropped: u64,
    errors: u64,
    /// The first few errors: number, and what was wrong.
    first_errors: Vec<(u64, String)>,
    answered: u64,
    /// Answers with the status that it is about.
    matching: u64,
    below: u64,
    equal: u64,
    /// The same by the latency without the generator's own lateness.
    below_excused: u64,
    equal_excused: u64,
    sum: i128,
    sum_excused: i128,
    longest: Nanos,
    histogram: hdrhistogram::Histogram<u64>,
}

/// All expectations of a scenario, counting.
#[derive(Debug)]
pub struct Expectations {
    counters: Vec<Counter>,
    /// What was due earlier belongs to the warm-up.
    judged_from: Nanos,
    /// When each user, by load and number, had last started.
    started: HashMap<(usize, u64), Nanos>,
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
                },
            );
        }
        Self { counters: all.into_iter().map(Counter::new).collect(), judged_from, started: HashMap::new() }
    }

    /// Counts a sample.
    pub fn add(&mut self, scenario: &Scenario, id: u64, sample: &Sample) {
        let excused = sample.latency_intended() - self.lateness(sample);
        if sample.intended < self.judged_from {
            return;
        }
        for counter in &mut self.counters {
            counter.add(scenario, id, sample, excused);
        }
    }

    /// How much of the time between intended and sent was the generator's own. A user that had to start first waited
    /// for the service.
    fn lateness(&mut self, sample: &Sample) -> Nanos {
        let user = (sample.load, sample.user);
        if sample.iteration == 0 {
            self.started.insert(user, sample.done);
        }
        let started =
            self.started.get(&user).copied().filter(|done| sample.iteration > 0 && *done <= sample.sent);
        sample.sent - started.map_or(sample.intended, |done| done.max(sample.intended))
    }

    /// Judges them.
    pub fn judge(self, run: &RecordedRun) -> Vec<Verdict> {
        self.counters.iter().map(|counter| counter.judge(run)).collect()
    }
}

impl Counter {
    fn new(expectation: Expectation) -> Self {
        Self {
            expectation,
            requests: 0,
            dropped: 0,
            errors: 0,
            first_errors: Vec::new(),
            answered: 0,
            matching: 0,
            below: 0,
            equal: 0,
            below_excused: 0,
            equal_excused: 0,
            sum: 0,
            sum_excused: 0,
            longest: Nanos::ZERO,
            histogram: latency_histogram(),
        }
    }

    fn applies(&self, scenario: &Scenario, sample: &Sample) -> bool {
        let Filter { tenant, journey, steps } = &self.expectation.filter;
        let step = scenario.steps.get(sample.step);
        let of_journey = step.map(|step| step.journey);
        let is_start = of_journey
            .and_then(|journey| scenario.journeys.get(journey))
            .is_some_and(|journey| journey.start.contains(&sample.step));
        // An error is one wherever it happens; of everything else, starting is not what an expectation means.
        let counts_starts = self.expectation.measure == Measure::ErrorRatio || steps.is_some();
        tenant.is_none_or(|tenant| tenant == sample.tenant)
            && journey.is_none_or(|journey| Some(journey) == of_journey)
            && steps.as_ref().is_none_or(|steps| steps.contains(&sample.step))
            && (counts_starts || !is_start)
    }

    fn add(&mut self, scenario: &Scenario, id: u64, sample: &Sample, excused: Nanos) {
        if !self.applies(scenario, sample) {
            return;
        }
        if sample.is_error() {
            self.errors += 1;
            if self.first_errors.len() < 5 {
                self.first_errors.push((id, describe_error(scenario, sample)));
            }
        }
        let status = match sample.outcome {
            SampleOutcome::Dropped => {
                self.dropped += 1;
                return;
            }
            SampleOutcome::Status(status) => status,
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
        let latency = match self.from() {
            LatencyFrom::Intended => sample.latency_intended(),
            LatencyFrom::Sent => sample.latency_sent(),
        };
        let bound = self.expectation.bound;
        self.below += u64::from((latency.0 as f64) < bound);
        self.equal += u64::from(latency.0 as f64 == bound);
        self.below_excused += u64::from((excused.0 as f64) < bound);
        self.equal_excused += u64::from(excused.0 as f64 == bound);
        self.sum += i128::from(latency.0);
        self.sum_excused += i128::from(excused.0);
        self.longest = self.longest.max(latency);
        count_latency(&mut self.histogram, latency);
    }

    fn from(&self) -> LatencyFrom {
        match self.expectation.measure {
            Measure::Quantile { from, .. } | Measure::Max(from) | Measure::Mean(from) => from,
            _ => LatencyFrom::Intended,
        }
    }

    fn judge(&self, run: &RecordedRun) -> Verdict {
        let subject = subject(run, &self.expectation);
        let inconclusive = |why: String| Verdict::inconclusive(Claim::Expectation, subject.clone(), why);
        if run.scenario.warmup > Nanos::ZERO && run.manifest.load.is_none() {
            return inconclusive("the run was cut off: when its warm-up ended is not known".to_owned());
        }
        if self.requests + self.dropped == 0 {
            return inconclusive("no request that it is about".to_owned());
        }
        let is_latency =
            matches!(self.expectation.measure, Measure::Quantile { .. } | Measure::Max(_) | Measure::Mean(_));
        if (is_latency || matches!(self.expectation.measure, Measure::Ratio(_))) && self.answered == 0 {
            return inconclusive("no request that it is about was answered".to_owned());
        }
        let dropped_share = self.dropped as f64 / (self.requests + self.dropped) as f64;
        if self.expectation.measure != Measure::ErrorRatio && dropped_share > DROPS_ALLOWED {
            return inconclusive(format!(
                "{} of {} arrivals were dropped: the load was not the one that was asked for",
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
                return inconclusive(format!("{} answers; a p{} needs {needed}", self.answered, percent(q)));
            }
        }
        let (holds, observed) = self.measure(run);
        let outcome = self.weigh(run, holds);
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
        let doubt = match outcome {
            Outcome::Inconclusive if is_latency => {
                "; without the generator's own lateness it holds".to_owned()
            }
            Outcome::Inconclusive => "; the run ended before its time".to_owned(),
            _ => String::new(),
        };
        Verdict::from_evidence(Claim::Expectation, subject, vec![finding], |_, _| {
            format!("{observed}{doubt}")
        })
    }

    /// From whether it holds to an outcome: where the generator or an early end may be the reason, nobody knows.
    fn weigh(&self, run: &RecordedRun, holds: bool) -> Outcome {
        match self.expectation.measure {
            Measure::Quantile { .. } | Measure::Max(_) | Measure::Mean(_)
                if !holds && self.from() == LatencyFrom::Intended =>
            {
                if self.holds_excused() {
                    Outcome::Inconclusive
                } else {
                    Outcome::Fail
                }
            }
            // Counts rise to the end: what is too many now stays so, everything else may yet change.
            Measure::Count(_) if run.manifest.state != State::Finished => {
                let excess = match self.expectation.comparison {
                    Comparison::Less => self.count() >= self.expectation.bound,
                    Comparison::AtMost | Comparison::Equal => self.count() > self.expectation.bound,
                    Comparison::Greater | Comparison::AtLeast => false,
                };
                let reached =
                    matches!(self.expectation.comparison, Comparison::Greater | Comparison::AtLeast) && holds;
                match (excess, reached) {
                    (true, _) => Outcome::Fail,
                    (_, true) => Outcome::Pass,
                    _ => Outcome::Inconclusive,
                }
            }
            _ if holds => Outcome::Pass,
            _ => Outcome::Fail,
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
                    self.rank_holds(self.below, self.equal),
                    format!("p{} is {value} of {} answers", percent(*q), self.answered),
                )
            }
            Measure::Max(_) => (compare(self.longest.0 as f64), format!("the longest took {}", self.longest)),
            Measure::Mean(_) => {
                let mean = self.sum as f64 / self.answered as f64;
                (compare(mean), format!("the mean is {}", Nanos(mean as i64)))
            }
            Measure::ErrorRatio => {
                let ratio = self.errors as f64 / requests as f64;
                (compare(ratio), format!("{} of {requests} requests failed", self.errors))
            }
            Measure::Rate(_) => {
                let judged = |load: LoadPhase| load.to_ns - load.begin_ns - run.scenario.warmup;
                let seconds = run.manifest.load.map_or(0.0, |load| judged(load).as_secs_f64());
                let rate = if seconds > 0.0 { self.matching as f64 / seconds } else { 0.0 };
                (compare(rate), format!("{rate:.1}/s"))
            }
            Measure::Count(_) => (compare(self.count()), format!("{}", self.count())),
            Measure::Ratio(_) => {
                let ratio = self.matching as f64 / self.answered as f64;
                (
                    compare(ratio),
                    format!("{} of {} answers ({:.2} %)", self.matching, self.answered, ratio * 100.0),
                )
            }
        }
    }

    fn count(&self) -> f64 {
        match self.expectation.measure {
            Measure::Count(None) => self.requests as f64,
            _ => self.matching as f64,
        }
    }

    /// Whether a bound on latency from intended would hold without the generator's own lateness.
    fn holds_excused(&self) -> bool {
        match self.expectation.measure {
            Measure::Mean(_) => {
                let mean = self.sum_excused as f64 / self.answered as f64;
                self.expectation.comparison.holds(mean, self.expectation.bound)
            }
            _ => self.rank_holds(self.below_excused, self.equal_excused),
        }
    }

    /// Whether a bound on a quantile or on the longest latency holds, when so many answers took less than the bound, and
    /// so many exactly as long: the quantile is the smallest latency that at least `q` of the answers do not exceed.
    fn rank_holds(&self, below: u64, equal: u64) -> bool {
        let rank = match self.expectation.measure {
            Measure::Quantile { q, .. } => ((q * self.answered as f64) - 1e-9).ceil().max(1.0) as u64,
            _ => self.answered,
        };
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

/// `99.9` for 0.999.
fn percent(q: f64) -> String {
    let text = format!("{:.4}", q * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The text as written, with the tenant, journey and step that it is about.
fn subject(run: &RecordedRun, expectation: &Expectation) -> String {
    let Filter { tenant, journey, steps } = &expectation.filter;
    let mut about = Vec::new();
    about.extend(tenant.and_then(|i| run.scenario.tenants.get(i)).map(ToString::to_string));
    about.extend(journey.and_then(|i| run.scenario.journeys.get(i)).map(|journey| journey.name.clone()));
    about.extend(
        steps.iter().flatten().next().and_then(|i| run.scenario.steps.get(*i)).map(|step| step.name.clone()),
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

#[cfg(test)]
mod tests;

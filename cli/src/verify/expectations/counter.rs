//! One expectation: counts the samples that it is about, and weighs what they come to.

mod hopeless;

use super::{
    super::{
        excuse::{Excuse, Excuses},
        generator::Bottleneck,
        quantiles::samples_needed,
        verdict::{Claim, Evidence, Outcome, Verdict},
    },
    DROPS_ALLOWED,
};
use crate::{
    record::{
        manifest::{LoadPhase, State},
        reader::RecordedRun,
        sample::{Obstacle, Outcome as SampleOutcome, Sample, Silence},
        tally::{count_latency, latency_histogram},
    },
    scenario::{
        Scenario, StepIndex,
        expectation::{Comparison, Expectation, Filter, LatencyFrom, Measure},
    },
    units::Nanos,
    watch::stall::SHORTEST,
};

/// One expectation, counting.
#[derive(Debug)]
pub(super) struct Counter {
    expectation: Expectation,
    /// Requests that it is about, drops left out.
    requests: u64,
    dropped: u64,
    errors: u64,
    /// Those that are left without timeouts that came because the generator stood still, and without what its machine had
    /// no port or file descriptor for.
    errors_excused: u64,
    /// The first few errors: number, and what was wrong.
    first_errors: Vec<(u64, String)>,
    answered: u64,
    /// Answers with the status that it is about.
    matching: u64,
    measured: Latencies,
    /// The same without what may be the generator's own.
    excused: Latencies,
    /// Requests in the shadow of each stall.
    touched: Vec<u64>,
    longest: Nanos,
    histogram: hdrhistogram::Histogram<u64>,
    /// The same without what may be the generator's own.
    histogram_excused: hdrhistogram::Histogram<u64>,
}

/// Latencies, counted against a bound.
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
            errors_excused: 0,
            first_errors: Vec::new(),
            answered: 0,
            matching: 0,
            measured: Latencies::default(),
            excused: Latencies::default(),
            touched: Vec::new(),
            longest: Nanos::ZERO,
            histogram: latency_histogram(),
            histogram_excused: latency_histogram(),
        }
    }

    pub(super) fn expectation(&self) -> &Expectation {
        &self.expectation
    }

    fn applies(&self, scenario: &Scenario, sample: &Sample) -> bool {
        self.expectation.filter.tenant.is_none_or(|tenant| tenant == sample.tenant)
            && self.is_about(scenario, sample.step)
    }

    /// Whether it is about a step's requests, of some tenant.
    pub(super) fn is_about(&self, scenario: &Scenario, index: StepIndex) -> bool {
        let Filter { journey, steps, .. } = &self.expectation.filter;
        let step = scenario.steps.get(index);
        let of_journey = step.map(|step| step.journey);
        let is_start = of_journey
            .and_then(|journey| scenario.journeys.get(journey))
            .is_some_and(|journey| journey.start.contains(&index));
        // An error is one wherever it happens; of everything else, starting is not what an expectation means.
        let counts_starts = self.expectation.measure == Measure::ErrorRatio || steps.is_some();
        journey.is_none_or(|journey| Some(journey) == of_journey)
            && steps.as_ref().is_none_or(|steps| steps.contains(&index))
            && (counts_starts || !is_start)
    }

    pub(super) fn add(
        &mut self,
        scenario: &Scenario,
        id: u64,
        sample: &Sample,
        excuse: Excuse,
        excuses: &Excuses,
    ) {
        if !self.applies(scenario, sample) {
            return;
        }
        if excuse.touched {
            self.touched.resize(excuses.stalls().len(), 0);
            for stall in excuses.touching(sample) {
                if let Some(count) = self.touched.get_mut(stall) {
                    *count += 1;
                }
            }
        }
        if sample.is_error() {
            self.errors += 1;
            let excused = match sample.outcome {
                SampleOutcome::Unknown(Silence::Timeout) => {
                    excuse.touched && excuse.from_sent < scenario.timeout
                }
                SampleOutcome::NotSent(Obstacle::ConnectTimeout) => {
                    let allowed = scenario.http.connect_timeout.unwrap_or(scenario.timeout);
                    excuse.touched && excuse.from_sent < allowed.min(scenario.timeout)
                }
                SampleOutcome::NotSent(Obstacle::Exhausted) => true,
                // Many arrivals at once, because the generator was late with them, find too few users.
                SampleOutcome::Dropped => excuse.touched || sample.sent - sample.intended >= SHORTEST,
                _ => false,
            };
            self.errors_excused += u64::from(!excused);
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
        let (latency, excused) = match self.from() {
            LatencyFrom::Intended => (sample.latency_intended(), excuse.from_intended),
            LatencyFrom::Sent => (sample.latency_sent(), excuse.from_sent),
        };
        self.measured.add(latency, self.expectation.bound);
        self.excused.add(excused, self.expectation.bound);
        self.longest = self.longest.max(latency);
        if matches!(self.expectation.measure, Measure::Quantile { .. }) {
            count_latency(&mut self.histogram, latency);
            count_latency(&mut self.histogram_excused, excused);
        }
    }

    fn from(&self) -> LatencyFrom {
        match self.expectation.measure {
            Measure::Quantile { from, .. } | Measure::Max(from) | Measure::Mean(from) => from,
            _ => LatencyFrom::Intended,
        }
    }

    pub(super) fn judge(
        &self,
        run: &RecordedRun,
        excuses: &Excuses,
        bottleneck: Option<Bottleneck<'_>>,
    ) -> Verdict {
        let subject = subject_of(&run.scenario, &self.expectation);
        let inconclusive = |why: String| Verdict::inconclusive(Claim::Expectation, subject.clone(), why);
        if run.scenario.warmup > Nanos::ZERO && run.manifest.load.is_none() {
            return inconclusive("the run was cut off: when its warm-up ended is not known".to_owned());
        }
        if self.requests + self.dropped == 0 {
            return inconclusive("no request that it is about".to_owned());
        }
        if (self.is_latency() || matches!(self.expectation.measure, Measure::Ratio(_))) && self.answered == 0
        {
            return inconclusive("no request that it is about was answered".to_owned());
        }
        let dropped_share = self.dropped as f64 / (self.requests + self.dropped) as f64;
        let drops_matter = self.expectation.measure != Measure::ErrorRatio && !self.fails_in_any_case();
        if drops_matter && dropped_share > DROPS_ALLOWED {
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
            finding.details.extend(excuses.name(&self.touched));
        }
        let doubt = doubt.map(|doubt| format!("; {doubt}")).unwrap_or_default();
        Verdict::from_evidence(Claim::Expectation, subject, vec![finding], |_, _| {
            format!("{observed}{doubt}")
        })
    }

    fn is_latency(&self) -> bool {
        matches!(self.expectation.measure, Measure::Quantile { .. } | Measure::Max(_) | Measure::Mean(_))
    }

    /// Whether an upper bound on a quantile would fail even if every dropped arrival had been answered at once.
    fn fails_in_any_case(&self) -> bool {
        let Measure::Quantile { q, .. } = self.expectation.measure else { return false };
        let rank = rank(q, self.answered + self.dropped);
        let below = self.excused.below + self.dropped;
        match self.expectation.comparison {
            Comparison::Less => below < rank,
            Comparison::AtMost => below + self.excused.equal < rank,
            _ => false,
        }
    }

    /// Whether a quantile lies so far beyond its upper bound that a generator as late as this one cannot have done it.
    fn is_far_off(&self, slack: Nanos) -> bool {
        let Measure::Quantile { q, .. } = self.expectation.measure else { return false };
        let is_upper = matches!(self.expectation.comparison, Comparison::Less | Comparison::AtMost);
        let excused = self.histogram_excused.value_at_quantile(q) as f64;
        is_upper && excused > self.expectation.bound + slack.0 as f64
    }

    /// From whether it holds to an outcome, and the doubt: where the generator or an early end may be the reason, nobody
    /// knows.
    fn weigh(
        &self,
        run: &RecordedRun,
        holds: bool,
        bottleneck: Option<Bottleneck<'_>>,
    ) -> (Outcome, Option<String>) {
        // Counts rise to the end: what is too many now stays so, everything else may yet change.
        if matches!(self.expectation.measure, Measure::Count(_)) && run.manifest.state != State::Finished {
            return match self.count_so_far(holds) {
                Outcome::Inconclusive => {
                    (Outcome::Inconclusive, Some("the run ended before its time".to_owned()))
                }
                outcome => (outcome, None),
            };
        }
        if holds {
            return (Outcome::Pass, None);
        }
        if self.holds_excused() {
            let doubt = "without what may be the generator's own doing it holds".to_owned();
            return (Outcome::Inconclusive, Some(doubt));
        }
        // A generator that cannot keep up sends too little, and reads answers late.
        let is_rate = matches!(self.expectation.measure, Measure::Rate(_));
        let excuses = |late: &Bottleneck<'_>| is_rate || (self.is_latency() && !self.is_far_off(late.slack));
        match bottleneck.filter(excuses) {
            Some(Bottleneck { bound, .. }) => {
                (Outcome::Inconclusive, Some(format!("the generator was the bottleneck: {bound}")))
            }
            None => (Outcome::Fail, None),
        }
    }

    /// What a count that may still have risen comes to.
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
                    format!("p{} is {value} of {} answers", percent(*q), self.answered),
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

    /// Whether it would hold without what may be the generator's own.
    fn holds_excused(&self) -> bool {
        let compare = |value: f64| self.expectation.comparison.holds(value, self.expectation.bound);
        match self.expectation.measure {
            Measure::Mean(_) => compare(self.excused.sum as f64 / self.answered as f64),
            Measure::Quantile { .. } | Measure::Max(_) => self.rank_holds(&self.excused),
            Measure::ErrorRatio => {
                compare(self.errors_excused as f64 / (self.requests + self.dropped) as f64)
            }
            _ => false,
        }
    }

    /// Whether a bound on a quantile or on the longest latency holds, when so many answers took less than the bound, and
    /// so many exactly as long: the quantile is the smallest latency that at least `q` of the answers do not exceed.
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

/// Which of so many, in order, is the quantile `q`: the smallest that at least `q` of them do not exceed; from 1.
fn rank(q: f64, count: u64) -> u64 {
    ((q * count as f64) - 1e-9).ceil().max(1.0) as u64
}

/// `99.9` for 0.999.
fn percent(q: f64) -> String {
    let text = format!("{:.4}", q * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The text as written, with the tenant, journey and step that it is about.
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

//! Classifies a judged step of load: did the objectives hold, and if not, was it the service or the
//! generator?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Report,
    generator::is_only_drops,
    verdict::{Claim, Outcome, Verdict},
};
use hdrhistogram::Histogram;
use saasbench_model::{
    scenario::{
        Journey, Load, LoadModel, Retry, Scenario, StepIndex,
        expectation::{Comparison, Filter, LatencyFrom, Measure},
    },
    units::Nanos,
};
use saasbench_record::{
    sample::{NoResponseReason, RequestOutcome, Sample},
    tally::{count_latency, latency_histogram},
};

/// A service keeps up while its requests in flight grow by at most this share of the arrivals.
const BEHIND: f64 = 0.02;
/// Tolerance for rounding in `1 − q`, times the requests of a step.
const TINY: f64 = 1e-6;

/// Result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The objectives held.
    Held,
    /// The service broke an objective.
    Broke,
    /// The generator could not produce the load, so the step shows nothing of the service.
    Generator,
    /// Too few samples for a result, or stalls of the machine.
    Unsure,
}

/// A step of the search: load at one level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// The level: iterations per second or users, of all loads together.
    pub level: f64,
    /// Directory of its recorded run, relative to the directory of the search.
    pub run: String,
    /// Result of the step.
    pub ending: Ending,
    /// Why the objectives did not hold; `null` if they held.
    pub why: Option<String>,
    /// Planned duration of its load, in nanoseconds.
    pub planned_ns: Nanos,
    /// Whether it was ended early because an objective could no longer hold.
    pub cut_short: bool,
    /// Number of requests.
    pub requests: u64,
    /// Responses per second during the load.
    pub responses_per_s: f64,
    /// Number of errors.
    pub errors: u64,
    /// Median latency of the responses in nanoseconds, from the instant at which each request was due.
    pub p50: Option<Nanos>,
    /// 99th percentile of the same latency, in nanoseconds.
    pub p99: Option<Nanos>,
    /// Fraction of a processor that the generator's busiest worker thread used.
    pub generator_busy: Option<f64>,
    /// Fraction of this machine's processors in use, by any process.
    pub machine_busy: Option<f64>,
}

/// The flow of requests through a step, counted sample by sample.
#[derive(Debug)]
pub struct Flow {
    /// Start of the arrivals.
    begin: Nanos,
    /// Middle and end of the judged part.
    middle: Nanos,
    end: Nanos,
    judged_from: Nanos,
    last_due: Nanos,
    arrivals: u64,
    answered: u64,
    open_at_middle: i64,
    open_at_end: i64,
    latency: Histogram<u64>,
    lateness: Option<Lateness>,
    late: u64,
}

/// What is known about a step besides its verdicts.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// Whether arrivals continue however slow the service is (open load).
    pub is_open: bool,
    /// Whether the step was ended early because its objectives could no longer hold.
    pub cut_short: bool,
    /// Median latency at the lowest level, if known.
    pub calm_p50: Option<Nanos>,
}

impl Flow {
    /// No samples yet. Arrivals start at `begin`, are judged after `warmup`, and were planned to last for
    /// `planned`.
    pub fn new(begin: Nanos, warmup: Nanos, planned: Nanos, lateness: Option<Lateness>) -> Self {
        let judged_from = begin + warmup;
        let end = begin + planned;
        Self {
            begin,
            middle: Nanos(judged_from.0 + (end.0 - judged_from.0) / 2),
            end,
            judged_from,
            last_due: begin,
            arrivals: 0,
            answered: 0,
            open_at_middle: 0,
            open_at_end: 0,
            latency: latency_histogram(),
            lateness,
            late: 0,
        }
    }

    /// Counts a sample.
    pub fn add(&mut self, sample: &Sample) {
        let is_resent = sample.outcome == RequestOutcome::NoResponse(NoResponseReason::Resent);
        if sample.outcome == RequestOutcome::Dropped || is_resent || sample.intended < self.begin {
            return;
        }
        let is_open = |at: Nanos| i64::from(sample.intended <= at && at < sample.done);
        self.open_at_middle += is_open(self.middle);
        self.open_at_end += is_open(self.end);
        self.arrivals += u64::from(sample.intended > self.middle && sample.intended <= self.end);
        self.last_due = self.last_due.max(sample.intended);
        if matches!(sample.outcome, RequestOutcome::Status(_)) {
            self.answered += u64::from(sample.done <= self.end);
            if sample.intended >= self.judged_from {
                let latency = sample.latency_intended();
                count_latency(&mut self.latency, latency);
                self.late += u64::from(self.lateness.is_some_and(|lateness| latency > lateness.bound));
            }
        }
    }

    /// A quantile of the latency; `None` without a response.
    pub fn quantile(&self, q: f64) -> Option<Nanos> {
        (!self.latency.is_empty()).then(|| Nanos(self.latency.value_at_quantile(q) as i64))
    }

    /// Responses per second, until the load's planned or early end.
    pub fn responses_per_s(&self) -> f64 {
        let length = (self.last_due.min(self.end) - self.begin).as_secs_f64();
        if length > 0.0 { self.answered as f64 / length } else { 0.0 }
    }

    /// Whether more requests were late than the step allows, not counting the `touched` ones that a stall of
    /// the generator affected: then a step that was cut short has broken its objective, however few responses
    /// it has. If the generator itself was late, only what is later than its `slack` counts.
    fn is_too_late(&self, touched: u64, slack: Nanos) -> Option<String> {
        let Lateness { bound, allowed, .. } = self.lateness?;
        let (late, bound) = if slack == Nanos::ZERO {
            (self.late, bound.to_string())
        } else {
            let in_time = self.latency.count_between(0, (bound + slack).0.max(0).unsigned_abs());
            (self.latency.len() - in_time, format!("{bound} and the {slack} that the generator may add"))
        };
        (late.saturating_sub(touched) > allowed).then(|| {
            format!("{late} requests took longer than {bound}; of all that were planned, {allowed} may")
        })
    }

    /// Whether the requests in flight grew in the second half by more than 2 % of the arrivals and by more
    /// than three standard deviations of a Poisson count of them, so that chance does not explain it.
    fn fell_behind(&self) -> Option<String> {
        let grown = (self.open_at_end - self.open_at_middle) as f64;
        let arrivals = self.arrivals as f64;
        (grown > BEHIND * arrivals && grown > 3.0 * arrivals.sqrt()).then(|| {
            format!(
                "it fell behind: requests in flight grew from {} to {} over {} arrivals",
                self.open_at_middle, self.open_at_end, self.arrivals
            )
        })
    }
}

/// How the step ended, and why its objectives did not hold.
pub fn ending(report: &Report, flow: &Flow, context: Context) -> (Ending, Option<String>) {
    let first = |outcome: Outcome, of: &dyn Fn(&Verdict) -> bool| {
        report.verdicts.iter().find(|verdict| verdict.outcome == outcome && of(verdict))
    };
    let reported =
        |verdict: &Verdict| Some(format!("{} {}: {}", verdict.claim, verdict.subject, verdict.summary));
    // Expectations are about whole steps.
    let is_for_good = |verdict: &Verdict| !context.cut_short || verdict.claim != Claim::Expectation;
    if let Some(broken) = first(Outcome::Fail, &is_for_good) {
        return (Ending::Broke, reported(broken));
    }
    let generator = first(Outcome::Inconclusive, &|verdict| verdict.claim == Claim::Generator);
    // A busy worker reads responses as late as it sends requests.
    let is_late_itself = generator.is_some_and(|claim| !is_only_drops(claim));
    let slack = if is_late_itself { report.generator.slack() } else { Nanos::ZERO };
    if let Some(why) = flow.is_too_late(report.generator.touched, slack).filter(|_| context.cut_short) {
        return (Ending::Broke, Some(why));
    }
    if let Some(generator) = generator {
        return by_generator(generator, flow, context);
    }
    if context.cut_short {
        let why = "it was cut short, and too few requests were late to say that it broke";
        return (Ending::Unsure, Some(why.to_owned()));
    }
    if context.is_open
        && let Some(why) = flow.fell_behind()
    {
        return (Ending::Broke, Some(why));
    }
    match first(Outcome::Inconclusive, &|verdict| verdict.claim == Claim::Expectation) {
        Some(unsure) => (Ending::Unsure, reported(unsure)),
        None if report.verdicts.iter().any(|verdict| verdict.claim == Claim::Expectation) => {
            (Ending::Held, None)
        }
        None => (Ending::Unsure, Some("no objective could be judged".to_owned())),
    }
}

/// Arrivals dropped while the generator had time were waiting for users that waited for the service. So the
/// service is to blame, if it is slower than at low load.
fn by_generator(claim: &Verdict, flow: &Flow, context: Context) -> (Ending, Option<String>) {
    if !is_only_drops(claim) || !context.is_open {
        return (Ending::Generator, Some(claim.summary.clone()));
    }
    let is_slower = match (flow.quantile(0.5), context.calm_p50) {
        (Some(now), Some(calm)) => now.0 > calm.0.saturating_mul(2),
        _ => false,
    };
    if is_slower {
        let why = format!("it fell behind: all users were waiting for responses ({})", claim.summary);
        return (Ending::Broke, Some(why));
    }
    let why =
        format!("{}: all users were waiting, though not longer than ever; raise `max_users`", claim.summary);
    (Ending::Generator, Some(why))
}

/// A bound on the latency of all requests, and how many requests of a step may exceed it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lateness {
    /// The latency bound.
    pub bound: Nanos,
    /// With more than this many requests beyond the bound the quantile exceeds it, whatever the other
    /// requests take.
    pub allowed: u64,
    /// With more requests in flight than this, more than `allowed` are certain to exceed the bound: at most
    /// `rate · bound` of them can have arrived within the bound, and all others are late already.
    pub in_flight: u32,
}

/// The strictest bound on a quantile of all requests, for a step at an open `rate` that is judged for
/// `judged`. `None` without such a bound, and where the number of requests cannot be known beforehand: with
/// closed loads, or with retries.
pub fn strictest(scenario: &Scenario, rate: f64, judged: Nanos) -> Option<Lateness> {
    let is_unknown =
        |load: &Load| matches!(load.model, LoadModel::Closed { .. }) || load.retry == Retry::After;
    if scenario.loads.iter().any(is_unknown) {
        return None;
    }
    // Each iteration has at most as many requests as its journey has steps, including the start steps.
    let repeat = |step: &StepIndex| scenario.steps.get(*step).map_or(1, |step| step.turn.repeat);
    let requests = |journey: &Journey| journey.start.iter().chain(&journey.steps).map(repeat).sum::<u64>();
    let steps = scenario.journeys.iter().map(requests).max().unwrap_or(1).max(1) as f64;
    let bounds = scenario.expectations.iter().filter_map(|expectation| match expectation.measure {
        Measure::Quantile { q, from: LatencyFrom::Intended }
            if expectation.filter == Filter::default()
                && matches!(expectation.comparison, Comparison::Less | Comparison::AtMost) =>
        {
            let late = rate * steps * (1.0 - q) * judged.as_secs_f64();
            let within = rate * steps * expectation.bound / 1e9;
            let bound = Nanos(expectation.bound as i64);
            let (allowed, in_flight) = ((late - TINY).ceil() as u64, (late + within - TINY).ceil() as u32);
            Some(Lateness { bound, allowed, in_flight })
        }
        _ => None,
    });
    bounds.min_by_key(|bound| bound.in_flight)
}

#[cfg(test)]
mod tests;

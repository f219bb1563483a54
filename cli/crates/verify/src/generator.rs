//! Was the generator the bottleneck? Gathers its lateness, drops, CPU use and stalls: facts for every report,
//! and a claim if the generator monitored itself.
//!
//! The claim is Pass or Inconclusive, never Fail: a generator that could not keep up proves nothing about the
//! service.

mod balance;

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use balance::{Balance, Compared};

use super::{
    judged_from,
    verdict::{Claim, Evidence, Outcome, Verdict},
};
use crate::stall_attribution::{StallAttribution, StallExclusions};
use saasbench_model::units::Nanos;
use saasbench_record::{
    reader::RecordedRun,
    sample::{NotSentReason, RequestOutcome, Sample},
    tally::latency_histogram,
    usage::{ThreadTime, Usage, WORKER},
};

/// From this share of a processor on, a worker thread counts as busy: its next action has to wait.
const BUSY: f64 = 0.9;
/// A worker that was busy for a greater share of the load than this was the bottleneck.
const BUSY_ALLOWED: f64 = 0.1;
/// With a p99 of the lateness above this, the load was not the planned one: arrivals no longer fall into the
/// tenth of a second in which they were due.
const LATENESS_ALLOWED: Nanos = Nanos::from_millis(100);
/// Share of arrivals that may be dropped before the load no longer counts as the one that was planned.
pub(super) const DROPS_ALLOWED: f64 = 0.01;

/// Subject of the finding about dropped arrivals.
const ARRIVALS: &str = "arrivals";

/// The load generator's own lateness, dropped arrivals, stalls and CPU use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Generator {
    /// How late requests were sent, without those that a stall may have delayed; `null` if there is no other
    /// request.
    pub lateness: Option<Lateness>,
    /// Number of requests and arrivals affected by a stall, or by the backlog of one.
    pub touched: u64,
    /// Number of arrivals dropped because no user was idle.
    pub dropped: u64,
    /// Whether the generator recorded its own stalls and CPU use; if not, `stalls`, `workers` and
    /// `processors` state nothing.
    pub self_monitored: bool,
    /// Stalls of the generator's process.
    pub stalls: StallSum,
    /// CPU use of each worker thread during the load, sorted by name.
    pub workers: Vec<Worker>,
    /// Average number of processors that the process used during the load, embedded services included.
    pub processors: Option<f64>,
}

/// Time from when a request could have been sent to when it was sent, in nanoseconds, to three significant
/// digits (HdrHistogram).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lateness {
    /// Number of requests.
    pub requests: u64,
    /// Median.
    pub p50: Nanos,
    /// 99th percentile.
    pub p99: Nanos,
    /// Maximum.
    pub max: Nanos,
}

/// All stalls of the generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct StallSum {
    /// Number of stalls.
    pub count: u64,
    /// Sum of their durations, in nanoseconds.
    pub total_ns: Nanos,
    /// Duration of the longest stall, in nanoseconds.
    pub longest_ns: Nanos,
}

/// A generator that was the bottleneck.
#[derive(Debug, Clone, Copy)]
pub struct Bottleneck<'a> {
    /// Which of its bounds was reached.
    pub bound: &'a str,
    /// More than this it adds to no latency but those that a stall touched.
    pub slack: Nanos,
}

impl Generator {
    /// The greatest lateness outside stalls, but at least the allowed one: a busy worker reads responses as
    /// late as it sends requests.
    pub fn slack(&self) -> Nanos {
        self.lateness.map_or(LATENESS_ALLOWED, |lateness| lateness.max.max(LATENESS_ALLOWED))
    }
}

/// CPU use of one worker thread during the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Worker {
    /// Name of the thread.
    pub name: String,
    /// Fraction of a processor that it used, from 0 to 1.
    pub busy: f64,
    /// Fraction of the time in which it was runnable and waited for a processor.
    pub waited: f64,
    /// Fraction of the time in which it used at least 90 % of a processor.
    pub saturated: f64,
}

/// Gathers the facts, sample by sample.
#[derive(Debug)]
pub struct GeneratorCollector {
    /// Samples due earlier belong to the warm-up.
    judged_from: Nanos,
    lateness: Histogram<u64>,
    touched: u64,
    dropped: u64,
    /// Requests for which this machine had no port or file descriptor.
    exhausted: u64,
    sent: u64,
    balance: Balance,
}

impl GeneratorCollector {
    /// No samples yet. Samples due before `judged_from` are left out; `usage` is the self-monitor's record.
    pub fn new(judged_from: Nanos, usage: &[Usage]) -> Self {
        let (lateness, balance) = (latency_histogram(), Balance::new(usage));
        Self { judged_from, lateness, touched: 0, dropped: 0, exhausted: 0, sent: 0, balance }
    }

    /// Counts a sample with its stall attribution.
    pub fn add(&mut self, sample: &Sample, attribution: StallAttribution) {
        self.balance.add(sample);
        if sample.intended < self.judged_from {
            return;
        }
        self.touched += u64::from(attribution.touched);
        match sample.outcome {
            RequestOutcome::Dropped => self.dropped += 1,
            RequestOutcome::NotSent(NotSentReason::Exhausted) => self.exhausted += 1,
            RequestOutcome::NotSent(_) => {}
            RequestOutcome::Status(_) | RequestOutcome::NoResponse(_) => {
                self.sent += 1;
                if !attribution.delayed {
                    self.lateness.saturating_record(attribution.lateness.0.max(0).unsigned_abs());
                }
            }
        }
    }

    /// The facts, and the claim if the generator monitored itself.
    pub fn finish(&self, run: &RecordedRun, exclusions: &StallExclusions) -> (Generator, Option<Verdict>) {
        let (generator, claim) = self.reported(run, exclusions);
        let claim = generator.self_monitored.then_some(claim);
        (generator, claim)
    }

    /// The claim if it did not pass: why the measurement may be the generator's own. Works without
    /// self-monitoring, too.
    pub fn hindrance(&self, run: &RecordedRun, exclusions: &StallExclusions) -> Option<Verdict> {
        let (_, claim) = self.reported(run, exclusions);
        (claim.outcome != Outcome::Pass).then_some(claim)
    }

    fn reported(&self, run: &RecordedRun, exclusions: &StallExclusions) -> (Generator, Verdict) {
        let usage = while_loaded(run);
        let at = |q| Nanos(self.lateness.value_at_quantile(q) as i64);
        let stalls = exclusions.stalls().iter().fold(StallSum::default(), |sum, stall| StallSum {
            count: sum.count + 1,
            total_ns: sum.total_ns + stall.length(),
            longest_ns: sum.longest_ns.max(stall.length()),
        });
        let generator = Generator {
            lateness: (!self.lateness.is_empty()).then(|| Lateness {
                requests: self.lateness.len(),
                p50: at(0.5),
                p99: at(0.99),
                max: Nanos(self.lateness.max() as i64),
            }),
            touched: self.touched,
            dropped: self.dropped,
            self_monitored: !run.self_monitor.usage.is_empty(),
            stalls,
            workers: workers(usage),
            processors: usage
                .first()
                .zip(usage.last())
                .and_then(|(first, last)| share(last.cpu_ns - first.cpu_ns, last.at_ns - first.at_ns)),
        };
        // A run that was cut off lacks samples that the engine had counted.
        let balance = run.manifest.recorded.and_then(|_| self.balance.compare());
        let claim = self.judge(&generator, balance);
        (generator, claim)
    }

    fn judge(&self, generator: &Generator, balance: Option<Compared>) -> Verdict {
        let (dropped, arrivals) = (self.dropped, self.dropped + self.sent);
        let mut evidence = Vec::new();
        let mut finding = |kept: bool, subject: &str, expected: String, observed: String| {
            let outcome = if kept { Outcome::Pass } else { Outcome::Inconclusive };
            evidence.push(Evidence::new(outcome, subject, expected, observed));
        };
        for worker in &generator.workers {
            let Worker { name, busy, saturated, .. } = worker;
            finding(
                *saturated <= BUSY_ALLOWED,
                name,
                format!(
                    "{name} at {:.0} % of a processor for at most {:.0} % of the time",
                    BUSY * 100.0,
                    BUSY_ALLOWED * 100.0
                ),
                format!(
                    "{name} was at its limit for {:.0} % of the time ({:.0} % of a processor on average)",
                    saturated * 100.0,
                    busy * 100.0
                ),
            );
        }
        if arrivals > 0 {
            finding(
                dropped as f64 <= DROPS_ALLOWED * arrivals as f64,
                ARRIVALS,
                format!("at most {:.0} % of the arrivals dropped", DROPS_ALLOWED * 100.0),
                format!("{dropped} of {arrivals} arrivals were dropped"),
            );
        }
        if self.exhausted > 0 {
            let observed = format!("not sent, out of ports or file descriptors: {}", self.exhausted);
            finding(false, "connections", "a connection for every request".to_owned(), observed);
        }
        if let Some(Compared { agree, reported }) = balance {
            finding(
                agree,
                "requests in flight",
                "as many in the record as the engine counted".to_owned(),
                reported,
            );
        }
        if self.sent > 0 && generator.lateness.is_none() {
            let observed = "every request was sent during a stall or right after one".to_owned();
            finding(false, "lateness", "requests outside stalls".to_owned(), observed);
        }
        if let Some(Lateness { p99, .. }) = generator.lateness {
            finding(
                p99 <= LATENESS_ALLOWED,
                "lateness",
                format!("p99 of the lateness at most {LATENESS_ALLOWED}"),
                format!("requests were sent late: by {p99} at p99"),
            );
        }
        Verdict::from_evidence(Claim::Generator, "the load", evidence, |outcome, evidence| match outcome {
            Outcome::Pass => "the generator kept up".to_owned(),
            _ => evidence.first().map(|finding| finding.observed.clone()).unwrap_or_default(),
        })
    }
}

/// Whether the only findings against the generator are dropped arrivals: then it had time, and the users were
/// waiting for the service.
pub fn is_only_drops(claim: &Verdict) -> bool {
    let mut faults = claim.evidence.iter().filter(|found| found.outcome != Outcome::Pass);
    claim.outcome != Outcome::Pass && faults.all(|found| found.subject == ARRIVALS)
}

/// The self-monitor's records while the load ran.
fn while_loaded(run: &RecordedRun) -> &[Usage] {
    let usage = run.self_monitor.usage.as_slice();
    let Some(load) = run.manifest.load else { return usage };
    let begin = judged_from(run).max(load.start_ns);
    let from = usage.partition_point(|line| line.at_ns < begin);
    let to = usage.partition_point(|line| line.at_ns <= load.to_ns);
    usage.get(from..to).unwrap_or_default()
}

/// The use of processors by worker threads, from record to record.
fn workers(usage: &[Usage]) -> Vec<Worker> {
    let mut names: Vec<&String> =
        usage.iter().flat_map(|line| line.threads.keys()).filter(|name| name.starts_with(WORKER)).collect();
    names.sort_by_key(|name| (name.len(), name.as_str()));
    names.dedup();
    names.into_iter().filter_map(|name| worker(name, usage)).collect()
}

fn worker(name: &str, usage: &[Usage]) -> Option<Worker> {
    let (mut total, mut saturated, mut spent) = (Nanos::ZERO, Nanos::ZERO, ThreadTime::default());
    for pair in usage.windows(2) {
        let [before, after] = pair else { continue };
        let (Some(old), Some(new)) = (before.threads.get(name), after.threads.get(name)) else { continue };
        let (length, cpu) = (after.at_ns - before.at_ns, new.cpu_ns - old.cpu_ns);
        total = total + length;
        spent.cpu_ns = spent.cpu_ns + cpu;
        spent.waited_ns = spent.waited_ns + (new.waited_ns - old.waited_ns);
        if share(cpu, length).is_some_and(|share| share >= BUSY) {
            saturated = saturated + length;
        }
    }
    Some(Worker {
        name: name.to_owned(),
        busy: share(spent.cpu_ns, total)?,
        waited: share(spent.waited_ns, total)?,
        saturated: share(saturated, total)?,
    })
}

/// `part` as a share of `whole`; `None` if `whole` is zero.
fn share(part: Nanos, whole: Nanos) -> Option<f64> {
    (whole > Nanos::ZERO).then(|| part.0 as f64 / whole.0 as f64)
}

/// One line: `sent 45 µs late (p50), 380 µs (p99), 3.4 ms (max) · worker-0 34 % busy · 2 stalls`, and so on.
impl std::fmt::Display for Generator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.lateness {
            Some(Lateness { p50, p99, max, .. }) => {
                write!(f, "sent {p50} late (p50), {p99} (p99), {max} (max)")?;
            }
            None if self.touched > 0 => {
                f.write_str("every request was sent during a stall or right after one")?;
            }
            None => f.write_str("nothing sent")?,
        }
        if self.dropped > 0 {
            write!(f, " · {} dropped", self.dropped)?;
        }
        if !self.self_monitored {
            return f.write_str(" · stalls and processors not monitored");
        }
        if let Some(busiest) = self.workers.iter().max_by(|a, b| a.busy.total_cmp(&b.busy)) {
            write!(f, " · {} {:.0} % busy", busiest.name, busiest.busy * 100.0)?;
            if self.workers.len() > 1 {
                write!(f, ", the busiest of {}", self.workers.len())?;
            }
        }
        let StallSum { count, total_ns, .. } = self.stalls;
        match count {
            0 => f.write_str(" · no stalls"),
            1 => write!(f, " · a stall of {total_ns}, {} requests affected", self.touched),
            _ => write!(f, " · {count} stalls, {total_ns} together, {} requests affected", self.touched),
        }
    }
}

#[cfg(test)]
mod tests;

//! Is a run slower than its baseline? Compares recorded runs of one scenario, a new one with one or several
//! baselines, by tenant and step: latency quantiles, errors and successful responses, each with a confidence
//! interval; all reported changes hold together.
//!
//! `gather` reads a run in blocks of time; `interval` estimates the difference (`counts` for counted events);
//! `judge` decides; `rows` lists tenants and steps; `drops` handles arrivals that were dropped because all
//! users waited for the service; `differences` checks whether runs are comparable at all. docs/compare.md has
//! the argument, and the measured rate of false positives.

mod counts;
mod differences;
mod distribution;
mod drops;
mod gather;
mod interval;
mod judge;
mod rows;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use self::{
    gather::Measured,
    rows::{only_in_one, rows},
};
use super::verdict::Outcome;
use saasbench_model::units::Nanos;
use saasbench_record::{manifest::State, reader::RecordedRun, segment::SegmentError};

/// Version of the JSON comparison; incremented when readers have to change.
pub const COMPARISON_VERSION: u32 = 1;

/// From which instant latency is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// The instant that a request was due: waiting counts.
    Intended,
    /// The instant that it was sent.
    Sent,
}

/// What is asked of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Terms {
    /// From which instant latency is compared.
    pub clock: Clock,
    /// The least change that matters: of the median and of what is served; quantiles further out may change by more.
    pub tolerance: f64,
    /// A change of latency by no more than this never matters.
    pub floor_ns: Nanos,
    /// The least change of the share of errors that matters.
    pub error_tolerance: f64,
    /// The probability that any change is reported that is none; and that none is reported where there is one.
    pub doubt: f64,
    /// Whether runs of different scenarios are compared as far as that goes.
    pub force: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            clock: Clock::Intended,
            tolerance: 0.05,
            floor_ns: Nanos(100_000),
            error_tolerance: 0.005,
            doubt: 0.05,
            force: false,
        }
    }
}

/// A new run compared with its baselines.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Comparison {
    /// [`COMPARISON_VERSION`].
    pub version: u32,
    /// Name of the scenario.
    pub scenario: String,
    /// Directories of the baselines.
    pub baselines: Vec<String>,
    /// Directory of the new run.
    pub new: String,
    /// What was asked.
    pub terms: Terms,
    /// What else is different than the service, perhaps.
    pub warnings: Vec<String>,
    /// Of each run whose generator did not keep up: which, and why. Then all that could be said is unknown, as it may be the
    /// generator's own.
    pub generator: Vec<String>,
    /// Of each run in which arrivals were dropped though the generator had time, as all users waited for the service: which, and how
    /// many. Of the new run only that is reported then which got worse however the dropped ones would have gone; else all is unknown.
    pub waiting: Vec<String>,
    /// What of the load was not compared, if the new run came to an early end. Then nothing passes.
    pub cut_short: Option<String>,
    /// By tenant and step; those that got worse first.
    pub rows: Vec<Row>,
    /// Fail: something got worse. Inconclusive: whether something got worse cannot be said.
    pub outcome: Outcome,
}

/// One tenant's requests of one step.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Row {
    /// Tenant id.
    pub tenant: String,
    /// Journey name.
    pub journey: String,
    /// Step name.
    pub step: String,
    /// Requests after the warm-up, of all baselines.
    pub base_requests: u64,
    /// The same of the new run.
    pub new_requests: u64,
    /// Arrivals after the warm-up that the generator dropped, of all runs: neither requests nor errors.
    pub dropped: u64,
    /// Answers, of all runs, whose latency is not compared because the generator stood still as they were due or came.
    pub left_out: u64,
    /// What was compared.
    pub quantities: Vec<Quantity>,
}

/// One quantity of one row.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Quantity {
    /// `p50`, `p90`, `p99`, `errors` or `served`.
    pub name: &'static str,
    /// What the values are in.
    pub unit: Unit,
    /// The baselines' value, all of them taken together.
    pub base: Option<f64>,
    /// The new run's.
    pub new: Option<f64>,
    /// Relative change, if there was anything before; of errors the difference.
    pub change: Option<f64>,
    /// Where the true change lies at least … Of a change that is reported, with all others together; else by itself.
    pub low: Option<f64>,
    /// … and at most; `None` without a bound.
    pub high: Option<f64>,
    /// How much it may get worse by.
    pub tolerance: f64,
    /// What it came to.
    pub outcome: Change,
    /// Whether it is unknown because it got worse only by what the generator alone was late.
    pub by_lateness: bool,
    /// Where too little is known: about how many requests a run would do, if nothing has changed.
    pub needed: Option<u64>,
}

/// Units of a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Of latency.
    Seconds,
    /// Of requests.
    Share,
    /// Answers.
    PerSecond,
}

/// What a quantity came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Surely worse, by more than the tolerance.
    Worse,
    /// It may have got worse by more than the tolerance, or not.
    Unknown,
    /// Surely better, by more than the tolerance.
    Better,
    /// Surely not worse by more than the tolerance, and perhaps better.
    NoWorse,
    /// Surely changed by no more than the tolerance.
    Same,
    /// Too few requests to say anything, and nobody was promised that it would be said.
    TooFew,
}

/// Why runs cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// They are runs of different things.
    #[error("{new} cannot be compared with {base}:\n{}", .differences.join("\n"))]
    Different {
        /// The baseline.
        base: String,
        /// The new run.
        new: String,
        /// The differences, a line each.
        differences: Vec<String>,
    },
    /// No tenant and step has requests in both.
    #[error("{base} and {new} have no requests of the same tenant and step after the warm-up")]
    NothingInCommon {
        /// The baseline.
        base: String,
        /// The new run.
        new: String,
    },
    /// A segment cannot be read.
    #[error(transparent)]
    Segment(#[from] SegmentError),
}

/// Compares a run with one baseline or several.
///
/// # Errors
/// See [`CompareError`].
pub fn compare(
    baselines: &[RecordedRun],
    new: &RecordedRun,
    terms: Terms,
) -> Result<Comparison, CompareError> {
    let mut warnings = Vec::new();
    for base in baselines {
        let differences = differences::severe_differences(base, new);
        if !differences.is_empty() && !terms.force {
            let [base, new] = [base, new].map(name);
            return Err(CompareError::Different { base, new, differences });
        }
        warnings.extend(differences.into_iter().chain(differences::minor_differences(base, new)));
    }
    let mut seen = BTreeSet::new();
    warnings.retain(|warning| seen.insert(warning.clone()));
    let (measured, now) = measure(baselines, new)?;
    warnings.extend(baselines.iter().filter_map(|base| cut_short(base, &now)));
    warnings.extend(only_in_one(&measured, &now));
    let mut rows = rows(&measured, &now, terms);
    if rows.is_empty() {
        let base = baselines.first().map(name).unwrap_or_default();
        return Err(CompareError::NothingInCommon { base, new: name(new) });
    }
    let hindered = |only_drops: bool| {
        let runs = baselines.iter().zip(&measured).chain([(new, &now)]);
        let reported = runs.filter_map(|(run, measured)| {
            let unfit = measured.unfit.as_ref().filter(|unfit| unfit.only_drops == only_drops)?;
            Some(format!("{}: {}", name(run), unfit.why))
        });
        reported.collect::<Vec<_>>()
    };
    let (generator, waiting) = (hindered(false), hindered(true));
    if !generator.is_empty() || measured.iter().any(|base| base.unfit.is_some()) {
        rows.iter_mut().flat_map(|row| &mut row.quantities).for_each(Quantity::doubt);
    } else if !waiting.is_empty() {
        drops::retain_certain_rows(&mut rows, (&measured, &now), terms);
    }
    let cut_short = cut_short(new, &now);
    let outcome = outcome(&rows, cut_short.is_some());
    rows.sort_by_key(|row| row.quantities.iter().map(|quantity| quantity.outcome as u8).min());
    Ok(Comparison {
        version: COMPARISON_VERSION,
        scenario: new.scenario.name.clone(),
        baselines: baselines.iter().map(name).collect(),
        new: name(new),
        terms,
        warnings,
        generator,
        waiting,
        cut_short,
        rows,
        outcome,
    })
}

/// Which part of the load is not compared because a run ended early.
fn cut_short(run: &RecordedRun, now: &Measured) -> Option<String> {
    let ended = match run.manifest.state {
        State::Finished => return None,
        State::Running => "was cut off",
        State::Interrupted => "was interrupted",
        State::Aborted => "was ended early",
    };
    let compared = Nanos::from_secs_f64(now.seconds);
    Some(format!(
        "{} {ended}: only the first {compared} after the warm-up are compared, and nothing of the load after that",
        name(run)
    ))
}

fn name(run: &RecordedRun) -> String {
    run.dir.display().to_string()
}

/// Reads all runs. If one ended early, only the time that all of them cover is compared.
fn measure(baselines: &[RecordedRun], new: &RecordedRun) -> Result<(Vec<Measured>, Measured), SegmentError> {
    let all = || baselines.iter().chain([new]);
    let mut spans = all().map(gather::span).collect::<Result<Vec<_>, _>>()?;
    let least = spans.iter().flatten().map(|span| span.length).min();
    if let Some(length) = least.filter(|_| !all().all(gather::is_whole)) {
        spans.iter_mut().flatten().for_each(|span| *span = span.cut(length));
    }
    let mut measured =
        all().zip(spans).map(|(run, span)| gather::measure(run, span)).collect::<Result<Vec<_>, _>>()?;
    let now = measured.pop().unwrap_or_default();
    Ok((measured, now))
}

impl Row {
    /// Whether no quantity of the row could be judged.
    pub fn is_silent(&self) -> bool {
        self.quantities.iter().all(|quantity| quantity.outcome == Change::TooFew)
    }

    /// Whether one of its quantities keeps the comparison from passing. Too few requests decide nothing,
    /// unless the row has nothing else.
    pub fn is_undecided(&self, quantity: &Quantity) -> bool {
        quantity.outcome == Change::Unknown || quantity.outcome == Change::TooFew && self.is_silent()
    }
}

impl Quantity {
    /// Marks a judged quantity as unknown.
    fn doubt(&mut self) {
        if self.outcome != Change::TooFew {
            (self.outcome, self.needed) = (Change::Unknown, None);
        }
    }
}

/// The worst outcome of all. A row of which no quantity can be judged counts as unknown, and so does a load
/// that was not compared to its end.
fn outcome(rows: &[Row], cut_short: bool) -> Outcome {
    let all = || rows.iter().flat_map(|row| row.quantities.iter().map(move |quantity| (row, quantity)));
    if all().any(|(_, quantity)| quantity.outcome == Change::Worse) {
        Outcome::Fail
    } else if cut_short || all().any(|(row, quantity)| row.is_undecided(quantity)) {
        Outcome::Inconclusive
    } else {
        Outcome::Pass
    }
}

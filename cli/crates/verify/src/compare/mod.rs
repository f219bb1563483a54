//! Is a run slower than its baseline? Compares recorded runs of one scenario, a new one with one or several
//! baselines, by tenant and step: latency quantiles, errors and successful responses, each with a confidence
//! interval; all reported changes hold together.
//!
//! `gather` reads a run in blocks of time; `interval` estimates the difference (`counts` for counted events,
//! `variation` for how much it varies by chance); `judge` decides; `rows` lists tenants and steps; `drops`
//! handles arrivals that were dropped because all users waited for the service; `differences` checks whether
//! runs are comparable at all. docs/compare.md has the argument, and the measured rate of false positives.

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
mod variation;

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

/// The instant from which latency is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// When the request was due: time spent waiting in the generator counts.
    Intended,
    /// When the request was sent.
    Sent,
}

/// Settings of a comparison: tolerances and error probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Terms {
    /// The instant from which latency is measured.
    pub clock: Clock,
    /// Largest relative change of p50 and of `served` that is tolerated, as a fraction; 1.5 times this
    /// applies to p90, and twice this to p99.
    pub tolerance: f64,
    /// Change of a latency that is always tolerated, in nanoseconds.
    pub floor_ns: Nanos,
    /// Largest change of the error ratio that is tolerated, as a difference of fractions: 0.005 is half a
    /// percentage point.
    pub error_tolerance: f64,
    /// Probability that the comparison reports any change that is not real, over all rows together; and that
    /// a metric that did regress is called unchanged or not regressed.
    pub error_probability: f64,
    /// Whether runs of different scenarios are compared where they have tenants and steps in common.
    pub force: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            clock: Clock::Intended,
            tolerance: 0.05,
            floor_ns: Nanos(100_000),
            error_tolerance: 0.005,
            error_probability: 0.05,
            force: false,
        }
    }
}

/// A new run compared with one or more baselines.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Comparison {
    /// Version of this JSON format; incremented when readers have to change.
    pub version: u32,
    /// Name of the new run's scenario.
    pub scenario: String,
    /// Directories of the baseline runs.
    pub baselines: Vec<String>,
    /// Directory of the new run.
    pub new: String,
    /// Settings of the comparison.
    pub terms: Terms,
    /// Other differences between the runs that may explain a change: environment, machine, version and so on.
    pub warnings: Vec<String>,
    /// The runs whose generator did not keep up, with the reason. If there are any, every result is
    /// inconclusive, because the generator may have caused the change.
    pub generator: Vec<String>,
    /// The runs that dropped arrivals because all users were waiting for the service, with the number of
    /// dropped arrivals. If a baseline is among them, every result is inconclusive; otherwise a regression is
    /// reported only if it is certain whatever the dropped arrivals would have shown.
    pub waiting: Vec<String>,
    /// Which part of the load was not compared because the new run ended early; the outcome is then never
    /// `pass`.
    pub cut_short: Option<String>,
    /// One row per tenant and step, regressions first.
    pub rows: Vec<Row>,
    /// `fail`: something regressed. `inconclusive`: a regression cannot be ruled out. `pass`: there is no
    /// regression.
    pub outcome: Outcome,
}

/// The requests of one tenant and step.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Row {
    /// Id of the tenant.
    pub tenant: String,
    /// Name of the journey.
    pub journey: String,
    /// Name of the step.
    pub step: String,
    /// Number of requests after the warm-up, over all baselines.
    pub base_requests: u64,
    /// Number of requests after the warm-up, in the new run.
    pub new_requests: u64,
    /// Number of arrivals after the warm-up that the generator dropped, over all runs. They count neither as
    /// requests nor as errors.
    pub dropped: u64,
    /// Number of responses, over all runs, whose latency is excluded because they were due or completed
    /// during a stall of the generator.
    pub excluded: u64,
    /// The compared metrics.
    pub quantities: Vec<Quantity>,
}

/// One metric of a row: its values, the change with its confidence interval, and the result.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Quantity {
    /// Name of the metric: `p50`, `p90`, `p99`, `errors` (error ratio) or `served` (good responses per
    /// second).
    pub name: &'static str,
    /// Unit of `base` and `new`.
    pub unit: Unit,
    /// Value of the baselines, merged.
    pub base: Option<f64>,
    /// Value of the new run.
    pub new: Option<f64>,
    /// Relative change as a fraction; for `errors`, the difference of the two ratios. `null` if the baseline
    /// is zero.
    pub change: Option<f64>,
    /// Lower end of the confidence interval of `change`; `null` if unbounded. If `outcome` is `regressed` or
    /// `improved`, the interval is simultaneous over all rows; otherwise it is for this metric alone.
    pub low: Option<f64>,
    /// Upper end of the confidence interval of `change`; `null` if unbounded.
    pub high: Option<f64>,
    /// Tolerated change for the worse, in the unit of `change`.
    pub tolerance: f64,
    /// Result for this metric.
    pub outcome: Change,
    /// Whether it is inconclusive because it regressed only by the generator's own lateness.
    pub by_lateness: bool,
    /// If there are too few requests for a result: about how many a run would need, assuming no change.
    pub needed: Option<u64>,
}

/// Unit of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Latency in seconds.
    Seconds,
    /// Fraction of the requests, from 0 to 1.
    Share,
    /// Responses per second.
    PerSecond,
}

/// Result for one metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Worse by more than the tolerance, proven.
    Regressed,
    /// A regression beyond the tolerance can be neither proven nor excluded.
    Inconclusive,
    /// Better by more than the tolerance, proven.
    Improved,
    /// A regression beyond the tolerance is excluded; an improvement beyond it is possible.
    NotRegressed,
    /// Changed by no more than the tolerance in either direction, proven.
    Unchanged,
    /// Too few requests for any result. It does not affect the outcome, unless the row has no other result.
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
    warnings.extend(baselines.iter().chain([new]).flat_map(|run| {
        run.damage.iter().map(|damage| format!("the record of {} is damaged: {damage}", name(run)))
    }));
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
        rows.iter_mut().flat_map(|row| &mut row.quantities).for_each(Quantity::mark_inconclusive);
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
        quantity.outcome == Change::Inconclusive || quantity.outcome == Change::TooFew && self.is_silent()
    }
}

impl Quantity {
    /// Marks a judged quantity as inconclusive.
    fn mark_inconclusive(&mut self) {
        if self.outcome != Change::TooFew {
            (self.outcome, self.needed) = (Change::Inconclusive, None);
        }
    }
}

/// The worst outcome of all. A row of which no quantity can be judged counts as unknown, and so does a load
/// that was not compared to its end.
fn outcome(rows: &[Row], cut_short: bool) -> Outcome {
    let all = || rows.iter().flat_map(|row| row.quantities.iter().map(move |quantity| (row, quantity)));
    if all().any(|(_, quantity)| quantity.outcome == Change::Regressed) {
        Outcome::Fail
    } else if cut_short || all().any(|(row, quantity)| row.is_undecided(quantity)) {
        Outcome::Inconclusive
    } else {
        Outcome::Pass
    }
}

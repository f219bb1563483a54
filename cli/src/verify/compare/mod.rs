//! Is a run slower than the one before it? Two recorded runs of one scenario, or one and several baselines, by tenant and step:
//! quantiles of latency, errors and what was served, each with an interval, and all intervals of a comparison hold together.
//!
//! `gather` reads a run in blocks of time, `interval` says how far apart two are, `judge` what that comes to, `differences` whether
//! they can be compared at all. docs/compare.md has the argument, and how often it cries wolf.

mod differences;
mod distribution;
mod gather;
mod interval;
mod judge;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod tests;

use serde::Serialize;

use self::{
    gather::{Cell, Measured, RowName},
    interval::Pair,
    judge::Subject,
};
use super::verdict::Outcome;
use crate::{
    record::{reader::RecordedRun, segment::SegmentError},
    units::Nanos,
};

/// Version of the JSON about a comparison; it rises when a reader has to change.
pub const COMPARISON_VERSION: u32 = 1;

/// The quantiles that are compared, and how many times the tolerance each may change by: the further out, the more it varies.
const QUANTILES: [(&str, f64, f64); 3] = [("p50", 0.5, 1.0), ("p90", 0.9, 1.5), ("p99", 0.99, 2.0)];

/// From which instant latency is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// The instant that a request was due: waiting counts.
    Intended,
    /// The instant that it was sent.
    Sent,
}

/// What is asked of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Terms {
    /// From which instant latency is compared.
    pub clock: Clock,
    /// The least change that matters: of the median and of what is served; quantiles further out may change by more.
    pub tolerance: f64,
    /// A change of latency by no more than this never matters.
    pub floor_ns: Nanos,
    /// The least change of the share of errors that matters.
    pub error_tolerance: f64,
    /// The probability that anything said of the whole comparison is not so.
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

/// A new run held against its baselines.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    /// By tenant and step; those that got worse first.
    pub rows: Vec<Row>,
    /// Fail: something got worse. Inconclusive: whether something got worse cannot be said.
    pub outcome: Outcome,
}

/// One tenant's requests of one step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Tenant id.
    pub tenant: String,
    /// Journey name.
    pub journey: String,
    /// Step name.
    pub step: String,
    /// Requests and dropped arrivals after the warm-up, of all baselines.
    pub base_requests: u64,
    /// The same of the new run.
    pub new_requests: u64,
    /// Answers, of all runs, whose latency is not compared because the generator stood still as they were due or came.
    pub left_out: u64,
    /// What was compared.
    pub quantities: Vec<Quantity>,
}

/// One quantity of one row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Quantity {
    /// `p50`, `p90`, `p99`, `errors` or `served`.
    pub name: &'static str,
    /// What the values are in.
    pub unit: Unit,
    /// The baselines' value, all of them taken together.
    pub base: Option<f64>,
    /// The new run's.
    pub new: Option<f64>,
    /// Relative change; of errors the difference.
    pub change: Option<f64>,
    /// Where the true change lies at the least …
    pub low: Option<f64>,
    /// … and at the most.
    pub high: Option<f64>,
    /// How much it may get worse by.
    pub tolerance: f64,
    /// What it came to.
    pub outcome: Change,
    /// Where too little is known: about how many requests a run would do, if nothing has changed.
    pub needed: Option<u64>,
}

/// Units of a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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

/// Why runs are not compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// They are runs of different things.
    #[error("{new} cannot be compared with {base}:\n{}", .differences.join("\n"))]
    Different {
        /// The baseline.
        base: String,
        /// The new run.
        new: String,
        /// What is different, a line each.
        differences: Vec<String>,
    },
    /// No tenant and step had requests in both.
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

/// Holds a run against one baseline or several.
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
        let differences = differences::grave(base, new);
        if !differences.is_empty() && !terms.force {
            let [base, new] = [base, new].map(name);
            return Err(CompareError::Different { base, new, differences });
        }
        warnings.extend(differences.into_iter().chain(differences::slight(base, new)));
    }
    let mut seen = std::collections::BTreeSet::new();
    warnings.retain(|warning| seen.insert(warning.clone()));
    let measured: Result<Vec<Measured>, SegmentError> = baselines.iter().map(gather::measure).collect();
    let (measured, now) = (measured?, gather::measure(new)?);
    warnings.extend(only_in_one(&measured, &now));
    let mut rows = rows(&measured, &now, terms);
    if rows.is_empty() {
        let base = baselines.first().map(name).unwrap_or_default();
        return Err(CompareError::NothingInCommon { base, new: name(new) });
    }
    let outcome = outcome(&rows);
    rows.sort_by_key(|row| row.quantities.iter().map(|quantity| quantity.outcome as u8).min());
    Ok(Comparison {
        version: COMPARISON_VERSION,
        scenario: new.scenario.name.clone(),
        baselines: baselines.iter().map(name).collect(),
        new: name(new),
        terms,
        warnings,
        rows,
        outcome,
    })
}

fn name(run: &RecordedRun) -> String {
    run.dir.display().to_string()
}

/// All rows that the new run and every baseline have, judged together.
fn rows(baselines: &[Measured], new: &Measured, terms: Terms) -> Vec<Row> {
    let together: f64 = baselines.iter().map(|base| base.seconds).sum();
    let (mut rows, mut subjects) = (Vec::new(), Vec::new());
    for name in &new.order {
        let Some(now) = new.rows.get(name) else { continue };
        let of_bases: Vec<(&Cell, f64)> =
            baselines.iter().filter_map(|base| Some((base.rows.get(name)?, base.seconds))).collect();
        if of_bases.len() < baselines.len() {
            continue;
        }
        let cells: Vec<&Cell> = of_bases.iter().map(|(cell, _)| *cell).collect();
        let pooled = Cell::pooled(cells.iter().copied());
        let clock = terms.clock as usize;
        for (label, q, times) in QUANTILES {
            let pair = Pair::latency(&pooled, &cells, now, clock, q);
            subjects.push(Subject::latency(label, q, times * terms.tolerance, terms.floor_ns, pair));
        }
        subjects.push(Subject::errors(terms.error_tolerance, Pair::errors(&pooled, &cells, now)));
        let rate = Pair::rate((&pooled, together), &of_bases, (now, new.seconds));
        subjects.push(Subject::served(terms.tolerance, pooled.served().min(now.served()), rate));
        rows.push(row(name, &pooled, now));
    }
    let per_row = QUANTILES.len() + 2;
    let mut quantities = judge::judge(&subjects, terms.doubt).into_iter();
    for row in &mut rows {
        row.quantities = quantities.by_ref().take(per_row).collect();
    }
    rows
}

fn row(name: &RowName, base: &Cell, new: &Cell) -> Row {
    Row {
        tenant: name.tenant.clone(),
        journey: name.journey.clone(),
        step: name.step.clone(),
        base_requests: base.requests(),
        new_requests: new.requests(),
        left_out: base.touched + new.touched,
        quantities: Vec::new(),
    }
}

/// Rows that some runs have and others have not.
fn only_in_one(baselines: &[Measured], new: &Measured) -> Vec<String> {
    let everywhere = |name: &RowName| baselines.iter().all(|base| base.rows.contains_key(name));
    let missing_before = new.order.iter().filter(|name| !everywhere(name)).count();
    let gone: std::collections::BTreeSet<&RowName> =
        baselines.iter().flat_map(|base| &base.order).filter(|name| !new.rows.contains_key(name)).collect();
    let told = |count: usize, whose: &str| {
        let rows = if count == 1 { "tenant and step has" } else { "tenants and steps have" };
        (count > 0).then(|| format!("{count} {rows} no requests in {whose}, and cannot be compared"))
    };
    told(missing_before, "a baseline").into_iter().chain(told(gone.len(), "the new run")).collect()
}

/// The worst of all. A row of which nothing at all can be said counts as unknown.
fn outcome(rows: &[Row]) -> Outcome {
    let all = || rows.iter().flat_map(|row| &row.quantities).map(|quantity| quantity.outcome);
    let is_silent = |row: &Row| row.quantities.iter().all(|quantity| quantity.outcome == Change::TooFew);
    if all().any(|change| change == Change::Worse) {
        Outcome::Fail
    } else if all().any(|change| change == Change::Unknown) || rows.iter().any(is_silent) {
        Outcome::Inconclusive
    } else {
        Outcome::Pass
    }
}

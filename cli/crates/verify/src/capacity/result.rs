//! The report of a capacity search: the capacity for each number of replicas, what limits it, and how it
//! scales.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    knee::{self, knee},
    scaling::{self, Estimate, Fit, FitError, Point},
    search::{Bracket, End},
    step::{Ending, Step},
};
use crate::verdict::Outcome;
use saasbench_model::{scenario::capacity::By, units::Nanos};

/// Version of the JSON report; incremented when readers have to change.
pub const VERSION: u32 = 1;
/// File name of the report in the search's directory.
pub const FILE: &str = "capacity.json";
/// Subdirectory that holds the recorded runs of the steps.
pub const STEPS: &str = "steps";
/// Standard deviations to each side of an interval: each end is wrong with a probability of at most 5 %, so
/// it is a 90 % interval.
const DEVIATIONS: f64 = 1.645;
/// From this share of the processors on, the machine counts as full.
const FULL: f64 = 0.9;

/// The report of `saasbench capacity`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CapacityReport {
    /// Version of this JSON format; incremented when readers have to change.
    pub version: u32,
    /// Name of the scenario.
    pub scenario: String,
    /// Name of the environment.
    pub environment: String,
    /// Start of the search, as nanoseconds since the Unix epoch.
    pub started_unix_ns: i64,
    /// Directory of the search, which contains the recorded runs of its steps.
    pub directory: String,
    /// What the search raises: the rate or the number of users.
    pub by: By,
    /// The objectives that a level has to keep.
    pub objectives: Vec<String>,
    /// Requested width of the capacity's interval, as a fraction of its level.
    pub precision: f64,
    /// Results by number of replicas.
    pub counts: Vec<Count>,
    /// The Universal Scalability Law fitted to the capacities; `null` if it could not be fitted.
    pub scaling: Option<Scaling>,
    /// Why no law was fitted, or why it has to be read with caution.
    pub scaling_note: Option<String>,
    /// The required capacity, `--at-least`.
    pub at_least: Option<f64>,
    /// The number of replicas that `at_least` applies to: the greatest that was searched.
    #[serde(default)]
    pub at_least_with: Option<usize>,
    /// `pass`: the capacity was found, and is not below `at_least`. `fail`: the objectives break at the
    /// lowest level, or the capacity is certainly below `at_least`.
    pub outcome: Outcome,
    /// Whether the user interrupted the search.
    pub interrupted: bool,
    /// The error that ended the search early, such as a full disk or an unreachable service.
    pub failure: Option<String>,
}

/// The capacity with one number of replicas.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Count {
    /// Number of replicas.
    pub replicas: usize,
    /// The level at which the objectives hold half of the time, in the interval from `held` to `broke`;
    /// `null` if either is unknown.
    pub capacity: Option<Estimate>,
    /// Whether both ends of the interval are certain (binomial test at 5 % each).
    pub sure: bool,
    /// Highest level at which the objectives hold.
    pub held: Option<f64>,
    /// Whether `held` is certain.
    pub held_is_sure: bool,
    /// Lowest level at which the service breaks the objectives.
    pub broke: Option<f64>,
    /// Whether `broke` is certain.
    pub broke_is_sure: bool,
    /// Whether at least 90 % of the machine's processors, shared by service and generator, were busy at
    /// `broke`.
    pub machine_is_full: bool,
    /// What limits the capacity.
    pub limit: Limit,
    /// Details of the limit, such as the claim that failed; may be empty.
    pub why: String,
    /// The knee: the level from which on p99 stays above twice its value at the lowest level.
    pub knee: Option<f64>,
    /// The steps, in the order in which they ran.
    pub steps: Vec<Step>,
    /// Duration of the search with this number of replicas, in nanoseconds.
    pub took_ns: Nanos,
}

/// What limits the capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// The service.
    Service,
    /// The processors that service and generator share.
    Machine,
    /// The generator: the capacity is higher than what was measured.
    Generator,
    /// The time budget of the search was used up.
    Budget,
    /// The highest permitted level was kept.
    Most,
    /// The objectives break even at the lowest level.
    Lowest,
    /// The user interrupted the search.
    Interrupted,
    /// The search ended with an error.
    Failure,
}

/// Why a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// The search finished by itself.
    Search(End),
    /// The time budget was used up.
    Budget,
    /// Ctrl-C.
    Interrupted,
    /// An error ended it.
    Failed,
}

/// Parameters and predictions of the Universal Scalability Law.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scaling {
    /// λ: throughput of one replica.
    pub lambda: Estimate,
    /// σ: contention, the fraction of the work that is serialised.
    pub sigma: Estimate,
    /// κ: coherency, the cost of coordination per pair of replicas.
    pub kappa: Estimate,
    /// The number of replicas that the prediction is for: one more than was measured.
    pub next: usize,
    /// Predicted capacity with `next` replicas.
    pub next_capacity: Estimate,
    /// Predicted capacity that the next replica adds.
    pub next_gain: Estimate,
    /// The number of replicas with the highest predicted capacity; `null` if it grows without bound.
    pub peak: Estimate,
}

impl Count {
    /// Summarises a search. `share` says whether service and generator share this machine's processors and we
    /// started both.
    pub fn new(
        replicas: usize,
        steps: Vec<Step>,
        bracket: Bracket,
        stopped: Stopped,
        share: bool,
        took: Nanos,
    ) -> Self {
        let full = full_machine(&steps, bracket.broke).filter(|_| share);
        let (limit, why) = limit(&steps, bracket, stopped, full);
        let broke = bracket.broke.filter(|_| !bracket.is_spoiled);
        let capacity = |(low, high): (f64, f64)| {
            let middle = bracket.middle.unwrap_or((low * high).sqrt());
            Estimate { value: middle.clamp(low, high), low, high }
        };
        Self {
            replicas,
            capacity: bracket.held.zip(broke).map(capacity),
            sure: bracket.held_is_sure && bracket.broke_is_sure,
            held: bracket.held,
            held_is_sure: bracket.held_is_sure,
            broke,
            broke_is_sure: bracket.broke_is_sure,
            machine_is_full: full.is_some(),
            limit,
            why,
            knee: knee(&curve(&steps)),
            steps,
            took_ns: took,
        }
    }

    fn outcome(&self) -> Outcome {
        match self.limit {
            Limit::Lowest if self.broke_is_sure => Outcome::Fail,
            Limit::Service | Limit::Machine if self.capacity.is_some() && self.sure => Outcome::Pass,
            _ => Outcome::Inconclusive,
        }
    }

    /// Whether the capacity is proven to be at least `least` (Pass), proven to be less (Fail), or neither. A
    /// full machine proves nothing about the service on another one.
    fn reaches(&self, least: f64) -> Outcome {
        let breaks_surely = self.broke_is_sure && !self.machine_is_full;
        match (self.held, self.broke) {
            (Some(held), _) if held >= least && self.held_is_sure => Outcome::Pass,
            (_, Some(broke)) if broke <= least && breaks_surely => Outcome::Fail,
            _ => Outcome::Inconclusive,
        }
    }
}

/// p99 by level, from all steps that measured the service.
pub fn curve(steps: &[Step]) -> Vec<knee::Point> {
    let measured = steps.iter().filter(|step| matches!(step.ending, Ending::Held | Ending::Broke));
    let mut points: Vec<knee::Point> =
        measured.filter_map(|step| Some(knee::Point { level: step.level, p99: step.p99? })).collect();
    points.sort_by(|a, b| a.level.total_cmp(&b.level));
    points
}

fn limit(steps: &[Step], bracket: Bracket, stopped: Stopped, full: Option<f64>) -> (Limit, String) {
    let at = |level: Option<f64>| {
        let beyond = move |step: &&Step| level.is_some_and(|level| step.level >= level);
        steps.iter().filter(beyond).filter(|step| step.ending != Ending::Held)
    };
    let said = |ending: Ending| {
        let found = at(bracket.broke).filter(|step| step.ending == ending);
        found.min_by(|a, b| a.level.total_cmp(&b.level)).and_then(|step| step.why.clone()).unwrap_or_default()
    };
    match stopped {
        Stopped::Interrupted => return (Limit::Interrupted, String::new()),
        Stopped::Failed => return (Limit::Failure, String::new()),
        _ if bracket.is_spoiled => {
            let all = [Ending::Generator, Ending::Unsure].map(said);
            let why = all.into_iter().find(|why| !why.is_empty());
            return (Limit::Generator, why.unwrap_or_default());
        }
        Stopped::Search(End::HeldAtMost) => return (Limit::Most, String::new()),
        // If the last step was too short to judge, there was no time for one that is long enough.
        Stopped::Budget => {
            let last = steps.last().filter(|step| step.ending == Ending::Unsure);
            return (Limit::Budget, last.and_then(|step| step.why.clone()).unwrap_or_default());
        }
        Stopped::Search(End::Found | End::BrokenAtLeast) => {}
    }
    let broke = said(Ending::Broke);
    if let Some(busy) = full {
        let busy = busy * 100.0;
        let why = format!(
            "this machine's processors were {busy:.0} % busy, shared by the service and the generator: {broke}"
        );
        return (Limit::Machine, why);
    }
    let is_lowest = stopped == Stopped::Search(End::BrokenAtLeast);
    (if is_lowest { Limit::Lowest } else { Limit::Service }, broke)
}

/// How busy this machine was in its busiest step that did not hold at `level`, if it counts as full.
fn full_machine(steps: &[Step], level: Option<f64>) -> Option<f64> {
    let near = steps.iter().filter(|step| Some(step.level) == level && step.ending != Ending::Held);
    Some(near.filter_map(|step| step.machine_busy).fold(0.0, f64::max)).filter(|busiest| *busiest >= FULL)
}

impl CapacityReport {
    /// Fits the scaling law if there are enough capacities, and sets the outcome. `is_whole` says whether
    /// every number of replicas was searched to its end; the last may have been cut off.
    #[must_use]
    pub fn concluded(mut self, is_whole: bool) -> Self {
        if self.counts.len() > 1 {
            match self.law() {
                Ok(law) => self.scaling = Some(scaling(&law, &self.counts)),
                Err(error) => self.scaling_note = Some(error.to_string()),
            }
            if self.scaling.is_some() && self.counts.iter().any(|count| count.limit == Limit::Machine) {
                let note = "some capacities are limited by this machine, which replicas and generator share: the law describes \
                            how this machine scales, not how the service would on others";
                self.scaling_note = Some(note.to_owned());
            }
        }
        let gated = self
            .at_least_with
            .map_or(self.counts.last(), |with| self.counts.iter().find(|count| count.replicas == with));
        let worst = self.counts.iter().map(Count::outcome).max();
        self.outcome = match (self.at_least, gated) {
            (None, _) if worst == Some(Outcome::Fail) || is_whole => worst.unwrap_or(Outcome::Inconclusive),
            (Some(least), Some(gated)) if is_whole => gated.reaches(least),
            _ => Outcome::Inconclusive,
        };
        self
    }

    /// The scaling law through the capacities that are certain.
    ///
    /// # Errors
    /// When there are too few of them.
    pub fn law(&self) -> Result<Fit, FitError> {
        scaling::fit(&points(&self.counts))
    }
}

/// The points that the law is fitted to: only certain capacities.
fn points(counts: &[Count]) -> Vec<Point> {
    let known =
        counts.iter().filter(|count| matches!(count.limit, Limit::Service | Limit::Machine) && count.sure);
    known
        .filter_map(|count| {
            let Estimate { value, low, high } = count.capacity?;
            let deviation = (high / low).ln() / 2.0 / DEVIATIONS;
            let replicas = u32::try_from(count.replicas).ok()?;
            Some(Point { replicas, throughput: value, deviation: Some(deviation) })
        })
        .collect()
}

fn scaling(law: &Fit, counts: &[Count]) -> Scaling {
    let most = points(counts).iter().map(|point| point.replicas).max().unwrap_or(1);
    Scaling {
        lambda: law.lambda(),
        sigma: law.sigma(),
        kappa: law.kappa(),
        next: most as usize + 1,
        next_capacity: law.throughput(most + 1),
        next_gain: law.gain(most),
        peak: law.peak(),
    }
}

#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

//! What a search comes to: the capacity of each number of replicas, what limits it, and how it scales.

use serde::Serialize;

use super::{
    knee::{self, knee},
    scaling::{self, Estimate, Point},
    search::{Bracket, End},
    step::{Ending, Step},
};
use crate::{scenario::capacity::By, units::Nanos, verify::verdict::Outcome};

/// Version of this JSON; it rises when a reader has to change.
pub const VERSION: u32 = 1;
/// Ends of the interval are each off by at most 5 %, so that it is one of 90 %: so many standard deviations to each side.
const DEVIATIONS: f64 = 1.645;
/// From this share of the processors on, the machine is called full.
const FULL: f64 = 0.9;

/// The report of `saasbench capacity`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CapacityReport {
    /// [`VERSION`].
    pub version: u32,
    /// Name of the scenario.
    pub scenario: String,
    /// The environment's name.
    pub environment: String,
    /// Where the runs of its steps are.
    pub directory: String,
    /// What was raised.
    pub by: By,
    /// What had to hold.
    pub objectives: Vec<String>,
    /// How far the ends of an interval were to lie apart, as a share.
    pub precision: f64,
    /// By number of replicas.
    pub counts: Vec<Count>,
    /// The Universal Scalability Law through them.
    pub scaling: Option<Scaling>,
    /// Why there is no law, or what speaks against it.
    pub scaling_note: Option<String>,
    /// `--at-least`.
    pub at_least: Option<f64>,
    /// `Pass`: found, and as much as was asked for. `Fail`: broken at the lowest level, or surely less.
    pub outcome: Outcome,
    /// Whether the user has interrupted it.
    pub interrupted: bool,
}

/// The capacity with a number of replicas.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Count {
    /// How many replicas.
    pub replicas: usize,
    /// The capacity, if both ends are known: the geometric mean of the interval's ends.
    pub capacity: Option<Estimate>,
    /// Whether both ends are sure: `binomial test, 5 % each`.
    pub sure: bool,
    /// The highest level at which the objectives are taken to hold.
    pub held: Option<f64>,
    /// The lowest level at which they are taken to break.
    pub broke: Option<f64>,
    /// What keeps the capacity from being higher.
    pub limit: Limit,
    /// What was said where it broke; empty where nothing broke.
    pub why: String,
    /// Where p99 has doubled for good.
    pub knee: Option<f64>,
    /// The steps in their order.
    pub steps: Vec<Step>,
    /// How long it took.
    pub took_ns: Nanos,
}

/// What limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// The service.
    Service,
    /// The processors that service and generator share.
    Machine,
    /// The generator: the capacity is higher.
    Generator,
    /// The time that the search was given.
    Budget,
    /// The highest level that might be tried.
    Most,
    /// The objectives break at the lowest level.
    Lowest,
    /// Ctrl-C.
    Interrupted,
}

/// How a search came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Enough was known.
    Search(End),
    /// Its time was up.
    Budget,
    /// Ctrl-C.
    Interrupted,
}

/// What more replicas bring.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scaling {
    /// What one replica serves.
    pub lambda: Estimate,
    /// Contention.
    pub sigma: Estimate,
    /// Coherency.
    pub kappa: Estimate,
    /// The next number of replicas.
    pub next: usize,
    /// What they would serve.
    pub next_capacity: Estimate,
    /// What the next replica would add.
    pub next_gain: Estimate,
    /// With how many replicas most is served; `null` where nothing speaks against more.
    pub peak: Estimate,
}

impl Count {
    /// Sums up a search. Service and generator `share` the processors if they run on one machine and we started both.
    pub fn new(
        replicas: usize,
        steps: Vec<Step>,
        bracket: Bracket,
        stopped: Stopped,
        share: bool,
        took: Nanos,
    ) -> Self {
        let (limit, why) = limit(&steps, bracket, stopped, share);
        let ends = bracket.held.zip(bracket.broke).filter(|_| limit != Limit::Generator);
        Self {
            replicas,
            capacity: ends.map(|(low, high)| Estimate { value: (low * high).sqrt(), low, high }),
            sure: bracket.held_is_sure && bracket.broke_is_sure,
            held: bracket.held,
            broke: bracket.broke,
            limit,
            why,
            knee: knee(&curve(&steps)),
            steps,
            took_ns: took,
        }
    }

    fn outcome(&self) -> Outcome {
        match self.limit {
            Limit::Lowest => Outcome::Fail,
            Limit::Service | Limit::Machine if self.capacity.is_some() => Outcome::Pass,
            _ => Outcome::Inconclusive,
        }
    }
}

/// p99 by level, of all steps that measured the service.
pub fn curve(steps: &[Step]) -> Vec<knee::Point> {
    let measured = steps.iter().filter(|step| matches!(step.ending, Ending::Held | Ending::Broke));
    let mut points: Vec<knee::Point> =
        measured.filter_map(|step| Some(knee::Point { level: step.level, p99: step.p99? })).collect();
    points.sort_by(|a, b| a.level.total_cmp(&b.level));
    points
}

fn limit(steps: &[Step], bracket: Bracket, stopped: Stopped, share: bool) -> (Limit, String) {
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
        Stopped::Search(End::BrokenAtLeast) => return (Limit::Lowest, said(Ending::Broke)),
        Stopped::Search(End::HeldAtMost) => {
            return (Limit::Most, String::new());
        }
        Stopped::Budget | Stopped::Search(End::Found) => {}
    }
    let near = || at(bracket.broke).filter(|step| bracket.broke == Some(step.level));
    let of_generator =
        near().filter(|step| matches!(step.ending, Ending::Generator | Ending::Unsure)).count();
    if of_generator * 2 > near().count() {
        let why = [said(Ending::Generator), said(Ending::Unsure)].into_iter().find(|why| !why.is_empty());
        return (Limit::Generator, why.unwrap_or_default());
    }
    if stopped == Stopped::Budget {
        return (Limit::Budget, String::new());
    }
    let busiest = near().filter_map(|step| step.machine_busy).fold(0.0, f64::max);
    if share && busiest >= FULL {
        let why = format!(
            "this machine's processors were {:.0} % busy, with the service and the generator on them: {}",
            busiest * 100.0,
            said(Ending::Broke)
        );
        return (Limit::Machine, why);
    }
    (Limit::Service, said(Ending::Broke))
}

impl CapacityReport {
    /// Fits the law, where there are capacities enough, and decides.
    #[must_use]
    pub fn concluded(mut self) -> Self {
        if self.counts.len() > 1 {
            match scale(&self.counts) {
                Ok(scaling) => self.scaling = Some(scaling),
                Err(error) => self.scaling_note = Some(error.to_string()),
            }
            if self.scaling.is_some() && self.counts.iter().any(|count| count.limit == Limit::Machine) {
                let note = "some capacities are limited by this machine, which replicas and generator share: the law tells \
                            how this machine scales, not how the service would on others";
                self.scaling_note = Some(note.to_owned());
            }
        }
        self.outcome = match (self.at_least, self.counts.last()) {
            (_, None) => Outcome::Inconclusive,
            (None, Some(_)) => {
                let worst = self.counts.iter().map(Count::outcome).max();
                worst.unwrap_or(Outcome::Inconclusive)
            }
            (Some(least), Some(last)) => last.reaches(least),
        };
        self
    }
}

impl Count {
    /// Whether the capacity surely is so much, surely is not, or neither.
    fn reaches(&self, least: f64) -> Outcome {
        let (held, broke) = (self.held, self.broke.filter(|_| self.limit != Limit::Generator));
        if self.limit == Limit::Lowest && broke.is_some_and(|broke| broke <= least) {
            return Outcome::Fail;
        }
        match (held, broke) {
            (Some(held), _) if held >= least && self.held_sure() => Outcome::Pass,
            (_, Some(broke)) if broke <= least && self.sure => Outcome::Fail,
            _ => Outcome::Inconclusive,
        }
    }

    /// Whether the lower end is sure: five of five steps at it, or more.
    fn held_sure(&self) -> bool {
        let at = |ending: Ending| {
            let same =
                self.steps.iter().filter(|step| Some(step.level) == self.held && step.ending == ending);
            u32::try_from(same.count()).unwrap_or(u32::MAX)
        };
        let held = at(Ending::Held);
        super::search::is_sure(held, held + at(Ending::Broke) + at(Ending::Generator))
    }
}

fn scale(counts: &[Count]) -> Result<Scaling, scaling::FitError> {
    let known = counts.iter().filter(|count| matches!(count.limit, Limit::Service | Limit::Machine));
    let points: Vec<Point> = known
        .filter_map(|count| {
            let Estimate { value, low, high } = count.capacity?;
            let deviation = (high / low).ln() / 2.0 / DEVIATIONS;
            let replicas = u32::try_from(count.replicas).ok()?;
            Some(Point { replicas, throughput: value, deviation: Some(deviation) })
        })
        .collect();
    let fit = scaling::fit(&points)?;
    let most = points.iter().map(|point| point.replicas).max().unwrap_or(1);
    Ok(Scaling {
        lambda: fit.lambda(),
        sigma: fit.sigma(),
        kappa: fit.kappa(),
        next: most as usize + 1,
        next_capacity: fit.throughput(most + 1),
        next_gain: fit.gain(most),
        peak: fit.peak(),
    })
}

#[cfg(test)]
pub(crate) mod tests;

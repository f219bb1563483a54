//! What the user or the run itself did in the middle of a run: changes of pace by hand, and an abort.

use std::fmt;

use serde::{Deserialize, Serialize};

use saasbench_model::{plan::time::PlanTime, units::Nanos};

/// Something that changed a run's course. Instants are on the run's clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The load was paused, resumed, or made larger or smaller by hand.
    PaceChanged(PaceChange),
    /// The load was ended early: an expectation with `abort_on_fail = true` could not be met any more.
    Aborted {
        /// When.
        at_ns: Nanos,
        /// The expectation, and what it was broken by.
        reason: String,
    },
}

/// A change of pace by hand.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PaceChange {
    /// When, on the run's clock.
    pub at_ns: Nanos,
    /// The pace until then.
    pub from: Pace,
    /// The pace from then on.
    pub to: Pace,
}

/// How a load deviates from its plan.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// Whether no request starts.
    pub paused: bool,
    /// What the planned rates and numbers of users are multiplied by.
    pub factor: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { paused: false, factor: 1.0 }
    }
}

impl Event {
    /// When it happened.
    pub fn at(&self) -> Nanos {
        match self {
            Self::PaceChanged(change) => change.at_ns,
            Self::Aborted { at_ns, .. } => *at_ns,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PaceChanged(change) => change.fmt(f),
            Self::Aborted { reason, .. } => write!(f, "aborted: {reason}"),
        }
    }
}

impl fmt::Display for PaceChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.from.paused, self.to.paused) {
            (false, true) => f.write_str("paused"),
            (true, false) => f.write_str("resumed"),
            _ => write!(f, "at {:.0} % of the plan", self.to.factor * 100.0),
        }
    }
}

/// The plan's time of a load that starts at `start`: it stands still while the load is paused.
pub fn plan_time(changes: &[PaceChange], start: Nanos) -> PlanTime {
    PlanTime::new(start, changes.iter().map(PaceChange::pause))
}

impl PaceChange {
    /// Whether the load is paused from its instant on.
    pub(crate) fn pause(&self) -> (Nanos, bool) {
        (self.at_ns, self.to.paused)
    }
}

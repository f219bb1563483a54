//! `[capacity]`: defaults for the options of `saasbench capacity`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Nanos;

/// What a capacity search raises until the objectives break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// Iterations per second, of all open loads together
    Rate,
    /// Users, of all closed loads together
    Users,
}

/// Settings of the capacity search; every key is optional.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Capacity {
    /// `by`: what is raised.
    pub by: Option<By>,
    /// `start`: the first and lowest level.
    pub start: Option<f64>,
    /// `max`: the highest level to try.
    pub max: Option<f64>,
    /// `step_duration`: how long a step is judged, at least.
    pub step_duration: Option<Nanos>,
    /// `settle`: pause after a step that broke the objectives.
    pub settle: Option<Nanos>,
    /// `replicas`: numbers of replicas whose capacities are searched; empty for the environment's own.
    pub replicas: Vec<usize>,
    /// `precision`: how far apart the ends of the interval may be, as a share.
    pub precision: Option<f64>,
    /// `budget`: the longest that the search may take.
    pub budget: Option<Nanos>,
}

/// Parses a percentage: `5%`.
///
/// # Errors
/// If it is not between 0.1 % and 50 %.
pub fn precision(text: &str) -> Result<f64, String> {
    let share = text.trim().strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    share
        .map(|percent| percent / 100.0)
        .filter(|share| (0.001..=0.5).contains(share))
        .ok_or_else(|| "a precision is a percentage from 0.1% to 50%, such as 5%".to_owned())
}

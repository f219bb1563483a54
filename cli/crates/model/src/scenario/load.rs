//! `[[load]]`, resolved: which tenants run which journeys, how many users or arrivals when, and how they
//! behave.

use super::{JourneyIndex, TenantIndex};
use crate::units::{Nanos, Rate};

/// How many users or arrivals, of which tenants, run which journeys, for how long.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// Its tenants; user `i` (or arrival `i`) belongs to tenant `i mod n`. Never empty; default all tenants.
    pub tenants: Vec<TenantIndex>,
    /// Its journeys with their weights; never empty. Each user (or arrival) runs one of them, drawn for its
    /// number.
    pub journeys: Vec<(JourneyIndex, u64)>,
    /// Open or closed.
    pub model: LoadModel,
    /// `after = "5s"`: when it starts, from the start of the load phase; default 0.
    pub after: Nanos,
    /// For how long it starts iterations; the sum of its stages.
    pub duration: Nanos,
    /// `stop = "30s"`: for how long after that a running iteration may start further steps; `None` (the
    /// default): until it is complete.
    pub stop: Option<Nanos>,
    /// At most this many iterations, shared among all its users; `None` for no bound.
    pub iterations: Option<u64>,
    /// Which replica a request goes to.
    pub routing: Routing,
    /// What its users do when a limit rejects a request.
    pub retry: Retry,
}

/// What drives a load.
#[derive(Debug, Clone, PartialEq)]
pub enum LoadModel {
    /// Open: iterations arrive at a rate (`rate = "200/s"`), however slow the service is.
    Open {
        /// Iterations per second over time; never empty.
        rate: Vec<Stage>,
        /// Spacing of the arrivals.
        spacing: Spacing,
        /// `max_users`, default 1,000: with all of them busy, an arrival is dropped and counted.
        max_users: usize,
    },
    /// Closed: users wait for their responses.
    Closed {
        /// Number of users over time; never empty.
        users: Vec<Stage>,
        /// Users started per second; `None` (the default): all at once.
        spawn: Option<Rate>,
        /// When a user's next iteration starts; by default at once.
        pause: Pause,
    },
}

impl LoadModel {
    /// The stages of the rate, or of the number of users.
    pub fn stages(&self) -> &[Stage] {
        match self {
            Self::Open { rate, .. } => rate,
            Self::Closed { users, .. } => users,
        }
    }

    /// The maximum number of users: their numbers, from 0, are below it.
    pub fn most_users(&self) -> u64 {
        match self {
            Self::Open { max_users, .. } => *max_users as u64,
            Self::Closed { users, .. } => Stage::highest(users).ceil() as u64,
        }
    }
}

/// A span over which a rate (iterations per second) or a number of users changes linearly from one value to
/// another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// Its duration; above zero.
    pub length: Nanos,
    /// The value at its start; not negative.
    pub from: f64,
    /// The value at its end; equal to `from` for a constant one.
    pub to: f64,
}

impl Stage {
    /// Total duration of the stages.
    pub fn length(stages: &[Self]) -> Nanos {
        stages.iter().fold(Nanos::ZERO, |sum, stage| sum + stage.length)
    }

    /// The highest value that they reach.
    pub fn highest(stages: &[Self]) -> f64 {
        stages.iter().fold(0.0, |most, stage| most.max(stage.from).max(stage.to))
    }

    /// The constant value between two instants; `None` if it changes.
    pub fn level(stages: &[Self], from: Nanos, to: Nanos) -> Option<f64> {
        let mut end = Nanos::ZERO;
        let mut level = None;
        for stage in stages {
            let begin = end;
            end = begin + stage.length;
            if begin < to && from < end {
                if stage.from != stage.to || level.is_some_and(|level| level != stage.from) {
                    return None;
                }
                level = Some(stage.from);
            }
        }
        level.filter(|_| to <= end)
    }
}

/// Spacing of the arrivals of an open load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spacing {
    /// `arrivals = "constant"` (the default): at regular intervals.
    Constant,
    /// `arrivals = "poisson"`: as from many independent users.
    Poisson,
}

/// When a user's next iteration starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// `pause = "1s..3s"`: after a uniformly distributed time, both ends included; `"2s"`: after a constant
    /// time.
    Uniform(Nanos, Nanos),
    /// `pause = "exp 2s"`: after an exponentially distributed time with this mean.
    Exponential(Nanos),
    /// `pacing = "5s"`: this long after the start of the previous one, or at once if that took longer.
    Pacing(Nanos),
}

/// Which replica a request goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Routing {
    /// `replica = "round-robin"` (the default): consecutive requests go to consecutive replicas.
    RoundRobin,
    /// `replica = "sticky"`: each user keeps one replica.
    Sticky,
    /// `replica = 2`: always the n-th replica of the environment (from 1 in the file, from 0 here).
    Only(usize),
}

/// What a user does after a rejection with `Retry-After`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// `retry = "never"` (the default): it continues with the next step.
    Never,
    /// `retry = "retry-after"`: it waits as long as `Retry-After` states and sends the request again, until
    /// it is not rejected.
    After,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_constant_throughout() {
        let stage =
            |(length, from, to): (i64, f64, f64)| Stage { length: Nanos::from_secs(length), from, to };
        let stages = [(10, 0.0, 20.0), (5, 20.0, 20.0), (5, 20.0, 20.0), (5, 30.0, 30.0)].map(stage);
        let level = |from, to| Stage::level(&stages, Nanos::from_secs(from), Nanos::from_secs(to));
        assert_eq!((level(10, 20), level(11, 15), level(20, 25)), (Some(20.0), Some(20.0), Some(30.0)));
        assert_eq!((level(9, 15), level(10, 21), level(20, 26), level(30, 31)), (None, None, None, None));
        assert_eq!((Stage::length(&stages), Stage::highest(&stages)), (Nanos::from_secs(25), 30.0));
    }
}

//! `[[load]]` as meant: who, on which journey, how many of them when, and how they behave.

use super::{JourneyIndex, TenantIndex};
use crate::units::{Nanos, Rate};

/// How many users or arrivals, of which tenants, on which journey, for how long.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// Its tenants; user `i` (or arrival `i`) belongs to tenant `i mod n`. Never empty; default all tenants.
    pub tenants: Vec<TenantIndex>,
    /// Its journeys and their weights; never empty. Each user (or arrival) has one of them, drawn for its
    /// number.
    pub journeys: Vec<(JourneyIndex, u64)>,
    /// Open or closed.
    pub model: LoadModel,
    /// When it begins, from the start of the load phase; `after = "5s"`; default 0.
    pub after: Nanos,
    /// For how long it begins iterations; as long as its stages.
    pub duration: Nanos,
    /// `stop = "30s"`: how long after that an iteration under way may begin further steps; `None` (the
    /// default): until it is through.
    pub stop: Option<Nanos>,
    /// At most this many iterations, over all its users, who each have their share; `None` without a bound.
    pub iterations: Option<u64>,
    /// Which replica a request goes to.
    pub routing: Routing,
    /// What its users do when a limit rejects them.
    pub retry: Retry,
}

/// What drives a load.
#[derive(Debug, Clone, PartialEq)]
pub enum LoadModel {
    /// Arrivals keep coming, however slow the service is: `rate = "200/s"` iterations.
    Open {
        /// Iterations per second over time; never empty.
        rate: Vec<Stage>,
        /// How they follow each other.
        spacing: Spacing,
        /// Users kept at most (`max_users`, default 1,000): arrival beyond them is dropped and counted.
        max_users: usize,
    },
    /// Users who wait for their answers.
    Closed {
        /// How many over time; never empty.
        users: Vec<Stage>,
        /// Users started per second; `None` (the default): all at once.
        spawn: Option<Rate>,
        /// When the next iteration of one of them begins; default at once.
        pause: Pause,
    },
}

impl LoadModel {
    /// What goes on over time: the rate, or the number of users.
    pub fn stages(&self) -> &[Stage] {
        match self {
            Self::Open { rate, .. } => rate,
            Self::Closed { users, .. } => users,
        }
    }

    /// How many users there can be: their numbers, from 0, lie below.
    pub fn most_users(&self) -> u64 {
        match self {
            Self::Open { max_users, .. } => *max_users as u64,
            Self::Closed { users, .. } => Stage::highest(users).ceil() as u64,
        }
    }
}

/// A stretch of time over which a rate (iterations per second) or a number of users goes evenly from one
/// value to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// How long it lasts; above zero.
    pub length: Nanos,
    /// The value at its begin; not negative.
    pub from: f64,
    /// The value that it goes towards; the same as `from` where it holds one.
    pub to: f64,
}

impl Stage {
    /// How long all of them last.
    pub fn length(stages: &[Self]) -> Nanos {
        stages.iter().fold(Nanos::ZERO, |sum, stage| sum + stage.length)
    }

    /// The highest value that they reach.
    pub fn highest(stages: &[Self]) -> f64 {
        stages.iter().fold(0.0, |most, stage| most.max(stage.from).max(stage.to))
    }

    /// The value that they keep to from one instant to a later one, if they keep to one.
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

/// How the arrivals of an open load follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spacing {
    /// `arrivals = "constant"` (the default): at regular intervals.
    Constant,
    /// `arrivals = "poisson"`: as of many users who know nothing of each other.
    Poisson,
}

/// When a user's next iteration begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// `pause = "1s..3s"`: after a time drawn evenly from a range, both ends included; `"2s"`: always as
    /// long.
    Uniform(Nanos, Nanos),
    /// `pause = "exp 2s"`: after a time from the exponential distribution with this mean.
    Exponential(Nanos),
    /// `pacing = "5s"`: so long after the one before began, or at once where that took longer.
    Pacing(Nanos),
}

/// How requests choose their replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Routing {
    /// `replica = "round-robin"` (the default): one request after the other goes to the next replica.
    RoundRobin,
    /// `replica = "sticky"`: each user keeps to one replica.
    Sticky,
    /// `replica = 2`: always the n-th replica of the environment (from 1 in the file, from 0 here).
    Only(usize),
}

/// What a user does with a rejection that says when to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// `retry = "never"` (the default): it takes the rejection and goes on.
    Never,
    /// `retry = "retry-after"`: it waits for as long as `Retry-After` says and sends the request again, until
    /// it is not rejected.
    After,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_one_value_all_the_way() {
        let stage =
            |(length, from, to): (i64, f64, f64)| Stage { length: Nanos::from_secs(length), from, to };
        let stages = [(10, 0.0, 20.0), (5, 20.0, 20.0), (5, 20.0, 20.0), (5, 30.0, 30.0)].map(stage);
        let level = |from, to| Stage::level(&stages, Nanos::from_secs(from), Nanos::from_secs(to));
        assert_eq!((level(10, 20), level(11, 15), level(20, 25)), (Some(20.0), Some(20.0), Some(30.0)));
        assert_eq!((level(9, 15), level(10, 21), level(20, 26), level(30, 31)), (None, None, None, None));
        assert_eq!((Stage::length(&stages), Stage::highest(&stages)), (Nanos::from_secs(25), 30.0));
    }
}

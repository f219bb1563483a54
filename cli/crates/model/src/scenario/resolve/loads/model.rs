//! What drives a load: arrivals or users, at one level or in stages, and the pauses between iterations.

use super::{MAX_USERS, MOST_USERS, count, foreign, place};
use crate::{
    scenario::{
        LoadModel, Pause, Spacing, Stage,
        file::{self, Field, Header},
        problem::{Problem, Span, quoted},
    },
    units::{Nanos, Rate},
};

const OPEN_OR_CLOSED: &str = "`rate = \"200/s\"` lets arrivals come, however slow the service is; `users = 50` lets users wait for their responses";
const STAGES: &str = "for example: stages = [{ for = \"30s\", users = 100 }, { for = \"1m\", users = 100 }]";

/// The keys about how a load is driven.
pub(super) struct Model {
    pub(super) rate: Field<Rate>,
    pub(super) arrivals: Field<Spacing>,
    pub(super) max_users: Field<u64>,
    pub(super) users: Field<u64>,
    pub(super) spawn: Field<Rate>,
    pub(super) pause: Field<Pause>,
    pub(super) pacing: Field<Nanos>,
    pub(super) stages: Field<Vec<file::Stage>>,
}

impl Model {
    /// The model of a load that lasts for `duration` if it has no stages. `None` only after a problem was
    /// found, here or with the duration.
    pub(super) fn resolve(
        self,
        header: &Header,
        duration: Option<Nanos>,
        found: &mut Vec<Problem>,
    ) -> Option<LoadModel> {
        if let Some(stages) = self.stages.given().filter(|stages| stages.value.is_empty()) {
            found.push(Problem::at(stages.span.clone(), "there is no stage", "").help(STAGES));
            return None;
        }
        let stages = || self.stages.given().into_iter().flat_map(|stages| &stages.value);
        let is_open = !self.rate.is_absent() || stages().any(|stage| !stage.rate.is_absent());
        let is_closed = !self.users.is_absent() || stages().any(|stage| !stage.users.is_absent());
        match (is_open, is_closed) {
            // The stages decide which model it is, and were reported as invalid.
            (false, false) if matches!(self.stages, Field::Invalid) => None,
            (false, false) => {
                let message = "this load has neither `rate` nor `users`";
                found.push(Problem::at(header.span.clone(), message, "").help(OPEN_OR_CLOSED));
                None
            }
            (true, true) => {
                let rate = place(&self.rate).or_else(|| stages().find_map(|stage| place(&stage.rate)));
                let users = place(&self.users).or_else(|| stages().find_map(|stage| place(&stage.users)));
                found.push(
                    both("a load has `rate` or `users`, not both", header, [rate, users])
                        .help(OPEN_OR_CLOSED),
                );
                None
            }
            (true, false) => self.open(duration, found),
            (false, true) => self.closed(header, duration, found),
        }
    }

    fn open(self, duration: Option<Nanos>, found: &mut Vec<Problem>) -> Option<LoadModel> {
        foreign("spawn_rate", &self.spawn, "users", found);
        foreign("think_time", &self.pause, "users", found);
        foreign("pacing", &self.pacing, "users", found);
        let max_users = count("max_users", self.max_users, MAX_USERS, found);
        let level = self.rate.optional().map(|rate| rate.map(|Rate(rate)| rate));
        let rate = over_time(
            "rate",
            level,
            self.stages,
            duration,
            |stage| stage.rate.given().map(|at| at.value),
            found,
        );
        Some(LoadModel::Open {
            rate: rate?,
            spacing: self.arrivals.or(Spacing::Constant)?,
            max_users: max_users?,
        })
    }

    fn closed(self, header: &Header, duration: Option<Nanos>, found: &mut Vec<Problem>) -> Option<LoadModel> {
        foreign("max_users", &self.max_users, "rate", found);
        foreign("arrivals", &self.arrivals, "rate", found);
        if let (Some(spawn), false) = (place(&self.spawn), self.stages.is_absent()) {
            let problem = Problem::at(spawn, "this load has `stages`, which say when users come", "");
            found.push(problem.help("leave `spawn_rate` out"));
        }
        if !self.pause.is_absent() && !self.pacing.is_absent() {
            let places = [place(&self.pause), place(&self.pacing)];
            let problem = both("a user pauses or keeps a pace, not both", header, places);
            found.push(problem.help(
                "`think_time` runs from the end of an iteration, `pacing` from its begin to the begin of the next",
            ));
        }
        let level = match self.users {
            Field::Absent => Some(None),
            users => count("users", users, 0, found).map(|users| Some(users as f64)),
        };
        let of_stage = |stage: &file::Stage| stage.users.given().map(|users| users.value as f64);
        let users = over_time("users", level, self.stages, duration, of_stage, found);
        let pause = match (self.pause, self.pacing) {
            (Field::Absent, Field::Given(pacing)) => Pause::Pacing(pacing.value),
            (Field::Absent, Field::Invalid) => return None,
            (pause, _) => pause.or(Pause::Uniform(Nanos::ZERO, Nanos::ZERO))?,
        };
        Some(LoadModel::Closed { users: users?, spawn: self.spawn.optional()?, pause })
    }
}

/// The stages of a load: a single one at its `level`, or those written, which start from that level. An outer
/// `None` of the level means that it is invalid.
fn over_time(
    key: &str,
    level: Option<Option<f64>>,
    stages: Field<Vec<file::Stage>>,
    duration: Option<Nanos>,
    value: impl Fn(&file::Stage) -> Option<f64>,
    found: &mut Vec<Problem>,
) -> Option<Vec<Stage>> {
    let Field::Given(written) = stages else {
        let (length, level) = (duration?, level??);
        return stages.is_absent().then(|| vec![Stage { length, from: level, to: level }]);
    };
    let read: Vec<_> =
        written.value.into_iter().map(|stage| self::stage(key, stage, &value, found)).collect();
    let mut before = level?.unwrap_or(0.0);
    let mut stages = Vec::new();
    for (length, to, jump) in read.into_iter().collect::<Option<Vec<_>>>()? {
        stages.push(Stage { length, from: if jump { to } else { before }, to });
        before = to;
    }
    if Stage::highest(&stages) == 0.0 {
        let message = format!("nothing happens: {} is zero in every stage", quoted(key));
        found.push(Problem::at(written.span, message, "").help(STAGES));
        return None;
    }
    Some(stages)
}

/// A stage's length, the value at its end, and whether it has that value from its start.
fn stage(
    key: &str,
    stage: file::Stage,
    value: impl Fn(&file::Stage) -> Option<f64>,
    found: &mut Vec<Problem>,
) -> Option<(Nanos, f64, bool)> {
    let to = value(&stage);
    let is_given = if key == "rate" { !stage.rate.is_absent() } else { !stage.users.is_absent() };
    if !is_given {
        found.push(stage.header.lacks(key));
    }
    if let Some(users) = stage.users.given().filter(|users| users.value > MOST_USERS) {
        super::too_many("users", users, found);
        return None;
    }
    let length = stage.header.need("for", stage.length, found);
    Some((length?.value, to?, stage.jump.or(false)?))
}

/// The problem of two keys that exclude each other.
fn both(message: &str, header: &Header, places: [Option<Span>; 2]) -> Problem {
    let mut problem = Problem::new(message);
    for span in places.into_iter().flatten() {
        problem = problem.also(span, "");
    }
    if problem.labels.is_empty() { problem.also(header.span.clone(), "") } else { problem }
}

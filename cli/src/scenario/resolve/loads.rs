//! `[[load]]`: who, on which journey, how many, for how long.

use std::collections::HashSet;

use super::{journeys::Journeys, tenants::Tenants};
use crate::{
    scenario::{
        JourneyIndex, Load, LoadModel, Retry, Routing, TenantIndex,
        file::{self, Field, Header, Located},
        problem::{Problem, Span, listed, quoted},
    },
    units::Nanos,
};

/// Users kept at the most by an open load that does not say.
const MAX_USERS: u64 = 1000;

/// The most users of one load; each costs memory before the first request.
const MOST_USERS: u64 = 1_000_000;

/// For how long a load goes on at the most that has `iterations` and no `duration`.
const LONGEST_FOR_ITERATIONS: Nanos = Nanos::from_secs(3600);

/// One load; `limited` are the routes with a limit. `None` only after a problem was found.
pub(super) fn resolve(
    load: file::Load,
    tenants: &Tenants,
    journeys: &Journeys,
    limited: &[String],
    found: &mut Vec<Problem>,
) -> Option<Load> {
    let header = &load.header;
    let tenants = whose(load.tenants, tenants, found);
    let journey = on(load.journey, header, journeys, found);
    let model = Model {
        rate: load.rate,
        max_users: load.max_users,
        users: load.users,
        spawn: load.spawn,
        pause: load.pause,
    };
    let model = model.resolve(header, found);
    let duration = match (load.duration, &load.iterations) {
        (Field::Absent, Field::Absent) => {
            let problem = header.lacks("duration");
            found.push(
                problem.help("for example: duration = \"25s\"; or iterations = 100, which also ends a load"),
            );
            None
        }
        (duration, _) => duration.or(LONGEST_FOR_ITERATIONS),
    };
    Some(Load {
        tenants: tenants?,
        journey: journey?,
        model: model?,
        after: load.after.or(Nanos::ZERO)?,
        duration: duration?,
        iterations: load.iterations.optional()?,
        routing: load.replica.or(Routing::RoundRobin)?,
        retry: retry(load.retry, journey?, journeys, limited, found)?,
    })
}

/// How long the warm-up is: something has to be left when it is over.
pub(super) fn warmup(field: Field<Nanos>, loads: &[Option<Load>], found: &mut Vec<Problem>) -> Option<Nanos> {
    let ends = loads.iter().map(|load| load.as_ref().map(|load| load.after + load.duration));
    // Where a load is not known, its end is not.
    let end = ends.collect::<Option<Vec<Nanos>>>().and_then(|ends| ends.into_iter().max());
    if let (Some(warmup), Some(end)) = (field.given(), end)
        && warmup.value >= end
    {
        let label = format!("all loads have ended after {end}");
        let problem = Problem::at(warmup.span.clone(), "the warm-up leaves nothing to be judged", label);
        found.push(problem.help("it is counted from the start of the load, and ends while a load goes on"));
    }
    field.or(Nanos::ZERO)
}

/// Who waits for a limit needs one.
fn retry(
    field: Field<Retry>,
    journey: JourneyIndex,
    journeys: &Journeys,
    limited: &[String],
    found: &mut Vec<Problem>,
) -> Option<Retry> {
    let mut routes = journeys.steps.iter().filter(|step| step.journey == journey).map(|step| &step.route);
    let after = field.given().filter(|retry| retry.value == Retry::After);
    if let Some(after) = after.filter(|_| !routes.any(|route| limited.contains(route))) {
        let problem = Problem::at(after.span.clone(), "this load calls no route that has a [[limit]]", "");
        found.push(problem.help("`retry = \"after\"` waits for what a [[limit]] refuses"));
    }
    field.or(Retry::Never)
}

fn whose(
    field: Field<Vec<Located<String>>>,
    tenants: &Tenants,
    found: &mut Vec<Problem>,
) -> Option<Vec<TenantIndex>> {
    let Field::Given(names) = field else {
        return field.optional().map(|_| (0..tenants.ids.len()).collect());
    };
    if names.value.is_empty() {
        let problem = Problem::at(names.span, "this load has no tenant", "");
        found.push(problem.help("leave `tenant` out for all of them"));
        return None;
    }
    let mut seen = HashSet::new();
    for name in &names.value {
        if !seen.insert(&name.value) {
            found.push(Problem::at(
                name.span.clone(),
                format!("tenant {} is there twice", quoted(&name.value)),
                "",
            ));
        }
    }
    let indices: Vec<Option<TenantIndex>> =
        names.value.iter().map(|name| tenants.find(name, found)).collect();
    indices.into_iter().collect()
}

fn on(
    field: Field<String>,
    header: &Header,
    journeys: &Journeys,
    found: &mut Vec<Problem>,
) -> Option<JourneyIndex> {
    match field {
        Field::Given(name) => journeys.find(&name, found),
        Field::Invalid => None,
        Field::Absent if journeys.journeys.len() == 1 => Some(0),
        // That there is no journey at all was said.
        Field::Absent if journeys.journeys.is_empty() => None,
        Field::Absent => {
            let names = listed(journeys.journeys.iter().map(|journey| journey.name.as_str()));
            found.push(header.lacks("journey").help(format!("there are several journeys: {names}")));
            None
        }
    }
}

/// The keys that say how a load is driven.
struct Model {
    rate: Field<crate::units::Rate>,
    max_users: Field<u64>,
    users: Field<u64>,
    spawn: Field<crate::units::Rate>,
    pause: Field<(Nanos, Nanos)>,
}

impl Model {
    fn resolve(self, header: &Header, found: &mut Vec<Problem>) -> Option<LoadModel> {
        const OPEN_OR_CLOSED: &str = "`rate = \"200/s\"` lets arrivals come, however slow the service is; `users = 50` lets users wait for their answers";
        match (self.rate.is_absent(), self.users.is_absent()) {
            (true, true) => {
                let message = "this load has neither `rate` nor `users`";
                found.push(Problem::at(header.span.clone(), message, "").help(OPEN_OR_CLOSED));
                None
            }
            (false, false) => {
                let mut problem = Problem::new("a load has `rate` or `users`, not both");
                for span in [place(&self.rate), place(&self.users)].into_iter().flatten() {
                    problem = problem.also(span, "");
                }
                if problem.labels.is_empty() {
                    problem = problem.also(header.span.clone(), "");
                }
                found.push(problem.help(OPEN_OR_CLOSED));
                None
            }
            (false, true) => {
                foreign("spawn", &self.spawn, "users", found);
                foreign("pause", &self.pause, "users", found);
                let max_users = count("max_users", self.max_users, MAX_USERS, found);
                Some(LoadModel::Open { rate: self.rate.given()?.value, max_users: max_users? })
            }
            (true, false) => {
                foreign("max_users", &self.max_users, "rate", found);
                let users = count("users", self.users, 0, found);
                let (spawn, pause) = (self.spawn.optional(), self.pause.or((Nanos::ZERO, Nanos::ZERO)));
                Some(LoadModel::Closed { users: users?, spawn: spawn?, pause: pause? })
            }
        }
    }
}

fn place<T>(field: &Field<T>) -> Option<Span> {
    field.given().map(|located| located.span.clone())
}

/// Complains of a key that means nothing without another one.
fn foreign<T>(key: &str, field: &Field<T>, with: &str, found: &mut Vec<Problem>) {
    if let Some(span) = place(field) {
        let message = format!("{} means something only with {}", quoted(key), quoted(with));
        found.push(Problem::at(span, message, format!("this load has no {}", quoted(with))));
    }
}

fn count(key: &str, field: Field<u64>, default: u64, found: &mut Vec<Problem>) -> Option<usize> {
    if let Some(located) = field.given().filter(|located| located.value > MOST_USERS) {
        let message = format!("{} cannot be {}", quoted(key), located.value);
        found.push(Problem::at(located.span.clone(), message, "a million is the most"));
        return None;
    }
    field.or(default).and_then(|count| usize::try_from(count).ok())
}

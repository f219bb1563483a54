//! `[[load]]`: resolves which tenants run which journeys, how many users or arrivals, for how long.

mod model;

use std::collections::HashSet;

use self::model::Model;
use super::{journeys::Journeys, tenants::Tenants};
use crate::{
    scenario::{
        JourneyIndex, Load, LoadModel, Retry, Routing, Stage, TenantIndex,
        file::{self, Field, Header, Located},
        problem::{Problem, Span, listed, quoted},
    },
    units::Nanos,
};

/// Default of `max_users` for an open load.
const MAX_USERS: u64 = 1000;

/// The most users of one load; each costs memory before the first request.
const MOST_USERS: u64 = 1_000_000;

/// Longest duration of a load with `iterations` and no `duration`.
const LONGEST_FOR_ITERATIONS: Nanos = Nanos::from_secs(3600);

/// Resolves one load; `limited` are the routes with a limit. `None` only after a problem was found.
pub(super) fn resolve(
    load: file::Load,
    tenants: &Tenants,
    journeys: &Journeys,
    limited: &[String],
    found: &mut Vec<Problem>,
) -> Option<Load> {
    let header = &load.header;
    let max_users = place(&load.max_users).unwrap_or_else(|| header.span.clone());
    let tenants = whose(load.tenants, tenants, found);
    let mixed = on(load.journey, header, journeys, found);
    let duration = duration(load.duration, &load.stages, &load.iterations, header, found);
    let model = Model {
        rate: load.rate,
        arrivals: load.arrivals,
        max_users: load.max_users,
        users: load.users,
        spawn: load.spawn,
        pause: load.pause,
        pacing: load.pacing,
        stages: load.stages,
    };
    let model = model.resolve(header, duration, found)?;
    if let (LoadModel::Open { .. }, Some(tenants), Some(journeys)) = (&model, &tenants, &mixed) {
        enough(model.most_users(), tenants.len() * journeys.len(), max_users, found);
    }
    Some(Load {
        tenants: tenants?,
        after: load.after.or(Nanos::ZERO)?,
        duration: Stage::length(model.stages()),
        stop: load.stop.optional()?,
        model,
        iterations: load.iterations.optional()?,
        routing: load.replica.or(Routing::RoundRobin)?,
        retry: retry(load.retry, mixed.as_deref()?, journeys, limited, found)?,
        journeys: mixed?,
    })
}

/// A user of an open load belongs to one tenant and runs one journey, so with too few users some arrivals
/// would never find one.
fn enough(users: u64, needed: usize, place: Span, found: &mut Vec<Problem>) {
    if users < needed as u64 {
        let message = format!("too few users for this load: {users}, and it needs {needed} at least");
        found.push(
            Problem::at(place, message, "")
                .help("a user belongs to one tenant and walks one journey, and each pair of them needs one"),
        );
    }
}

/// The duration of a load without stages; `None` for one with stages, which have their own.
fn duration(
    field: Field<Nanos>,
    stages: &Field<Vec<file::Stage>>,
    iterations: &Field<u64>,
    header: &Header,
    found: &mut Vec<Problem>,
) -> Option<Nanos> {
    if !stages.is_absent() {
        if let Some(span) = place(&field) {
            let problem = Problem::at(span, "this load has `stages`, which say how long it goes on", "");
            found.push(problem.help("leave `duration` out"));
        }
        return None;
    }
    if field.is_absent() && iterations.is_absent() {
        let problem = header.lacks("duration");
        found.push(
            problem.help("for example: duration = \"25s\"; or iterations = 100, which also ends a load"),
        );
        return None;
    }
    field.or(LONGEST_FOR_ITERATIONS)
}

/// The warm-up, which must be shorter than the load.
pub(super) fn warmup(field: Field<Nanos>, loads: &[Option<Load>], found: &mut Vec<Problem>) -> Option<Nanos> {
    let ends = loads.iter().map(|load| load.as_ref().map(|load| load.after + load.duration));
    // The end of an invalid load is unknown.
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

/// Checks that a load with `retry` has a limit on one of its routes.
fn retry(
    field: Field<Retry>,
    mixed: &[(JourneyIndex, u64)],
    journeys: &Journeys,
    limited: &[String],
    found: &mut Vec<Problem>,
) -> Option<Retry> {
    let mut routes = journeys
        .steps
        .iter()
        .filter(|step| mixed.iter().any(|(journey, _)| *journey == step.journey))
        .map(|step| &step.route);
    let after = field.given().filter(|retry| retry.value == Retry::After);
    if let Some(after) = after.filter(|_| !routes.any(|route| limited.contains(route))) {
        let problem = Problem::at(after.span.clone(), "this load calls no route that has a [[limit]]", "");
        found.push(problem.help("`retry = \"retry-after\"` waits for what a [[limit]] rejects"));
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
    field: Field<Vec<(Located<String>, u64)>>,
    header: &Header,
    journeys: &Journeys,
    found: &mut Vec<Problem>,
) -> Option<Vec<(JourneyIndex, u64)>> {
    match field {
        Field::Given(mixed) => {
            let found: Vec<_> = mixed
                .value
                .iter()
                .map(|(name, weight)| Some((journeys.find(name, found)?, *weight)))
                .collect();
            found.into_iter().collect()
        }
        Field::Invalid => None,
        Field::Absent if journeys.journeys.len() == 1 => Some(vec![(0, 1)]),
        // That there is no journey was reported already.
        Field::Absent if journeys.journeys.is_empty() => None,
        Field::Absent => {
            let names = listed(journeys.journeys.iter().map(|journey| journey.name.as_str()));
            found.push(header.lacks("journey").help(format!("there are several journeys: {names}")));
            None
        }
    }
}

fn place<T>(field: &Field<T>) -> Option<Span> {
    field.given().map(|located| located.span.clone())
}

/// Reports a key that has no meaning without another one.
fn foreign<T>(key: &str, field: &Field<T>, with: &str, found: &mut Vec<Problem>) {
    if let Some(span) = place(field) {
        let message = format!("{} means something only with {}", quoted(key), quoted(with));
        found.push(Problem::at(span, message, format!("this load has no {}", quoted(with))));
    }
}

fn count(key: &str, field: Field<u64>, default: u64, found: &mut Vec<Problem>) -> Option<usize> {
    if let Some(located) = field.given().filter(|located| located.value > MOST_USERS) {
        too_many(key, located, found);
        return None;
    }
    field.or(default).and_then(|count| usize::try_from(count).ok())
}

fn too_many(key: &str, count: &Located<u64>, found: &mut Vec<Problem>) {
    let message = format!("{} cannot be {}", quoted(key), count.value);
    found.push(Problem::at(count.span.clone(), message, "a million is the most"));
}

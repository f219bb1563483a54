//! `[[journey]]`: resolves requests, routes, names and saved values.

mod request;
mod response;
mod turn;

use std::collections::HashMap;

use super::template::{Context, Scope};
use crate::scenario::{
    Journey, JourneyIndex, Step, StepIndex,
    file::{self, Field, Header, Located, unknown},
    journey::Turn,
    notation,
    problem::{Problem, Span, quoted},
    template::{Escape, Template},
};
use request::{Defaults, route};

/// The journeys of a scenario and all their steps.
#[derive(Debug, Default)]
pub(super) struct Journeys {
    pub(super) journeys: Vec<Journey>,
    pub(super) steps: Vec<Step>,
    /// A journey has no usable name: an unknown name may be its.
    nameless: bool,
    /// A step's route could not be read: an unknown route or name may be its.
    pub(super) routeless: bool,
}

/// Resolves all of them.
pub(super) fn resolve(
    written: Vec<file::Journey<'_>>,
    context: &Context<'_>,
    found: &mut Vec<Problem>,
) -> Journeys {
    if written.is_empty() {
        found.push(
            Problem::new("there is no [[journey]]: no user would do anything")
                .help("a journey has a `name` and at least one step: [[journey.step]] with `get = \"/\"`"),
        );
    }
    let mut journeys =
        Journeys { nameless: written.is_empty(), routeless: written.is_empty(), ..Journeys::default() };
    let mut names: HashMap<String, Span> = HashMap::new();
    for journey in written {
        let name = journey.header.need("name", journey.name.clone(), found);
        match &name {
            None => journeys.nameless = true,
            Some(name) => super::unique("journey", name, &mut names, found),
        }
        if journey.steps.is_empty() {
            let name = name.as_ref().map_or_else(String::new, |name| format!(" {}", quoted(&name.value)));
            let problem = Problem::at(journey.header.span.clone(), format!("journey{name} has no step"), "");
            found.push(problem.help("for example: [[journey.step]] with `get = \"/\"`"));
            journeys.routeless = true;
        }
        let name = name.map(|name| name.value).unwrap_or_default();
        journeys.add(name, journey, context, found);
    }
    journeys
}

/// What is known about a step before its request is resolved.
struct Parts {
    journey: JourneyIndex,
    name: Option<String>,
    turn: Turn,
}

impl Journeys {
    /// The index of a journey's name; an unknown one is a problem.
    pub(super) fn find(&self, name: &Located<String>, found: &mut Vec<Problem>) -> Option<JourneyIndex> {
        let index = self.journeys.iter().position(|journey| journey.name == name.value);
        if index.is_none() && !self.nameless {
            found.push(unknown("journey", name, self.journeys.iter().map(|journey| journey.name.as_str())));
        }
        index
    }

    fn add(
        &mut self,
        name: String,
        written: file::Journey<'_>,
        context: &Context<'_>,
        found: &mut Vec<Problem>,
    ) {
        let file::Journey { cookies, headers, auth, start, steps, .. } = written;
        let cookies = cookies.given().is_some_and(|cookies| cookies.value);
        let (journey, first, starting) = (self.journeys.len(), self.steps.len(), start.len());
        turn::agree(&start, &steps, found);
        let written: Vec<file::Step<'_>> = start.into_iter().chain(steps).collect();
        // Other keys about when a start step runs are a problem of their own.
        let sure = |(order, step): (usize, &file::Step<'_>)| {
            if order < starting { step.when.is_absent() } else { turn::is_sure(step) }
        };
        let sure: Vec<bool> = written.iter().enumerate().map(sure).collect();
        let slots = response::slots(&written, &sure, found);
        let names = names(&written, found);
        let everything = Scope { context, slots: &slots, order: usize::MAX, guard: None, all: true };
        let mut defaults = Defaults::read(&headers, &auth, &everything, found);
        for (order, (step, name)) in written.into_iter().zip(names).enumerate() {
            let turn = turn::turn(&step, &slots, found);
            // What an invalid `when` guards is unknown.
            let all = turn.when.is_none() && !step.when.is_absent();
            let scope = Scope { order, guard: turn.when.as_ref(), all, ..everything };
            let parts = Parts { journey, name, turn: turn.clone() };
            let step = self.step(parts, step, &scope, &mut defaults, found);
            self.steps.push(step);
        }
        if self.steps.len() > first {
            defaults.leftover(found);
        }
        let all: Vec<StepIndex> = (first..self.steps.len()).collect();
        let (start, steps) = all.split_at(starting);
        let saved = slots.into_iter().map(|slot| slot.name).collect();
        self.journeys.push(Journey { name, start: start.to_vec(), steps: steps.to_vec(), saved, cookies });
    }

    /// Resolves a step; the result is complete only if no problem was found.
    fn step(
        &mut self,
        Parts { journey, name, turn }: Parts,
        step: file::Step<'_>,
        scope: &Scope<'_>,
        defaults: &mut Defaults,
        found: &mut Vec<Problem>,
    ) -> Step {
        let request = request::request(&step, found);
        let route = request.and_then(|(method, path)| request::route(method, path, &step.route));
        self.routeless |= !route.as_ref().is_some_and(|route| route.contains(" /"));
        let path = match request {
            Some((_, path)) => request::path_and_query(path, &step.query, scope, found),
            None => Template::literal("", Escape::Url),
        };
        let route_given = step.route.given();
        if let Some(Err(complaint)) = route_given.map(|route| notation::plain_path(&route.value)) {
            let span = route_given.map(|route| route.span.clone()).unwrap_or_default();
            let problem =
                Problem::at(span, "`route` is the path that samples are grouped by", complaint.message);
            found.push(
                problem.help("for example: route = \"/items/{id}\"; the method comes from the request"),
            );
        }
        let save = response::saves(&step, scope.slots, found);
        let foreign = response::foreign(&step, found);
        Step {
            journey,
            name: name.unwrap_or_default(),
            method: request.map(|(method, _)| method.to_ascii_uppercase()).unwrap_or_default(),
            route: route.unwrap_or_default(),
            path,
            headers: request::all_headers(&step, defaults, scope, found),
            body: request::body(&step, scope, found),
            status: response::status(&step),
            checks: response::checks(&step, scope, found),
            save,
            tenant: step.tenant.optional().flatten(),
            foreign,
            turn,
        }
    }
}

/// The name of each step: its own, or its route, with ` #2`, ` #3` … if that is taken. `None` if the route is
/// unknown.
fn names(steps: &[file::Step<'_>], found: &mut Vec<Problem>) -> Vec<Option<String>> {
    let mut taken: HashMap<String, Span> = HashMap::new();
    for name in steps.iter().filter_map(|step| step.name.given()) {
        super::unique("step", name, &mut taken, found);
    }
    let default = |step: &file::Step<'_>, taken: &mut HashMap<String, Span>| {
        let [(method, Field::Given(path))] = step.requests.as_slice() else { return None };
        let route = route(method, path, &step.route)?;
        let numbered = (2..).map(|number| format!("{route} #{number}"));
        let name = std::iter::once(route.clone()).chain(numbered).find(|name| !taken.contains_key(name))?;
        let Header { span, .. } = &step.header;
        taken.insert(name.clone(), span.clone());
        Some(name)
    };
    steps
        .iter()
        .map(|step| match &step.name {
            Field::Given(name) => Some(name.value.clone()),
            Field::Invalid => None,
            Field::Absent => default(step, &mut taken),
        })
        .collect()
}

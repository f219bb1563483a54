//! `[[journey]]`: requests, their routes and names, and which value is saved where.

use std::collections::HashMap;

use super::template::{Context, Scope, Slot, can_be_saved};
use crate::scenario::{
    Journey, JourneyIndex, Save, StatusSet, Step, StepIndex,
    file::{self, Field, Header, Located, METHODS, unknown},
    notation,
    problem::{Problem, Span, listed, quoted},
    template::{Escape, Piece, Template, pieces},
};

/// The journeys of a scenario and all their steps.
#[derive(Debug, Default)]
pub(super) struct Journeys {
    pub(super) journeys: Vec<Journey>,
    pub(super) steps: Vec<Step>,
    /// A journey has no usable name: a name that is not there may be its.
    nameless: bool,
    /// A step's route could not be read: a route or a name that is not there may be its.
    pub(super) routeless: bool,
}

/// The headers that follow from the request itself.
const OWN_HEADERS: [&str; 3] = ["content-length", "transfer-encoding", "connection"];

/// Reads all of them.
pub(super) fn resolve(
    written: Vec<file::Journey<'_>>,
    context: &Context<'_>,
    found: &mut Vec<Problem>,
) -> Journeys {
    if written.is_empty() {
        found.push(
            Problem::new("nobody does anything: there is no [[journey]]")
                .help("a journey has a `name` and at least one step: [[journey.step]] with `get = \"/\"`"),
        );
    }
    let mut journeys =
        Journeys { nameless: written.is_empty(), routeless: written.is_empty(), ..Journeys::default() };
    let mut names: HashMap<String, Span> = HashMap::new();
    for journey in written {
        let name = journey.header.need("name", journey.name, found);
        match &name {
            None => journeys.nameless = true,
            Some(name) => unique("journey", name, &mut names, found),
        }
        if journey.steps.is_empty() {
            let name = name.as_ref().map_or_else(String::new, |name| format!(" {}", quoted(&name.value)));
            let problem = Problem::at(journey.header.span, format!("journey{name} has no step"), "");
            found.push(problem.help("for example: [[journey.step]] with `get = \"/\"`"));
            journeys.routeless = true;
        }
        let name = name.map(|name| name.value).unwrap_or_default();
        journeys.add(name, journey.start, journey.steps, context, found);
    }
    journeys
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
        start: Vec<file::Step<'_>>,
        steps: Vec<file::Step<'_>>,
        context: &Context<'_>,
        found: &mut Vec<Problem>,
    ) {
        let (journey, first, starting) = (self.journeys.len(), self.steps.len(), start.len());
        let written: Vec<file::Step<'_>> = start.into_iter().chain(steps).collect();
        let slots = slots(&written, found);
        let names = names(&written, found);
        for (order, (step, name)) in written.into_iter().zip(names).enumerate() {
            let scope = Scope { context, slots: &slots, order };
            let step = self.step(journey, name, step, &scope, found);
            self.steps.push(step);
        }
        let all: Vec<StepIndex> = (first..self.steps.len()).collect();
        let (start, steps) = all.split_at(starting);
        let saved = slots.into_iter().map(|slot| slot.name).collect();
        self.journeys.push(Journey { name, start: start.to_vec(), steps: steps.to_vec(), saved });
    }

    /// A step, whole only if no problem was found.
    fn step(
        &mut self,
        journey: JourneyIndex,
        name: Option<String>,
        step: file::Step<'_>,
        scope: &Scope<'_>,
        found: &mut Vec<Problem>,
    ) -> Step {
        let request = request(&step, found);
        let route = request.and_then(|(method, path)| route(method, path, &step.route));
        self.routeless |= !route.as_ref().is_some_and(|route| route.contains(" /"));
        let path = match request {
            Some((_, path)) => path_template(path, scope, found),
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
        let save = saves(&step, scope.slots, found);
        let foreign = foreign(&step, found);
        Step {
            journey,
            name: name.unwrap_or_default(),
            method: request.map(|(method, _)| method.to_ascii_uppercase()).unwrap_or_default(),
            route: route.unwrap_or_default(),
            path,
            headers: headers(&step, scope, found),
            body: body(&step, scope, found),
            status: step.status.or(StatusSet::success()).unwrap_or_else(StatusSet::success),
            save,
            tenant: step.tenant.optional().flatten(),
            foreign,
        }
    }
}

/// Whether the step asks for what belongs to another tenant; then it says how the service refuses that.
fn foreign(step: &file::Step<'_>, found: &mut Vec<Problem>) -> bool {
    const HELP: &str = "the statuses with which the service refuses what belongs to others: status = 403";
    let Some(foreign) = step.foreign.given().filter(|foreign| foreign.value) else { return false };
    match &step.status {
        Field::Absent => {
            let problem = Problem::at(foreign.span.clone(), "a foreign step lacks `status`", "");
            found.push(problem.help(HELP));
        }
        Field::Given(status) if (200..300).any(|success| status.value.contains(success)) => {
            let message = "a foreign step cannot expect to be served";
            let problem = Problem::at(status.span.clone(), message, "this includes a 2xx");
            found.push(problem.also(foreign.span.clone(), "this says that it must be refused").help(HELP));
        }
        Field::Given(_) | Field::Invalid => {}
    }
    if let Some((name, _)) = step.save.first() {
        let message = "a foreign step has nothing to save";
        let problem = Problem::at(name.span.clone(), message, "values are saved from 2xx answers");
        found.push(problem.also(foreign.span.clone(), "this says that it must be refused"));
    }
    true
}

/// The one method and path of a step; `Some` also with a path that is wrong, which was said then.
fn request<'s>(
    step: &'s file::Step<'_>,
    found: &mut Vec<Problem>,
) -> Option<(&'static str, &'s Located<String>)> {
    match step.requests.as_slice() {
        [(method, Field::Given(path))] => Some((method, path)),
        [_] => None,
        [] => {
            let problem = Problem::at(step.header.span.clone(), "this step sends nothing", "");
            found.push(problem.help(format!("one of {} says what: post = \"/chat\"", listed(METHODS))));
            None
        }
        several => {
            let mut places: Vec<&Span> =
                several.iter().filter_map(|(_, path)| Some(&path.given()?.span)).collect();
            places.sort_by_key(|span| span.start);
            let mut problem = Problem::new("a step sends one request");
            for (i, span) in places.into_iter().enumerate() {
                problem = problem.also(span.clone(), if i == 0 { "this" } else { "or this?" });
            }
            if problem.labels.is_empty() {
                problem = problem.also(step.header.span.clone(), "");
            }
            found.push(problem.help("give the second request a [[journey.step]] of its own"));
            None
        }
    }
}

/// `METHOD /path`, each `${x}` as `{x}`, without the query.
fn route(method: &str, path: &Located<String>, given: &Field<String>) -> Option<String> {
    let method = method.to_ascii_uppercase();
    match given {
        Field::Given(route) => return Some(format!("{method} {}", route.value)),
        Field::Invalid => return None,
        Field::Absent => {}
    }
    let mut route = format!("{method} ");
    for piece in pieces(&path.value).ok()? {
        match piece {
            Piece::Text(text) => match text.split_once('?') {
                Some((before, _)) => {
                    route.push_str(before);
                    return Some(route);
                }
                None => route.push_str(text),
            },
            Piece::Variable(name) => route.push_str(&format!("{{{name}}}")),
        }
    }
    Some(route)
}

fn path_template(path: &Located<String>, scope: &Scope<'_>, found: &mut Vec<Problem>) -> Template {
    let text = &path.value;
    let allowed = |c: char| c.is_ascii_graphic() && !r##"#"<>\^`{|}"##.contains(c);
    let literals = pieces(text).unwrap_or_default();
    let odd = literals.iter().find_map(|piece| match piece {
        Piece::Text(text) => text.chars().find(|c| !allowed(*c)),
        Piece::Variable(_) => None,
    });
    if !text.starts_with('/') {
        let problem = Problem::at(path.span.clone(), "a path begins with `/`", "");
        found.push(match text.strip_prefix("http") {
            Some(_) => problem.help("the environment says where the service is; a step gives the path alone"),
            None => problem.help(format!("write {}", quoted(&format!("/{text}")))),
        });
    } else if let Some(odd) = odd {
        let at = scope.inside(&path.span, &odd.to_string());
        let problem = Problem::at(at, format!("a path cannot hold {}", quoted(&odd.to_string())), "");
        found.push(match odd {
            '{' | '}' => problem.help("a variable is written `${name}`: \"/items/${id}\""),
            '#' => problem.help("what follows a `#` is never sent to a server"),
            odd => problem.help(format!("write it as {}", quoted(&percent_encoded(odd)))),
        });
    }
    scope.compile(text, &path.span, Escape::Url, found)
}

fn percent_encoded(c: char) -> String {
    let mut bytes = [0; 4];
    c.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn headers(step: &file::Step<'_>, scope: &Scope<'_>, found: &mut Vec<Problem>) -> Vec<(String, Template)> {
    let mut headers: Vec<(String, Template)> = Vec::new();
    for (name, value) in &step.headers {
        let lower = name.value.to_ascii_lowercase();
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let wrong = if lower.is_empty() || !lower.chars().all(token) {
            Some("is not the name of a header")
        } else if OWN_HEADERS.contains(&lower.as_str()) {
            Some("is set by saasbench itself")
        } else if headers.iter().any(|(earlier, _)| *earlier == lower) {
            Some("is there twice: headers do not tell capitals from small letters")
        } else {
            None
        };
        if let Some(wrong) = wrong {
            found.push(Problem::at(name.span.clone(), format!("{} {wrong}", quoted(&name.value)), ""));
        }
        if value.value.chars().any(|c| c.is_control() && c != '\t') {
            let message = format!("the value of header {} holds control characters", quoted(&name.value));
            found.push(Problem::at(value.span.clone(), message, ""));
        }
        headers.push((lower, scope.compile(&value.value, &value.span, Escape::None, found)));
    }
    headers
}

fn body(step: &file::Step<'_>, scope: &Scope<'_>, found: &mut Vec<Problem>) -> Option<Template> {
    let json = step.json.map(|json| scope.json(json, found));
    let body = step.body.given().map(|body| scope.compile(&body.value, &body.span, Escape::None, found));
    if let (Some(json), Some(body)) = (step.json, step.body.given()) {
        let problem = Problem::at(json.span(), "a step has one body", "`json` is one");
        found.push(problem.also(body.span.clone(), "`body` is another"));
    }
    json.or(body)
}

/// The names that the steps save, in the order of the steps; what is wrong with the names is said here.
fn slots(steps: &[file::Step<'_>], found: &mut Vec<Problem>) -> Vec<Slot> {
    let mut slots: Vec<Slot> = Vec::new();
    for (order, step) in steps.iter().enumerate() {
        for (name, _) in &step.save {
            if !can_be_saved(&name.value) {
                let problem = Problem::at(
                    name.span.clone(),
                    format!("nothing can be saved as {}", quoted(&name.value)),
                    "",
                );
                found.push(problem.help(
                    "a name is letters, digits, `_` and `-`, and not `tenant`, `user`, `n` or `canary`, which are always there",
                ));
            } else if !slots.iter().any(|slot| slot.name == name.value) {
                slots.push(Slot { name: name.value.clone(), order, span: name.span.clone() });
            }
        }
    }
    slots
}

fn saves(step: &file::Step<'_>, slots: &[Slot], found: &mut Vec<Problem>) -> Vec<Save> {
    let mut saves = Vec::new();
    for (name, pointer) in &step.save {
        match (slots.iter().position(|slot| slot.name == name.value), notation::json_pointer(&pointer.value))
        {
            (Some(slot), Ok(pointer)) => saves.push(Save { slot, pointer }),
            (_, Err(complaint)) => {
                let message =
                    format!("{} cannot be saved from {}", quoted(&name.value), quoted(&pointer.value));
                found
                    .push(Problem::at(pointer.span.clone(), message, complaint.message).help(complaint.help));
            }
            (None, Ok(_)) => {}
        }
    }
    saves
}

/// The name of each step: its own, or its route with ` #2`, ` #3` … where that is taken. `None` where the route is not known.
fn names(steps: &[file::Step<'_>], found: &mut Vec<Problem>) -> Vec<Option<String>> {
    let mut taken: HashMap<String, Span> = HashMap::new();
    for name in steps.iter().filter_map(|step| step.name.given()) {
        unique("step", name, &mut taken, found);
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

/// Complains of a name that is there already.
fn unique(what: &str, name: &Located<String>, names: &mut HashMap<String, Span>, found: &mut Vec<Problem>) {
    if let Some(first) = names.get(&name.value) {
        let problem = Problem::at(
            name.span.clone(),
            format!("{what} {} is there twice", quoted(&name.value)),
            "again here",
        );
        found.push(problem.also(first.clone(), "first here"));
    } else {
        names.insert(name.value.clone(), name.span.clone());
    }
}

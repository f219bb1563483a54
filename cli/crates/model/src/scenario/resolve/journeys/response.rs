//! What happens with a step's response: checks, saved values, and the statuses of a foreign step.

use serde_json::Number;
use toml::de::DeValue;

use crate::scenario::{
    Save, StatusSet,
    file::{self, Field, Located, Value, whole},
    journey::{Check, Condition, Literal},
    notation,
    problem::{Problem, quoted},
    resolve::template::{Scope, Slot, can_be_saved},
    response::Place,
    template::{Escape, Template},
};

/// Whether the step requests what belongs to another tenant; then it must state how the service rejects that.
pub(super) fn foreign(step: &file::Step<'_>, found: &mut Vec<Problem>) -> bool {
    const HELP: &str = "the statuses with which the service rejects what belongs to others: status = 403";
    let Some(foreign) = step.foreign.given().filter(|foreign| foreign.value) else { return false };
    match &step.status {
        Field::Absent => {
            let problem = Problem::at(foreign.span.clone(), "a foreign step lacks `status`", "");
            found.push(problem.help(HELP));
        }
        Field::Given(status) if (200..300).any(|success| status.value.contains(success)) => {
            let message = "a foreign step cannot expect to be served";
            let problem = Problem::at(status.span.clone(), message, "this includes a 2xx");
            found.push(problem.also(foreign.span.clone(), "this says that it must be rejected").help(HELP));
        }
        Field::Given(_) | Field::Invalid => {}
    }
    if let Some((name, _)) = step.save.first() {
        let message = "a foreign step has nothing to save";
        let problem = Problem::at(name.span.clone(), message, "values are saved from 2xx responses");
        found.push(problem.also(foreign.span.clone(), "this says that it must be rejected"));
    }
    true
}

const PLACES: &str =
    "a value is taken from one of `json = \"/pointer\"`, `header = \"name\"` and `regex = 'id=(\\d+)'`";

/// The place that a table states; `None` if it states none, or after a problem was found.
fn place(
    place: &file::Place,
    span: &std::ops::Range<usize>,
    found: &mut Vec<Problem>,
) -> Result<Option<Place>, ()> {
    let file::Place { json, header, regex } = place;
    let given = [!json.is_absent(), !header.is_absent(), !regex.is_absent()];
    if given.iter().filter(|given| **given).count() > 1 {
        found.push(
            Problem::at(span.clone(), "a value stands in one place", "this names several").help(PLACES),
        );
        return Err(());
    }
    match (json, header, regex) {
        (Field::Given(pointer), ..) => Ok(Some(Place::Json(pointer.value.clone()))),
        (_, Field::Given(name), _) => Ok(Some(Place::Header(name.value.clone()))),
        (.., Field::Given(pattern)) => Ok(Some(Place::Found(pattern.value.clone()))),
        (Field::Absent, Field::Absent, Field::Absent) => Ok(None),
        _ => Err(()),
    }
}

/// The checks of a step; those with a problem are left out.
pub(super) fn checks(step: &file::Step<'_>, scope: &Scope<'_>, found: &mut Vec<Problem>) -> Vec<Check> {
    step.checks.iter().filter_map(|written| check(written, scope, found)).collect()
}

fn check(written: &file::Check<'_>, scope: &Scope<'_>, found: &mut Vec<Problem>) -> Option<Check> {
    const HELP: &str = "a check names a value and what it must be: { json = \"/ok\", is = true }, { header = \"x-cache\" }, { contains = \"text of the body\" }, { size = \"< 10kB\" }";
    let span = &written.header.span;
    let place = place(&written.place, span, found).ok()?;
    let file::Check { is, not, contains, matches, size, .. } = written;
    let conditions = [is.is_some(), not.is_some(), !contains.is_absent(), !matches.is_absent()];
    let conditions = conditions.into_iter().filter(|there| *there).count();
    if !size.is_absent() && (place.is_some() || conditions > 0) {
        let problem =
            Problem::at(span.clone(), "`size` is of the whole body", "and stands alone in its check");
        found.push(
            problem.help("write two checks: check = [{ size = \"< 10kB\" }, { json = \"/ok\", is = true }]"),
        );
        return None;
    }
    if conditions > 1 {
        let problem = Problem::at(span.clone(), "a check expects one thing", "this expects several");
        found.push(problem.help("write two checks: check = [{ contains = \"a\" }, { contains = \"b\" }]"));
        return None;
    }
    if size.is_absent() && conditions == 0 && place.is_none() {
        found.push(Problem::at(span.clone(), "this check expects nothing", "").help(HELP));
        return None;
    }
    if !size.is_absent() {
        let (comparison, bytes, written) = size.given()?.value.clone();
        return Some(Check::Size { comparison, bytes, written });
    }
    if not.is_some() && place.is_none() {
        let label = "compares the whole body, so almost every body passes";
        let problem = Problem::at(span.clone(), "this check can hardly fail", label);
        let help = "name the value that must differ: { json = \"/state\", not = \"failed\" }, { header = \"x-cache\", not = \"STALE\" }";
        found.push(problem.help(help));
        return None;
    }
    let of = place.unwrap_or(Place::Body);
    let must = match (is, not) {
        (Some(is), _) => Condition::Is(literal("is", is, &of, scope, found)?),
        (_, Some(not)) => Condition::Not(literal("not", not, &of, scope, found)?),
        _ => match (contains, matches) {
            (Field::Given(text), _) => {
                Condition::Contains(scope.compile(&text.value, &text.span, Escape::None, found))
            }
            (_, Field::Given(pattern)) => Condition::Matches(pattern.value.clone()),
            (Field::Absent, Field::Absent) => Condition::Present,
            _ => return None,
        },
    };
    Some(Check::Value { of, must })
}

/// A value to compare with. Outside of JSON everything is text.
fn literal(
    key: &str,
    value: &Value<'_>,
    of: &Place,
    scope: &Scope<'_>,
    found: &mut Vec<Problem>,
) -> Option<Literal> {
    let typed = matches!(of, Place::Json(_));
    let text = |text: String| Literal::Text(Template::literal(text, Escape::None));
    let literal = match value.get_ref() {
        DeValue::String(text) => Some(Literal::Text(scope.compile(text, &value.span(), Escape::None, found))),
        DeValue::Boolean(boolean) if typed => Some(Literal::Boolean(*boolean)),
        DeValue::Boolean(boolean) => Some(text(boolean.to_string())),
        DeValue::Integer(integer) => whole(integer).and_then(|number| {
            let number =
                i64::try_from(number).map(Number::from).or_else(|_| u64::try_from(number).map(Number::from));
            number.ok().map(|number| if typed { Literal::Number(number) } else { text(number.to_string()) })
        }),
        DeValue::Float(float) => {
            let number = float.as_str().replace('_', "").parse().ok().and_then(Number::from_f64);
            number.map(|number| if typed { Literal::Number(number) } else { text(float.as_str().to_owned()) })
        }
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    };
    if literal.is_none() {
        let message = format!("nothing can be compared with what {} holds", quoted(key));
        let help = "values are compared with text, numbers that JSON can hold, true and false";
        found.push(Problem::at(value.span(), message, "").help(help));
    }
    literal
}

/// The names that the steps save, in the order of the steps; problems with names are reported here. `sure`
/// states for each step whether it is part of every iteration.
pub(super) fn slots(steps: &[file::Step<'_>], sure: &[bool], found: &mut Vec<Problem>) -> Vec<Slot> {
    let mut slots: Vec<Slot> = Vec::new();
    for (order, (step, sure)) in steps.iter().zip(sure).enumerate() {
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
                continue;
            }
            let sure = sure.then_some(order);
            match slots.iter_mut().find(|slot| slot.name == name.value) {
                Some(slot) => slot.sure = slot.sure.or(sure),
                None => {
                    slots.push(Slot { name: name.value.clone(), order, sure, span: name.span.clone() });
                }
            }
        }
    }
    slots
}

/// The values that a step saves; those with a problem are left out.
pub(super) fn saves(step: &file::Step<'_>, slots: &[Slot], found: &mut Vec<Problem>) -> Vec<Save> {
    let mut saves = Vec::new();
    for (name, saved) in &step.save {
        let from = saved.given().and_then(|saved| source(name, saved, found));
        let slot = slots.iter().position(|slot| slot.name == name.value);
        saves.extend(slot.zip(from).map(|(slot, from)| Save { slot, from }));
    }
    saves
}

fn source(name: &Located<String>, saved: &Located<file::Saved>, found: &mut Vec<Problem>) -> Option<Place> {
    match &saved.value {
        file::Saved::Pointer(pointer) => match notation::json_pointer(pointer) {
            Ok(pointer) => Some(Place::Json(pointer)),
            Err(complaint) => {
                let message = format!("{} cannot be saved from {}", quoted(&name.value), quoted(pointer));
                found.push(Problem::at(saved.span.clone(), message, complaint.message).help(complaint.help));
                None
            }
        },
        file::Saved::Place(written) => {
            let place = place(written, &saved.span, found).ok()?;
            if place.is_none() {
                let message = format!("nothing says what is saved as {}", quoted(&name.value));
                found.push(Problem::at(saved.span.clone(), message, "").help(PLACES));
            }
            place
        }
    }
}

/// The expected statuses.
pub(super) fn status(step: &file::Step<'_>) -> StatusSet {
    step.status.given().map_or_else(StatusSet::success, |status| status.value.clone())
}

//! When a step runs: weights, `every`, `when`, repetitions and pauses.

use crate::scenario::{
    file::{self, Field, Located, unknown},
    journey::{Holds, Turn, When},
    problem::{Problem, Span, quoted},
    resolve::template::Slot,
};

/// The greatest weight and the most repetitions.
const MOST: u64 = 1_000_000;

/// Whether a step is part of every iteration of its journey.
pub(super) fn is_sure(step: &file::Step<'_>) -> bool {
    step.weight.is_absent() && always(step)
}

/// Whether only its weight can keep it from being sent.
fn always(step: &file::Step<'_>) -> bool {
    step.when.is_absent() && step.every.given().is_none_or(|every| every.value == 1)
}

/// When the step runs.
pub(super) fn turn(step: &file::Step<'_>, slots: &[Slot], found: &mut Vec<Problem>) -> Turn {
    let when = step.when.given().and_then(|written| when(written, slots, found));
    for (key, field) in [("weight", &step.weight), ("repeat", &step.repeat)] {
        if let Some(located) = field.given().filter(|located| located.value > MOST) {
            let message = format!("{} cannot be {}", quoted(key), located.value);
            found.push(Problem::at(located.span.clone(), message, "a million is the most"));
        }
    }
    let number = |field: &Field<u64>| field.given().map_or(1, |located| located.value);
    Turn {
        weight: step.weight.given().map(|weight| weight.value.min(MOST)),
        every: number(&step.every),
        when,
        repeat: number(&step.repeat),
        pause: step.pause.given().map(|pause| pause.value),
    }
}

fn when(written: &Located<file::When>, slots: &[Slot], found: &mut Vec<Problem>) -> Option<When> {
    const HELP: &str = "when = \"sid\", or { absent = \"sid\" }, { saved = \"state\", is = \"open\" }, { saved = \"state\", not = \"closed\" }";
    let file::When { saved, absent, is, not } = &written.value;
    let mut complain = |message: &str| {
        found.push(Problem::at(written.span.clone(), message, "").help(HELP));
        None
    };
    let (name, holds) = match (saved, absent) {
        (Field::Invalid, _) | (_, Field::Invalid) => return None,
        (Field::Absent, Field::Absent) => return complain("`when` names no saved value"),
        (Field::Given(_), Field::Given(_)) => return complain("`when` is about one saved value"),
        (Field::Absent, Field::Given(_)) if !is.is_absent() || !not.is_absent() => {
            return complain("what is absent is not equal to anything");
        }
        (Field::Absent, Field::Given(name)) => (name, Holds::Absent),
        (Field::Given(name), Field::Absent) => {
            let holds = match (is, not) {
                (Field::Invalid, _) | (_, Field::Invalid) => return None,
                (Field::Absent, Field::Absent) => Holds::Saved,
                (Field::Given(text), Field::Absent) => Holds::Is(text.value.clone()),
                (Field::Absent, Field::Given(text)) => Holds::Not(text.value.clone()),
                (Field::Given(_), Field::Given(_)) => return complain("`when` has one of `is` and `not`"),
            };
            (name, holds)
        }
    };
    let slot = slots.iter().position(|slot| slot.name == name.value);
    if slot.is_none() {
        let problem = unknown("saved value", name, slots.iter().map(|slot| slot.name.as_str()));
        found.push(problem.help("`when` looks at what a step of the journey saves"));
    }
    Some(When { slot: slot?, holds })
}

/// Checks what the steps of a journey must agree on: all or none have weights, and no iteration is empty.
pub(super) fn agree(start: &[file::Step<'_>], steps: &[file::Step<'_>], found: &mut Vec<Problem>) {
    for step in start {
        for (key, field) in [("weight", &step.weight), ("every", &step.every)] {
            if let Some(located) = field.given() {
                let message = format!("{} means nothing in a start step", quoted(key));
                found.push(Problem::at(located.span.clone(), message, "start steps are done once"));
            }
        }
        // The first step is due when the pause ends; a user of an open load, started when an arrival needs
        // it, would be late by that.
        if let Some(located) = step.pause.given() {
            let message = format!("{} means nothing in a start step", quoted("think_time"));
            found.push(Problem::at(located.span.clone(), message, "users start at once"));
        }
    }
    let (weighted, unweighed): (Vec<_>, Vec<_>) = steps.iter().partition(|step| !step.weight.is_absent());
    if let (Some(weight), Some(without)) =
        (weighted.iter().find_map(|step| step.weight.given()), unweighed.first())
    {
        let message = "some steps of this journey have a weight, and some have none";
        let problem = Problem::at(without.header.span.clone(), message, "this one has none");
        found.push(problem.also(weight.span.clone(), "this one has").help(
            "with weights each iteration is one step, drawn by weight; steps without are walked in turn. Two journeys can be mixed by a load: journey = { chat = 3, browse = 1 }",
        ));
    }
    for step in &weighted {
        if let (Some(weight), Some(every)) = (step.weight.given(), step.every.given()) {
            let problem = Problem::at(every.span.clone(), "a step with a weight has no `every`", "");
            found.push(problem.also(weight.span.clone(), "this says how often it is drawn"));
        }
    }
    never_empty(steps, found);
}

/// An iteration without a request would let users loop without a pause.
fn never_empty(steps: &[file::Step<'_>], found: &mut Vec<Problem>) {
    let condition = |step: &file::Step<'_>| -> Option<Span> {
        let when = step.when.given().map(|when| when.span.clone());
        when.or_else(|| step.every.given().map(|every| every.span.clone()))
    };
    if steps.iter().any(always) {
        return;
    }
    if let Some(span) = steps.iter().find_map(condition) {
        let problem = Problem::at(span, "an iteration of this journey could be empty", "");
        found.push(problem.help("one step at least has neither `when` nor `every`"));
    }
}

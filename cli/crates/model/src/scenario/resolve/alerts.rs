//! `[[alert]]`: resolves causes, and checks that promises do not contradict each other.

use std::collections::BTreeMap;

use crate::{
    scenario::{
        Alert, AlertPromise, Load,
        file::{self, Located},
        problem::{Problem, Span, quoted},
    },
    units::Nanos,
};

/// Resolves all of them; those with a problem are left out.
pub(super) fn resolve(
    written: Vec<file::Alert>,
    loads: &[Option<Load>],
    found: &mut Vec<Problem>,
) -> Vec<Alert> {
    // A problem with a load was reported already, and may be why the loads seem to end early.
    let end = loads.iter().map(|load| load.as_ref().map(|load| load.after + load.duration));
    let end = end.collect::<Option<Vec<Nanos>>>().and_then(|ends| ends.into_iter().max());
    let mut resolved: Vec<(Alert, Span)> = Vec::new();
    for alert in written {
        let place = alert.header.span.clone();
        let Some(alert) = one(alert, end, found) else { continue };
        let same = |(other, _): &&(Alert, Span)| other.name == alert.name && other.labels == alert.labels;
        if let Some((_, first)) = resolved.iter().find(same) {
            let message = format!("{} is there twice", quoted(&alert.to_string()));
            let problem = Problem::at(place.clone(), message, "again here").also(first.clone(), "first here");
            found.push(problem.help("a second cause would hide what the first one did"));
        }
        resolved.push((alert, place));
    }
    resolved.into_iter().map(|(alert, _)| alert).collect()
}

fn one(alert: file::Alert, end: Option<Nanos>, found: &mut Vec<Problem>) -> Option<Alert> {
    let header = alert.header;
    let name = header.need("name", alert.name, found);
    let labels: Option<BTreeMap<String, String>> =
        alert.labels.into_iter().map(|(name, value)| Some((name, value?))).collect();
    let silent = alert.silent.given().filter(|silent| silent.value).map(|silent| silent.span.clone());
    let promise = if let Some(silent) = silent {
        let others = [
            ("cause", alert.cause.given().map(|given| &given.span)),
            ("fires_within", alert.fires_within.given().map(|given| &given.span)),
            ("resolves_within", alert.resolves_within.given().map(|given| &given.span)),
        ];
        for (key, span) in others {
            let Some(span) = span else { continue };
            let message = format!("an alert that stays silent has no {}", quoted(key));
            let problem = Problem::at(span.clone(), message, "").also(silent.clone(), "it is said here");
            found.push(problem.help("of an alert either is promised: that it fires, or that it is silent"));
        }
        Some(AlertPromise::Silent)
    } else {
        let cause = header.need("cause", alert.cause, found);
        let within = header.need("fires_within", alert.fires_within, found);
        if let (Some(cause), Some(end)) = (&cause, end) {
            ends_with_the_load(cause, end, found);
        }
        let resolves_within = alert.resolves_within.optional();
        let (silent, cause, within) = (alert.silent.or(false), cause?.value, within?.value);
        silent.and(Some(AlertPromise::Fires { cause, within, resolves_within: resolves_within? }))
    };
    Some(Alert { name: name?.value, labels: labels?, promise: promise?, stated_at: header.span.start })
}

/// Alerts are caused by load, so a cause must not outlast it.
fn ends_with_the_load(cause: &Located<(Nanos, Nanos)>, end: Nanos, found: &mut Vec<Problem>) {
    if cause.value.1 > end {
        let label = format!("all loads have ended after {end}");
        let problem = Problem::at(cause.span.clone(), "the cause goes on after the load", label);
        found.push(
            problem.help("a cause is a part of the load, counted from its start: `cause = \"5s..25s\"`"),
        );
    }
}

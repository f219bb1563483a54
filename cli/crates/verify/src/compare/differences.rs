//! Differences between two runs: those that make a comparison meaningless, and those that may explain a
//! change that is not the service's.

use std::collections::BTreeSet;

use crate::pace;
use saasbench_model::scenario::overrides::Overrides;
use saasbench_record::{
    manifest::{Environment, State},
    reader::RecordedRun,
};

/// Differences that make the runs incomparable, a line each.
pub(super) fn severe_differences(base: &RecordedRun, new: &RecordedRun) -> Vec<String> {
    let (old, now) = (&base.manifest.scenario, &new.manifest.scenario);
    let mut lines = Vec::new();
    if (&old.sha256, &old.files) != (&now.sha256, &now.files) {
        lines.extend(of_scenarios(base, new));
    }
    let overrides = |overrides: Overrides| match overrides.is_empty() {
        true => "nothing".to_owned(),
        false => overrides.to_string(),
    };
    lines.extend(differ("changed by the command line", &overrides(old.overrides), &overrides(now.overrides)));
    lines.extend(differ("changed by hand", &paces(base), &paces(new)));
    lines
}

/// How two scenarios differ, as far as that can be said briefly.
fn of_scenarios(base: &RecordedRun, new: &RecordedRun) -> Vec<String> {
    let (old, now) = (&base.scenario, &new.scenario);
    let journeys = |run: &RecordedRun| {
        let steps = run.scenario.steps.iter().map(|step| {
            let journey = run.scenario.journeys.get(step.journey).map_or("", |journey| &journey.name);
            format!("{journey}/{}", step.name)
        });
        steps.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
    };
    let mut lines = Vec::new();
    lines.extend(differ("scenario", &old.name, &now.name));
    lines.extend(differ("steps", &journeys(base), &journeys(new)));
    lines.extend(differ("tenants", &tenants(base), &tenants(new)));
    if lines.is_empty() {
        lines.push("the scenario's text has changed".to_owned());
    }
    lines
}

/// A line, if the two texts differ.
fn differ(what: &str, before: &str, after: &str) -> Option<String> {
    (before != after).then(|| format!("{what}: {before}, now {after}"))
}

/// Changes of the load's pace by hand during the run.
fn paces(run: &RecordedRun) -> String {
    pace::changes(run).unwrap_or_else(|| "nothing".to_owned())
}

fn tenants(run: &RecordedRun) -> String {
    let tenants = &run.scenario.tenants;
    match tenants.len() {
        count @ 9.. => format!("{count}"),
        _ => tenants.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

/// Other differences, a line each.
pub(super) fn minor_differences(base: &RecordedRun, new: &RecordedRun) -> Vec<String> {
    let mut lines = Vec::new();
    let mut differ = |what: &str, before: String, after: String| {
        if before != after {
            let shown = |text: String| if text.is_empty() { "none".to_owned() } else { text };
            lines.push(format!("{what}: {}, now {}", shown(before), shown(after)));
        }
    };
    let mut each = |what: &str, of: &dyn Fn(&RecordedRun) -> String| differ(what, of(base), of(new));
    each("environment", &|run| environment(&run.manifest.environment));
    each("faults", &|run| run.manifest.environment.faults.join(", "));
    each("programs", &|run| {
        let programs = run.manifest.environment.programs.iter();
        programs.map(|(part, version)| format!("{part} {version}")).collect::<Vec<_>>().join(", ")
    });
    each("HTTP/2", &|run| run.manifest.environment.http2.join(", "));
    each("version of saasbench", &|run| run.manifest.saasbench.clone());
    each("machine", &|run| {
        let machine = &run.manifest.machine;
        format!("{} {} with {} processors", machine.os, machine.arch, machine.cpus)
    });
    each("workers", &|run| workers(run).map_or_else(String::new, |workers| workers.to_string()));
    each("how the run ended", &|run| {
        match run.manifest.state {
            State::Running => "cut off",
            State::Finished => "finished",
            State::Interrupted => "interrupted",
            State::Aborted => "aborted",
        }
        .to_owned()
    });
    lines
}

fn environment(environment: &Environment) -> String {
    let replicas = environment.replicas.len();
    let alone = if environment.exclusive { "" } else { ", shared" };
    format!("{}, replicas: {replicas}{alone}", environment.name)
}

/// How many worker threads sent requests, if the generator monitored itself.
fn workers(run: &RecordedRun) -> Option<usize> {
    let usage = run.self_monitor.usage.iter();
    let counts = usage.map(|at| at.threads.keys().filter(|name| name.starts_with("worker-")).count());
    counts.max().filter(|count| *count > 0)
}

//! Resolves the file as written to a [`Scenario`]: names become indices, defaults are filled in, and every
//! problem is collected, so that one run of `saasbench validate` shows them all.

mod alerts;
mod capacity;
mod expectations;
mod feeders;
mod http;
mod journeys;
mod limits;
mod loads;
mod metrics;
mod neighbours;
mod service;
mod syntax;
mod template;
mod tenants;

pub use metrics::declare_metrics;

use std::{collections::HashMap, path::Path};

use toml::de::DeTable;

use super::{
    Scenario,
    file::{File, Located},
    notation,
    problem::{Problem, Problems, Span, quoted},
};
use crate::units::Nanos;

/// Looks up an environment variable.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Access to what a scenario refers to: the caller decides about directories, copies and the environment.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// Reads a file, by the path as written in the scenario.
    pub read_file: &'a dyn Fn(&Path) -> std::io::Result<String>,
    /// Environment variables, to check that those of `${env:NAME}` are set; `None` to skip the check.
    pub environment: Option<Environment<'a>>,
}

/// Parses and resolves a scenario. `file_name` is shown in problems, and its stem is the default name.
///
/// # Errors
///
/// All problems of the scenario at once.
pub fn resolve(text: &str, file_name: &str, sources: &Sources<'_>) -> Result<Scenario, Problems> {
    let mut found = Vec::new();
    let scenario = read(text, file_name, sources, &mut found);
    match scenario {
        Some(scenario) if found.is_empty() => return Ok(scenario),
        None if found.is_empty() => {
            found.push(Problem::new(
                "the scenario cannot be resolved, for no known reason: a defect of saasbench",
            ));
        }
        _ => {}
    }
    Err(Problems::new(file_name, text, found))
}

fn read(text: &str, file_name: &str, sources: &Sources<'_>, found: &mut Vec<Problem>) -> Option<Scenario> {
    let (root, errors) = DeTable::parse_recoverable(text);
    let syntax = syntax::Syntax::judge(text, root.get_ref(), &errors);
    if syntax.is_hopeless() {
        found.extend(syntax.into_problems());
        return None;
    }
    if root.get_ref().is_empty() {
        let help =
            "it begins with `version = 1`, and has at least a [[tenant]], a [[journey]] and a [[load]]";
        found.push(Problem::new("the scenario is empty").help(help));
        return None;
    }
    let file = File::read(root.get_ref(), found);
    if let Some(version) = file.version.given().filter(|version| version.value != 1) {
        // Other apparent problems may be valid in that version.
        let message = format!("version {} of the scenario format is not known", version.value);
        let problem =
            Problem::at(version.span.clone(), message, "").help("this saasbench reads `version = 1`");
        *found = vec![problem];
        return None;
    }
    let scenario = if syntax.is_sound() { mean(file, text, file_name, sources, found) } else { None };
    syntax.merge_into(found);
    scenario
}

/// The resolved file; `None` only after a problem was found.
fn mean(
    file: File<'_>,
    text: &str,
    file_name: &str,
    sources: &Sources<'_>,
    found: &mut Vec<Problem>,
) -> Option<Scenario> {
    let File { header, loads, limits, expectations, .. } = file;
    header.need("version", file.version, found);
    let tenants = tenants::resolve(&header, file.tenants, sources, found);
    let mut feeders = feeders::resolve(file.feeders, sources, found);
    let context = template::Context { text, sources, feeders: &feeders };
    let journeys = journeys::resolve(file.journeys, &context, found);
    if loads.is_empty() {
        found.push(Problem::new("nothing happens: there is no [[load]]").help(
            "a load says how many: [[load]] with `users = 2` or `rate = \"10/s\"`, and `duration = \"10s\"`",
        ));
    }
    let limited: Vec<String> =
        limits.iter().filter_map(|limit| limit.route.given()).map(|route| route.value.clone()).collect();
    let places: Vec<_> = loads.iter().map(|load| load.header.span.clone()).collect();
    let loads: Vec<_> =
        loads.into_iter().map(|load| loads::resolve(load, &tenants, &journeys, &limited, found)).collect();
    let warmup = loads::warmup(file.warmup, &loads, found);
    let limits = limits::resolve(limits, &tenants, &journeys, found);
    let (expectations, promql) = expectations::resolve(expectations, &tenants, &journeys, found);
    let neighbours = neighbours::resolve(file.neighbours, &tenants, &loads, found);
    let alerts = alerts::resolve(file.alerts, &loads, found);
    let capacity = capacity::capacity(file.capacity, &loads, found);
    let loads: Option<Vec<_>> = loads.into_iter().collect();
    if let Some(loads) = &loads {
        feeders.assign_rows(&journeys.journeys, &journeys.steps, loads, &places, found);
    }
    let timeout = file.timeout.or(Nanos::from_secs(10));
    let http = http::http(file.http, timeout.unwrap_or(Nanos::MAX), sources, found);
    let metrics = metrics::metrics(file.metrics, &journeys.steps, found);
    let embedded =
        service::embedded(file.replicas, file.embedded_tenants, file.embedded_prometheus, sources, found);
    Some(Scenario {
        name: file.name.or(default_name(file_name))?,
        about: file.about.optional()?,
        seed: file.seed.or(1)?,
        timeout: timeout?,
        warmup: warmup?,
        tenants: tenants.ids,
        journeys: journeys.journeys,
        steps: journeys.steps,
        loads: loads?,
        feeders: feeders.list,
        limits,
        expectations,
        alerts,
        promql,
        neighbours: neighbours?,
        http: http?,
        service: service::service(file.service_timeout)?,
        metrics: metrics?,
        embedded: embedded?,
        capacity: capacity?,
    })
}

/// Reports a name that is already taken by another of its kind.
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

/// The file's stem, made valid as part of a directory name.
fn default_name(file_name: &str) -> String {
    let stem = Path::new(file_name).file_stem().unwrap_or_default().to_string_lossy();
    let fit = |c| if notation::is_file_label(c) { c } else { '-' };
    let name: String = stem.chars().take(100).map(fit).collect();
    if name.is_empty() { "scenario".to_owned() } else { name }
}

#[cfg(test)]
mod tests;

//! What the run itself sent according to the scenario: which label values it knows, and which are its request
//! paths.

use std::collections::{BTreeMap, BTreeSet};

use saasbench_model::scenario::{
    MetricsContract, Scenario,
    template::{Part, Template, Variable},
};

#[derive(Debug)]
pub(super) struct Sent<'a> {
    scenario: &'a Scenario,
    known: BTreeSet<String>,
}

impl<'a> Sent<'a> {
    pub(super) fn new(scenario: &'a Scenario, contract: &MetricsContract) -> Self {
        let tenants = scenario.tenants.iter().map(|tenant| tenant.as_str().to_owned());
        let stated = scenario.steps.iter().filter_map(|step| step.tenant.clone());
        let routes = scenario.steps.iter().flat_map(|step| {
            let path = step.route.split_once(' ').map_or(step.route.as_str(), |(_, path)| path);
            [step.route.clone(), path.to_owned()]
        });
        let ignored = contract.ignore.iter().chain(&contract.tenantless).cloned();
        Self { scenario, known: tenants.chain(stated).chain(routes).chain(ignored).collect() }
    }

    /// Whether a value is one of the scenario's tenants or routes.
    pub(super) fn knows(&self, value: &str) -> bool {
        self.known.contains(value)
    }

    pub(super) fn tenants(&self) -> usize {
        self.scenario.tenants.len()
    }

    /// The values that are raw paths of one route: the route with the most. Only templates with an unlimited
    /// number of paths count; a data column and a tenant's name are limited.
    pub(super) fn raw_paths<'v>(&self, values: &BTreeSet<&'v String>) -> Option<(&'a str, Vec<&'v String>)> {
        let mut routes: BTreeMap<&str, BTreeSet<&'v String>> = BTreeMap::new();
        for step in self.scenario.steps.iter().filter(|step| endless(&step.path)) {
            let fits = |value: &&String| {
                let target = value.split_once(' ').map_or(value.as_str(), |(_, path)| path);
                !self.knows(value) && !target.contains(['{', '<', '*', ':']) && fits(&step.path, target)
            };
            let path = step.route.split_once(' ').map_or(step.route.as_str(), |(_, path)| path);
            routes.entry(path).or_default().extend(values.iter().copied().filter(fits));
        }
        let (route, paths) = routes.into_iter().max_by_key(|(_, paths)| paths.len())?;
        Some((route, paths.into_iter().collect()))
    }
}

/// Whether a template has an unlimited number of paths.
fn endless(path: &Template) -> bool {
    path.parts.iter().any(|part| match part {
        Part::Text(_) => false,
        Part::Variable(variable) => {
            matches!(variable, Variable::User | Variable::Iteration | Variable::Canary | Variable::Saved(_))
        }
    })
}

/// Whether a request target can have been rendered from a template, with or without its query.
fn fits(template: &Template, target: &str) -> bool {
    let whole = matches(&template.parts, target);
    let without_query = || {
        let mut parts = Vec::new();
        for part in &template.parts {
            match part {
                Part::Text(text) if text.contains('?') => {
                    let path = text.split('?').next().unwrap_or_default();
                    parts.push(Part::Text(path.to_owned()));
                    break;
                }
                part => parts.push(part.clone()),
            }
        }
        // Variables in the query alone make no further paths.
        endless(&Template { parts: parts.clone(), escape: template.escape }) && matches(&parts, target)
    };
    whole || without_query()
}

/// Whether a target consists of these texts and variables; a variable never contains a separator.
fn matches(parts: &[Part], target: &str) -> bool {
    match parts.split_first() {
        None => target.is_empty(),
        Some((Part::Text(text), rest)) => {
            target.strip_prefix(text.as_str()).is_some_and(|left| matches(rest, left))
        }
        Some((Part::Variable(_), rest)) => {
            let longest = target.find(['/', '?', '&']).unwrap_or(target.len());
            let ends = (1..=longest).filter(|end| target.is_char_boundary(*end));
            ends.rev().any(|end| matches(rest, &target[end..]))
        }
    }
}

//! `[metrics]`: a preset and deviations from it, in layers: the scenario's over the default, the
//! environment's over both.

use std::collections::HashMap;

use toml::de::{DeTable, DeValue};

use crate::scenario::{
    MetricsContract, Preset, Scenario, Step,
    file::{Field, Located, Metrics, unknown},
    notation,
    problem::{Problem, Problems, Span, quoted},
};

/// The scenario's `[metrics]`; by default, the contract of the reference server. The outer `None` only after
/// a problem was found.
pub(super) fn metrics(
    written: Option<Metrics>,
    steps: &[Step],
    found: &mut Vec<Problem>,
) -> Option<Option<MetricsContract>> {
    let mut default = Preset::Tenancy.contract();
    for step in steps {
        let path = step.route.split_once(' ').map_or(step.route.as_str(), |(_, path)| path);
        if !default.routes.iter().any(|(known, _)| *known == step.route) {
            default.routes.push((step.route.clone(), path.to_owned()));
        }
    }
    let Some(written) = written else { return Some(Some(default)) };
    let known = default.routes.iter().map(|(route, _)| route.as_str());
    for (route, _) in &written.routes {
        if !known.clone().any(|known| known == route.value) {
            found.push(unknown("route", route, known.clone()));
        }
    }
    let enabled = written.enabled.clone().or(true)?;
    let contract = layer(default, written, found)?;
    Some(enabled.then_some(contract))
}

/// Applies an environment's `[metrics]` over the scenario's contract. `text` is a TOML file named `file`, and
/// `place` the path of keys to the table in it.
///
/// # Errors
/// All problems at once.
pub fn declare_metrics(
    scenario: &mut Scenario,
    text: &str,
    file: &str,
    place: &[&str],
) -> Result<(), Problems> {
    let mut found = Vec::new();
    let (root, _) = DeTable::parse_recoverable(text);
    if let Some((table, span)) = find(root.get_ref(), place) {
        let written = Metrics::of_table(table, span, &mut found);
        let enabled = written.enabled.given().map(|enabled| enabled.value);
        let base = scenario.metrics.clone().unwrap_or_else(|| Preset::Tenancy.contract());
        let contract = layer(base, written, &mut found);
        if enabled.unwrap_or(scenario.metrics.is_some()) {
            scenario.metrics = contract;
        } else {
            scenario.metrics = None;
        }
    }
    if found.is_empty() { Ok(()) } else { Err(Problems::new(file, text, found)) }
}

/// The table at `place`, and its span.
fn find<'a, 't>(root: &'a DeTable<'t>, place: &[&str]) -> Option<(&'a DeTable<'t>, Span)> {
    let mut found = (root, 0..0);
    for key in place {
        let value = found.0.get(*key)?;
        let DeValue::Table(table) = value.get_ref() else { return None };
        found = (table, value.span());
    }
    Some(found)
}

/// The contract with the written keys applied. A preset replaces every name and what is specific to the
/// library, and nothing else: the scrape interval and the load's routes are not the library's.
fn layer(mut base: MetricsContract, written: Metrics, found: &mut Vec<Problem>) -> Option<MetricsContract> {
    if let Some(preset) = written.preset.optional()? {
        base = MetricsContract {
            interval: base.interval,
            settle: base.settle,
            routes: base.routes,
            tenantless: base.tenantless,
            unseen: base.unseen,
            scrape_within: base.scrape_within,
            body_size_limit: base.body_size_limit,
            ..preset.contract()
        };
    }
    let mut names: HashMap<&str, Field<String>> = written.names.into_iter().collect();
    let tenant_label = names.get("tenant_label").and_then(|field| Some(field.given()?.span.clone()));
    let mut name = |key: &str| names.remove(key).unwrap_or(Field::Absent);
    let optional = |field: Field<String>, base: Option<String>| {
        field.or(base.unwrap_or_default()).map(|name| (!name.is_empty()).then_some(name))
    };
    let contract = MetricsContract {
        path: written.path.or(base.path)?,
        interval: written.interval.or(base.interval)?,
        settle: written.settle.or(base.settle)?,
        requests: name("requests").or(base.requests)?,
        duration: optional(name("duration"), base.duration)?,
        duration_all: optional(name("duration_all"), base.duration_all)?,
        tenant_requests: optional(name("tenant_requests"), base.tenant_requests)?,
        tenant_duration: optional(name("tenant_duration"), base.tenant_duration)?,
        in_progress: optional(name("in_progress"), base.in_progress)?,
        request_size: optional(name("request_size"), base.request_size)?,
        response_size: optional(name("response_size"), base.response_size)?,
        route_label: optional(name("route_label"), base.route_label)?,
        method_label: optional(name("method_label"), base.method_label)?,
        status_label: optional(name("status_label"), base.status_label)?,
        tenant_label: optional(name("tenant_label"), base.tenant_label)?,
        statuses: written.statuses.or(base.statuses)?,
        duration_unit: written.duration_unit.or(base.duration_unit)?,
        routes: routes(&written.routes, base.routes),
        ignore: paths(written.ignore, base.ignore, found)?,
        tenantless: paths(written.tenantless, base.tenantless, found)?,
        clock_stops_before_response: written
            .clock_stops_before_response
            .or(base.clock_stops_before_response)?,
        unseen: written.unseen.optional()?.or(base.unseen),
        scrape_within: written.scrape_within.or(base.scrape_within)?,
        body_size_limit: written.body_size_limit.or(base.body_size_limit)?,
    };
    tenants_are_distinguished(&contract, tenant_label.unwrap_or(written.header.span), found)?;
    Some(contract)
}

/// Checks that series per tenant have a label for the tenant.
fn tenants_are_distinguished(
    contract: &MetricsContract,
    place: Span,
    found: &mut Vec<Problem>,
) -> Option<()> {
    let keys =
        [("tenant_requests", &contract.tenant_requests), ("tenant_duration", &contract.tenant_duration)];
    let keys: Vec<&str> = keys.iter().filter(|(_, name)| name.is_some()).map(|(key, _)| *key).collect();
    if contract.tenant_label.is_some() || keys.is_empty() {
        return Some(());
    }
    let off: Vec<String> = keys.iter().map(|key| format!("{key} = \"\"")).collect();
    let message = "there are series per tenant, and no label that holds the tenant";
    let problem = Problem::at(place, message, "");
    found.push(problem.help(format!("name the label, or leave the series out: {}", off.join(", "))));
    None
}

/// The routes with the labels that are written for them.
fn routes(
    written: &[(Located<String>, Located<String>)],
    base: Vec<(String, String)>,
) -> Vec<(String, String)> {
    let label = |(route, label): (String, String)| {
        let written = written.iter().find(|(named, _)| named.value == route);
        let label = written.map_or(label, |(_, label)| label.value.clone());
        (route, label)
    };
    base.into_iter().map(label).collect()
}

fn paths(
    field: Field<Vec<Located<String>>>,
    default: Vec<String>,
    found: &mut Vec<Problem>,
) -> Option<Vec<String>> {
    let Field::Given(paths) = field else { return field.optional().map(|_| default) };
    let before = found.len();
    for path in &paths.value {
        if let Err(complaint) = notation::plain_path(&path.value) {
            let message = format!("{} is not a path", quoted(&path.value));
            found.push(Problem::at(path.span.clone(), message, complaint.message).help(complaint.help));
        }
    }
    (found.len() == before).then(|| paths.value.into_iter().map(|path| path.value).collect())
}

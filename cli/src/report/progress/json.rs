//! The objects of `--progress json`: one a line, each with `v` (the version) and `type`.
//!
//! docs/terminal.md is what their readers rely on: keys are added, and never change their meaning under one version.

use serde_json::{Value, json};

use super::{
    view::View,
    window::{Second, Tenant, Totals},
};
use crate::{record::manifest::Environment, scenario::Scenario, units::Nanos};

/// Rises when a reader of the old objects would be misled.
const VERSION: u32 = 1;

/// An object of this type with these keys, as a line.
pub fn line(kind: &str, mut keys: Value) -> String {
    let mut object = json!({ "v": VERSION, "type": kind });
    if let (Some(object), Some(keys)) = (object.as_object_mut(), keys.as_object_mut()) {
        object.append(keys);
    }
    format!("{object}\n")
}

/// What is about to run, where, and where it will be recorded.
pub fn begin(scenario: &Scenario, environment: &Environment, run: &str) -> String {
    let plan = super::view::Plan::of(scenario);
    let replicas: Vec<Value> = environment
        .replicas
        .iter()
        .map(|replica| json!({ "name": replica.name, "url": replica.url }))
        .collect();
    let keys = json!({
        "scenario": scenario.name,
        "about": scenario.about,
        "environment": environment.name,
        "replicas": replicas,
        "tenants": scenario.tenants,
        "planned_ns": plan.length,
        "warmup_ns": plan.warmup,
        "faults": environment.faults,
        "run": run,
    });
    line("begin", keys)
}

/// A phase has begun.
pub fn phase(view: &View, at: Nanos) -> String {
    line("phase", json!({ "at_ns": at, "phase": view.phase.name() }))
}

/// Something that the user or the run itself did.
pub fn event(at: Nanos, text: &str) -> String {
    line("event", json!({ "at_ns": at, "text": text }))
}

/// Totals, and what the last interval added, for all and by tenant.
pub fn progress(view: &View, at: Nanos) -> String {
    let named = view.plan.tenants.iter().zip(&view.window.tenants);
    let tenants: Vec<Value> = named.map(|(name, tenant)| of_tenant(name.as_str(), tenant)).collect();
    let keys = json!({
        "at_ns": at,
        "phase": view.phase.name(),
        "load_ns": view.elapsed,
        "planned_ns": view.plan.length,
        "in_flight": view.in_flight,
        "stalls": { "count": view.stalls.0, "total_ns": view.stalls.1 },
        "total": totals(&view.window.total),
        "interval": view.window.seconds.back().map(interval),
        "tenants": tenants,
    });
    line("progress", keys)
}

fn of_tenant(name: &str, tenant: &Tenant) -> Value {
    let mut interval = totals(&tenant.added);
    if let Some(object) = interval.as_object_mut() {
        for (key, q) in [("p50_ns", 0.5), ("p90_ns", 0.9), ("p99_ns", 0.99)] {
            object.insert(key.to_owned(), json!(tenant.last_quantile(q)));
        }
    }
    json!({ "tenant": name, "total": totals(&tenant.total), "interval": interval })
}

fn interval(second: &Second) -> Value {
    let mut interval = totals(&second.added);
    if let Some(object) = interval.as_object_mut() {
        object.insert("lasted_ns".to_owned(), json!(second.lasted));
        for (key, index) in [("p50_ns", 0), ("p90_ns", 1), ("p99_ns", 2)] {
            let latency = second.quantiles.and_then(|quantiles| quantiles.get(index).copied());
            object.insert(key.to_owned(), json!(latency));
        }
    }
    interval
}

/// The same counts, by the same names, as in the report.
fn totals(totals: &Totals) -> Value {
    let outcomes = &totals.outcomes;
    json!({
        "requests": totals.requests(),
        "statuses": outcomes.statuses,
        "unknown": outcomes.unknown,
        "not_sent": outcomes.not_sent,
        "dropped": outcomes.dropped,
        "errors": totals.errors + outcomes.dropped,
    })
}

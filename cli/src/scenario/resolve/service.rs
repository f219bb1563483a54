//! `[service]`, `[metrics]` and `[embedded]`: what is declared about the service and how it is started.

use std::{collections::HashMap, sync::Arc};

use super::{Sources, tenants};
use crate::{
    scenario::{
        DurationUnit, Embedded, MetricsContract, Service, Statuses,
        file::{Field, Located, Metrics},
        notation,
        problem::{Problem, Source, quoted},
    },
    units::Nanos,
};

/// `[service]`.
pub(super) fn service(timeout: Field<Nanos>) -> Option<Service> {
    Some(Service { timeout: timeout.or(Nanos::from_secs(30))? })
}

/// `[metrics]`; without it, the contract of the reference server. The outer `None` only after a problem was found.
pub(super) fn metrics(written: Option<Metrics>, found: &mut Vec<Problem>) -> Option<Option<MetricsContract>> {
    let Some(written) = written else { return Some(Some(reference())) };
    let default = reference();
    let mut names: HashMap<&str, Field<String>> = written.names.into_iter().collect();
    let mut name = |key: &str| names.remove(key).unwrap_or(Field::Absent);
    let optional = |field: Field<String>, default: Option<String>| {
        field.or(default.unwrap_or_default()).map(|name| (!name.is_empty()).then_some(name))
    };
    let contract = MetricsContract {
        path: written.path.or(default.path)?,
        interval: written.interval.or(default.interval)?,
        settle: written.settle.or(default.settle)?,
        requests: name("requests").or(default.requests)?,
        duration: optional(name("duration"), default.duration)?,
        duration_all: optional(name("duration_all"), default.duration_all)?,
        tenant_requests: optional(name("tenant_requests"), default.tenant_requests)?,
        tenant_duration: optional(name("tenant_duration"), default.tenant_duration)?,
        in_progress: optional(name("in_progress"), default.in_progress)?,
        request_size: default.request_size,
        response_size: default.response_size,
        route_label: optional(name("route_label"), default.route_label)?,
        method_label: optional(name("method_label"), default.method_label)?,
        status_label: optional(name("status_label"), default.status_label)?,
        tenant_label: optional(name("tenant_label"), default.tenant_label)?,
        statuses: default.statuses,
        duration_unit: default.duration_unit,
        ignore: paths(written.ignore, default.ignore, found)?,
        tenantless: paths(written.tenantless, default.tenantless, found)?,
        clock_stops_before_answer: written.clock_stops_before_answer.or(default.clock_stops_before_answer)?,
        unseen: default.unseen,
        scrape_within: default.scrape_within,
    };
    Some(written.enabled.or(true)?.then_some(contract))
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

/// The contract that the reference server keeps, and the FastAPI instrumentation before it.
fn reference() -> MetricsContract {
    let text = str::to_owned;
    MetricsContract {
        path: text("/metrics"),
        interval: Nanos::from_secs(5),
        settle: Nanos::from_secs(1),
        requests: text("http_requests_total"),
        duration: Some(text("http_request_duration_seconds")),
        duration_all: Some(text("http_request_duration_highr_seconds")),
        tenant_requests: Some(text("tenant_requests_total")),
        tenant_duration: Some(text("tenant_request_duration_seconds")),
        in_progress: Some(text("http_requests_inprogress")),
        request_size: Some(text("http_request_size_bytes")),
        response_size: Some(text("http_response_size_bytes")),
        route_label: Some(text("handler")),
        method_label: Some(text("method")),
        status_label: Some(text("status")),
        tenant_label: Some(text("tenant")),
        statuses: Statuses::Exact,
        duration_unit: DurationUnit::Seconds,
        ignore: ["/metrics", "/healthz", "/readyz"].map(text).to_vec(),
        tenantless: vec![text("/")],
        clock_stops_before_answer: true,
        unseen: Nanos::from_millis(25),
        scrape_within: Nanos::from_secs(1),
    }
}

/// `[embedded]`; `None` only after a problem was found.
pub(super) fn embedded(
    replicas: Field<u64>,
    tenants: Field<String>,
    sources: &Sources<'_>,
    found: &mut Vec<Problem>,
) -> Option<Embedded> {
    const MOST: u64 = 64;
    let tenants = match tenants {
        Field::Absent => Some(None),
        Field::Invalid => None,
        Field::Given(path) => tenants::read(&path, sources, found).map(|text| {
            let source = Arc::new(Source { name: path.value.clone(), text });
            tenants::ids(&source, &path.span, found);
            Some((source.text.clone(), path.value))
        }),
    };
    if let Some(replicas) = replicas.given().filter(|replicas| replicas.value > MOST) {
        let message = format!("`replicas` cannot be {}", replicas.value);
        found.push(Problem::at(replicas.span.clone(), message, format!("{MOST} is the most")));
        return None;
    }
    Some(Embedded {
        replicas: replicas.or(2).and_then(|replicas| usize::try_from(replicas).ok())?,
        tenants: tenants?,
    })
}

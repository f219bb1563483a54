//! `[service]` and `[embedded]`: declarations about the service, and how it is started.

use std::sync::Arc;

use super::{Sources, tenants};
use crate::{
    scenario::{
        Embedded, Service,
        file::Field,
        problem::{Problem, Source},
    },
    units::Nanos,
};

/// `[service]`.
pub(super) fn service(timeout: Field<Nanos>) -> Option<Service> {
    Some(Service { timeout: timeout.or(Nanos::from_secs(30))? })
}

/// `[embedded]`; `None` only after a problem was found.
pub(super) fn embedded(
    replicas: Field<u64>,
    tenants: Field<String>,
    prometheus: Field<bool>,
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
        prometheus: prometheus.optional()?,
    })
}

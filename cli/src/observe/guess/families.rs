//! The families of an exposition, with their labels and what those seem to be for.

use std::collections::{BTreeMap, BTreeSet};

use saasbench_exposition::Exposition;

/// The type of a family, declared or guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    /// `_sum` and `_count` without buckets.
    Summary,
}

/// What a label is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Route,
    Method,
    Status,
    Tenant,
}

/// A family of series.
#[derive(Debug)]
pub(super) struct Family<'a> {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// The values of each label, without `le` and `quantile`.
    pub(super) labels: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// The greatest finite bound of its buckets.
    pub(super) greatest: f64,
}

impl Family<'_> {
    /// The label with a role.
    pub(super) fn label(&self, role: Role) -> Option<&str> {
        self.labels.iter().find(|(name, values)| role_of(name, values) == Some(role)).map(|(name, _)| *name)
    }

    /// The values of a label.
    pub(super) fn values(&self, label: Option<&str>) -> impl Iterator<Item = &str> {
        label.and_then(|label| self.labels.get(label)).into_iter().flatten().copied()
    }

    /// Whether its name has one of these words in it.
    pub(super) fn mentions(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.name.contains(word))
    }

    /// The series that counts its events.
    pub(super) fn counter(&self) -> String {
        match self.kind {
            Kind::Counter | Kind::Gauge => self.name.clone(),
            Kind::Histogram | Kind::Summary => format!("{}_count", self.name),
        }
    }
}

/// The families of an exposition that have series, and those that are only declared, by name.
pub(super) fn families(page: &Exposition) -> Vec<Family<'_>> {
    let mut families: BTreeMap<String, Family<'_>> = BTreeMap::new();
    let declared = |name: &str| page.types.get(name).map(String::as_str);
    let buckets: BTreeSet<&str> = page
        .series
        .iter()
        .filter(|series| series.labels.contains_key("le"))
        .filter_map(|series| series.name.strip_suffix("_bucket"))
        .collect();
    for series in &page.series {
        let (name, kind) = family_of(&series.name, &declared, &buckets);
        let empty =
            || Family { name: name.to_owned(), kind, labels: BTreeMap::new(), greatest: f64::NEG_INFINITY };
        let family = families.entry(name.to_owned()).or_insert_with(empty);
        for (label, value) in &series.labels {
            match label.as_str() {
                "le" => {
                    let bound = value.parse().ok().filter(|bound: &f64| bound.is_finite());
                    family.greatest = bound.map_or(family.greatest, |bound| bound.max(family.greatest));
                }
                "quantile" => {}
                label => {
                    family.labels.entry(label).or_default().insert(value);
                }
            }
        }
    }
    families.into_values().collect()
}

/// The family that a series belongs to, and its kind.
fn family_of<'a>(
    series: &'a str,
    declared: &dyn Fn(&str) -> Option<&'a str>,
    buckets: &BTreeSet<&str>,
) -> (&'a str, Kind) {
    for suffix in ["_bucket", "_sum", "_count"] {
        let Some(base) = series.strip_suffix(suffix) else { continue };
        match declared(base) {
            _ if buckets.contains(base) => return (base, Kind::Histogram),
            Some("histogram" | "summary") => return (base, Kind::Summary),
            _ => {}
        }
    }
    let kind = match declared(series).or_else(|| declared(series.strip_suffix("_total")?)) {
        Some("counter") => Kind::Counter,
        Some("summary" | "histogram") => Kind::Summary,
        Some("gauge") => Kind::Gauge,
        _ if series.ends_with("_total") => Kind::Counter,
        _ => Kind::Gauge,
    };
    (series, kind)
}

/// What a label seems to be for, by its name and its values.
fn role_of(name: &str, values: &BTreeSet<&str>) -> Option<Role> {
    const ROUTES: [&str; 8] =
        ["handler", "route", "path", "endpoint", "uri", "http_route", "url", "resource"];
    const METHODS: [&str; 10] =
        ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "_OTHER"];
    const TENANTS: [&str; 6] = ["tenant", "customer", "organization", "organisation", "workspace", "account"];
    let filled = || values.iter().filter(|value| !value.is_empty());
    let all = |test: &dyn Fn(&str) -> bool| filled().next().is_some() && filled().all(|value| test(value));
    let is_path = |value: &str| {
        value.starts_with('/') || value.split_once(" /").is_some_and(|(m, _)| METHODS.contains(&m))
    };
    if (name.contains("status") || name.contains("code")) && all(&is_status) {
        Some(Role::Status)
    } else if all(&|value| METHODS.contains(&value.to_ascii_uppercase().as_str())) {
        Some(Role::Method)
    } else if TENANTS.iter().any(|tenant| name.contains(tenant)) || name == "org" || name == "org_id" {
        Some(Role::Tenant)
    } else if ROUTES.contains(&name) || filled().any(|value| is_path(value)) {
        Some(Role::Route)
    } else {
        None
    }
}

/// `404` or `4xx`, or a library's word for an unknown status.
fn is_status(value: &str) -> bool {
    let exact = value.len() == 3 && value.parse::<u16>().is_ok_and(|status| (100..600).contains(&status));
    exact || saasbench_model::scenario::is_status_class(value) || value == "UNKNOWN"
}

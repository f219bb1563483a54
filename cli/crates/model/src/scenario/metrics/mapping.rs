//! Maps series to requests and back: what a series' labels state, and what the labels of a request's series
//! must state. Both are expressed with the labels that the service has, so that missing ones group requests
//! together on both sides.
//!
//! Routes are compared by shape: `/items/{id}`, `/items/:id` and `/items/<int:item>` are equal. Methods are
//! compared in upper case, and are ignored in front of a route.

use std::collections::BTreeMap;

use super::{MetricsContract, Statuses};

/// What a series' labels state about the requests that it counts. A label that is missing, or that the
/// contract does not have, is empty: Prometheus does not distinguish the two.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct SeriesKey {
    /// Upper-case method.
    pub method: String,
    /// The route: the scenario's path, if a step has one of the same shape, otherwise the label's value.
    pub route: String,
    /// The status as written.
    pub status: String,
    /// The tenant.
    pub tenant: String,
}

impl MetricsContract {
    /// The key of a series; `None` for a route outside the load.
    pub fn key(&self, labels: &BTreeMap<String, String>) -> Option<SeriesKey> {
        let value = |label: &Option<String>| labels.get(label.as_ref()?).map(String::as_str);
        let route = value(&self.route_label).unwrap_or_default();
        if self.ignores(route) {
            return None;
        }
        Some(SeriesKey {
            method: value(&self.method_label).unwrap_or_default().to_ascii_uppercase(),
            route: self.canonical(route),
            status: value(&self.status_label).unwrap_or_default().to_ascii_lowercase(),
            tenant: value(&self.tenant_label).unwrap_or_default().to_owned(),
        })
    }

    /// Method and route of a request's series; `None` for a path outside the load.
    pub fn key_of(&self, method: &str, path: &str) -> Option<(String, String)> {
        if self.ignores(path) {
            return None;
        }
        let route = format!("{method} {path}");
        let label = self.routes.iter().find(|(known, _)| *known == route).map_or(path, |(_, label)| label);
        let method = if self.method_label.is_some() { method } else { "" };
        let route = if self.route_label.is_some() { self.canonical(label) } else { String::new() };
        Some((method.to_owned(), route))
    }

    /// The status label's value for a status.
    pub fn status_of(&self, status: u16) -> String {
        match (&self.status_label, self.statuses) {
            (None, _) => String::new(),
            (Some(_), Statuses::Exact) => status.to_string(),
            (Some(_), Statuses::Grouped) => format!("{}xx", status / 100),
        }
    }

    /// Whether a path, or the value of a route label, is outside the load.
    pub fn ignores(&self, route: &str) -> bool {
        let path = without_method(route);
        self.ignore.iter().any(|ignored| ignored == path)
    }

    /// Whether a route, as returned by [`Self::key`], belongs to no tenant.
    pub fn is_tenantless(&self, route: &str) -> bool {
        let says = |path: &str| {
            let of_path =
                |(known, _): &&(String, String)| known.split_once(' ').is_some_and(|(_, p)| p == path);
            let mut labels = self.routes.iter().filter(of_path).map(|(_, label)| label);
            path == route || labels.any(|label| self.canonical(label) == route)
        };
        self.tenantless.iter().any(|path| says(path))
    }

    /// One name for all routes of the same shape: that of the first step with it.
    fn canonical(&self, label: &str) -> String {
        let path = without_method(label);
        let alike = |(_, known): &&(String, String)| known == label || shape(known) == shape(path);
        self.routes.iter().find(alike).map_or(label, |(_, known)| known).to_owned()
    }
}

/// Whether this is a grouped status: `4xx`.
pub fn is_status_class(label: &str) -> bool {
    let class = label.strip_suffix("xx").or_else(|| label.strip_suffix("XX"));
    class.is_some_and(|class| matches!(class, "1" | "2" | "3" | "4" | "5"))
}

/// The path in a route label; some services put the method in front of it.
fn without_method(label: &str) -> &str {
    match label.split_once(' ') {
        Some((method, path))
            if path.starts_with('/') && method.bytes().all(|byte| byte.is_ascii_uppercase()) =>
        {
            path
        }
        _ => label,
    }
}

/// A template without the names of its parameters: `{id}`, `:id` and `<int:id>` all become `{}`.
fn shape(path: &str) -> String {
    let named = |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let segment = |segment: &str| -> String {
        if segment.strip_prefix([':', '*']).is_some_and(named) {
            return "{}".to_owned();
        }
        let mut shape = String::new();
        let mut rest = segment;
        while let Some(open) = rest.find(['{', '<']) {
            let close = if rest[open..].starts_with('{') { '}' } else { '>' };
            let Some(length) = rest[open..].find(close) else { break };
            shape.push_str(&rest[..open]);
            shape.push_str("{}");
            rest = &rest[open + length + 1..];
        }
        shape + rest
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Preset;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn contract(routes: &[(&str, &str)]) -> MetricsContract {
        let routes = routes.iter().map(|(route, label)| ((*route).to_owned(), (*label).to_owned()));
        MetricsContract { routes: routes.collect(), ..Preset::Tenancy.contract() }
    }

    #[test]
    fn templates_are_compared_by_shape() {
        for alike in
            ["/items/:id", "/items/<id>", "/items/<int:item>", "/items/{n}", "/items/{n:int}", "/items/*id"]
        {
            assert_eq!(shape(alike), "/items/{}", "{alike}");
        }
        assert_eq!(shape("/a/{x}.{y}/b"), "/a/{}.{}/b");
        for other in ["/items/7", "/items/{id}/x", "/items", "/**", "/items/*", "/items/", "none", "/it{ems"]
        {
            assert_ne!(shape(other), "/items/{}");
            assert_eq!(shape(other).contains("{}"), other.contains('}'), "{other}");
        }
    }

    #[test]
    fn a_request_maps_to_its_series() {
        let contract = contract(&[
            ("GET /items/{id}", "/items/{id}"),
            ("PUT /items/{n}", "/items/{n}"),
            ("GET /nowhere", "none"),
            ("GET /old", "/v1/:old"),
        ]);
        let table = [
            ("GET", "/items/{id}", "get", "/items/:item"),
            ("PUT", "/items/{n}", "PUT", "PUT /items/<n>"),
            ("GET", "/nowhere", "GET", "none"),
            ("GET", "/old", "GET", "/v1/{old}"),
            ("GET", "/unlisted", "GET", "/unlisted"),
        ];
        for (method, path, said_method, said_route) in table {
            let said = contract.key(&labels(&[("method", said_method), ("handler", said_route)])).unwrap();
            assert_eq!(contract.key_of(method, path), Some((said.method, said.route)), "{path}");
        }
        let raw = contract.key(&labels(&[("method", "GET"), ("handler", "/items/7")])).unwrap();
        assert_ne!(contract.key_of("GET", "/items/{id}"), Some((raw.method, raw.route)));
    }

    #[test]
    fn labels_that_the_contract_lacks_group_requests_together() {
        let contract =
            MetricsContract { method_label: None, route_label: None, status_label: None, ..contract(&[]) };
        let said = contract.key(&labels(&[("method", "GET"), ("handler", "/a"), ("status", "200")])).unwrap();
        assert_eq!(said, SeriesKey::default());
        assert_eq!(contract.key_of("GET", "/a"), Some((said.method, said.route)));
        assert_eq!(contract.status_of(404), said.status);
    }

    #[test]
    fn a_series_of_no_request_maps_to_none() {
        let contract = contract(&[]);
        assert_eq!(contract.key(&labels(&[("handler", "GET /metrics")])), None);
        assert_eq!(contract.key_of("GET", "/metrics"), None);
    }

    #[test]
    fn statuses_are_exact_or_grouped() {
        let exact = contract(&[]);
        let grouped = MetricsContract { statuses: Statuses::Grouped, ..contract(&[]) };
        assert_eq!((exact.status_of(429).as_str(), grouped.status_of(429).as_str()), ("429", "4xx"));
        assert_eq!(
            ["2xx", "5XX", "6xx", "200", "xx"].map(is_status_class),
            [true, true, false, false, false]
        );
    }
}

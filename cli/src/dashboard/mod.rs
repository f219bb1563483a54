//! Checks dashboards and rule files against a live Prometheus: sends every query, and reports mistakes by
//! panel and query.
//!
//! `grafana` and `rule_file` read a [`Document`]; `variable` and `template` fill in variables as Grafana
//! does; `catalogue` is what Prometheus has; `expression` checks a query against it, and `result` its result;
//! `check` sends the queries and collects the mistakes, each a `finding`.

mod tests;

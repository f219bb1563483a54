//! Publishing a run elsewhere: generator metrics for Prometheus, and annotations in Grafana.

pub mod grafana;
pub mod self_metrics;

//! Where else a run is published while it goes: its own metrics for Prometheus, and annotations in Grafana.

pub mod grafana;
pub mod self_metrics;

//! The recorded run: the immutable directory that a run leaves behind, and everything that verification may look at.
//!
//! `writer` fills it while the run goes, `reader` opens it again; `sample` says what one request leaves, `batch` how many are
//! kept, `segment` how they lie in Parquet, `groups` what their latency was by tenant, step and replica, `latencies` counts
//! those of a short time, `recent` what was answered lately, `own` what a run tells of itself while it goes, `manifest` what
//! else there is to know.

pub mod alert_rule;
pub mod batch;
pub mod contract_view;
pub mod event;
pub mod groups;
pub mod json_lines;
pub mod latencies;
#[cfg(test)]
pub(crate) mod latency_log;
pub mod manifest;
pub mod observations;
pub mod prometheus;
pub mod promql;
pub mod query;
pub mod reader;
pub mod recent;
pub mod redis_samples;
pub mod rules;
pub mod sample;
pub mod scrape;
pub mod scrape_summary;
pub mod segment;
pub mod self_metrics;
pub mod self_monitor;
pub mod stall;
pub mod tally;
#[cfg(any(test, feature = "testing"))]
#[expect(clippy::unwrap_used, missing_docs, reason = "made for tests alone")]
pub mod testing;
pub mod usage;
pub mod writer;

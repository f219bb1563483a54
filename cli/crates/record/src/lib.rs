//! The recorded run: the immutable directory that a run leaves behind, and the only input of verification.
//!
//! `saasbench-engine` hands samples to [`writer`], which fills the directory during the run; the binary adds
//! what it observed; `saasbench-verify` and `saasbench-report` start from [`reader`].
//!
//! `manifest` describes a run; `checksum` and `damage` notice what changed since it was written; `sample` is one request, `batch` a compact list of them, and `segment` their
//! Parquet files. `groups`, `latencies` and `recent` count latencies (per group, per short time, and since
//! the last update); `tally` and `self_metrics` are running totals. `self_monitor` is what the generator
//! measured of itself; `observations` what the service's side showed.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let run = saasbench_record::reader::RecordedRun::open("runs/20261121T101500Z-flood".as_ref())?;
//! let mut errors = 0;
//! run.for_each_sample(|_number, sample| errors += u64::from(sample.is_error()))?;
//! println!("{errors} errors in {}", run.scenario.name);
//! # Ok(())
//! # }
//! ```

pub mod alert_rule;
pub mod batch;
pub mod checksum;
pub mod contract_view;
pub mod damage;
pub mod event;
pub mod groups;
pub mod json_lines;
pub mod latencies;
#[cfg(test)]
pub(crate) mod latency_log;
pub mod log_linear;
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

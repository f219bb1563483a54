//! `saasbench`: loads a multi-tenant service, and verifies what it promises and what its metrics claim.
//!
//! This crate is the binary and what only it needs: [`args`] is the command line, [`commands`] has a module
//! for each command, [`environment`] starts or reaches the service, [`observe`] scrapes it during the load,
//! [`live`] shows the run in progress, and [`output`] prints its report. [`publish`] sends metrics and
//! annotations elsewhere, [`tsdb`] is the embedded Prometheus, [`input`] reads the files that users name,
//! [`dashboard`] checks dashboards and rules, [`scaffold`] writes scenarios, and [`run_store`] lists recorded
//! runs. Everything that is printed passes through [`safe_output`], and through the redactor of [`secrets`].
//!
//! Data moves through the crates below it in one direction: `saasbench-model` (scenario and plan) →
//! `saasbench-engine` (the load) → `saasbench-record` (samples on disk) → `saasbench-verify` (claims, with
//! `saasbench-limiter` and `saasbench-exposition`) → `saasbench-report`. `ARCHITECTURE.md` is the map.

pub mod args;
pub mod commands;
pub mod dashboard;
pub mod environment;
pub mod exit;
pub mod input;
pub mod live;
pub mod observe;
pub mod output;
pub mod publish;
pub mod run_store;
pub mod safe_output;
pub mod scaffold;
pub mod secrets;
pub mod tsdb;

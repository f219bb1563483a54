//! One module per subcommand, for wiring only. `scenario` reads a scenario with its files, `target` starts or
//! connects to the environment, `publish` handles metrics and annotations, and `session` is one run.

mod atomic_write;
pub mod capacity;
pub mod compare;
#[cfg(test)]
mod damaged_records;
pub mod dashboards;
pub mod faults;
pub mod list;
pub mod metrics;
pub mod new;
mod publish;
pub mod report;
pub mod run;
pub mod scenario;
pub mod schema;
pub mod serve;
pub mod service;
mod session;
pub mod shell;
pub mod show;
pub mod stress;
mod target;
pub mod up;
pub mod validate;
pub mod verify;

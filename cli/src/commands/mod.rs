//! One file a subcommand: wiring only. `scenario` reads one with its files, `place` brings up where it runs, `publish` says who else is reported, and `session` is
//! one run of it there.

mod atomic_write;
pub mod capacity;
pub mod compare;
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

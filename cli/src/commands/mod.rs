//! One file a subcommand: wiring only.

pub mod dashboards;
pub mod faults;
pub mod metrics;
pub mod part;
pub mod run;
pub mod scenario;
pub mod serve;
pub mod up;
pub mod validate;
pub mod verify;

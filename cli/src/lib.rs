//! `saasbench`: loads a multi-tenant service, and verifies what it promises and what its metrics claim.
//!
//! Data flows one way: [`scenario`] → [`plan`] → [`load`] → [`record`] → [`verify`] → [`report`], with [`observe`]
//! and [`watch`] writing into the record, too. `ARCHITECTURE.md` is the map.

pub mod args;
pub mod capacity;
pub mod clock;
pub mod commands;
pub mod dashboard;
pub mod draft;
pub mod environment;
pub mod exit;
pub mod load;
pub mod observe;
pub mod plan;
pub mod record;
pub mod redact;
pub mod report;
pub mod scenario;
pub mod shelf;
pub mod tsdb;
pub mod units;
pub mod verify;
pub mod watch;

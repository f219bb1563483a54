//! `saasbench`: loads a multi-tenant service, and verifies what it promises and what its metrics claim.
//!
//! Data flows one way: [`scenario`] → [`plan`] → [`load`] → [`record`] → [`verify`] → [`report`], with [`observe`]
//! and [`watch`] writing into the record, too. `ARCHITECTURE.md` is the map.

pub mod args;
pub mod commands;
pub mod dashboard;
pub mod environment;
pub mod exit;
pub mod live;
pub mod observe;
pub mod output;
pub mod publish;
pub mod run_store;
pub mod scaffold;
pub mod tsdb;

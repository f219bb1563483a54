//! Sends the load of a scenario, and records a sample of every request.
//!
//! Related crates: `saasbench-model` plans the load, `saasbench-record` stores the samples, and the binary
//! chooses the environment and observes it. This crate judges nothing; it only applies the checks of a step to
//! its response.
//!
//! `drive` starts the workers together. A `worker` is one thread's share of the load, with buffers of its
//! own; `closed` and `open` are the two kinds of load; `user` sends the requests of a journey, which `render`
//! makes from templates; `pacer` wakes tasks when they are due, and `rate_control` changes the pace.
//! `exchange` is the interface to transports; `wire` is the one over a network: `http1` or `http2`, over
//! connections of `connect`. `extract`, `check`, `cookies`, `limiter_fields` and `canary` read responses;
//! `redactor` keeps secrets out of the record; `self_monitor` measures the generator itself.
//!
//! ```
//! use std::{collections::BTreeMap, sync::Arc};
//!
//! use saasbench_engine::{clock::RunClock, render::Origin, self_monitor::in_flight::InFlight, worker::Setup};
//! use saasbench_model::{
//!     scenario::resolve::{Sources, resolve},
//!     units::{Nanos, Tolerance},
//! };
//!
//! let text = r#"
//! version = 1
//! [[tenant]]
//! id = "acme"
//! [[journey]]
//! name = "read"
//! [[journey.step]]
//! get = "/items"
//! [[load]]
//! rate = "10/s"
//! duration = "1s"
//! "#;
//! let read_file = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
//! let scenario = resolve(text, "items.toml", &Sources { read_file: &read_file, environment: None }).unwrap();
//! let origin = Origin { authority: "127.0.0.1:8005".to_owned(), prefix: String::new() };
//! let tolerance = Tolerance { offset: Nanos::from_millis(1), drift: 0.0 };
//! let (scenario, in_flight) = (Arc::new(scenario), Arc::new(InFlight::default()));
//! let setup =
//!     Setup::new(scenario, &[origin], &BTreeMap::new(), RunClock::start(), tolerance, None, in_flight);
//! assert_eq!(setup.replicas, 1);
//! // `drive::drive_on_threads` runs it, with a `wire::Wire` for each worker.
//! ```

pub mod canary;
pub mod check;
pub mod clock;
mod closed;
pub mod connect;
pub mod cookies;
pub mod drive;
#[cfg(test)]
mod drive_tests;
pub mod exchange;
pub mod extract;
pub mod http1;
pub mod http2;
pub mod limiter_fields;
mod open;
pub mod pacer;
pub mod rate_control;
pub mod redactor;
pub mod render;
mod retry_after;
pub mod self_monitor;
mod user;
pub mod wire;
pub mod worker;

//! `saasbench` as its users meet it: the program itself, against the embedded environment and against real replicas, a
//! real Redis and a real Prometheus, on free ports, in directories of their own.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "in the functions that tests are made of, too, a panic is a test that failed, and what it prints is for its reader"
)]

mod support;

mod alerts;
mod calibration;
mod capacity;
mod ci;
mod compare;
mod compose;
mod contract;
mod dashboards;
mod doubts;
mod embedded;
mod embedded_prometheus;
mod endings;
mod expositions;
mod fixtures;
mod isolation;
mod local;
mod neighbours;
mod outages;
mod output;
mod pages;
mod plan;
mod prometheus;
mod promql;
mod pushed;
mod runs;
mod shipped;
mod stack;
mod stalls;
mod stress;
mod tampering;
mod terminal;
mod texts;
mod wires;

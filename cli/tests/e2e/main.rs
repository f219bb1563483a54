//! End-to-end tests of the `saasbench` program against the embedded environment and against real replicas, a
//! real Redis and a real Prometheus, on free ports and in temporary directories.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "in test helpers, too, a panic is a failed test, and output is for its reader"
)]

mod support;

mod alerts;
mod calibration;
mod capacity;
mod ci;
mod cli_messages;
mod compare;
mod component_failures;
mod compose;
mod connections;
mod contract;
mod dashboards;
mod embedded;
mod embedded_prometheus;
mod expositions;
mod failing_claims;
mod fixtures;
mod html_report;
mod interruption;
mod isolation;
mod limited_services;
mod local;
mod noisy_neighbours;
mod output;
mod output_safety;
mod plan;
mod processes;
mod prometheus;
mod protocols;
mod remote_write;
mod runs;
mod shipped;
mod stack;
mod stall_limits;
mod stalls;
mod stress;
mod tampering;
mod terminal;
mod transports;

//! Tests of the server as clients see it: over TCP, on free ports, and with a real Redis where it matters.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic in a helper function fails the test, too"
)]

mod direct;
mod support;

mod algorithms;
mod contract;
mod faults;
mod hostile;
mod limit_faults;
mod limits;
mod metric_faults;
mod metrics;
mod program;
mod redis;

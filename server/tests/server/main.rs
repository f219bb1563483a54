//! The server as its clients see it: over TCP, on free ports, with real Redis where Redis matters.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in the functions that tests are made of, too, a panic is a test that failed"
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

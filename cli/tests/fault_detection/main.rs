//! Fault detection: the real load engine, recorder and checks against the real limiters and injected faults
//! of `tenancy`, in one process and under a paused clock, so that a run of ten seconds takes a moment.
//! Sockets are covered by the end-to-end tests.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in test helpers, too, a panic is a failed test")]

mod conforming;
mod limiter_faults;
mod metric_faults;
mod other_faults;
mod run;
mod service;

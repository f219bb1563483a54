//! The verifier against the server that lies: the real load engine, recorder and checks, and the real limiters and
//! faults of `tenancy`, in one process and under a paused clock, so that a run of ten seconds takes a moment. What
//! sockets add is left to the end-to-end tests.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in the functions that tests are made of, too, a panic is a test that failed, and what it prints is for its reader"
)]

mod honest;
mod metrics;
mod others;
mod run;
mod service;
mod sharp;

//! The generator's self-monitoring: `hiccup` is a thread that detects stalls, `stall_log` holds the stalls so
//! far, `usage` is the CPU time of the generator's threads, `machine` how busy the machine is, and
//! `in_flight` the number of requests in flight. Stalls and usage are written to `generator/` during the run.
//!
//! Nothing is judged here: `saasbench-verify` attributes delays to stalls, and judges the generator.

pub mod hiccup;
pub mod in_flight;
pub mod machine;
pub mod response_timeout;
pub mod stall_log;
pub mod usage;

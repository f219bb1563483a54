//! Finds the highest load that keeps a scenario's objectives, from a series of load steps.
//!
//! Pure arithmetic; `commands/capacity` drives the load. `search` picks the next level and decides when the
//! capacity is known; `step` classifies a judged step; `sample_size` computes how long a step has to be;
//! `knee` finds where latency turns up; `scaling` fits what more replicas add; `result` assembles the report.

mod isotonic;
pub mod knee;
pub mod result;
pub mod sample_size;
pub mod scaling;
pub mod search;
pub mod step;

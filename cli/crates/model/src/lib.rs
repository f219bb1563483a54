//! What is meant: units, scenarios (as written and as meant), the plan of a load, and what of a text may be
//! shown.
//!
//! Every other crate builds on this one, and it builds on none of ours. It is pure: no clock, no runtime, no
//! command line.

pub mod plan;
pub mod redact;
pub mod scenario;
pub mod units;

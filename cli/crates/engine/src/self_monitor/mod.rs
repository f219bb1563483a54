//! The generator watches itself: `hiccup` is a thread that does nothing but look at the clock, `stall` is what it finds,
//! `usage` is what the generator's threads cost, `machine` what all of the machine does, `in_flight` how many requests it has under way. Both are written to `generator/` as the run goes.
//!
//! Like `observe`, it judges nothing: `verify::excuse` and `verify::generator` do.

pub mod hiccup;
pub mod in_flight;
pub mod machine;
pub mod stall_log;
pub mod usage;

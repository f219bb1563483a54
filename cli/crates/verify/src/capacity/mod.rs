//! The highest load that keeps a scenario's objectives, found by steps of load. Pure arithmetic: `search` says which level to
//! try next and when it is known, `step` what a judged step amounts to, `need` how long it has to be, `knee` where latency turns up, `scaling` what more
//! replicas bring, `result` what all of it comes to. `commands/capacity` drives the steps.

mod isotonic;
pub mod knee;
pub mod result;
pub mod sample_size;
pub mod scaling;
pub mod search;
pub mod step;

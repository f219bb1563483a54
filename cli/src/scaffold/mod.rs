//! Scenarios that are written for the user: `stress` converts a command line, `template` is the content of a
//! new scenario, `openapi` converts a service's description. All of them write text that a user could have
//! written; `value` formats its values.

pub mod openapi;
pub mod stress;
pub mod target;
pub mod template;
mod value;

//! Scenarios that are written for the user: `stress` turns one command line into a scenario, `starter` is what a new one begins
//! with, `openapi` makes journeys of a service's description. All of them write the text that a user could have written;
//! `value` writes its values.

pub mod openapi;
pub mod stress;
pub mod target;
pub mod template;
mod value;

//! Drives the plan: users and arrivals send their requests, and every request leaves a sample.
//!
//! `engine` runs the loads, `user` walks a journey, `render` fills templates; `transport` is the seam behind which
//! requests are sent, `http` sends them for real; `canary` makes and finds the words that must not cross tenants.

pub mod canary;
pub mod connect;
pub mod engine;
#[cfg(test)]
mod engine_tests;
pub mod exchange;
pub mod http;
pub mod http1;
pub mod http2;
pub mod limiter_fields;
pub mod patience;
pub mod render;
pub mod transport;
pub mod user;

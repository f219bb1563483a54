//! Drives the plan: users and arrivals send their requests, and every request leaves a sample.
//!
//! `engine` brings the workers up and gives them one beginning; `worker` is one thread's share; `closed` and `open` are the two
//! kinds of load; `user` walks a journey, `render` fills templates, `pacer` wakes whoever is due. `exchange` is the seam
//! behind which requests are sent, `wire` sends them: by `http1` or by `http2`, over connections of `connect`; `limiter_fields` reads what a limiter says in an answer; `canary`
//! makes and finds the words that must not cross tenants.

pub mod blot;
pub mod canary;
pub mod check;
mod closed;
pub mod connect;
pub mod cookies;
pub mod engine;
#[cfg(test)]
mod engine_tests;
pub mod exchange;
pub mod extract;
pub mod http1;
pub mod http2;
pub mod limiter_fields;
mod open;
pub mod pace;
pub mod pacer;
mod patience;
pub mod render;
mod user;
pub mod wire;
pub mod worker;

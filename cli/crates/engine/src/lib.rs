//! Drives the plan: users and arrivals send their requests, and every request leaves a sample.
//!
//! `engine` brings the workers up and gives them one beginning; `worker` is one thread's share; `closed` and `open` are the two
//! kinds of load; `user` walks a journey, `render` fills templates, `pacer` wakes whoever is due. `exchange` is the seam
//! behind which requests are sent, `wire` sends them: by `http1` or by `http2`, over connections of `connect`; `limiter_fields` reads what a limiter says in an answer; `canary`
//! makes and finds the words that must not cross tenants.

pub mod canary;
pub mod check;
pub mod clock;
mod closed;
pub mod connect;
pub mod cookies;
pub mod drive;
#[cfg(test)]
mod drive_tests;
pub mod exchange;
pub mod extract;
pub mod http1;
pub mod http2;
pub mod limiter_fields;
mod open;
pub mod pacer;
pub mod rate_control;
pub mod redactor;
pub mod render;
mod retry_after;
pub mod self_monitor;
mod user;
pub mod wire;
pub mod worker;

//! A client of HTTP/1.1 for load: one write and one read per request, and no allocation.
//!
//! `decoder` parses responses and knows no socket; `head` parses what precedes their body; `connection` runs
//! one exchange over a stream; `deadline` is a timer that requests need not reset; `wire` is the transport
//! made of them.

pub mod connection;
pub mod deadline;
pub mod decoder;
pub(crate) mod diagnosis;
mod head;
mod malformed;
mod unusual;
pub mod wire;

#[cfg(test)]
mod tests;

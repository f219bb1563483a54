//! HTTP/1.1 as a client speaks it, made for load: one write and one read a request, and no allocation.
//!
//! `decoder` understands answers and knows no socket; `head` reads what stands before their body; `connection` moves
//! one exchange over a stream; `deadline` is a timer that a request need not set; `wire` is the transport made of them.

pub mod connection;
pub mod deadline;
pub mod decoder;
mod head;
pub mod wire;

#[cfg(test)]
mod tests;

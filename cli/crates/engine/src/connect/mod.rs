//! Connections to replicas: over TCP, TLS and unix sockets, from local addresses in turn, with names resolved
//! once or for each connection.
//!
//! `target` parses a base URL; `endpoint` determines before the load what all connections to a replica share;
//! `dial` opens one, a [`stream::Stream`]; `tls` decides which certificates are trusted, `resolve` turns
//! names into addresses, and `descriptors` raises the number of open files that the process may have.

pub mod descriptors;
pub mod dial;
pub mod endpoint;
mod error;
pub mod lifetime;
pub mod number;
mod protocol;
pub mod resolve;
pub mod stream;
pub mod target;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod tls;

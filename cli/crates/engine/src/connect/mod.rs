//! Connections to replicas: over TCP, TLS and unix sockets, from addresses in turn, by names resolved once or each time.
//!
//! `target` reads a base URL; `endpoint` settles before the load what a replica's connections have in common; `dial` makes
//! one, a [`stream::Stream`]; `tls` says whom to trust, `resolve` turns names into addresses, and `descriptors` sees to it
//! that the process may have so many.

pub mod descriptors;
pub mod dial;
pub mod endpoint;
pub mod resolve;
pub mod stream;
pub mod target;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod tls;

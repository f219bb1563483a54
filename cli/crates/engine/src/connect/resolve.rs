//! Resolves host names: by the system, or by a test's replacement.

use std::{io, net::SocketAddr};

/// Turns names into addresses.
pub trait Resolve: 'static {
    /// The addresses of a host, given as a name or an address.
    ///
    /// # Errors
    /// When the name is unknown, or cannot be looked up.
    fn resolve(&self, host: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>>;
}

/// The system's resolver: `/etc/hosts`, DNS.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Resolve for System {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}

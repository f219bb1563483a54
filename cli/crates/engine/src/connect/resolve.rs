//! Turns the name of a host into its addresses: by the system, or by whatever a test puts in its place.

use std::{io, net::SocketAddr};

/// Turns names into addresses.
pub trait Resolve: 'static {
    /// The addresses of a host, a name or an address as text.
    ///
    /// # Errors
    /// When the name is not known, or nobody can be asked.
    fn resolve(&self, host: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>>;
}

/// Asks the system, as every other program does: `/etc/hosts`, DNS.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Resolve for System {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}

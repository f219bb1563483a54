//! How requests are sent: `[http]`.

use std::net::IpAddr;

use crate::units::Nanos;

/// `[http]`: how requests are sent, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Http {
    /// `version`: which HTTP is spoken.
    pub version: Version,
    /// `connect_timeout`: the longest that making a connection may take, TLS included; `None`: as long as the
    /// request.
    pub connect_timeout: Option<Nanos>,
    /// `dns`: when names are resolved.
    pub dns: Dns,
    /// `source_addresses`: local addresses that connections come from, in turn; empty: the system chooses.
    pub sources: Vec<IpAddr>,
    /// `insecure = true`: any certificate is good enough.
    pub insecure: bool,
    /// `ca_file`: text and name of a PEM file with the authorities that are trusted in place of the system's.
    pub ca_file: Option<(String, String)>,
}

/// Which HTTP is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// `"auto"`, the default: what the server prefers by ALPN on `https://`, HTTP/1.1 elsewhere.
    #[default]
    Auto,
    /// `"1.1"`.
    Http11,
    /// `"2"`: on `http://` by prior knowledge.
    Http2,
}

/// When the names of replicas are resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dns {
    /// `"per-run"`, the default: once, before the load.
    #[default]
    PerRun,
    /// `"per-connection"`: again for every connection.
    PerConnection,
}

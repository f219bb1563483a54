//! `[http]`: how requests are sent.

use std::net::IpAddr;

use crate::units::Nanos;

/// How requests are sent, and from which addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Http {
    /// `version`: the HTTP version.
    pub version: Version,
    /// `connect_timeout`: the longest time for making a connection, TLS included; `None`: the request's
    /// timeout.
    pub connect_timeout: Option<Nanos>,
    /// `dns`: when host names are resolved.
    pub dns: Dns,
    /// `connections`, `max_requests` and `max_age`: for how long connections are used.
    pub reuse: Reuse,
    /// `source_addresses`: local addresses of connections, used in turn; if empty, the system chooses.
    pub sources: Vec<IpAddr>,
    /// `insecure = true`: any certificate is accepted.
    pub insecure: bool,
    /// `ca_file`: text and name of a PEM file with authorities that are trusted instead of the system's.
    pub ca_file: Option<(String, String)>,
}

/// The HTTP version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// `"auto"`, the default: negotiated by ALPN on `https://`, HTTP/1.1 otherwise.
    #[default]
    Auto,
    /// `"1.1"`.
    Http11,
    /// `"2"`: on `http://` with prior knowledge.
    Http2,
}

/// When the host names of replicas are resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dns {
    /// `"per-run"`, the default: once, before the load.
    #[default]
    PerRun,
    /// `"per-connection"`: again for every connection.
    PerConnection,
}

/// For how long a connection is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reuse {
    /// `connections`; `None`: not given, so it is [`ConnectionScope::Reuse`], over several connections for users
    /// of open loads against limits.
    pub scope: Option<ConnectionScope>,
    /// `max_requests`: the most requests on one connection.
    pub max_requests: Option<u64>,
    /// `max_age`: the age after which no further request is sent on a connection.
    pub max_age: Option<Nanos>,
}

/// `connections`: what shares a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionScope {
    /// `"reuse"`: all requests of a user to a replica.
    Reuse,
    /// `"per-iteration"`: those of one iteration.
    PerIteration,
    /// `"per-request"`: nothing.
    PerRequest,
}

impl Reuse {
    /// Whether nothing is given.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

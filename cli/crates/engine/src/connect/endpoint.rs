//! What all connections to a replica share, determined once before the load: addresses, TLS trust and HTTP
//! version.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rustls::{ClientConfig, pki_types::ServerName};

pub use super::protocol::Protocol;
use super::{
    error::DialError,
    resolve::Resolve,
    target::{Place, Target},
    tls,
};
use saasbench_model::{
    scenario::http::{Dns, Http, Reuse, Version},
    units::Nanos,
};

/// Every replica, and how connections to it are made. Shared by all workers.
#[derive(Debug)]
pub struct Endpoints {
    pub(super) replicas: Vec<Endpoint>,
    pub(super) sources: Sources,
    pub(super) dns: Dns,
    pub(super) connect_timeout: Duration,
    reuse: Reuse,
}

/// What all connections to one replica share.
#[derive(Debug)]
pub struct Endpoint {
    pub(super) target: Target,
    /// The one that accepted the first connection. `None` if the name is looked up for every connection, and
    /// for unix sockets.
    pub(super) address: Option<SocketAddr>,
    pub(super) tls: Option<Tls>,
    version: Version,
    pub(super) protocol: Protocol,
    dialled: Dialled,
    /// All addresses that its name had when it was looked up for a connection.
    looked_up: Mutex<BTreeSet<SocketAddr>>,
}

/// Counts of the connections to a replica that were opened in a run.
#[derive(Debug, Default)]
pub struct Dialled {
    opened: AtomicU64,
    failed: AtomicU64,
    longest_ns: AtomicU64,
    /// The first error.
    reason: OnceLock<String>,
}

impl Dialled {
    /// How many were opened.
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// How many could not be.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// How long it took to open the slowest of them.
    pub fn longest(&self) -> Nanos {
        Nanos(i64::try_from(self.longest_ns.load(Ordering::Relaxed)).unwrap_or(i64::MAX))
    }

    /// The first error.
    pub fn reason(&self) -> Option<&str> {
        self.reason.get().map(String::as_str)
    }

    /// Counts one attempt, which took `took` if it succeeded.
    pub fn note<T>(&self, result: &Result<T, DialError>, took: Duration) {
        match result {
            Ok(_) => {
                self.opened.fetch_add(1, Ordering::Relaxed);
                let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
                self.longest_ns.fetch_max(took, Ordering::Relaxed);
            }
            Err(error) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                self.reason.get_or_init(|| error.to_string());
            }
        }
    }
}

/// The TLS parameters of a replica.
#[derive(Debug)]
pub(super) struct Tls {
    pub(super) config: Arc<ClientConfig>,
    /// The name that its certificate must be valid for, also sent as SNI.
    pub(super) name: ServerName<'static>,
}

impl Endpoints {
    /// Endpoints for `targets` with the settings of `http`; connecting may take `timeout` (of a request) if
    /// `http` has no timeout of its own. `tls` has the trusted authorities.
    ///
    /// # Errors
    /// [`DialError::NoName`], with the index of the replica.
    pub fn new(
        targets: Vec<Target>,
        http: &Http,
        timeout: Nanos,
        tls: &ClientConfig,
    ) -> Result<Self, (usize, DialError)> {
        let endpoint = |(index, target)| Endpoint::new(target, http.version, tls).map_err(|e| (index, e));
        Ok(Self {
            replicas: targets.into_iter().enumerate().map(endpoint).collect::<Result<_, _>>()?,
            sources: Sources::new(&http.sources),
            dns: http.dns,
            connect_timeout: http.connect_timeout.unwrap_or(timeout).to_duration(),
            reuse: http.reuse,
        })
    }

    /// The longest that making a connection may take.
    pub fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// For how long connections are used.
    pub fn reuse(&self) -> Reuse {
        self.reuse
    }

    /// Every replica, in order.
    pub fn replicas(&self) -> &[Endpoint] {
        &self.replicas
    }
}

/// The protocols that ALPN offers for a version of HTTP.
pub(super) fn alpn(protocol: Protocol) -> &'static [&'static [u8]] {
    match protocol {
        Protocol::Http11 => &[tls::HTTP11],
        Protocol::Http2 => &[tls::H2],
    }
}

impl Endpoint {
    fn new(target: Target, version: Version, tls: &ClientConfig) -> Result<Self, DialError> {
        let protocol = match version {
            Version::Http2 => Protocol::Http2,
            Version::Http11 | Version::Auto => Protocol::Http11,
        };
        let tls = match (target.tls, &target.place) {
            (true, Place::Tcp { host, .. }) => {
                let name = ServerName::try_from(host.clone()).map_err(|_| DialError::NoName(host.clone()))?;
                let offered: &[&[u8]] = match version {
                    Version::Auto => &[tls::H2, tls::HTTP11],
                    Version::Http11 | Version::Http2 => alpn(protocol),
                };
                Some(Tls { config: tls::offering(tls, offered), name })
            }
            _ => None,
        };
        let dialled = Dialled::default();
        let looked_up = Mutex::default();
        Ok(Self { target, address: None, tls, version, protocol, dialled, looked_up })
    }

    /// Where it is and how it is addressed.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Its address for the whole run; `None` if its name is looked up for every connection, and for a unix
    /// socket.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Counts of the connections to it.
    pub fn dialled(&self) -> &Dialled {
        &self.dialled
    }

    /// The version of HTTP in use; determined by [`Endpoints::reach`].
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Its addresses, looked up now; none for a unix socket.
    pub(super) async fn look_up(&self, resolver: &impl Resolve) -> Result<Vec<SocketAddr>, DialError> {
        let Place::Tcp { host, port } = &self.target.place else { return Ok(Vec::new()) };
        if let Some(address) = self.target.address {
            return Ok(vec![address]);
        }
        if let Ok(address) = host.parse() {
            return Ok(vec![SocketAddr::new(address, *port)]);
        }
        let found = resolver.resolve(host, *port).await.map_err(DialError::Unresolved)?;
        if found.is_empty() {
            return Err(DialError::NoAddress);
        }
        self.looked_up.lock().unwrap_or_else(PoisonError::into_inner).extend(&found);
        Ok(found)
    }

    /// All addresses that its name had so far; empty if it is an address itself.
    pub fn looked_up(&self) -> Vec<SocketAddr> {
        self.looked_up.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    /// The version of HTTP on a connection for which ALPN `agreed` on this protocol.
    ///
    /// # Errors
    /// If HTTP/2 is required but was not agreed on.
    pub(super) fn spoken(&self, agreed: Option<&[u8]>) -> Result<Protocol, DialError> {
        match (self.version, agreed) {
            _ if self.tls.is_none() => Ok(self.protocol),
            (Version::Auto | Version::Http2, Some(tls::H2)) => Ok(Protocol::Http2),
            (Version::Http2, _) => Err(DialError::UnsupportedProtocol(Protocol::Http2)),
            _ => Ok(Protocol::Http11),
        }
    }
}

/// The local addresses of connections.
#[derive(Debug, Default)]
pub(super) struct Sources {
    v4: Vec<IpAddr>,
    v6: Vec<IpAddr>,
}

impl Sources {
    fn new(all: &[IpAddr]) -> Self {
        let (v4, v6) = all.iter().partition(|address| address.is_ipv4());
        Self { v4, v6 }
    }

    /// The local address for the next connection to `address`; `None` if the system chooses.
    pub(super) fn take(&self, address: SocketAddr, turn: usize) -> Result<Option<IpAddr>, DialError> {
        if self.v4.is_empty() && self.v6.is_empty() {
            return Ok(None);
        }
        let family = if address.is_ipv4() { &self.v4 } else { &self.v6 };
        match family.get(turn.checked_rem(family.len()).unwrap_or(0)) {
            Some(source) => Ok(Some(*source)),
            None => Err(DialError::NoSource(address)),
        }
    }
}

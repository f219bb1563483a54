//! Opens connections: each to the next address of its replica, from the next local address.

use std::{cell::Cell, io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpSocket, TcpStream, UnixStream},
    time::Instant,
};
use tokio_rustls::TlsConnector;

pub use super::error::DialError;
use super::{
    endpoint::{Endpoint, Endpoints, Sources, alpn},
    protocol::Protocol,
    resolve::{Resolve, System},
    stream::Stream,
    tls,
};
use saasbench_model::scenario::http::Dns;

impl Endpoints {
    /// Makes the first connection to a replica, which resolves its name and decides the version of HTTP for
    /// the run.
    ///
    /// # Errors
    /// When there is no connection within `within`.
    pub async fn reach(
        &mut self,
        replica: usize,
        resolver: &impl Resolve,
        within: Duration,
    ) -> Result<Stream, DialError> {
        let Some(endpoint) = self.replicas.get_mut(replica) else { return Err(DialError::NoReplica) };
        let reaching = async {
            let addresses = endpoint.look_up(resolver).await?;
            let (stream, address) = connect(endpoint, &addresses, &self.sources, 0).await?;
            endpoint.protocol = endpoint.spoken(stream.alpn())?;
            if let Some(tls) = &mut endpoint.tls {
                tls.config = tls::offering(&tls.config, alpn(endpoint.protocol));
            }
            // Another address may be another process, whose metrics nobody scrapes.
            endpoint.address = address.filter(|_| self.dns == Dns::PerRun);
            Ok(stream)
        };
        let timeout = DialError::Timeout(within.into());
        tokio::time::timeout(within, reaching).await.unwrap_or(Err(timeout))
    }
}

/// Opens the connections of one worker.
#[derive(Debug)]
pub struct Dialer<R = System> {
    endpoints: Arc<Endpoints>,
    resolver: R,
    /// Connections made to each replica; they decide which of its addresses and of ours the next one uses.
    turns: Box<[Cell<usize>]>,
}

impl<R: Resolve> Dialer<R> {
    /// For the worker with this number, which starts at another address than the others.
    pub fn new(endpoints: Arc<Endpoints>, resolver: R, worker: usize) -> Self {
        let turns = endpoints.replicas.iter().map(|_| Cell::new(worker)).collect();
        Self { endpoints, resolver, turns }
    }

    /// What connections are made to.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// A new connection to a replica, ready for the first byte of a request.
    ///
    /// # Errors
    /// See [`DialError`].
    pub async fn dial(&self, replica: usize) -> Result<Stream, DialError> {
        let endpoint = self.endpoints.replicas.get(replica).ok_or(DialError::NoReplica)?;
        let turn = self.turns.get(replica).map_or(0, |turn| turn.replace(turn.get().wrapping_add(1)));
        let dialling = async {
            let looked_up;
            let addresses = if self.endpoints.dns == Dns::PerConnection {
                looked_up = endpoint.look_up(&self.resolver).await?;
                &looked_up
            } else {
                endpoint.address.as_slice()
            };
            let (stream, _) = connect(endpoint, addresses, &self.endpoints.sources, turn).await?;
            match endpoint.spoken(stream.alpn())? {
                spoken if spoken == endpoint.protocol() => Ok(stream),
                Protocol::Http11 | Protocol::Http2 => {
                    Err(DialError::UnsupportedProtocol(endpoint.protocol()))
                }
            }
        };
        let (limit, started) = (self.endpoints.connect_timeout, Instant::now());
        let dialled = tokio::time::timeout(limit, dialling).await;
        let dialled = dialled.unwrap_or(Err(DialError::Timeout(limit.into())));
        endpoint.dialled().note(&dialled, started.elapsed());
        dialled
    }
}

/// How long it may take to find out whether a server speaks TLS.
const TLS_PROBE: Duration = Duration::from_secs(1);

impl Endpoint {
    /// Whether a replica that is addressed without TLS speaks it. Many servers say nothing to who speaks without it,
    /// and others count what they do not understand: ask after a run of which no request got a response.
    pub async fn speaks_tls_unasked(&self) -> bool {
        let Some(address) = self.address.filter(|_| self.tls.is_none()) else { return false };
        let probing = async {
            let Ok(config) = tls::config(tls::Trust::AcceptAnyCertificate) else { return false };
            let Ok(stream) = TcpStream::connect(address).await else { return false };
            let connector = TlsConnector::from(Arc::new(config));
            match connector.connect(address.ip().into(), stream).await {
                Ok(_) => true,
                // It wants another version, a name, or a certificate.
                Err(error) => error
                    .get_ref()
                    .and_then(|cause| cause.downcast_ref())
                    .is_some_and(|cause| matches!(cause, rustls::Error::AlertReceived(_))),
            }
        };
        tokio::time::timeout(TLS_PROBE, probing).await.unwrap_or(false)
    }
}

/// Connects to one of `addresses` (or to the endpoint's socket), starting with the one whose turn it is; if
/// one rejects, the next is tried. Returns the address as well.
pub(super) async fn connect(
    endpoint: &Endpoint,
    addresses: &[SocketAddr],
    sources: &Sources,
    turn: usize,
) -> Result<(Stream, Option<SocketAddr>), DialError> {
    if let Some(path) = endpoint.target.socket() {
        let stream = UnixStream::connect(path).await.map_err(rejected)?;
        return Ok((Stream::Unix(stream), None));
    }
    let mut last = DialError::NoAddress;
    for attempt in 0..addresses.len() {
        let Some(&address) = addresses.get(turn.wrapping_add(attempt) % addresses.len()) else { continue };
        // Over time, every pair of remote and local address is used.
        match connect_tcp(address, sources, turn / addresses.len()).await {
            Ok(stream) => return Ok((encrypt(endpoint, stream).await?, Some(address))),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn connect_tcp(address: SocketAddr, sources: &Sources, turn: usize) -> Result<TcpStream, DialError> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let socket = socket.map_err(rejected)?;
    socket.set_nodelay(true).map_err(rejected)?;
    if let Some(source) = sources.take(address, turn)? {
        choose_port_late(&socket).and_then(|()| socket.bind(SocketAddr::new(source, 0))).map_err(rejected)?;
    }
    socket.connect(address).await.map_err(rejected)
}

/// Lets the system choose the port when the destination is known: then a port can serve one connection per
/// destination, instead of one in all.
#[cfg(target_os = "linux")]
fn choose_port_late(socket: &TcpSocket) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
    use std::os::fd::AsFd as _;
    Ok(setsockopt(&socket.as_fd(), IpBindAddressNoPort, &true)?)
}

#[cfg(not(target_os = "linux"))]
fn choose_port_late(_: &TcpSocket) -> io::Result<()> {
    Ok(())
}

async fn encrypt(endpoint: &Endpoint, stream: TcpStream) -> Result<Stream, DialError> {
    let Some(tls) = &endpoint.tls else { return Ok(Stream::Tcp(stream)) };
    let connector = TlsConnector::from(Arc::clone(&tls.config));
    let encrypted = connector.connect(tls.name.clone(), stream).await.map_err(|error| {
        use rustls::{AlertDescription::NoApplicationProtocol, Error::AlertReceived};
        match error.get_ref().and_then(|cause| cause.downcast_ref()) {
            Some(AlertReceived(NoApplicationProtocol)) => DialError::UnsupportedProtocol(endpoint.protocol()),
            _ => DialError::Tls(error),
        }
    })?;
    Ok(Stream::Tls(Box::new(encrypted)))
}

/// Distinguishes failures of the other side from those of this machine, which ran out of a resource.
fn rejected(error: io::Error) -> DialError {
    use rustix::io::Errno;
    let own = [Errno::ADDRNOTAVAIL, Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    match error.raw_os_error() {
        Some(code) if own.iter().any(|errno| errno.raw_os_error() == code) => DialError::Exhausted(error),
        _ => DialError::Rejected(error),
    }
}

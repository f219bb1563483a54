//! Opens connections: each to the next address of its replica, from the next local address.

use std::{cell::Cell, io, net::SocketAddr, sync::Arc};

use tokio::{
    net::{TcpSocket, TcpStream, UnixStream},
    time::Instant,
};
use tokio_rustls::TlsConnector;

use super::{
    endpoint::{Endpoint, Endpoints, Protocol, Sources},
    resolve::{Resolve, System},
    stream::Stream,
};
use saasbench_model::{scenario::http::Dns, units::Nanos};
use saasbench_record::sample::NotSentReason;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// There is no such replica.
    #[error("there is no such replica")]
    NoReplica,
    /// A host that no certificate can be for.
    #[error("`{0}` is not a name that a certificate can be for")]
    NoName(String),
    /// Its name has no response.
    #[error("its host cannot be resolved ({0})")]
    Unresolved(io::Error),
    /// Its name has no address.
    #[error("its host has no address")]
    NoAddress,
    /// The other side rejects, or cannot be reached.
    #[error("{0}")]
    Rejected(io::Error),
    /// This machine rejects: no port, no descriptor is left, or `source_addresses` has an address that is not
    /// its own.
    #[error("this machine has no port, file descriptor or source address for it: {0}")]
    Exhausted(io::Error),
    /// It took too long.
    #[error("no connection in {0}")]
    Timeout(Nanos),
    /// The TLS handshake failed.
    #[error("no TLS connection: {0}")]
    Tls(io::Error),
    /// ALPN did not agree on the requested version of HTTP.
    #[error("it does not speak {}", .0.name())]
    NotSpoken(Protocol),
    /// `source_addresses` has no address that could reach it.
    #[error("`source_addresses` has no address of the same family as {0}")]
    NoSource(SocketAddr),
}

impl DialError {
    /// What the user can do about it, where that is more than looking at the other side.
    pub fn hint(&self) -> Option<&'static str> {
        let Self::Tls(error) = self else {
            return match self {
                Self::NotSpoken(_) => Some("leave `version` of [http] out: then the server chooses"),
                Self::Exhausted(_) => Some(
                    "`source_addresses` of [http] gives connections more addresses, and with them more ports",
                ),
                Self::NoSource(_) => {
                    Some("add one to `source_addresses` of [http], or leave `source_addresses` out")
                }
                _ => None,
            };
        };
        use rustls::{CertificateError, Error, InvalidMessage};
        match error.get_ref()?.downcast_ref::<Error>()? {
            Error::InvalidCertificate(CertificateError::UnknownIssuer) => Some(
                "name the file with its authority's certificate: --ca-file ca.pem; or accept any certificate: --insecure",
            ),
            Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => Some("use the name that the certificate is for, or accept any certificate: --insecure"),
            Error::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. },
            ) => Some("renew the certificate, or accept any: --insecure"),
            Error::InvalidCertificate(_) => Some("accept any certificate: --insecure"),
            Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
                Some("it seems not to speak TLS: is it an http:// address?")
            }
            _ => None,
        }
    }
}

impl From<DialError> for NotSentReason {
    fn from(error: DialError) -> Self {
        match error {
            DialError::Timeout(_) => Self::ConnectTimeout,
            DialError::Exhausted(_) => Self::Exhausted,
            _ => Self::ConnectFailed,
        }
    }
}

/// Opens the connections of one worker.
#[derive(Debug)]
pub struct Dialer<R = System> {
    endpoints: Arc<Endpoints>,
    resolver: R,
    /// Connections made to each replica: they decide to which of its addresses and from which of ours the
    /// next one goes.
    turns: Box<[Cell<usize>]>,
}

impl<R: Resolve> Dialer<R> {
    /// For the worker with this number, which starts at another address than the other workers.
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
                &endpoint.addresses
            };
            let stream = connect(endpoint, addresses, &self.endpoints.sources, turn).await?;
            match endpoint.spoken(stream.alpn())? {
                spoken if spoken == endpoint.protocol() => Ok(stream),
                Protocol::Http11 | Protocol::Http2 => Err(DialError::NotSpoken(endpoint.protocol())),
            }
        };
        let (limit, started) = (self.endpoints.connect_timeout, Instant::now());
        let dialled = tokio::time::timeout(limit, dialling).await;
        let dialled = dialled.unwrap_or(Err(DialError::Timeout(limit.into())));
        endpoint.dialled().note(&dialled, started.elapsed());
        dialled
    }
}

/// Connects to one of `addresses` (or to the endpoint's socket), beginning with the one whose turn it is; the
/// next is tried where one rejects.
pub(super) async fn connect(
    endpoint: &Endpoint,
    addresses: &[SocketAddr],
    sources: &Sources,
    turn: usize,
) -> Result<Stream, DialError> {
    if let Some(path) = endpoint.target.socket() {
        return UnixStream::connect(path).await.map(Stream::Unix).map_err(rejected);
    }
    let mut last = DialError::NoAddress;
    for attempt in 0..addresses.len() {
        let Some(&address) = addresses.get(turn.wrapping_add(attempt) % addresses.len()) else { continue };
        // Every pair of theirs and ours has its turn.
        match connect_tcp(address, sources, turn / addresses.len()).await {
            Ok(stream) => return encrypt(endpoint, stream).await,
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

/// Lets the system choose the port when it knows where the connection goes: a port can then serve one
/// connection to every address, and not just one.
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
            Some(AlertReceived(NoApplicationProtocol)) => DialError::NotSpoken(endpoint.protocol()),
            _ => DialError::Tls(error),
        }
    })?;
    Ok(Stream::Tls(Box::new(encrypted)))
}

/// Whose fault a failure is: the other side's, or this machine's, which has run out of something.
fn rejected(error: io::Error) -> DialError {
    use rustix::io::Errno;
    let own = [Errno::ADDRNOTAVAIL, Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    match error.raw_os_error() {
        Some(code) if own.iter().any(|errno| errno.raw_os_error() == code) => DialError::Exhausted(error),
        _ => DialError::Rejected(error),
    }
}

//! Test support: an authority that signs certificates, servers that use them, and a resolver with fixed
//! names.

use std::{cell::Cell, io, net::SocketAddr, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    dial::{DialError, Dialer},
    endpoint::Endpoints,
    resolve::{Resolve, System},
    target::Target,
    tls::{Trust, config},
};
use saasbench_model::{scenario::http::Http, units::Nanos};

/// A certificate authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    pub(crate) pem: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Accepts TLS with a certificate for `name`, and these protocols by ALPN.
    pub(crate) fn acceptor(&self, name: &str, alpn: &[&[u8]]) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    /// Trusts this authority.
    pub(crate) fn trust(&self) -> Trust<'_> {
        Trust::Roots { pem: &self.pem, file: "ca.pem" }
    }
}

/// A listener on a free port of a local address.
pub(crate) async fn listen(ip: &str) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((ip, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Accepts TLS until the test ends, and passes on the connections.
pub(crate) fn serve_tls(
    listener: TcpListener,
    acceptor: TlsAcceptor,
) -> tokio::sync::mpsc::UnboundedReceiver<TlsStream<TcpStream>> {
    let (accepted, streams) = tokio::sync::mpsc::unbounded_channel();
    tokio::task::spawn_local(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(stream) = acceptor.accept(stream).await {
                let _ = accepted.send(stream);
            }
        }
    });
    streams
}

/// Endpoints for these URLs, resolved and connected to.
pub(crate) async fn reached(
    urls: &[&str],
    http: &Http,
    trust: Trust<'_>,
    resolver: &impl Resolve,
) -> Result<Arc<Endpoints>, DialError> {
    let targets = urls.iter().map(|url| Target::parse(url).unwrap()).collect();
    let timeout = Nanos::from_secs(10);
    let mut endpoints =
        Endpoints::new(targets, http, timeout, &config(trust).unwrap()).map_err(|(_, e)| e)?;
    for replica in 0..urls.len() {
        endpoints.reach(replica, resolver, timeout.to_duration()).await?;
    }
    Ok(Arc::new(endpoints))
}

/// A dialler for one URL that was connected to.
pub(crate) async fn dialer<R: Resolve>(
    url: &str,
    http: &Http,
    trust: Trust<'_>,
    resolver: R,
) -> Result<Dialer<R>, DialError> {
    Ok(Dialer::new(reached(&[url], http, trust, &resolver).await?, resolver, 0))
}

/// A dialler for plain connections to this address, without a first attempt.
pub(crate) fn direct(address: SocketAddr, http: &Http) -> Dialer {
    let targets = vec![Target::parse(&format!("http://{address}")).unwrap()];
    let tls = config(Trust::None).unwrap();
    let mut endpoints = Endpoints::new(targets, http, Nanos::from_secs(10), &tls).unwrap();
    endpoints.replicas[0].address = Some(address);
    Dialer::new(Arc::new(endpoints), System, 0)
}

/// A resolver that returns the same addresses for all names, and counts queries.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) asked: Cell<usize>,
}

impl Resolve for &'static Names {
    async fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        self.asked.set(self.asked.get() + 1);
        Ok(self.addresses.clone())
    }
}

impl Names {
    /// Lives as long as the test.
    pub(crate) fn of(addresses: &[SocketAddr]) -> &'static Self {
        Box::leak(Box::new(Self { addresses: addresses.to_vec(), asked: Cell::new(0) }))
    }
}

//! The reference service behind transports other than plain TCP: TLS with or without HTTP/2, and Unix
//! sockets.

use std::{convert::Infallible, path::Path, sync::Arc};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tenancy::{App, Config, Store, Tenants};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    runtime::Runtime,
};
use tokio_rustls::TlsAcceptor;

/// A replica of the reference service in this process; it ends with the test.
#[derive(Debug)]
pub(crate) struct Wired {
    runtime: Runtime,
    app: App,
}

impl Wired {
    pub(crate) fn new(tenants: &str) -> Self {
        let tenants = Tenants::parse(tenants, "tenants.jsonl").unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Self { runtime: runtime.unwrap(), app: App::with_config(tenants, Store::memory(), Config::default()) }
    }

    /// Listens with TLS on a free port of `127.0.0.1`, with a certificate for `localhost` only, and writes
    /// the certificate of its authority to `ca_file`; returns the port.
    pub(crate) fn over_tls(&self, alpn: &[&str], ca_file: &Path) -> u16 {
        let acceptor = acceptor(alpn, ca_file);
        let listener = self.runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let app = self.app.clone();
        self.runtime.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // Otherwise a response waits for an acknowledgement (Nagle's algorithm), which the claim
                // `quantiles` rightly reports.
                stream.set_nodelay(true).unwrap();
                let (acceptor, app) = (acceptor.clone(), app.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        converse(stream, app).await;
                    }
                });
            }
        });
        port
    }

    /// Listens on a unix socket.
    pub(crate) fn over_unix(&self, path: &Path) {
        let _inside = self.runtime.enter();
        let listener = UnixListener::bind(path).unwrap();
        let app = self.app.clone();
        self.runtime.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(converse(stream, app.clone()));
            }
        });
    }
}

/// HTTP/1.1 or HTTP/2, as the client chooses.
async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, app: App) {
    let service = service_fn(move |request| {
        let app = app.clone();
        async move { Ok::<_, Infallible>(app.respond(request).await) }
    });
    let http = auto::Builder::new(TokioExecutor::new());
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}

fn acceptor(alpn: &[&str], ca_file: &Path) -> TlsAcceptor {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, ca_file.display().to_string());
    let key = KeyPair::generate().unwrap();
    std::fs::write(ca_file, authority.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(authority, key);

    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = own.signed_by(&key, &issuer).unwrap().der().clone();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

//! Whom TLS trusts: the system's authorities, those of a file, or anybody. And what ALPN offers.

use std::sync::Arc;

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};

/// What ALPN calls HTTP/2.
pub const H2: &[u8] = b"h2";
/// What ALPN calls HTTP/1.1.
pub const HTTP11: &[u8] = b"http/1.1";

/// Whom to trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust<'a> {
    /// Nobody: no TLS will be spoken.
    Nobody,
    /// The system's authorities.
    System,
    /// These authorities only.
    Roots {
        /// Text of a PEM file.
        pem: &'a str,
        /// Its name.
        file: &'a str,
    },
    /// Anybody (`insecure`).
    Anybody,
}

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The system trusts nobody.
    #[error("this system has no certificates of authorities{0}")]
    NoSystemRoots(String),
    /// Nothing in a file that could be trusted.
    #[error("{0} holds no certificate")]
    NoRoots(String),
    /// Something in it that is none.
    #[error("certificate {number} of {file} is damaged")]
    BadRoot {
        /// The file.
        file: String,
        /// Which, from 1.
        number: usize,
    },
    /// The library refuses.
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}

impl TlsError {
    /// What the user can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoSystemRoots(_) => {
                "install them (Debian: ca-certificates), or name a file: --roots ca.pem"
            }
            Self::NoRoots(_) | Self::BadRoot { .. } => {
                "it has to be a PEM file: `-----BEGIN CERTIFICATE-----` and so on, one or more"
            }
            Self::Setup(_) => "this is a defect of saasbench",
        }
    }
}

/// How TLS is spoken to whom `trust` says, without ALPN. No session is resumed: every connection is a stranger's, and pays for its
/// whole handshake.
///
/// # Errors
/// When there is nobody to trust.
pub fn config(trust: Trust<'_>) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?;
    let roots = match trust {
        Trust::Nobody => RootCertStore::empty(),
        Trust::System => system_roots()?,
        Trust::Roots { pem, file } => roots_of(pem, file)?,
        Trust::Anybody => {
            let anybody = Arc::new(Anybody(provider));
            let builder = builder.dangerous().with_custom_certificate_verifier(anybody);
            return Ok(unresumed(builder.with_no_client_auth()));
        }
    };
    Ok(unresumed(builder.with_root_certificates(roots).with_no_client_auth()))
}

fn unresumed(mut config: ClientConfig) -> ClientConfig {
    config.resumption = Resumption::disabled();
    config
}

/// The same, offering these protocols by ALPN.
pub fn offering(config: &ClientConfig, protocols: &[&[u8]]) -> Arc<ClientConfig> {
    let mut config = config.clone();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // The odd one that cannot be read is no reason to refuse all others.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map_or_else(String::new, |error| format!(": {error}"));
        return Err(TlsError::NoSystemRoots(why));
    }
    Ok(roots)
}

fn roots_of(pem: &str, file: &str) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for (number, certificate) in (1..).zip(CertificateDer::pem_slice_iter(pem.as_bytes())) {
        let added = certificate.ok().and_then(|certificate| roots.add(certificate).ok());
        added.ok_or_else(|| TlsError::BadRoot { file: file.to_owned(), number })?;
    }
    if roots.is_empty() { Err(TlsError::NoRoots(file.to_owned())) } else { Ok(roots) }
}

/// Accepts every certificate. The handshake's signature is still checked: who presents one has its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

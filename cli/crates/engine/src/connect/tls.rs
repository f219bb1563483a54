//! TLS: which authorities are trusted (the system's, those of a file, or any certificate), and what ALPN
//! offers.

use std::sync::Arc;

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
};

/// HTTP/2 in ALPN.
pub const H2: &[u8] = b"h2";
/// HTTP/1.1 in ALPN.
pub const HTTP11: &[u8] = b"http/1.1";

/// Which certificates are trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust<'a> {
    /// None: TLS is not used.
    None,
    /// The system's authorities.
    System,
    /// These authorities only.
    Roots {
        /// Text of a PEM file.
        pem: &'a str,
        /// Its name.
        file: &'a str,
    },
    /// Every certificate (`insecure`).
    AcceptAnyCertificate,
}

/// A client certificate with its key: text and name of a PEM file each.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate with its chain to an authority.
    pub certificate: (String, String),
    /// Its private key.
    pub key: (String, String),
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({}, {})", self.certificate.1, self.key.1)
    }
}

/// Why TLS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The system has no authorities.
    #[error("this system has no certificates of authorities{0}")]
    NoSystemRoots(String),
    /// A file contains no authority's certificate.
    #[error("{0} holds no certificate")]
    NoRoots(String),
    /// A file contains a damaged certificate.
    #[error("certificate {number} of {file} is damaged")]
    BadRoot {
        /// The file.
        file: String,
        /// Its number in the file, from 1.
        number: usize,
    },
    /// A file contains no client certificate.
    #[error("{0} holds no certificate that could be shown")]
    NoCertificate(String),
    /// A file contains no private key.
    #[error("{0} holds no private key")]
    NoKey(String),
    /// Certificate and key do not belong together.
    #[error("{certificate} and {key} do not belong together: {reason}")]
    KeyMismatch {
        /// The certificate's file.
        certificate: String,
        /// The key's.
        key: String,
        /// The library's error.
        reason: rustls::Error,
    },
    /// The library's error.
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}

impl TlsError {
    /// What the user can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoSystemRoots(_) => {
                "install them (Debian: ca-certificates), or name a file: --ca-file ca.pem"
            }
            Self::NoRoots(_) | Self::BadRoot { .. } => {
                "it has to be a PEM file: `-----BEGIN CERTIFICATE-----` and so on, one or more"
            }
            Self::NoCertificate(_) => "it has to be a PEM file: `-----BEGIN CERTIFICATE-----` and so on",
            Self::NoKey(_) => "it has to be a PEM file: `-----BEGIN PRIVATE KEY-----` and so on",
            Self::KeyMismatch { .. } => "name the certificate's own key",
            Self::Setup(_) => "this is a defect of saasbench",
        }
    }
}

/// A TLS configuration with this trust, without ALPN. Sessions are not resumed: every connection performs a
/// full handshake, like a new client's.
///
/// # Errors
/// When there are no authorities to trust.
pub fn config(trust: Trust<'_>) -> Result<ClientConfig, TlsError> {
    config_of(trust, None)
}

/// Like [`config`], for a client that has a certificate, if the server requests one.
///
/// # Errors
/// When there are no authorities to trust, or no client certificate.
pub fn config_of(trust: Trust<'_>, identity: Option<&Identity>) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?;
    let builder = match trust {
        Trust::None => builder.with_root_certificates(RootCertStore::empty()),
        Trust::System => builder.with_root_certificates(system_roots()?),
        Trust::Roots { pem, file } => builder.with_root_certificates(roots_of(pem, file)?),
        Trust::AcceptAnyCertificate => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAnyCertificate(provider)))
        }
    };
    let Some(Identity { certificate: (pem, file), key: (key_pem, key_file) }) = identity else {
        return Ok(unresumed(builder.with_no_client_auth()));
    };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok).collect();
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(file.clone()));
    }
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes());
    let key = key.map_err(|_| TlsError::NoKey(key_file.clone()))?;
    let config = builder.with_client_auth_cert(chain, key).map_err(|reason| TlsError::KeyMismatch {
        certificate: file.clone(),
        key: key_file.clone(),
        reason,
    })?;
    Ok(unresumed(config))
}

fn unresumed(mut config: ClientConfig) -> ClientConfig {
    config.resumption = Resumption::disabled();
    config
}

/// The same configuration, offering these protocols by ALPN.
pub fn offering(config: &ClientConfig, protocols: &[&[u8]]) -> Arc<ClientConfig> {
    let mut config = config.clone();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A single unreadable certificate is no reason to reject all others.
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

/// Accepts every certificate. The handshake's signature is still checked: the server has the certificate's
/// key.
#[derive(Debug)]
struct AcceptAnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAnyCertificate {
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

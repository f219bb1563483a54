//! Why a connection cannot be opened, and what the user can do about it.

use std::{io, net::SocketAddr};

use super::protocol::Protocol;
use saasbench_model::units::Nanos;
use saasbench_record::sample::NotSentReason;

/// Why a connection cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// There is no such replica.
    #[error("there is no such replica")]
    NoReplica,
    /// A host name for which no certificate can be valid.
    #[error("`{0}` is not a name that a certificate can be for")]
    NoName(String),
    /// The name cannot be resolved.
    #[error("its host cannot be resolved ({0})")]
    Unresolved(io::Error),
    /// Its name has no address.
    #[error("its host has no address")]
    NoAddress,
    /// The other side rejected the connection, or cannot be reached.
    #[error("{0}")]
    Rejected(io::Error),
    /// This machine has no port or descriptor left, or `source_addresses` has an address that it does not
    /// have.
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
    UnsupportedProtocol(Protocol),
    /// `source_addresses` has no address of the right family.
    #[error("`source_addresses` has no address of the same family as {0}")]
    NoSource(SocketAddr),
}

impl DialError {
    /// What the user can do about it, other than checking the other side.
    pub fn hint(&self) -> Option<&'static str> {
        let Self::Tls(error) = self else {
            return match self {
                Self::UnsupportedProtocol(_) => {
                    Some("leave `version` of [http] out: then the server chooses")
                }
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

//! Parses a replica's base URL: `http://host:port/prefix`, `https://…`, or `unix:/path/to.sock:/prefix`.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use url::Url;

/// Address of a replica, and how requests to it are addressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where it listens.
    pub place: Place,
    /// The address to use, where the host's name has several.
    pub address: Option<SocketAddr>,
    /// Whether it uses TLS.
    pub tls: bool,
    /// Value of the field `host`: host and port, without the scheme's default port; `localhost` for unix
    /// sockets.
    pub authority: String,
    /// Prefix of every path: empty, or starting with a slash and not ending with one.
    pub prefix: String,
}

/// Where a replica listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// At a host (a name, or an address without brackets) and port.
    Tcp {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// At a path of this machine's file system.
    Unix(PathBuf),
}

/// Why a text is not a replica's base URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not a URL.
    #[error("{0}")]
    NotAUrl(String),
    /// Another scheme, or none.
    #[error("it needs http://, https:// or unix: in front")]
    Scheme,
    /// A query or fragment after the path.
    #[error("it must not have a query or a fragment")]
    Query,
    /// A user or a password.
    #[error("it must not hold a user or a password: send them as a header, from ${{env:NAME}}")]
    Credentials,
    /// No host.
    #[error("it has no host")]
    NoHost,
    /// Port 0.
    #[error("nothing listens on port 0")]
    NoPort,
    /// No socket path, or a relative one.
    #[error("the path of the socket must begin with a slash")]
    SocketPath,
    /// A path prefix that cannot be sent.
    #[error(
        "behind the socket's path and a colon stands a path: it begins with a slash and holds plain characters"
    )]
    SocketPrefix,
}

impl Target {
    /// Parses a base URL.
    ///
    /// # Errors
    /// See [`TargetError`].
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        match text.strip_prefix("unix:") {
            Some(rest) => Self::parse_unix(rest.strip_prefix("//").unwrap_or(rest)),
            None => Self::parse_url(text),
        }
    }

    fn parse_url(text: &str) -> Result<Self, TargetError> {
        if !text.contains("://") {
            return Err(TargetError::Scheme);
        }
        let url = Url::parse(text).map_err(|error| TargetError::NotAUrl(error.to_string()))?;
        let tls = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err(TargetError::Scheme),
        };
        if url.query().is_some() || url.fragment().is_some() {
            return Err(TargetError::Query);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::Credentials);
        }
        let written = url.host_str().ok_or(TargetError::NoHost)?;
        let authority = url.port().map_or_else(|| written.to_owned(), |port| format!("{written}:{port}"));
        let host = written.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = url.port_or_known_default().filter(|port| *port != 0).ok_or(TargetError::NoPort)?;
        let prefix = url.path().trim_end_matches('/').to_owned();
        Ok(Self { place: Place::Tcp { host, port }, address: None, tls, authority, prefix })
    }

    fn parse_unix(rest: &str) -> Result<Self, TargetError> {
        let (path, prefix) = rest.split_once(':').unwrap_or((rest, ""));
        if !path.starts_with('/') || path.ends_with('/') || path.contains('\0') {
            return Err(TargetError::SocketPath);
        }
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"?#".contains(&byte);
        if !(prefix.is_empty() || prefix.starts_with('/')) || !prefix.bytes().all(is_plain) {
            return Err(TargetError::SocketPrefix);
        }
        Ok(Self {
            place: Place::Unix(PathBuf::from(path)),
            address: None,
            tls: false,
            authority: "localhost".to_owned(),
            prefix: prefix.trim_end_matches('/').to_owned(),
        })
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    /// Scheme, authority and prefix: what another HTTP client prepends to a path.
    pub fn base_url(&self) -> String {
        format!("{}://{}{}", self.scheme(), self.authority, self.prefix)
    }

    /// The path of its socket, if it listens on one.
    pub fn socket(&self) -> Option<&Path> {
        match &self.place {
            Place::Unix(path) => Some(path),
            Place::Tcp { .. } => None,
        }
    }

    /// Default value of Prometheus's label `instance` for it: host and port.
    pub fn instance(&self) -> String {
        match &self.place {
            Place::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Place::Tcp { host, port } => format!("{host}:{port}"),
            Place::Unix(path) => format!("unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_urls_are_parsed() {
        let table = [
            ("http://127.0.0.1:8005", "http://127.0.0.1:8005", "127.0.0.1:8005"),
            ("http://Host/", "http://host", "host:80"),
            ("https://example.com", "https://example.com", "example.com:443"),
            ("https://example.com:443/a/b/", "https://example.com/a/b", "example.com:443"),
            ("http://[::1]:81/v1", "http://[::1]:81/v1", "[::1]:81"),
            ("unix:/run/a.sock", "http://localhost", "unix:/run/a.sock"),
            ("unix:///run/a.sock:/v1/", "http://localhost/v1", "unix:/run/a.sock"),
        ];
        for (text, base, instance) in table {
            let target = Target::parse(text).unwrap();
            assert_eq!((target.base_url().as_str(), target.instance().as_str()), (base, instance), "{text}");
        }
        let place = Target::parse("http://[::1]:81").unwrap().place;
        assert_eq!(place, Place::Tcp { host: "::1".to_owned(), port: 81 });
    }

    #[test]
    fn invalid_urls_are_reported() {
        let table = [
            "127.0.0.1:80",
            "",
            "ftp://x",
            "http://",
            "http://x:99999",
            "http://x:0",
            "http://x/?q=1",
            "https://x/#top",
            "http://me:secret@x",
            "http://[::1",
            "unix:run/a.sock",
            "unix:/run/",
            "unix:/a.sock:v1",
            "unix:/a.sock:/v1?x",
        ];
        let shown: Vec<String> =
            table.iter().map(|text| format!("{text:20} {}", Target::parse(text).unwrap_err())).collect();
        insta::assert_snapshot!(shown.join("\n"));
    }
}

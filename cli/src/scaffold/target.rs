//! Splits a URL into the service's base URL and the path of a step.

use percent_encoding::utf8_percent_encode;

use saasbench_engine::connect::target::{Target, TargetError};
use saasbench_model::scenario::template::RESERVED;
use saasbench_model::{
    redact,
    scenario::template::{Piece, Unclosed, pieces},
};

/// A URL in two parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The base URL of the service, as `--target` takes it.
    pub base: String,
    /// Path and query, percent-encoded but for their `${…}`; begins with a slash.
    pub path: String,
}

/// Why no requests can be sent to a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Its scheme, host or port is invalid.
    #[error("`{url}` is not the URL of a service: {source}")]
    Base {
        /// The URL, without secrets.
        url: String,
        /// Why.
        source: TargetError,
    },
    /// A `${` that is not closed.
    #[error("`{url}` has a `${{` without a name and `}}` behind it")]
    Template {
        /// The URL, without secrets.
        url: String,
    },
}

impl AddressError {
    /// What the user can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Base { url, .. } if url.ends_with(".toml") => {
                format!("a scenario is run by `saasbench run {url}`")
            }
            Self::Base { url, source: TargetError::Scheme } if !url.contains("://") => {
                format!("write http://{url}, https://{url}, or unix:/run/api.sock:/path")
            }
            Self::Base { source: TargetError::Credentials, .. } => {
                "basic authentication goes out with --auth 'user:${env:PASSWORD}'".to_owned()
            }
            Self::Base { .. } => {
                "write it as http://127.0.0.1:8005/chat, https://api.example.com/ or unix:/run/api.sock:/chat"
                    .to_owned()
            }
            Self::Template { .. } => "a literal `${` is written `$${`".to_owned(),
        }
    }
}

impl Address {
    /// Splits a URL.
    ///
    /// # Errors
    /// When it is not valid.
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        let (base, path) = match url.strip_prefix("unix:") {
            Some(rest) => {
                let (socket, path) = rest.split_once(':').unwrap_or((rest, "/"));
                (format!("unix:{socket}"), path)
            }
            None => {
                let host = url.find("://").map_or(0, |at| at + 3);
                let end = url[host..].find(['/', '?', '#']).map_or(url.len(), |at| host + at);
                (url[..end].to_owned(), &url[end..])
            }
        };
        Target::parse(&base).map_err(|source| AddressError::Base { url: redact::url(url), source })?;
        let path = encoded(path).map_err(|_| AddressError::Template { url: redact::url(url) })?;
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self { base, path: format!("{slash}{path}") })
    }
}

/// The path of a step: what a request line cannot hold is percent-encoded, and a fragment, which is never
/// sent, is removed.
fn encoded(path: &str) -> Result<String, Unclosed<'_>> {
    let mut out = String::new();
    for piece in pieces(path)? {
        match piece {
            Piece::Variable(name) => out.push_str(&format!("${{{name}}}")),
            Piece::Text("${") => out.push_str("$%7B"),
            Piece::Text(text) => {
                let (before, fragment) = text.split_once('#').map_or((text, None), |(a, b)| (a, Some(b)));
                before.chars().for_each(|c| out.push_str(&sent_as(c)));
                if fragment.is_some() {
                    break;
                }
            }
        }
    }
    Ok(out)
}

/// A character as it is sent in a request line.
fn sent_as(c: char) -> String {
    let is_sent = c.is_ascii_graphic() && !r#""<>\^`{|}"#.contains(c);
    if is_sent { c.to_string() } else { percent_encoded(&c.to_string()) }
}

/// A value within a path or a query: all but unreserved characters (RFC 3986) percent-encoded.
pub(super) fn percent_encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_split() {
        let table = [
            ("http://127.0.0.1:8005", "http://127.0.0.1:8005", "/"),
            ("https://api.example.com/v1/items?limit=5#top", "https://api.example.com", "/v1/items?limit=5"),
            ("http://h?q=a b", "http://h", "/?q=a%20b"),
            ("http://[::1]:81/ü/{x}", "http://[::1]:81", "/%C3%BC/%7Bx%7D"),
            ("http://h/items/${n}?t=${tenant}#x", "http://h", "/items/${n}?t=${tenant}"),
            ("http://h/$${n}", "http://h", "/$%7Bn%7D"),
            ("unix:/run/a.sock", "unix:/run/a.sock", "/"),
            ("unix:/run/a.sock:/chat?x=1", "unix:/run/a.sock", "/chat?x=1"),
        ];
        for (url, base, path) in table {
            let address = Address::parse(url).unwrap();
            assert_eq!((address.base.as_str(), address.path.as_str()), (base, path), "{url}");
        }
    }

    #[test]
    fn invalid_urls_are_reported() {
        let table = [
            "localhost:8005/chat",
            "127.0.0.1",
            "scenarios/flood.toml",
            "ftp://h/",
            "http:///path",
            "http://me:hush@h/",
            "me:hush@h/",
            "http://me:hu/sh@h/",
            "http://h:99999/?token=hush",
            "http://h/?token=hush&x=${",
            "unix:a.sock",
        ];
        let shown = table.map(|url| {
            let error = Address::parse(url).unwrap_err();
            format!("{error}\n  help: {}", error.hint())
        });
        assert!(!shown.concat().contains("hush"), "{shown:?}");
        insta::assert_snapshot!(shown.join("\n"));
    }
}

//! Sends requests by HTTP/1.1, with `reqwest` underneath.

use std::{sync::Arc, time::Duration};

use bytes::BytesMut;
use reqwest::{Method, Url, header::HeaderMap};

use super::transport::{Answer, BODY_KEPT, NoAnswer, Request, Transport};
use crate::{
    clock::RunClock,
    record::sample::{LimiterHeaders, Obstacle, Silence},
    units::Nanos,
};

/// Sends requests by HTTP/1.1.
#[derive(Debug)]
pub struct Http {
    client: reqwest::Client,
    replicas: Vec<String>,
    timeout: Duration,
    clock: RunClock,
}

impl Http {
    /// A client for the replicas with these base URLs; a request may take `timeout`, connect included.
    ///
    /// # Errors
    /// When the TLS backend cannot be set up.
    pub fn new(replicas: Vec<String>, timeout: Duration, clock: RunClock) -> reqwest::Result<Self> {
        let client = reqwest::Client::builder()
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(usize::MAX)
            .tcp_nodelay(true)
            .connect_timeout(timeout)
            .user_agent(concat!("saasbench/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, replicas, timeout, clock })
    }

    fn build(&self, request: &Request) -> Option<reqwest::RequestBuilder> {
        let method = Method::from_bytes(request.method.as_bytes()).ok()?;
        let url = Url::parse(&format!("{}{}", self.replicas.get(request.replica)?, request.path)).ok()?;
        let mut builder = self.client.request(method, url);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        Some(builder)
    }

    async fn exchange(&self, builder: reqwest::RequestBuilder, keep_body: bool) -> Result<Answer, NoAnswer> {
        let lost = NoAnswer::Unknown(Silence::ConnectionLost);
        let mut response = match builder.send().await {
            Ok(response) => response,
            Err(error) if error.is_builder() => return Err(NoAnswer::NotSent(Obstacle::Unbuildable)),
            Err(error) if error.is_connect() => return Err(NoAnswer::NotSent(Obstacle::ConnectFailed)),
            Err(_) => return Err(lost),
        };
        let first_byte = self.clock.now();
        let (mut body, mut body_bytes) = (BytesMut::new(), 0);
        while let Some(chunk) = response.chunk().await.map_err(|_| lost)? {
            body_bytes += chunk.len() as u64;
            if keep_body {
                body.extend_from_slice(&chunk[..chunk.len().min(BODY_KEPT - body.len())]);
            }
        }
        let status = response.status().as_u16();
        let limiter = limiter(response.headers());
        let retry_after = limiter.retry_after.map_or_else(
            || date(response.headers()).map(|at| (at - self.clock.zero_unix() - first_byte).max(Nanos::ZERO)),
            |seconds| Some(Nanos::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))),
        );
        Ok(Answer { status, first_byte, limiter, retry_after, body_bytes, body: body.freeze() })
    }
}

impl Transport for Http {
    async fn send(&self, request: Request) -> Result<Answer, NoAnswer> {
        let builder = self.build(&request).ok_or(NoAnswer::NotSent(Obstacle::Unbuildable))?;
        tokio::time::timeout(self.timeout, self.exchange(builder, request.keep_body))
            .await
            .unwrap_or(Err(NoAnswer::Unknown(Silence::Timeout)))
    }
}

/// What the limiter said, as far as it can be read.
pub fn limiter(headers: &HeaderMap) -> LimiterHeaders {
    fn read<T: std::str::FromStr>(headers: &HeaderMap, name: &str) -> Option<T> {
        headers.get(name)?.to_str().ok()?.trim().parse().ok()
    }
    LimiterHeaders {
        limit: read(headers, "x-ratelimit-limit"),
        remaining: read(headers, "x-ratelimit-remaining"),
        reset: read(headers, "x-ratelimit-reset"),
        retry_after: read(headers, "retry-after"),
        policy: read_text(headers, "ratelimit-policy"),
        state: read_text(headers, "ratelimit"),
    }
}

/// A field's text; one that is there several times is a list, and its parts are joined.
fn read_text(headers: &HeaderMap, name: &str) -> Option<Arc<str>> {
    let mut parts = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let first = parts.next()?;
    match parts.next() {
        None => Some(first.into()),
        Some(second) => Some([first, second].into_iter().chain(parts).collect::<Vec<_>>().join(", ").into()),
    }
}

/// The instant that `Retry-After` names as an HTTP date, since the epoch.
fn date(headers: &HeaderMap) -> Option<Nanos> {
    let text = headers.get("retry-after")?.to_str().ok()?;
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
    Some(Nanos::from_secs(at.as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &str)| {
            (reqwest::header::HeaderName::from_static(name), value.parse().unwrap())
        };
        fields.iter().map(field).collect()
    }

    #[test]
    fn what_a_limiter_says_is_read_as_far_as_it_can_be() {
        let said = limiter(&headers(&[
            ("x-ratelimit-limit", " 8 "),
            ("x-ratelimit-remaining", "many"),
            ("retry-after", "7"),
            ("ratelimit", "\"chat\";r=0;t=7"),
        ]));
        let expected = LimiterHeaders {
            limit: Some(8),
            retry_after: Some(7),
            state: Some("\"chat\";r=0;t=7".into()),
            ..LimiterHeaders::default()
        };
        assert_eq!(said, expected);
        let mut twice = headers(&[("ratelimit-policy", "\"a\";q=1;w=1")]);
        twice.append("ratelimit-policy", "\"b\";q=9;w=60".parse().unwrap());
        assert_eq!(limiter(&twice).policy.as_deref(), Some("\"a\";q=1;w=1, \"b\";q=9;w=60"));
    }

    #[test]
    fn retry_after_may_be_a_date() {
        for (text, expected) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Mon, 06 Nov 1994 08:49:37 GMT", None),
            ("soon", None),
            ("7", None),
        ] {
            assert_eq!(date(&headers(&[("retry-after", text)])), expected.map(Nanos::from_secs), "{text}");
        }
    }
}

//! Sends requests by HTTP/1.1, with `reqwest` underneath.

use std::time::Duration;

use bytes::BytesMut;
use reqwest::{Method, Url, header::HeaderMap};

use super::transport::{Answer, BODY_KEPT, NoAnswer, Request, Transport};
use crate::{
    clock::RunClock,
    record::sample::{LimiterHeaders, Obstacle, Silence},
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
        Ok(Answer {
            status,
            first_byte,
            limiter: limiter(response.headers()),
            body_bytes,
            body: body.freeze(),
        })
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
fn limiter(headers: &HeaderMap) -> LimiterHeaders {
    fn read<T: std::str::FromStr>(headers: &HeaderMap, name: &str) -> Option<T> {
        headers.get(name)?.to_str().ok()?.trim().parse().ok()
    }
    LimiterHeaders {
        limit: read(headers, "x-ratelimit-limit"),
        remaining: read(headers, "x-ratelimit-remaining"),
        reset: read(headers, "x-ratelimit-reset"),
        retry_after: read(headers, "retry-after"),
    }
}

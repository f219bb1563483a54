//! Fetches one exposition as a scrape of Prometheus would, with what Prometheus checks besides the text: the
//! Content-Type, and how long it took.

use std::time::Duration;

use reqwest::{Client, header};
use url::Url;

use super::{http_body, http_error::describe};
use saasbench_exposition::format::ACCEPT;
use saasbench_model::{redact, units::Nanos};

/// The longest exposition that is read.
const BODY_SIZE_LIMIT: u64 = 1 << 30;
/// Prometheus's default timeout of a scrape.
const TIMEOUT: Duration = Duration::from_secs(10);

/// An exposition as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The Content-Type, if there is one.
    pub content_type: Option<String>,
    /// The text, as bytes.
    pub body: Vec<u8>,
    /// From sending the request to the last byte of the response.
    pub took: Nanos,
}

/// Why there is no exposition.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No response, or not all of it.
    #[error("{url} does not respond: {why}")]
    Silent {
        /// The URL, without secrets.
        url: String,
        /// Why.
        why: String,
    },
    /// Another status than 200.
    #[error("{url} responds {status}")]
    Status {
        /// The URL, without secrets.
        url: String,
        /// The status.
        status: u16,
    },
}

impl FetchError {
    /// What the user can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Silent { .. } => "is the service up, and is this its address?",
            Self::Status { .. } => {
                "give the whole URL of the exposition, with its path; redirects are not followed"
            }
        }
    }
}

/// Fetches the exposition at `url`.
///
/// # Errors
/// When there is none.
pub async fn fetch(client: &Client, url: Url) -> Result<Response, FetchError> {
    let shown = redact::url(url.as_str());
    let silent = |error: reqwest::Error| FetchError::Silent {
        why: describe(&error.without_url()),
        url: shown.clone(),
    };
    let begin = tokio::time::Instant::now();
    let request = client
        .get(url)
        .header(header::ACCEPT, ACCEPT)
        .header("x-prometheus-scrape-timeout-seconds", TIMEOUT.as_secs().to_string())
        .timeout(TIMEOUT);
    let response = request.send().await.map_err(silent)?;
    if response.status() != 200 {
        return Err(FetchError::Status { status: response.status().as_u16(), url: shown });
    }
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let content_type = content_type.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let body = http_body::read(response, BODY_SIZE_LIMIT).await;
    let body = body.map_err(|error| FetchError::Silent { why: error.to_string(), url: shown.clone() })?;
    Ok(Response { content_type, body, took: Nanos::from(begin.elapsed()) })
}

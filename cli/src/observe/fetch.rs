//! Fetches one exposition as a scrape of Prometheus would, with what Prometheus looks at beside the text: the Content-Type,
//! and how long it took.

use std::time::Duration;

use reqwest::{Client, Url, header};

use super::scrape::describe;
use saasbench_exposition::format::ACCEPT;
use saasbench_model::{redact, units::Nanos};

/// A scrape of Prometheus takes no longer, unless it is told otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);

/// An exposition as it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The Content-Type, if there is one.
    pub content_type: Option<String>,
    /// The text, as bytes.
    pub body: Vec<u8>,
    /// From sending the request to the last byte of the answer.
    pub took: Nanos,
}

/// Why there is no exposition.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No answer, or not all of it.
    #[error("{url} does not answer: {why}")]
    Silent {
        /// Of whom, as it may be shown.
        url: String,
        /// Why.
        why: String,
    },
    /// Another status than 200.
    #[error("{url} answers {status}")]
    Status {
        /// Who, as it may be shown.
        url: String,
        /// With which status.
        status: u16,
    },
}

impl FetchError {
    /// What the user can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Silent { .. } => "is the service up, and is this its address?",
            Self::Status { .. } => {
                "give the whole URL of the page, with its path; redirections are not followed"
            }
        }
    }
}

/// Asks for the page at `url`.
///
/// # Errors
/// When there is none.
pub async fn fetch(client: &Client, url: Url) -> Result<Answer, FetchError> {
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
    let answer = request.send().await.map_err(silent)?;
    if answer.status() != 200 {
        return Err(FetchError::Status { status: answer.status().as_u16(), url: shown });
    }
    let content_type = answer.headers().get(header::CONTENT_TYPE);
    let content_type = content_type.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let body = answer.bytes().await.map_err(silent)?.to_vec();
    Ok(Answer { content_type, body, took: Nanos::from(begin.elapsed()) })
}

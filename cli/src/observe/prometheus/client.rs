//! A client of the HTTP API of Prometheus, or of a compatible server. It records nothing and judges nothing.
//!
//! Nothing that a server echoes of a secret leaves this module: errors contain none, and in responses they are
//! replaced, except in samples, which are evidence.

use std::{fmt, time::Duration};

use http::{HeaderMap, HeaderName, header::CONTENT_TYPE};
use serde_json::Value;

use crate::observe::{
    http_body::{self, BodyError},
    http_error::describe,
};
use crate::secrets::redactor;
use saasbench_model::{redact::secrets::Redactor, safe_text};
use saasbench_record::query::ApiRequest;

/// A query that takes longer has failed, unless an environment allows more.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest response that is read, unless an environment allows more.
pub const BODY_SIZE_LIMIT: u64 = 256 << 20;

/// Why a request has no response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The address is not valid.
    #[error("the address of Prometheus is not one: {0}")]
    Address(String),
    /// No connection, or a broken one.
    #[error("{0}")]
    Connection(String),
    /// It took too long.
    #[error("no response in {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// A longer response than is read.
    #[error("{0}")]
    TooLong(String),
    /// It requires credentials, or these are not sufficient.
    #[error("it responded {status}: {}{}", denial(*.status), said(.message.as_deref()))]
    Denied {
        /// 401 or 403.
        status: u16,
        /// Its message, if it has Prometheus's format.
        message: Option<String>,
    },
    /// It responds, but not in Prometheus's format.
    #[error("it responded {status}{}, but not as Prometheus does", kind(.content_type.as_deref()))]
    NotPrometheus {
        /// The status.
        status: u16,
        /// What it calls its response.
        content_type: Option<String>,
    },
    /// It rejects the query: it is not valid, or too expensive.
    #[error("{0}")]
    Rejected(String),
}

fn denial(status: u16) -> &'static str {
    if status == 401 { "it requires credentials" } else { "these credentials are not sufficient" }
}

fn said(message: Option<&str>) -> String {
    message.map_or_else(String::new, |message| format!(" ({message})"))
}

fn kind(content_type: Option<&str>) -> String {
    let kind = content_type.map(|kind| kind.split(';').next().unwrap_or_default().trim());
    kind.map_or_else(String::new, |kind| format!(" with {kind}"))
}

/// Credentials of a client, and their secrets, which must never be shown.
#[derive(Clone, Default)]
pub struct Credentials {
    /// Sent with every query.
    pub headers: HeaderMap,
    /// Texts that are or contain a secret, each with its placeholder.
    pub secrets: Vec<(String, String)>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.keys().map(HeaderName::as_str).collect();
        f.debug_struct("Credentials").field("headers", &names).finish_non_exhaustive()
    }
}

impl Credentials {
    /// The text with every secret replaced.
    pub fn redacted(&self, text: &str) -> String {
        self.redactor().redact(text).into_owned()
    }

    /// Replaces these secrets, and all others that are known by now.
    fn redactor(&self) -> Redactor {
        redactor().with(self.secrets.clone())
    }
}

/// A client of a Prometheus or a compatible server.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    credentials: Credentials,
    redactor: Redactor,
    timeout: Duration,
    body_size_limit: u64,
}

impl Client {
    /// A client of the server at `base`, everything before `/api/v1`.
    pub fn new(http: reqwest::Client, base: &str) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        Self {
            http,
            base,
            credentials: Credentials::default(),
            redactor: redactor(),
            timeout: TIMEOUT,
            body_size_limit: BODY_SIZE_LIMIT,
        }
    }

    /// The same with another bound on the length of a response, in bytes.
    #[must_use]
    pub fn with_body_size_limit(self, body_size_limit: u64) -> Self {
        Self { body_size_limit, ..self }
    }

    /// The same with credentials, and with a timeout for every query.
    #[must_use]
    pub fn with_credentials(self, credentials: Credentials, timeout: Duration) -> Self {
        let redactor = credentials.redactor();
        Self { credentials, redactor, timeout, ..self }
    }

    /// The whole response (`{"status": "success", "data": …}`).
    ///
    /// # Errors
    /// See [`ApiError`]. It contains no credentials.
    pub async fn query(&self, request: &ApiRequest) -> Result<Value, ApiError> {
        let (path, parameters) = request.parts();
        let mut url = url::Url::parse(&format!("{}{path}", self.base))
            .map_err(|error| ApiError::Address(error.to_string()))?;
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        let request = self.http.get(url).headers(self.credentials.headers.clone()).timeout(self.timeout);
        let response = request.send().await.map_err(|error| self.failed(error))?;
        let status = response.status().as_u16();
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let content_type = content_type.map(|kind| safe_text::line(&self.redactor.redact(kind)));
        let body = http_body::read(response, self.body_size_limit).await.map_err(|error| match error {
            BodyError::Broken(error) => self.failed(error),
            BodyError::TooLong(_) => ApiError::TooLong(error.to_string()),
        })?;
        let mut value: Option<Value> = serde_json::from_slice(&body).ok();
        if let Some(value) = &mut value {
            self.redactor.redact_value(value);
        }
        let said = |key: &str| Some(safe_text::line(value.as_ref()?.get(key)?.as_str()?));
        match (status, said("status").as_deref()) {
            (401 | 403, _) => Err(ApiError::Denied { status, message: said("error") }),
            (_, Some("success")) => value.ok_or(ApiError::NotPrometheus { status, content_type }),
            (_, Some("error")) => {
                Err(ApiError::Rejected(said("error").unwrap_or_else(|| "no reason given".to_owned())))
            }
            _ => Err(ApiError::NotPrometheus { status, content_type }),
        }
    }

    fn failed(&self, error: reqwest::Error) -> ApiError {
        if error.is_timeout() {
            return ApiError::Timeout(self.timeout);
        }
        ApiError::Connection(self.redactor.redact(&describe(&error.without_url())).into_owned())
    }
}

#[cfg(test)]
mod tests;

//! Asks a Prometheus, or a store that answers as it does, over its HTTP API. It records nothing and judges nothing.
//!
//! What a server says of credentials never leaves this module: errors are handed on without them, and
//! answers without texts that are one as a whole.

use std::{borrow::Cow, fmt, time::Duration};

use http::{HeaderMap, HeaderName, header::CONTENT_TYPE};
use serde_json::Value;

use crate::observe::scrape::describe;
use saasbench_record::query::ApiRequest;

/// A question that takes longer has failed, unless an environment allows more.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// A text of an answer is a secret only if it is one as a whole, and so long: a short one may stand there by chance.
const UNMISTAKABLE: usize = 8;

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The address is none.
    #[error("the address of Prometheus is not one: {0}")]
    Address(String),
    /// No connection, or a broken one.
    #[error("{0}")]
    Connection(String),
    /// It took too long.
    #[error("no answer in {} s", .0.as_secs_f64())]
    Slow(Duration),
    /// It wants to know who asks, or does not let this one ask.
    #[error("it answered {status}: {}{}", denial(*.status), said(.message.as_deref()))]
    Denied {
        /// 401 or 403.
        status: u16,
        /// What it says of it, where it does as Prometheus does.
        message: Option<String>,
    },
    /// Something answers there, but not as Prometheus does.
    #[error("it answered {status}{}, but not as Prometheus does", kind(.content_type.as_deref()))]
    Foreign {
        /// The status.
        status: u16,
        /// What it calls its answer.
        content_type: Option<String>,
    },
    /// It answers that it cannot tell: a query that is wrong, or too much.
    #[error("{0}")]
    Rejected(String),
}

fn denial(status: u16) -> &'static str {
    if status == 401 { "it wants to know who asks" } else { "whoever asks may not" }
}

fn said(message: Option<&str>) -> String {
    message.map_or_else(String::new, |message| format!(" ({message})"))
}

fn kind(content_type: Option<&str>) -> String {
    let kind = content_type.map(|kind| kind.split(';').next().unwrap_or_default().trim());
    kind.map_or_else(String::new, |kind| format!(" with {kind}"))
}

/// How a client makes itself known, and what of that must never be shown.
#[derive(Clone, Default)]
pub struct Credentials {
    /// Sent with every question.
    pub headers: HeaderMap,
    /// Texts that stand for a secret, each with what is shown instead.
    pub secrets: Vec<(String, String)>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.keys().map(HeaderName::as_str).collect();
        f.debug_struct("Credentials").field("headers", &names).finish_non_exhaustive()
    }
}

impl Credentials {
    /// A text with no secret in it.
    pub fn redacted<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut clean = Cow::Borrowed(text);
        for (secret, shown) in self.secrets.iter().filter(|(secret, _)| !secret.is_empty()) {
            if clean.contains(secret.as_str()) {
                clean = Cow::Owned(clean.replace(secret.as_str(), shown));
            }
        }
        clean
    }

    /// Blots every text within a value, keys included, so that what is left is JSON still.
    fn blot(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(clean) = self.redacted(text) {
                    *text = clean;
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.blot(value)),
            Value::Object(map) => {
                for (key, mut value) in std::mem::take(map) {
                    self.blot(&mut value);
                    map.insert(self.redacted(&key).into_owned(), value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Blots the texts of an answer that are a secret as a whole. It is evidence: nothing else in it may change, and samples
    /// (pairs of a time and a text) never.
    fn blot_whole(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                let is = |secret: &str| secret.len() >= UNMISTAKABLE && secret == text;
                if let Some((_, shown)) = self.secrets.iter().find(|(secret, _)| is(secret)) {
                    text.clone_from(shown);
                }
            }
            Value::Array(values) if matches!(values.as_slice(), [Value::Number(_), Value::String(_)]) => {}
            Value::Array(values) => values.iter_mut().for_each(|value| self.blot_whole(value)),
            Value::Object(map) => map.values_mut().for_each(|value| self.blot_whole(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// A server that answers as Prometheus does.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    credentials: Credentials,
    timeout: Duration,
}

impl Client {
    /// A client of the server at `base`, what stands before `/api/v1`.
    pub fn new(http: reqwest::Client, base: &str) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        Self { http, base, credentials: Credentials::default(), timeout: TIMEOUT }
    }

    /// The same, making itself known with every question, which may take `timeout`.
    #[must_use]
    pub fn known_by(self, credentials: Credentials, timeout: Duration) -> Self {
        Self { credentials, timeout, ..self }
    }

    /// The whole answer (`{"status": "success", "data": …}`).
    ///
    /// # Errors
    /// See [`ApiError`]. No credentials are among its words, and no text of the answer is one.
    pub async fn ask(&self, question: &ApiRequest) -> Result<Value, ApiError> {
        let (path, parameters) = question.parts();
        let mut url = url::Url::parse(&format!("{}{path}", self.base))
            .map_err(|error| ApiError::Address(error.to_string()))?;
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        let request = self.http.get(url).headers(self.credentials.headers.clone()).timeout(self.timeout);
        let answer = request.send().await.map_err(|error| self.failed(error))?;
        let status = answer.status().as_u16();
        let content_type = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let content_type = content_type.map(|kind| self.credentials.redacted(kind).into_owned());
        let body = answer.bytes().await.map_err(|error| self.failed(error))?;
        let mut value: Option<Value> = serde_json::from_slice(&body).ok();
        if let Some(value) = &mut value {
            let is_answer = value.get("status").and_then(Value::as_str) == Some("success");
            if is_answer { self.credentials.blot_whole(value) } else { self.credentials.blot(value) }
        }
        let said = |key: &str| value.as_ref()?.get(key)?.as_str();
        match (status, said("status")) {
            (401 | 403, _) => Err(ApiError::Denied { status, message: said("error").map(str::to_owned) }),
            (_, Some("success")) => value.ok_or(ApiError::Foreign { status, content_type }),
            (_, Some("error")) => {
                Err(ApiError::Rejected(said("error").unwrap_or("no reason given").to_owned()))
            }
            _ => Err(ApiError::Foreign { status, content_type }),
        }
    }

    fn failed(&self, error: reqwest::Error) -> ApiError {
        if error.is_timeout() {
            return ApiError::Slow(self.timeout);
        }
        ApiError::Connection(self.credentials.redacted(&describe(&error.without_url())).into_owned())
    }
}

#[cfg(test)]
mod tests;

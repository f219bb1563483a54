//! Asks a Prometheus, or a store that answers as it does, over its HTTP API. It records nothing and judges nothing.

use std::time::Duration;

use serde_json::Value;

use crate::observe::scrape::describe;

/// A question that takes longer has failed.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What can be asked. Times are seconds since the epoch.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// `/api/v1/query`: an expression at one instant.
    Instant {
        /// PromQL.
        query: String,
        /// When it is evaluated.
        time: f64,
    },
    /// `/api/v1/query_range`: an expression at every `step` from `start` to `end`.
    Range {
        /// PromQL.
        query: String,
        /// The first instant.
        start: f64,
        /// The last one at the latest.
        end: f64,
        /// Between two, in seconds; positive.
        step: f64,
    },
    /// `/api/v1/rules`: rule groups, their expressions and what state they are in.
    Rules,
    /// `/api/v1/series`: the label sets that a selector has between `start` and `end`.
    Series {
        /// A selector.
        selector: String,
        /// From when.
        start: f64,
        /// Until when.
        end: f64,
    },
}

impl Question {
    /// Path and parameters.
    fn parts(&self) -> (&'static str, Vec<(&'static str, String)>) {
        let time = |time: &f64| format!("{time:.3}");
        match self {
            Self::Instant { query, time: at } => {
                ("/api/v1/query", vec![("query", query.clone()), ("time", time(at))])
            }
            Self::Range { query, start, end, step } => {
                let parameters = [
                    ("query", query.clone()),
                    ("start", time(start)),
                    ("end", time(end)),
                    ("step", time(step)),
                ];
                ("/api/v1/query_range", parameters.into())
            }
            Self::Rules => ("/api/v1/rules", Vec::new()),
            Self::Series { selector, start, end } => (
                "/api/v1/series",
                vec![("match[]", selector.clone()), ("start", time(start)), ("end", time(end))],
            ),
        }
    }

    /// The expression that is asked for, or the path where there is none: what the record calls it.
    pub fn text(&self) -> &str {
        match self {
            Self::Instant { query, .. } | Self::Range { query, .. } => query,
            Self::Series { selector, .. } => selector,
            Self::Rules => self.parts().0,
        }
    }
}

/// A server that answers as Prometheus does.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    /// A client of the server at `base`, what stands before `/api/v1`.
    pub fn new(http: reqwest::Client, base: &str) -> Self {
        Self { http, base: base.trim_end_matches('/').to_owned() }
    }

    /// The whole answer (`{"status": "success", "data": …}`).
    ///
    /// # Errors
    /// In words: no answer, or one that says so. A password in the address is not among them.
    pub async fn ask(&self, question: &Question) -> Result<Value, String> {
        let (path, parameters) = question.parts();
        let mut url = reqwest::Url::parse(&format!("{}{path}", self.base))
            .map_err(|error| format!("the address of Prometheus is not one: {error}"))?;
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        let answer = self.http.get(url).timeout(TIMEOUT).send().await;
        let answer = answer.map_err(|error| describe(&error.without_url()))?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|error| describe(&error.without_url()))?;
        let value: Value = serde_json::from_slice(&body)
            .map_err(|_| format!("it answered {}, but not as Prometheus does", status.as_u16()))?;
        match value.get("status").and_then(Value::as_str) {
            Some("success") => Ok(value),
            _ => Err(value.get("error").and_then(Value::as_str).unwrap_or("no reason given").to_owned()),
        }
    }
}

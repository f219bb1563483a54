//! Requests to Prometheus's HTTP API.

use std::borrow::Cow;

/// A request. Times are seconds since the epoch.
#[derive(Debug, Clone, PartialEq)]
pub enum ApiRequest {
    /// `/api/v1/query`: an expression at one instant.
    Instant {
        /// PromQL.
        query: String,
        /// Evaluation time.
        time: f64,
    },
    /// `/api/v1/query_range`: an expression at every `step` from `start` to `end`.
    Range {
        /// PromQL.
        query: String,
        /// First instant.
        start: f64,
        /// No instant is later than this.
        end: f64,
        /// Seconds between two instants; positive.
        step: f64,
    },
    /// `/api/v1/rules`: rule groups with expressions and state.
    Rules,
    /// `/api/v1/series`: the label sets that a selector matches between `start` and `end`.
    Series {
        /// A selector.
        selector: String,
        /// Start of the span.
        start: f64,
        /// End of the span.
        end: f64,
    },
    /// `/api/v1/labels`: names of all labels between `start` and `end`.
    LabelNames {
        /// Start of the span.
        start: f64,
        /// End of the span.
        end: f64,
    },
    /// `/api/v1/label/…/values`: the values of a label between `start` and `end`.
    LabelValues {
        /// Name of the label.
        label: String,
        /// Restricts the series; `None` for all.
        selector: Option<String>,
        /// Start of the span.
        start: f64,
        /// End of the span.
        end: f64,
    },
    /// `/api/v1/metadata`: the types that targets declare.
    Metadata,
}

impl ApiRequest {
    /// Path and parameters of the request.
    pub fn parts(&self) -> (Cow<'static, str>, Vec<(&'static str, String)>) {
        let time = |time: &f64| format!("{time:.3}");
        match self {
            Self::Instant { query, time: at } => {
                ("/api/v1/query".into(), vec![("query", query.clone()), ("time", time(at))])
            }
            Self::Range { query, start, end, step } => {
                let parameters = [
                    ("query", query.clone()),
                    ("start", time(start)),
                    ("end", time(end)),
                    ("step", time(step)),
                ];
                ("/api/v1/query_range".into(), parameters.into())
            }
            Self::Rules => ("/api/v1/rules".into(), Vec::new()),
            Self::Series { selector, start, end } => (
                "/api/v1/series".into(),
                vec![("match[]", selector.clone()), ("start", time(start)), ("end", time(end))],
            ),
            Self::LabelNames { start, end } => {
                ("/api/v1/labels".into(), vec![("start", time(start)), ("end", time(end))])
            }
            Self::LabelValues { label, selector, start, end } => {
                let matching = selector.iter().map(|selector| ("match[]", selector.clone()));
                let parameters = [("start", time(start)), ("end", time(end))];
                (
                    format!("/api/v1/label/{label}/values").into(),
                    parameters.into_iter().chain(matching).collect(),
                )
            }
            Self::Metadata => ("/api/v1/metadata".into(), vec![("limit_per_metric", "1".to_owned())]),
        }
    }

    /// The query, or the path where there is none: how the record identifies it.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Instant { query, .. } | Self::Range { query, .. } => query.into(),
            Self::Series { selector, .. } => selector.into(),
            Self::Rules | Self::LabelNames { .. } | Self::LabelValues { .. } | Self::Metadata => {
                self.parts().0
            }
        }
    }
}

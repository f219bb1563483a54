//! What can be asked of Prometheus's HTTP API.

use std::borrow::Cow;

/// What can be asked. Times are seconds since the epoch.
#[derive(Debug, Clone, PartialEq)]
pub enum ApiRequest {
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
    /// `/api/v1/labels`: names of all labels between `start` and `end`.
    LabelNames {
        /// From when.
        start: f64,
        /// Until when.
        end: f64,
    },
    /// `/api/v1/label/…/values`: the values of a label between `start` and `end`.
    LabelValues {
        /// Which label.
        label: String,
        /// Of which series; `None`: of all.
        selector: Option<String>,
        /// From when.
        start: f64,
        /// Until when.
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

    /// The expression that is asked for, or the path where there is none: what the record calls it.
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

//! Evaluates PromQL over the store, as far as it can be trusted, and shapes answers as Prometheus does.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tsink::{
    Label, TimestampPrecision,
    promql::{Engine, PromqlValue, ast::Expr},
};

use super::{
    quantile::{self, Operator, Parts},
    store::{SeriesId, Store},
    trust::{self, Kept, Mend, Rejected},
};
use saasbench_exposition::Labels;

/// An expression that can be evaluated.
#[derive(Debug, Clone)]
pub struct Query {
    text: String,
    way: Way,
}

/// How an expression is evaluated.
#[derive(Debug, Clone)]
enum Way {
    /// By the engine, its labels mended.
    Engine { expr: Expr, mend: Mend },
    /// By our own arithmetic over buckets that the engine gives.
    Quantile { q: f64, buckets: Box<Query>, bound: Option<(Operator, f64)> },
}

/// Why a query has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// It is not PromQL.
    #[error("{0}")]
    Syntax(String),
    /// It is not one that the engine is trusted with.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// It failed.
    #[error("{0}")]
    Evaluation(String),
}

/// An answer at one instant.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A number.
    Scalar(f64),
    /// Series with a value each.
    Vector(Vec<(SeriesId, f64)>),
    /// Series with samples: milliseconds since the epoch, and value.
    Matrix(Vec<(SeriesId, Vec<(i64, f64)>)>),
}

impl Query {
    /// Reads an expression.
    ///
    /// # Errors
    /// When it is not PromQL, or not to be trusted.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let expr = tsink::promql::parse(text).map_err(|error| QueryError::Syntax(error.to_string()))?;
        let way = match quantile::parts(text) {
            Some(Parts { q, buckets, bound }) => {
                Way::Quantile { q, buckets: Box::new(Self::parse(buckets)?), bound }
            }
            None => {
                let mend = trust::check(&expr)?;
                Way::Engine { expr, mend }
            }
        };
        Ok(Self { text: text.to_owned(), way })
    }

    /// The expression as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its value at `time`, milliseconds since the epoch.
    ///
    /// # Errors
    /// When it cannot be evaluated.
    pub fn at(&self, store: &Store, time: i64) -> Result<Answer, QueryError> {
        let mend = match &self.way {
            Way::Engine { mend, .. } => mend,
            Way::Quantile { q, buckets, bound } => {
                let Answer::Vector(buckets) = buckets.at(store, time)? else {
                    let why = "histogram_quantile takes the quantile of a vector";
                    return Err(QueryError::Evaluation(why.to_owned()));
                };
                let mut quantiles = quantile::quantiles(*q, buckets);
                quantiles
                    .retain(|(_, value)| bound.is_none_or(|(operator, bound)| operator.holds(*value, bound)));
                return Ok(Answer::Vector(quantiles));
            }
        };
        let engine = Engine::with_precision(store.storage(), TimestampPrecision::Milliseconds);
        match engine.instant_query(&self.text, time).map_err(|error| failed(&error))? {
            PromqlValue::Scalar(value, _) => Ok(Answer::Scalar(value)),
            PromqlValue::InstantVector(samples) => {
                let samples = samples
                    .into_iter()
                    .map(|sample| (mended(mend, &sample.metric, sample.labels), sample.value));
                distinct(samples).map(Answer::Vector)
            }
            PromqlValue::RangeVector(series) => {
                let series =
                    series.into_iter().map(|series| (id(&series.metric, series.labels), series.samples));
                distinct(series).map(Answer::Matrix)
            }
            PromqlValue::String(..) => Err(QueryError::Evaluation("a text is no answer".to_owned())),
        }
    }

    /// Its values from `start` to `end`, every `step`, all in milliseconds.
    ///
    /// # Errors
    /// When it cannot be evaluated, or the instants are more than 11,000, which are Prometheus's most.
    pub fn over(&self, store: &Store, start: i64, end: i64, step: i64) -> Result<Answer, QueryError> {
        if step <= 0 || end < start || (end - start) / step > 11_000 {
            let why =
                "a range needs an end after its start, and a step that gives 11,000 instants at the most";
            return Err(QueryError::Evaluation(why.to_owned()));
        }
        if matches!(self.way, Way::Engine { expr: Expr::MatrixSelector(_), .. }) {
            return Err(QueryError::Evaluation("a range of ranges is no answer".to_owned()));
        }
        let mut series: BTreeMap<SeriesId, Vec<(i64, f64)>> = BTreeMap::new();
        let mut time = start;
        while time <= end {
            let values = match self.at(store, time)? {
                Answer::Scalar(value) => vec![(SeriesId::new("", Labels::new()), value)],
                Answer::Vector(values) => values,
                Answer::Matrix(_) => Vec::new(),
            };
            for (id, value) in values {
                series.entry(id).or_default().push((time, value));
            }
            time += step;
        }
        Ok(Answer::Matrix(series.into_iter().collect()))
    }
}

/// A series as Prometheus would name it.
fn mended(mend: &Mend, metric: &str, labels: Vec<Label>) -> SeriesId {
    let mut id = id(if mend.keeps_name { metric } else { "" }, labels);
    match &mend.labels {
        Kept::All => {}
        Kept::Only(labels) => id.labels.retain(|name, _| labels.contains(name)),
        Kept::But(labels) => id.labels.retain(|name, _| !labels.contains(name)),
    }
    id
}

fn id(metric: &str, labels: Vec<Label>) -> SeriesId {
    SeriesId::new(metric, labels.into_iter().map(|label| (label.name, label.value)).collect())
}

/// Without their names two series can be the same: then there is no answer, as for Prometheus.
fn distinct<T>(series: impl Iterator<Item = (SeriesId, T)>) -> Result<Vec<(SeriesId, T)>, QueryError> {
    // The order of the engine is that of `sort` and `topk`, and is kept.
    let mut seen = std::collections::BTreeSet::new();
    series
        .map(|(id, value)| match seen.insert(id.clone()) {
            true => Ok((id, value)),
            false => {
                Err(QueryError::Evaluation("vector cannot contain metrics with the same labelset".to_owned()))
            }
        })
        .collect()
}

fn failed(error: &tsink::promql::PromqlError) -> QueryError {
    QueryError::Evaluation(error.to_string())
}

impl Answer {
    /// The answer as the HTTP API has it: `{"resultType": …, "result": …}`; `time` is that of an instant query, in
    /// milliseconds.
    pub fn to_json(&self, time: i64) -> Value {
        let pair = |time: i64, value: f64| json!([time as f64 / 1000.0, number(value)]);
        match self {
            Self::Scalar(value) => json!({"resultType": "scalar", "result": pair(time, *value)}),
            Self::Vector(series) => {
                let result: Vec<Value> = series
                    .iter()
                    .map(|(id, value)| json!({"metric": metric(id), "value": pair(time, *value)}))
                    .collect();
                json!({"resultType": "vector", "result": result})
            }
            Self::Matrix(series) => {
                let result: Vec<Value> = series
                    .iter()
                    .map(|(id, samples)| {
                        let values: Vec<Value> =
                            samples.iter().map(|(at, value)| pair(*at, *value)).collect();
                        json!({"metric": metric(id), "values": values})
                    })
                    .collect();
                json!({"resultType": "matrix", "result": result})
            }
        }
    }
}

/// The labels of a series with its name among them.
pub(super) fn metric(id: &SeriesId) -> Value {
    let name = (!id.name.is_empty()).then_some(("__name__", id.name.as_str()));
    let labels = id.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    name.into_iter().chain(labels).map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
}

/// A value as Prometheus writes it.
pub(super) fn number(value: f64) -> String {
    match value {
        value if value == f64::INFINITY => "+Inf".to_owned(),
        value if value == f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    }
}

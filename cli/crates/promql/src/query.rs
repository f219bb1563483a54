//! A parsed expression, evaluated over a store.

use std::collections::BTreeMap;

use promql_parser::parser::{self, Expr, value::ValueType};

use crate::{
    allowlist,
    error::QueryError,
    eval::Evaluator,
    labels::Labels,
    store::Store,
    value::{Point, Sample, Series, Value},
};

/// The most instants of a range query, as in Prometheus.
const MAX_INSTANTS: i64 = 11_000;

/// An expression that can be evaluated.
#[derive(Debug, Clone)]
pub struct Query {
    text: String,
    expr: Expr,
}

impl Query {
    /// Parses an expression.
    ///
    /// # Errors
    /// When it is not PromQL, or uses unsupported features.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let expr = parser::parse(text).map_err(QueryError::Syntax)?;
        allowlist::check(&expr)?;
        Ok(Self { text: text.to_owned(), expr })
    }

    /// The expression as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its value at `time`, in milliseconds since the epoch.
    ///
    /// # Errors
    /// When it cannot be evaluated over the series in the store.
    pub fn at(&self, store: &Store, time: i64) -> Result<Value, QueryError> {
        Evaluator { database: &store.read(), time, start: time, end: time }.evaluate(&self.expr)
    }

    /// Its values from `start` to `end`, every `step`, all in milliseconds.
    ///
    /// # Errors
    /// When it cannot be evaluated at one of the instants, or there are too many of them.
    pub fn over(&self, store: &Store, start: i64, end: i64, step: i64) -> Result<Vec<Series>, QueryError> {
        let failed = |why: String| Err(QueryError::Evaluation(why));
        if step <= 0 || end < start || (end - start) / step > MAX_INSTANTS {
            return failed(format!(
                "a range query needs an end after its start, and a step that gives at most {MAX_INSTANTS} instants"
            ));
        }
        if matches!(self.expr.value_type(), ValueType::Matrix | ValueType::String) {
            return failed("a range query needs a scalar or an instant vector".to_owned());
        }
        let database = store.read();
        let mut series: BTreeMap<Labels, Vec<Point>> = BTreeMap::new();
        let mut time = start;
        while time <= end {
            let value = Evaluator { database: &database, time, start, end }.evaluate(&self.expr)?;
            let samples = match value {
                Value::Scalar(value) => vec![Sample { labels: Labels::new(), value }],
                Value::Vector(samples) => samples,
                Value::Matrix(_) | Value::String(_) => Vec::new(),
            };
            for Sample { labels, value } in samples {
                series.entry(labels).or_default().push(Point { time, value });
            }
            time += step;
        }
        Ok(series.into_iter().map(|(labels, points)| Series { labels, points }).collect())
    }
}

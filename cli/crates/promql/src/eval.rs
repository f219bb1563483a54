//! Evaluates an expression at one instant: selectors here, operators in `binary`, aggregations in
//! `aggregate`, functions in `functions`. Those evaluate their operands by the [`Evaluator`], so they are
//! parts of this module.

mod aggregate;
mod binary;
pub(crate) mod functions;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use promql_parser::parser::{AtModifier, Expr, MatrixSelector, Offset, SubqueryExpr, VectorSelector};

use crate::{
    error::{QueryError, unsupported},
    labels::{Labels, without_name},
    store::Database,
    value::{Point, Sample, Series, Value},
};

/// How long a sample remains valid: five minutes, in milliseconds.
const LOOKBACK: i64 = 300_000;

/// The most instants at which a subquery is evaluated.
const MAX_INSTANTS: i64 = 100_000;

/// Evaluates expressions at one instant of a query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evaluator<'a> {
    pub(crate) database: &'a Database,
    /// The instant, in milliseconds since the epoch.
    pub(crate) time: i64,
    /// The value of `@ start()`: the start of the whole query.
    pub(crate) start: i64,
    /// The value of `@ end()`.
    pub(crate) end: i64,
}

/// Series with their samples in a range of time.
pub(crate) struct Ranges {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) series: Vec<Series>,
}

impl Evaluator<'_> {
    /// The value of an expression; label sets of a vector are unique.
    pub(crate) fn evaluate(&self, expr: &Expr) -> Result<Value, QueryError> {
        let value = match expr {
            Expr::NumberLiteral(number) => Value::Scalar(number.val),
            Expr::StringLiteral(string) => Value::String(string.val.clone()),
            Expr::VectorSelector(selector) => {
                let samples = self.latest(selector).into_iter();
                Value::Vector(samples.map(|(labels, point)| Sample { labels, value: point.value }).collect())
            }
            Expr::MatrixSelector(_) | Expr::Subquery(_) => Value::Matrix(self.ranges(expr)?.series),
            Expr::Paren(inner) => self.evaluate(&inner.expr)?,
            Expr::Unary(unary) => negated(self.evaluate(&unary.expr)?),
            Expr::Binary(binary) => binary::evaluate(self, binary)?,
            Expr::Aggregate(aggregate) => Value::Vector(aggregate::evaluate(self, aggregate)?),
            Expr::Call(call) => functions::call(self, call)?,
            Expr::Extension(_) => unsupported("an extension")?,
        };
        match &value {
            Value::Vector(samples) if !are_distinct(samples) => {
                let why = "vector cannot contain metrics with the same labelset";
                Err(QueryError::Evaluation(why.to_owned()))
            }
            _ => Ok(value),
        }
    }

    pub(crate) fn vector(&self, expr: &Expr) -> Result<Vec<Sample>, QueryError> {
        match self.evaluate(expr)? {
            Value::Vector(samples) => Ok(samples),
            other => Err(mismatch("instant vector", &other)),
        }
    }

    pub(crate) fn scalar(&self, expr: &Expr) -> Result<f64, QueryError> {
        match self.evaluate(expr)? {
            Value::Scalar(value) => Ok(value),
            other => Err(mismatch("scalar", &other)),
        }
    }

    pub(crate) fn string(&self, expr: &Expr) -> Result<String, QueryError> {
        match self.evaluate(expr)? {
            Value::String(text) => Ok(text),
            other => Err(mismatch("string", &other)),
        }
    }

    /// The last sample of each selected series.
    pub(crate) fn latest(&self, selector: &VectorSelector) -> Vec<(Labels, Point)> {
        let time = self.moved(selector.at.as_ref(), selector.offset.as_ref());
        self.database.latest(selector, time, LOOKBACK)
    }

    /// The value of a range vector expression.
    pub(crate) fn ranges(&self, expr: &Expr) -> Result<Ranges, QueryError> {
        match expr {
            Expr::MatrixSelector(matrix) => Ok(self.selected(matrix)),
            Expr::Subquery(subquery) => self.subquery(subquery),
            Expr::Paren(inner) => self.ranges(&inner.expr),
            other => Err(mismatch("range vector", &self.evaluate(other)?)),
        }
    }

    fn selected(&self, MatrixSelector { vs, range }: &MatrixSelector) -> Ranges {
        let end = self.moved(vs.at.as_ref(), vs.offset.as_ref());
        let start = end - millis(*range);
        let series = self.database.range(vs, start, end).into_iter();
        Ranges { start, end, series: series.map(|(labels, points)| Series { labels, points }).collect() }
    }

    /// The values of an expression at all multiples of the step within the range.
    fn subquery(&self, subquery: &SubqueryExpr) -> Result<Ranges, QueryError> {
        let end = self.moved(subquery.at.as_ref(), subquery.offset.as_ref());
        let start = end - millis(subquery.range);
        let step = subquery.step.map_or(0, millis);
        if step == 0 || (end - start) / step > MAX_INSTANTS {
            let why = format!("a subquery needs a step that gives at most {MAX_INSTANTS} instants");
            return Err(QueryError::Evaluation(why));
        }
        let mut series: BTreeMap<Labels, Vec<Point>> = BTreeMap::new();
        let mut time = start + (-start).rem_euclid(step);
        while time <= end {
            for Sample { labels, value } in (Self { time, ..*self }).vector(&subquery.expr)? {
                series.entry(labels).or_default().push(Point { time, value });
            }
            time += step;
        }
        let series = series.into_iter().map(|(labels, points)| Series { labels, points }).collect();
        Ok(Ranges { start, end, series })
    }

    /// The instant selected by the modifiers `@` and `offset`.
    fn moved(&self, at: Option<&AtModifier>, offset: Option<&Offset>) -> i64 {
        let time = match at {
            None => self.time,
            Some(AtModifier::Start) => self.start,
            Some(AtModifier::End) => self.end,
            Some(AtModifier::At(time)) => match time.duration_since(SystemTime::UNIX_EPOCH) {
                Ok(after) => millis(after),
                Err(before) => -millis(before.duration()),
            },
        };
        match offset {
            None => time,
            Some(Offset::Pos(back)) => time - millis(*back),
            Some(Offset::Neg(ahead)) => time + millis(*ahead),
        }
    }
}

fn negated(value: Value) -> Value {
    match value {
        Value::Scalar(value) => Value::Scalar(-value),
        Value::Vector(samples) => {
            let negated = |Sample { labels, value }| Sample { labels: without_name(labels), value: -value };
            Value::Vector(samples.into_iter().map(negated).collect())
        }
        other => other,
    }
}

fn are_distinct(samples: &[Sample]) -> bool {
    let mut seen = BTreeSet::new();
    samples.iter().all(|sample| seen.insert(&sample.labels))
}

fn mismatch(expected: &str, found: &Value) -> QueryError {
    QueryError::Evaluation(format!("expected a value of type {expected}, found {}", found.kind()))
}

fn millis(duration: Duration) -> i64 {
    // Limited so that no sum of an instant and two such spans overflows.
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).min(1 << 51)
}

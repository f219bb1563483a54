//! Functions of instant vectors and of numbers.

use promql_parser::parser::Expr;

use super::{argument, each};
use crate::{
    error::QueryError,
    eval::{Evaluator, aggregate},
    labels::{Labels, without_name},
    numeric::{max, min},
    selector,
    value::{Sample, Value},
};

type Evaluated = Result<Value, QueryError>;

pub(super) fn sign(value: f64) -> f64 {
    if value == 0.0 || value.is_nan() { value } else { value.signum() }
}

pub(super) fn clamp(evaluator: &Evaluator, arguments: &[Box<Expr>]) -> Evaluated {
    let low = evaluator.scalar(argument(arguments, 1)?)?;
    let high = evaluator.scalar(argument(arguments, 2)?)?;
    if high < low {
        return Ok(Value::Vector(Vec::new()));
    }
    each(evaluator, arguments, |value| max(low, min(high, value)))
}

pub(super) fn clamp_max(evaluator: &Evaluator, arguments: &[Box<Expr>]) -> Evaluated {
    let high = evaluator.scalar(argument(arguments, 1)?)?;
    each(evaluator, arguments, |value| min(high, value))
}

pub(super) fn clamp_min(evaluator: &Evaluator, arguments: &[Box<Expr>]) -> Evaluated {
    let low = evaluator.scalar(argument(arguments, 1)?)?;
    each(evaluator, arguments, |value| max(low, value))
}

/// Rounds to the nearest multiple, halves up.
pub(super) fn round(evaluator: &Evaluator, arguments: &[Box<Expr>]) -> Evaluated {
    let nearest = arguments.get(1).map_or(Ok(1.0), |nearest| evaluator.scalar(nearest))?;
    let inverse = 1.0 / nearest;
    each(evaluator, arguments, |value| (value * inverse + 0.5).floor() / inverse)
}

pub(super) fn absent(evaluator: &Evaluator, arguments: &[Box<Expr>]) -> Evaluated {
    let expr = argument(arguments, 0)?;
    Ok(Value::Vector(unless_any(expr, evaluator.vector(expr)?.is_empty())))
}

pub(super) fn absent_over_time(evaluator: &Evaluator, arguments: &[Box<Expr>]) -> Evaluated {
    let expr = argument(arguments, 0)?;
    Ok(Value::Vector(unless_any(expr, evaluator.ranges(expr)?.series.is_empty())))
}

/// One with the labels of the selector if it is absent, otherwise nothing.
fn unless_any(expr: &Expr, is_absent: bool) -> Vec<Sample> {
    let labels = || match without_parentheses(expr) {
        Expr::VectorSelector(selector) => selector::required(selector),
        Expr::MatrixSelector(matrix) => selector::required(&matrix.vs),
        _ => Labels::new(),
    };
    if is_absent { vec![Sample { labels: labels(), value: 1.0 }] } else { Vec::new() }
}

fn without_parentheses(expr: &Expr) -> &Expr {
    match expr {
        Expr::Paren(inner) => without_parentheses(&inner.expr),
        expr => expr,
    }
}

pub(super) fn sort(evaluator: &Evaluator, arguments: &[Box<Expr>]) -> Evaluated {
    sorted(evaluator, arguments, false)
}

pub(super) fn sort_desc(evaluator: &Evaluator, arguments: &[Box<Expr>]) -> Evaluated {
    sorted(evaluator, arguments, true)
}

fn sorted(evaluator: &Evaluator, arguments: &[Box<Expr>], falling: bool) -> Evaluated {
    let mut samples = evaluator.vector(argument(arguments, 0)?)?;
    samples.sort_by(|a, b| aggregate::order(a.value, b.value, falling));
    Ok(Value::Vector(samples))
}

pub(super) fn scalar(evaluator: &Evaluator, arguments: &[Box<Expr>]) -> Evaluated {
    let samples = evaluator.vector(argument(arguments, 0)?)?;
    Ok(Value::Scalar(if let [sample] = samples.as_slice() { sample.value } else { f64::NAN }))
}

pub(super) fn vector(evaluator: &Evaluator, arguments: &[Box<Expr>]) -> Evaluated {
    let value = evaluator.scalar(argument(arguments, 0)?)?;
    Ok(Value::Vector(vec![Sample { labels: Labels::new(), value }]))
}

pub(super) fn time(evaluator: &Evaluator, _: &[Box<Expr>]) -> Evaluated {
    Ok(Value::Scalar(seconds(evaluator.time)))
}

/// The timestamps of a selector's samples; for any other vector, the instant of the evaluation.
pub(super) fn timestamp(evaluator: &Evaluator, arguments: &[Box<Expr>]) -> Evaluated {
    let expr = without_parentheses(argument(arguments, 0)?);
    let Expr::VectorSelector(selector) = expr else {
        return each(evaluator, arguments, |_| seconds(evaluator.time));
    };
    let taken = evaluator.latest(selector).into_iter();
    let samples =
        taken.map(|(labels, point)| Sample { labels: without_name(labels), value: seconds(point.time) });
    Ok(Value::Vector(samples.collect()))
}

fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

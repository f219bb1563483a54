//! The functions, by name.

mod histogram;
mod label;
mod range;
mod vector;

use promql_parser::parser::{Call, Expr, value::ValueType};

use crate::{
    error::{QueryError, unsupported},
    eval::{Evaluator, Ranges},
    labels::without_name,
    value::{Sample, Value},
};
use range::Window;

/// How a function is evaluated.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Function {
    /// From each value of a vector.
    Each(fn(f64) -> f64),
    /// From the samples of each series in a range; the metric's name is dropped.
    Range(fn(&Window) -> Option<f64>),
    /// Likewise; the metric's name is kept.
    NamedRange(fn(&Window) -> Option<f64>),
    /// By an implementation of its own.
    Special(fn(&Evaluator, &[Box<Expr>]) -> Result<Value, QueryError>),
}

use Function::{Each, NamedRange, Range, Special};

const TABLE: [(&str, Function); 43] = [
    ("abs", Each(f64::abs)),
    ("absent", Special(vector::absent)),
    ("absent_over_time", Special(vector::absent_over_time)),
    ("avg_over_time", Range(range::average)),
    ("ceil", Each(f64::ceil)),
    ("changes", Range(range::changes)),
    ("clamp", Special(vector::clamp)),
    ("clamp_max", Special(vector::clamp_max)),
    ("clamp_min", Special(vector::clamp_min)),
    ("count_over_time", Range(range::count)),
    ("delta", Range(range::delta)),
    ("deriv", Range(range::derivative)),
    ("exp", Each(f64::exp)),
    ("floor", Each(f64::floor)),
    ("histogram_quantile", Special(histogram::quantile)),
    ("idelta", Range(range::last_delta)),
    ("increase", Range(range::increase)),
    ("irate", Range(range::last_rate)),
    ("label_join", Special(label::join)),
    ("label_replace", Special(label::replace)),
    ("last_over_time", NamedRange(range::last)),
    ("ln", Each(f64::ln)),
    ("log10", Each(f64::log10)),
    ("log2", Each(f64::log2)),
    ("max_over_time", Range(range::maximum)),
    ("min_over_time", Range(range::minimum)),
    ("predict_linear", Range(range::prediction)),
    ("present_over_time", Range(range::present)),
    ("quantile_over_time", Range(range::quantile)),
    ("rate", Range(range::rate)),
    ("resets", Range(range::resets)),
    ("round", Special(vector::round)),
    ("scalar", Special(vector::scalar)),
    ("sgn", Each(vector::sign)),
    ("sort", Special(vector::sort)),
    ("sort_desc", Special(vector::sort_desc)),
    ("sqrt", Each(f64::sqrt)),
    ("stddev_over_time", Range(range::deviation)),
    ("stdvar_over_time", Range(range::variance)),
    ("sum_over_time", Range(range::sum)),
    ("time", Special(vector::time)),
    ("timestamp", Special(vector::timestamp)),
    ("vector", Special(vector::vector)),
];

/// The names of all functions.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(name, _)| *name)
}

pub(crate) fn find(name: &str) -> Option<Function> {
    TABLE.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
}

pub(crate) fn call(evaluator: &Evaluator, call: &Call) -> Result<Value, QueryError> {
    let arguments = &call.args.args;
    match find(call.func.name) {
        Some(Each(function)) => each(evaluator, arguments, function),
        Some(Range(function)) => over_ranges(evaluator, arguments, function, false),
        Some(NamedRange(function)) => over_ranges(evaluator, arguments, function, true),
        Some(Special(function)) => function(evaluator, arguments),
        None => unsupported(format!("the function `{}`", call.func.name)),
    }
}

/// Applies a function to each value of the first argument, a vector.
fn each(
    evaluator: &Evaluator,
    arguments: &[Box<Expr>],
    function: impl Fn(f64) -> f64,
) -> Result<Value, QueryError> {
    let mapped = |Sample { labels, value }| Sample { labels: without_name(labels), value: function(value) };
    let samples = evaluator.vector(argument(arguments, 0)?)?;
    Ok(Value::Vector(samples.into_iter().map(mapped).collect()))
}

/// Applies a function to a range vector, with a numeric parameter if it takes one.
fn over_ranges(
    evaluator: &Evaluator,
    arguments: &[Box<Expr>],
    function: fn(&Window) -> Option<f64>,
    keeps_name: bool,
) -> Result<Value, QueryError> {
    let (ranges, others): (Vec<&Expr>, Vec<&Expr>) =
        arguments.iter().map(|argument| &**argument).partition(|expr| expr.value_type() == ValueType::Matrix);
    let parameter = others.first().map_or(Ok(f64::NAN), |expr| evaluator.scalar(expr))?;
    let Ranges { start, end, series } = evaluator.ranges(ranges.first().ok_or_else(missing)?)?;
    let samples = series.into_iter().filter_map(|series| {
        let window = Window { points: &series.points, start, end, now: evaluator.time, parameter };
        let value = function(&window)?;
        let labels = if keeps_name { series.labels } else { without_name(series.labels) };
        Some(Sample { labels, value })
    });
    Ok(Value::Vector(samples.collect()))
}

/// The argument at an index; the parser ensures that there are enough.
fn argument(arguments: &[Box<Expr>], index: usize) -> Result<&Expr, QueryError> {
    arguments.get(index).map(|argument| &**argument).ok_or_else(missing)
}

fn missing() -> QueryError {
    QueryError::Evaluation("an argument is missing".to_owned())
}

//! Aggregations: combine the values of each group of a vector's elements, or select the largest or smallest
//! of them.

use std::{cmp::Ordering, collections::BTreeMap};

use promql_parser::parser::{
    AggregateExpr, LabelModifier,
    token::{
        T_AVG, T_BOTTOMK, T_COUNT, T_COUNT_VALUES, T_GROUP, T_MAX, T_MIN, T_QUANTILE, T_STDDEV, T_STDVAR,
        T_SUM, T_TOPK, TokenId,
    },
};

use crate::{
    error::QueryError,
    eval::Evaluator,
    labels::{self, Labels},
    numeric,
    value::Sample,
};

pub(crate) fn evaluate(evaluator: &Evaluator, aggregate: &AggregateExpr) -> Result<Vec<Sample>, QueryError> {
    let mut samples = evaluator.vector(&aggregate.expr)?;
    let mut modifier = aggregate.modifier.clone().unwrap_or_else(|| LabelModifier::include(Vec::new()));
    let failed = |why: String| Err(QueryError::Evaluation(why));
    let parameter = || match &aggregate.param {
        Some(parameter) => evaluator.scalar(parameter),
        None => Ok(f64::NAN),
    };
    match aggregate.op.id() {
        operation @ (T_TOPK | T_BOTTOMK) => {
            let count = parameter()?;
            // Values of 2⁶³ and above, and `NaN`, are not valid counts.
            if !(-9.2e18..=9.2e18).contains(&count) {
                return failed(format!("Scalar value {} overflows int64", numeric::display(count)));
            }
            let count = count.max(0.0) as usize;
            let groups = groups(samples, &modifier).into_values();
            Ok(groups.flat_map(|group| first(group, count, operation == T_TOPK)).collect())
        }
        T_QUANTILE => {
            let q = parameter()?;
            Ok(reduced(samples, &modifier, |values| numeric::quantile(q, values)))
        }
        T_COUNT_VALUES => {
            let label = aggregate.param.as_ref().map_or(Ok(String::new()), |name| evaluator.string(name))?;
            if !labels::is_valid_name(&label) {
                return failed(format!("invalid label name {label:?}"));
            }
            for sample in &mut samples {
                sample.labels.insert(label.clone(), numeric::display(sample.value));
            }
            if let LabelModifier::Include(by) = &mut modifier {
                by.labels.push(label);
            }
            Ok(reduced(samples, &modifier, |values| values.len() as f64))
        }
        operation => Ok(reduced(samples, &modifier, |values| reduce(operation, &values))),
    }
}

fn groups(samples: Vec<Sample>, modifier: &LabelModifier) -> BTreeMap<Labels, Vec<Sample>> {
    let mut groups: BTreeMap<Labels, Vec<Sample>> = BTreeMap::new();
    for sample in samples {
        groups.entry(labels::grouped(&sample.labels, modifier)).or_default().push(sample);
    }
    groups
}

fn reduced(samples: Vec<Sample>, modifier: &LabelModifier, reduce: impl Fn(Vec<f64>) -> f64) -> Vec<Sample> {
    let reduced = |(labels, group): (Labels, Vec<Sample>)| {
        let values = group.into_iter().map(|sample| sample.value).collect();
        Sample { labels, value: reduce(values) }
    };
    groups(samples, modifier).into_iter().map(reduced).collect()
}

fn reduce(operation: TokenId, values: &[f64]) -> f64 {
    match operation {
        T_SUM => values.iter().sum(),
        T_AVG => mean(values),
        T_MIN => numeric::smallest(values.iter().copied()),
        T_MAX => numeric::largest(values.iter().copied()),
        T_COUNT => values.len() as f64,
        T_GROUP => 1.0,
        T_STDVAR => variance(values),
        T_STDDEV => variance(values).sqrt(),
        _ => f64::NAN,
    }
}

/// The mean, computed incrementally, which does not overflow where a sum would.
fn mean(values: &[f64]) -> f64 {
    let mut mean = 0.0;
    for (before, value) in values.iter().enumerate() {
        let count = (before + 1) as f64;
        if before == 0 {
            mean = *value;
        } else if !numeric::leaves_mean(mean, *value) {
            mean += value / count - mean / count;
        }
    }
    mean
}

/// The population variance, by Welford's method.
fn variance(values: &[f64]) -> f64 {
    let (mut mean, mut squares) = (values.first().copied().unwrap_or(f64::NAN), 0.0);
    for (before, value) in values.iter().enumerate().skip(1) {
        let delta = value - mean;
        mean += delta / (before + 1) as f64;
        squares += delta * (value - mean);
    }
    squares / values.len() as f64
}

/// The `count` largest, or smallest, in order; `NaN` comes last, and of equal values the first is taken.
fn first(mut group: Vec<Sample>, count: usize, largest: bool) -> Vec<Sample> {
    group.sort_by(|a, b| order(a.value, b.value, largest));
    group.truncate(count);
    group
}

/// The order of two values, rising or falling; `NaN` comes last.
pub(crate) fn order(a: f64, b: f64, falling: bool) -> Ordering {
    let numbers = a.partial_cmp(&b).unwrap_or(Ordering::Equal);
    a.is_nan().cmp(&b.is_nan()).then(if falling { numbers.reverse() } else { numbers })
}

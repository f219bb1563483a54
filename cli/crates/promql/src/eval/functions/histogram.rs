//! `histogram_quantile`, which estimates a quantile from cumulative buckets.

use std::collections::BTreeMap;

use promql_parser::parser::Expr;

use super::argument;
use crate::{
    error::QueryError,
    eval::Evaluator,
    labels::{Labels, without_name},
    value::{Sample, Value},
};

/// A cumulative bucket: the number of values up to its bound.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    bound: f64,
    count: f64,
}

/// `histogram_quantile(q, buckets)`.
pub(super) fn quantile(evaluator: &Evaluator, arguments: &[Box<Expr>]) -> Result<Value, QueryError> {
    let q = evaluator.scalar(argument(arguments, 0)?)?;
    let mut histograms: BTreeMap<Labels, Vec<Bucket>> = BTreeMap::new();
    for Sample { mut labels, value } in evaluator.vector(argument(arguments, 1)?)? {
        // A series without a bound is not a bucket.
        if let Some(bound) = labels.remove("le").and_then(|bound| bound.parse().ok()) {
            histograms.entry(labels).or_default().push(Bucket { bound, count: value });
        }
    }
    let estimated = |(labels, buckets)| Sample { labels: without_name(labels), value: estimate(q, buckets) };
    Ok(Value::Vector(histograms.into_iter().map(estimated).collect()))
}

/// Estimates linearly within the bucket that contains the rank; in the `+Inf` bucket, returns the highest
/// finite bound.
fn estimate(q: f64, mut buckets: Vec<Bucket>) -> f64 {
    if !(0.0..=1.0).contains(&q) {
        return if q.is_nan() { q } else { f64::INFINITY.copysign(q) };
    }
    buckets.sort_by(|a, b| a.bound.total_cmp(&b.bound));
    let buckets = made_cumulative(&buckets);
    let [rest @ .., last] = buckets.as_slice() else { return f64::NAN };
    let Some(highest) = rest.last() else { return f64::NAN };
    if last.bound != f64::INFINITY || last.count == 0.0 {
        return f64::NAN;
    }
    let rank = q * last.count;
    let Some(index) = rest.iter().position(|bucket| bucket.count >= rank) else { return highest.bound };
    let bucket = rest[index];
    match index.checked_sub(1).map(|below| rest[below]) {
        None if bucket.bound <= 0.0 => bucket.bound,
        None => bucket.bound * (rank / bucket.count),
        Some(below) => {
            let share = (rank - below.count) / (bucket.count - below.count);
            below.bound + (bucket.bound - below.bound) * share
        }
    }
}

/// Merges buckets of the same bound, and raises decreasing counts, which an inconsistent scrape may have.
fn made_cumulative(sorted: &[Bucket]) -> Vec<Bucket> {
    let mut cumulative: Vec<Bucket> = Vec::with_capacity(sorted.len());
    for bucket in sorted {
        match cumulative.last_mut() {
            Some(last) if last.bound == bucket.bound => last.count += bucket.count,
            _ => cumulative.push(*bucket),
        }
    }
    let mut highest = f64::NEG_INFINITY;
    for bucket in &mut cumulative {
        if bucket.count > highest {
            highest = bucket.count;
        } else if bucket.count < highest {
            bucket.count = highest;
        }
    }
    cumulative
}

//! Consistency of a histogram in itself, independent of who sent the requests.

use std::{cell::RefCell, collections::HashMap};

use super::{Histogram, Kind, Metric, Problem};
use crate::replicas::QuiescentScrapes;
use saasbench_exposition::{
    Labels,
    quantile::{Bucket, bound},
};
use saasbench_model::scenario::MetricsContract;

/// Problems of a histogram in itself: its buckets, its count and its sum, and the contract's counter with the
/// same labels.
pub(super) fn inconsistencies(
    sums: &CounterSums<'_>,
    labels: &Labels,
    histogram: &Histogram,
) -> Vec<Problem> {
    let mut problems = inconsistent_buckets(&histogram.buckets);
    let mut add =
        |kind, expected: String, observed: String| problems.push(Problem { kind, expected, observed });
    let infinite = histogram.infinite();
    let parts = [("+Inf bucket", infinite), ("_count", histogram.count), ("_sum", histogram.sum)];
    let missing: Vec<&str> =
        parts.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| *name).collect();
    let (Some(infinite), Some(count), Some(sum)) = (infinite, histogram.count, histogram.sum) else {
        let expected = "a +Inf bucket, a _count and a _sum".to_owned();
        add(Kind::Missing, expected, format!("there is no {}", missing.join(" and no ")));
        return problems;
    };
    if infinite != count {
        let observed = format!("+Inf is {infinite}, _count {count}");
        add(Kind::Infinite, format!("_count {infinite}, as +Inf"), observed);
    }
    let counted = sums.of(labels);
    // An exposition rendered while requests arrive may contain one from before a request and the other from
    // after it.
    if let Some(counted) = counted.filter(|counted| sums.settled.rest && *counted != count) {
        let observed = format!("the counter is {counted}, _count {count}");
        add(Kind::Counter, format!("_count {counted}, as the counter"), observed);
    }
    let (least, most) = sum_bounds(&histogram.buckets);
    // A sum of many floats is rounded at every addition.
    let slack = 1e-9 * (1.0 + sum.abs());
    if !(sum >= least - slack && sum <= most + slack) {
        let observed = format!("_sum is {sum} s, the buckets allow {least} to {most} s");
        add(Kind::Sum, format!("a _sum in {least} to {most} s"), observed);
    }
    problems
}

fn inconsistent_buckets(buckets: &[Bucket]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for pair in buckets.windows(2).filter(|pair| pair[1].count < pair[0].count) {
        let observed = format!(
            "le=\"{}\" has {}, le=\"{}\" only {}",
            bound(pair[0].upper),
            pair[0].count,
            bound(pair[1].upper),
            pair[1].count
        );
        problems.push(Problem { kind: Kind::Falls, expected: "buckets that rise".to_owned(), observed });
    }
    if buckets.iter().any(|bucket| bucket.upper.is_nan() || bucket.count.is_nan() || bucket.count < 0.0) {
        problems.push(Problem {
            kind: Kind::NoNumber,
            expected: "bounds and counts that are numbers".to_owned(),
            observed: "a bucket's bound or count is not".to_owned(),
        });
    }
    problems
}

/// Sums by the values of some labels.
type Sums = HashMap<Vec<String>, f64>;

/// The contract's counter, summed up for the labels of histograms.
#[derive(Debug)]
pub(super) struct CounterSums<'a> {
    settled: &'a QuiescentScrapes,
    /// `None` for a histogram whose requests the counter does not count.
    name: Option<&'a str>,
    /// Sums over all other labels, by the names of a histogram's labels and their values. The label sets of one
    /// metric have few different names.
    by_names: RefCell<HashMap<Vec<String>, Sums>>,
}

impl<'a> CounterSums<'a> {
    pub(super) fn new(
        contract: &'a MetricsContract,
        settled: &'a QuiescentScrapes,
        metric: Metric<'_>,
    ) -> Self {
        let name = match metric.per_tenant {
            // The histogram includes scrapes, and the counter's series of those are outside the contract's
            // routes.
            _ if contract.duration_all.as_deref() == Some(metric.name) => None,
            true => contract.tenant_requests.as_deref(),
            false => Some(contract.requests.as_str()),
        };
        Self { settled, name, by_names: RefCell::default() }
    }

    /// The counter's value for a histogram's labels; `None` where it has no such labels.
    fn of(&self, labels: &Labels) -> Option<f64> {
        let name = self.name?;
        // A series with exactly these labels is preferred, though others may have these and more (a route where
        // this one has none).
        if let Some(counted) = self.settled.after.value(name, labels) {
            return Some(counted);
        }
        let names: Vec<String> = labels.keys().cloned().collect();
        let mut by_names = self.by_names.borrow_mut();
        let sums = by_names.entry(names).or_insert_with_key(|names| {
            let mut sums = Sums::new();
            for (other, value) in self.settled.after.named(name) {
                let values: Option<Vec<String>> = names.iter().map(|name| other.get(name).cloned()).collect();
                if let Some(values) = values {
                    *sums.entry(values).or_default() += value;
                }
            }
            sums
        });
        sums.get(&labels.values().cloned().collect::<Vec<String>>()).copied()
    }
}

/// The least and the greatest sum that durations in these buckets can have.
pub(super) fn sum_bounds(buckets: &[Bucket]) -> (f64, f64) {
    let (mut least, mut most, mut below) = (0.0, 0.0, Bucket { upper: 0.0, count: 0.0 });
    for bucket in buckets {
        let count = bucket.count - below.count;
        if count > 0.0 {
            least += count * below.upper;
            most += count * bucket.upper;
        }
        below = *bucket;
    }
    (least, most)
}

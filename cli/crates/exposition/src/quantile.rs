//! Quantiles of cumulative buckets, as Prometheus's `histogram_quantile` estimates them, and the bucket that
//! such an estimate stands for: what can be claimed is about the bucket, never about the interpolated point.
//!
//! Source: Prometheus, `promql/quantile.go`, `BucketQuantile`.

/// One cumulative bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// `le`: inclusive upper bound; the last one is `+Inf`.
    pub upper: f64,
    /// Observations at or below it.
    pub count: f64,
}

/// A bucket as an interval `(lower, upper]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BucketBounds {
    /// Exclusive lower bound; zero for the lowest bucket of durations.
    pub lower: f64,
    /// Inclusive upper bound; may be infinite.
    pub upper: f64,
}

/// `(0.1, 0.5] s`.
impl std::fmt::Display for BucketBounds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({}, {}] s", self.lower, bound(self.upper))
    }
}

/// A bound as expositions write it: `0.5`, `+Inf`.
pub fn bound(upper: f64) -> String {
    if upper == f64::INFINITY { "+Inf".to_owned() } else { upper.to_string() }
}

/// The bucket that holds the `q`-quantile: the first whose cumulative count reaches `q · total`.
///
/// `buckets` must be sorted by bound and rise. `None` where Prometheus answers `NaN`: no `+Inf` bucket, fewer
/// than two buckets, or no observation; and for `q` outside 0..=1, where Prometheus answers an infinity.
pub fn quantile_bucket(q: f64, buckets: &[Bucket]) -> Option<BucketBounds> {
    let index = quantile_index(q, buckets)?;
    let lower = if index == 0 { 0.0 } else { buckets.get(index - 1)?.upper };
    Some(BucketBounds { lower, upper: buckets.get(index)?.upper })
}

/// The point that `histogram_quantile(q, …)` answers: linear within the bucket; in the `+Inf` bucket the
/// second-highest bound; in a lowest bucket whose bound is not above zero that bound.
pub fn histogram_quantile(q: f64, buckets: &[Bucket]) -> Option<f64> {
    let index = quantile_index(q, buckets)?;
    let bucket = buckets.get(index)?;
    if index + 1 == buckets.len() {
        return Some(buckets.get(index - 1)?.upper);
    }
    if index == 0 && bucket.upper <= 0.0 {
        return Some(bucket.upper);
    }
    let (start, before) = match index.checked_sub(1).and_then(|below| buckets.get(below)) {
        Some(below) => (below.upper, below.count),
        None => (0.0, 0.0),
    };
    let rank = q * buckets.last()?.count;
    Some(start + (bucket.upper - start) * ((rank - before) / (bucket.count - before)))
}

fn quantile_index(q: f64, buckets: &[Bucket]) -> Option<usize> {
    let last = buckets.last()?;
    if !(0.0..=1.0).contains(&q) || buckets.len() < 2 || last.upper != f64::INFINITY || last.count <= 0.0 {
        return None;
    }
    let rank = q * last.count;
    // The `+Inf` bucket is what is left when no finite one reaches the rank.
    Some(buckets.iter().position(|bucket| bucket.count >= rank).unwrap_or(buckets.len() - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(pairs: &[(f64, f64)]) -> Vec<Bucket> {
        pairs.iter().map(|&(upper, count)| Bucket { upper, count }).collect()
    }

    #[test]
    fn agrees_with_worked_examples() {
        let b = buckets(&[(0.1, 10.0), (0.5, 20.0), (1.0, 20.0), (f64::INFINITY, 22.0)]);
        let table = [
            (0.0, 0.0, (0.0, 0.1)),
            (0.25, 0.055, (0.0, 0.1)),
            (0.5, 0.14, (0.1, 0.5)),
            (0.9, 0.492, (0.1, 0.5)),
            (0.99, 1.0, (1.0, f64::INFINITY)),
        ];
        for (q, point, (lower, upper)) in table {
            assert!((histogram_quantile(q, &b).unwrap() - point).abs() < 1e-9, "{q}");
            assert_eq!(quantile_bucket(q, &b), Some(BucketBounds { lower, upper }), "{q}");
        }
    }

    #[test]
    fn no_quantile_without_data_or_the_last_bucket() {
        assert_eq!(histogram_quantile(0.5, &buckets(&[(0.1, 0.0), (f64::INFINITY, 0.0)])), None);
        assert_eq!(histogram_quantile(0.5, &buckets(&[(0.1, 1.0), (0.5, 2.0)])), None);
        assert_eq!(histogram_quantile(0.5, &buckets(&[(f64::INFINITY, 2.0)])), None);
        assert_eq!(histogram_quantile(1.5, &buckets(&[(0.1, 1.0), (f64::INFINITY, 2.0)])), None);
        assert_eq!(quantile_bucket(f64::NAN, &buckets(&[(0.1, 1.0), (f64::INFINITY, 2.0)])), None);
    }
}

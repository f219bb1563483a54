//! The bucket that a quantile of cumulative buckets falls into. Prometheus's `histogram_quantile`
//! interpolates within it, but only the bucket is certain.
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

/// Formats the interval: `(0.1, 0.5] s`.
impl std::fmt::Display for BucketBounds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({}, {}] s", self.lower, bound(self.upper))
    }
}

/// A bound in the notation of expositions: `0.5`, `+Inf`.
pub fn bound(upper: f64) -> String {
    if upper == f64::INFINITY { "+Inf".to_owned() } else { upper.to_string() }
}

/// The bucket that contains the `q`-quantile: the first whose cumulative count reaches `q · total`.
///
/// `buckets` must be sorted by bound and not decrease. `None` where Prometheus returns `NaN`: no `+Inf`
/// bucket, fewer than two buckets, or no observation; and for `q` outside 0..=1, where Prometheus returns an
/// infinity.
pub fn quantile_bucket(q: f64, buckets: &[Bucket]) -> Option<BucketBounds> {
    let last = buckets.last()?;
    if !(0.0..=1.0).contains(&q) || buckets.len() < 2 || last.upper != f64::INFINITY || last.count <= 0.0 {
        return None;
    }
    let rank = q * last.count;
    // If no finite bucket reaches the rank, it is the `+Inf` bucket.
    let index = buckets.iter().position(|bucket| bucket.count >= rank).unwrap_or(buckets.len() - 1);
    let lower = if index == 0 { 0.0 } else { buckets.get(index - 1)?.upper };
    Some(BucketBounds { lower, upper: buckets.get(index)?.upper })
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
            (0.0, (0.0, 0.1)),
            (0.25, (0.0, 0.1)),
            (0.5, (0.1, 0.5)),
            (0.9, (0.1, 0.5)),
            (0.99, (1.0, f64::INFINITY)),
        ];
        for (q, (lower, upper)) in table {
            assert_eq!(quantile_bucket(q, &b), Some(BucketBounds { lower, upper }), "{q}");
        }
    }

    #[test]
    fn no_quantile_without_data_or_the_last_bucket() {
        assert_eq!(quantile_bucket(0.5, &buckets(&[(0.1, 0.0), (f64::INFINITY, 0.0)])), None);
        assert_eq!(quantile_bucket(0.5, &buckets(&[(0.1, 1.0), (0.5, 2.0)])), None);
        assert_eq!(quantile_bucket(0.5, &buckets(&[(f64::INFINITY, 2.0)])), None);
        assert_eq!(quantile_bucket(1.5, &buckets(&[(0.1, 1.0), (f64::INFINITY, 2.0)])), None);
        assert_eq!(quantile_bucket(f64::NAN, &buckets(&[(0.1, 1.0), (f64::INFINITY, 2.0)])), None);
    }
}

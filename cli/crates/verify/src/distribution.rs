//! The latency distribution for charts: exact counts in logarithmic buckets, each 12 % wide. Quantiles of
//! verdicts and tables are computed elsewhere.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use saasbench_model::units::Nanos;
use saasbench_record::sample::Sample;

/// Buckets per power of ten.
pub const PER_DECADE: u32 = 20;
/// Upper bounds of the first and the last bucket, as powers of ten of nanoseconds: 1 µs and 10,000 s.
const DECADES: std::ops::RangeInclusive<u32> = 3..=13;

/// Latency of all responses after the warm-up, as histograms.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Distribution {
    /// Latency from the instant at which each request was due.
    pub from_intended: Vec<Bucket>,
    /// Latency from the instant at which each request was sent.
    pub from_sent: Vec<Bucket>,
}

/// A histogram bucket: the latencies above the previous bucket's bound, up to and including its own. Counts
/// are not cumulative, and empty buckets are omitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bucket {
    /// Upper bound in nanoseconds, inclusive: `10^(i/20)` for an integer `i`, rounded. The first bucket
    /// starts at zero; the last (10,000 s) has no upper end.
    pub upper_ns: Nanos,
    /// Number of latencies in the bucket.
    pub count: u64,
}

/// Counts latencies, sample by sample, into a [`Distribution`].
#[derive(Debug)]
pub struct DistributionCollector {
    bounds: Vec<Nanos>,
    from_intended: Vec<u64>,
    from_sent: Vec<u64>,
}

impl DistributionCollector {
    /// Counts nothing yet.
    pub fn new() -> Self {
        let bounds: Vec<Nanos> =
            (DECADES.start() * PER_DECADE..=DECADES.end() * PER_DECADE).map(bound).collect();
        let none = vec![0; bounds.len()];
        Self { bounds, from_intended: none.clone(), from_sent: none }
    }

    /// Counts a request that got a response.
    pub fn add(&mut self, sample: &Sample) {
        let both = [
            (&mut self.from_intended, sample.latency_intended()),
            (&mut self.from_sent, sample.latency_sent()),
        ];
        for (counts, latency) in both {
            let last = counts.len() - 1;
            counts[self.bounds.partition_point(|bound| *bound < latency).min(last)] += 1;
        }
    }

    /// The non-empty buckets.
    pub fn finish(&self) -> Distribution {
        let sparse = |counts: &[u64]| {
            let buckets = self
                .bounds
                .iter()
                .zip(counts)
                .map(|(upper, count)| Bucket { upper_ns: *upper, count: *count });
            buckets.filter(|bucket| bucket.count > 0).collect()
        };
        Distribution { from_intended: sparse(&self.from_intended), from_sent: sparse(&self.from_sent) }
    }
}

impl Default for DistributionCollector {
    fn default() -> Self {
        Self::new()
    }
}

/// The upper bound of a bucket: `10^(index/20)` ns.
fn bound(index: u32) -> Nanos {
    Nanos(10_f64.powf(f64::from(index) / f64::from(PER_DECADE)).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use saasbench_record::{sample::RequestOutcome, testing::sample};

    fn gathered(latencies: &[(i64, i64)]) -> Distribution {
        let mut gatherer = DistributionCollector::new();
        for &(intended, sent) in latencies {
            let mut sample = sample(1_000, 0, RequestOutcome::Status(200));
            (sample.intended, sample.sent) = (sample.done - Nanos(intended), sample.done - Nanos(sent));
            gatherer.add(&sample);
        }
        gatherer.finish()
    }

    fn buckets(pairs: &[(i64, u64)]) -> Vec<Bucket> {
        pairs.iter().map(|&(upper, count)| Bucket { upper_ns: Nanos(upper), count }).collect()
    }

    #[test]
    fn a_bound_belongs_to_the_bucket_below_it() {
        let found = gathered(&[(1_000_000, 1_000_000), (1_000_001, 999_999), (2_000_000, 500_000)]);
        assert_eq!(found.from_intended, buckets(&[(1_000_000, 1), (1_122_018, 1), (2_238_721, 1)]));
        assert_eq!(found.from_sent, buckets(&[(501_187, 1), (1_000_000, 2)]));
    }

    #[test]
    fn nothing_is_too_short_or_too_long() {
        let found = gathered(&[(0, -5), (i64::MAX, 100_000_000_000_000)]);
        assert_eq!(found.from_intended, buckets(&[(1_000, 1), (10_000_000_000_000, 1)]));
        assert_eq!(found.from_sent, buckets(&[(1_000, 1), (10_000_000_000_000, 1)]));
    }

    proptest::proptest! {
        #[test]
        fn every_latency_is_in_one_bucket_that_holds_it(latencies in proptest::collection::vec(1_i64..20_000_000_000, 1..50)) {
            let pairs: Vec<(i64, i64)> = latencies.iter().map(|latency| (*latency, *latency)).collect();
            let found = gathered(&pairs).from_intended;
            proptest::prop_assert_eq!(found.iter().map(|bucket| bucket.count).sum::<u64>(), latencies.len() as u64);
            for Bucket { upper_ns, .. } in &found {
                let below = found.iter().filter(|bucket| bucket.upper_ns <= *upper_ns).map(|bucket| bucket.count).sum::<u64>();
                proptest::prop_assert_eq!(below, latencies.iter().filter(|latency| **latency <= upper_ns.0).count() as u64);
            }
        }
    }
}

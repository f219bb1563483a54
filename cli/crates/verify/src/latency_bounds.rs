//! Latencies in geometric buckets, each 2^(1/8), about 9 %, wider than the previous one. A latency counts as
//! the lower end of its bucket, so whatever is computed from them is a lower bound.

use saasbench_model::units::Nanos;

/// Latencies up to this one count as zero.
const LEAST: Nanos = Nanos::from_millis(1);
/// Buckets per octave.
const STEPS: f64 = 8.0;

/// Counts of latencies; as long as the longest latency needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LatencyLowerBounds {
    /// First the latencies up to [`LEAST`], then the buckets above.
    counts: Vec<u32>,
}

impl LatencyLowerBounds {
    /// Counts one latency.
    pub fn add(&mut self, latency: Nanos) {
        let index = if latency <= LEAST {
            0
        } else {
            1 + ((latency.0 as f64 / LEAST.0 as f64).log2() * STEPS) as usize
        };
        if self.counts.len() <= index {
            self.counts.resize(index + 1, 0);
        }
        self.counts[index] = self.counts[index].saturating_add(1);
    }

    /// Adds all counts of another.
    pub fn merge(&mut self, other: &Self) {
        self.counts.resize(self.counts.len().max(other.counts.len()), 0);
        for (sum, count) in self.counts.iter_mut().zip(&other.counts) {
            *sum = sum.saturating_add(*count);
        }
    }

    /// How many latencies there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }

    /// The non-empty buckets, rising: the lower end in seconds, and the count.
    pub fn iter(&self) -> impl Iterator<Item = (f64, u64)> {
        let buckets = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        buckets.map(|(index, count)| (Self::lower(index), u64::from(*count)))
    }

    /// The lower ends of all buckets, rising, in seconds.
    pub fn lowers(&self) -> impl DoubleEndedIterator<Item = f64> {
        (0..self.counts.len()).map(Self::lower)
    }

    fn lower(index: usize) -> f64 {
        match index.checked_sub(1) {
            None => 0.0,
            Some(above) => LEAST.as_secs_f64() * (above as f64 / STEPS).exp2(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_latencies_count_as_zero() {
        let mut spread = LatencyLowerBounds::default();
        for micros in [0, 10, 1000] {
            spread.add(Nanos(micros * 1000));
        }
        assert_eq!(spread.iter().collect::<Vec<_>>(), [(0.0, 3)]);
    }

    proptest! {
        #[test]
        fn a_latency_counts_as_at_most_itself_and_not_much_less(micros in 1_001_i64..100_000_000) {
            let mut spread = LatencyLowerBounds::default();
            spread.add(Nanos(micros * 1000));
            let latency = micros as f64 / 1e6;
            let (lower, count) = spread.iter().next().unwrap();
            prop_assert_eq!(count, 1);
            prop_assert!(lower <= latency * (1.0 + 1e-12) && lower > latency * 0.91, "{} {}", lower, latency);
        }
    }
}

//! Counts latencies compactly, in log-linear buckets; only those parts of the buckets exist in
//! which something was counted. [`Latencies`] covers a short time, and thousands of them are in memory at
//! once.

use super::log_linear::{LONGEST, LogLinear};
use saasbench_model::units::Nanos;

/// Buckets per power of two, so that a quantile is known to 3 %.
const HALF: u32 = 32;
type Buckets = LogLinear<HALF>;
/// Buckets per part: a power of two.
const PART: usize = HALF as usize;

/// Counts of latencies, for quantiles; the maximum is exact. Allocates nothing before the first latency.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latencies {
    count: u64,
    max: Nanos,
    /// Parts up to the last one in which something was counted.
    parts: Vec<Option<Box<[u32; PART]>>>,
}

impl Latencies {
    /// Counts one latency, limited to between 1 ns and an hour.
    #[inline]
    pub fn add(&mut self, latency: Nanos) {
        let latency = latency.clamp(Nanos(1), LONGEST);
        let bucket = Buckets::bucket(latency.0.unsigned_abs());
        self.count += 1;
        self.max = self.max.max(latency);
        if self.parts.len() <= bucket / PART {
            self.parts.resize(bucket / PART + 1, None);
        }
        let count = &mut self.parts[bucket / PART].get_or_insert_default()[bucket % PART];
        *count = count.saturating_add(1);
    }

    /// Adds the counts of another.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.max = self.max.max(other.max);
        self.parts.resize(self.parts.len().max(other.parts.len()), None);
        for (mine, theirs) in self.parts.iter_mut().zip(&other.parts) {
            let Some(theirs) = theirs else { continue };
            for (count, more) in mine.get_or_insert_default().iter_mut().zip(theirs.iter()) {
                *count = count.saturating_add(*more);
            }
        }
    }

    /// Number of latencies.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The greatest latency; `None` if there is none.
    pub fn max(&self) -> Option<Nanos> {
        (self.count > 0).then_some(self.max)
    }

    /// The quantile `q` by nearest rank, as the middle of its bucket, but at most the maximum. `None` without
    /// latencies.
    pub fn quantile(&self, q: f64) -> Option<Nanos> {
        let rank = ((q * self.count as f64).ceil() as u64).max(1);
        let mut below = 0;
        let buckets =
            self.parts.iter().enumerate().filter_map(|(number, part)| Some((number, part.as_ref()?)));
        for (number, part) in buckets {
            for (position, count) in part.iter().enumerate() {
                below += u64::from(*count);
                if below >= rank {
                    let bucket = number * PART + position;
                    let edges = Buckets::least(bucket) + Buckets::least(bucket + 1);
                    return Some(Nanos((edges / 2) as i64).min(self.max));
                }
            }
        }
        self.max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_quantile_is_known_to_three_percent(mut all in proptest::collection::vec(1..=LONGEST.0, 1..60), q in 0.0..=1.0_f64) {
            let mut latencies = Latencies::default();
            all.iter().for_each(|latency| latencies.add(Nanos(*latency)));
            all.sort_unstable();
            let exact = all[((q * all.len() as f64).ceil() as usize).max(1) - 1];
            let found = latencies.quantile(q).unwrap().0;
            proptest::prop_assert!((found - exact).abs() as f64 <= exact as f64 * 0.032, "{found} for {exact}");
            proptest::prop_assert_eq!(latencies.max(), all.last().copied().map(Nanos));
        }

        #[test]
        fn merging_equals_counting_together(one in proptest::collection::vec(1..=LONGEST.0, 0..40), other in proptest::collection::vec(1..=LONGEST.0, 1..40)) {
            let of = |all: &[i64]| {
                let mut latencies = Latencies::default();
                all.iter().for_each(|latency| latencies.add(Nanos(*latency)));
                latencies
            };
            let (mut merged, both) = (of(&one), of(&[one.clone(), other.clone()].concat()));
            merged.merge(&of(&other));
            proptest::prop_assert_eq!(merged.count(), both.count());
            for q in [0.0, 0.5, 0.9, 1.0] {
                proptest::prop_assert_eq!(merged.quantile(q), both.quantile(q));
            }
        }
    }

    #[test]
    fn without_latencies_there_is_no_quantile() {
        assert_eq!((Latencies::default().quantile(0.5), Latencies::default().max()), (None, None));
    }
}

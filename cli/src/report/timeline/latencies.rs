//! Latencies of a short stretch of time, counted in little room: 32 buckets for each power of two, so that a quantile is
//! known to 3 %, and of them only those parts in which something was counted. Thousands of these are in memory at once.

use crate::units::Nanos;

/// Buckets for each power of two …
const HALF: u32 = 32;
/// … which is also what a part holds.
const PART: usize = HALF as usize;
/// The longest latency that is told apart; longer ones count as this.
const LONGEST: i64 = (1 << 42) - 1;

/// Counted latencies, from which quantiles can be read; the greatest is exact.
#[derive(Debug, Clone, Default)]
pub struct Latencies {
    count: u64,
    max: i64,
    /// Up to the last one in which something was counted.
    parts: Vec<Option<Box<[u32; PART]>>>,
}

impl Latencies {
    /// Counts one; below 1 ns it counts as 1 ns.
    #[inline]
    pub fn add(&mut self, latency: Nanos) {
        let latency = latency.0.clamp(1, LONGEST);
        let bucket = bucket(latency.unsigned_abs());
        self.count += 1;
        self.max = self.max.max(latency);
        if self.parts.len() <= bucket / PART {
            self.parts.resize(bucket / PART + 1, None);
        }
        let count = &mut self.parts[bucket / PART].get_or_insert_default()[bucket % PART];
        *count = count.saturating_add(1);
    }

    /// Counts all of another's, too.
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

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The greatest; `None` without any.
    pub fn max(&self) -> Option<Nanos> {
        (self.count > 0).then_some(Nanos(self.max))
    }

    /// The least latency of which at least the share `q` is no longer, by nearest rank: the middle of its bucket, and never
    /// above the greatest. `None` without any.
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
                    return Some(Nanos(((least(bucket) + least(bucket + 1)) / 2).min(self.max)));
                }
            }
        }
        self.max()
    }
}

/// The bucket of a latency in nanoseconds: its own below 64, then 32 for each power of two (HdrHistogram's layout).
#[inline]
fn bucket(latency: u64) -> usize {
    let power = (u64::BITS - (latency | u64::from(2 * HALF - 1)).leading_zeros()) - HALF.ilog2() - 1;
    (power * HALF) as usize + (latency >> power) as usize
}

/// The least latency of a bucket.
fn least(bucket: usize) -> i64 {
    let power = (bucket as u32 / HALF).saturating_sub(1);
    i64::from(bucket as u32 - power * HALF) << power
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_quantile_is_known_to_three_percent(mut all in proptest::collection::vec(1..=LONGEST, 1..60), q in 0.0..=1.0_f64) {
            let mut latencies = Latencies::default();
            all.iter().for_each(|latency| latencies.add(Nanos(*latency)));
            all.sort_unstable();
            let exact = all[((q * all.len() as f64).ceil() as usize).max(1) - 1];
            let found = latencies.quantile(q).unwrap().0;
            proptest::prop_assert!((found - exact).abs() as f64 <= exact as f64 * 0.032, "{found} for {exact}");
            proptest::prop_assert_eq!(latencies.max(), all.last().copied().map(Nanos));
        }

        #[test]
        fn what_is_merged_was_counted_together(one in proptest::collection::vec(1..=LONGEST, 0..40), other in proptest::collection::vec(1..=LONGEST, 1..40)) {
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

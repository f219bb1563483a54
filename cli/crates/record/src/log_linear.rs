//! The layout of latency buckets that all in-memory histograms share: as in HdrHistogram, a fixed number of
//! buckets for each power of two. Exported histograms are written by the hdrhistogram library.

use saasbench_model::units::Nanos;

/// The longest latency that histograms distinguish; longer ones count as this.
pub(super) const LONGEST: Nanos = Nanos::from_secs(3600);

/// `HALF` buckets (a power of two) for each power of two, and one for each of the first `2 * HALF` values: a
/// bucket is at most `1 / HALF` of its values wide.
#[derive(Debug)]
pub struct LogLinear<const HALF: u32>;

impl<const HALF: u32> LogLinear<HALF> {
    /// The bucket of a value; buckets are in the order of their values.
    #[inline]
    pub fn bucket(value: u64) -> usize {
        let power = (u64::BITS - (value | u64::from(2 * HALF - 1)).leading_zeros()) - HALF.ilog2() - 1;
        (power * HALF) as usize + (value >> power) as usize
    }

    /// The least value of a bucket.
    pub fn least(bucket: usize) -> u64 {
        let power = (bucket as u32 / HALF).saturating_sub(1);
        u64::from(bucket as u32 - power * HALF) << power
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;

    use super::*;

    proptest::proptest! {
        #[test]
        fn buckets_are_those_of_hdrhistogram(value in 1..=LONGEST.0.unsigned_abs()) {
            let histogram = Histogram::<u64>::new_with_bounds(1, LONGEST.0.unsigned_abs(), 2).unwrap();
            let least = LogLinear::<128>::least(LogLinear::<128>::bucket(value));
            proptest::prop_assert_eq!(least, histogram.lowest_equivalent(value));
        }

        #[test]
        fn every_value_has_a_narrow_bucket_that_holds_it(value in 1..=LONGEST.0.unsigned_abs()) {
            let bucket = LogLinear::<32>::bucket(value);
            let (least, next) = (LogLinear::<32>::least(bucket), LogLinear::<32>::least(bucket + 1));
            proptest::prop_assert!(least <= value && value < next);
            proptest::prop_assert!((next - least) as f64 <= 1.0_f64.max(value as f64 / 32.0));
        }
    }
}

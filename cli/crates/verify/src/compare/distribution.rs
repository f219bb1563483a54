//! Latencies of one block of time, in buckets so narrow (at most 0.4 %) that they do not matter. A run of ten
//! million requests takes a few megabytes, and blocks and runs can be merged without loss.

use saasbench_model::units::Nanos;
use saasbench_record::log_linear::LogLinear;

type Buckets = LogLinear<256>;
/// Values are buffered, and counted into buckets once this many have accumulated.
const GATHERED: usize = 4096;

/// Counts of latencies by bucket.
#[derive(Debug, Clone, Default)]
pub(super) struct Distribution {
    /// Buckets with their counts, in order; none is empty.
    buckets: Vec<(u16, u64)>,
    /// Buckets of values that are still buffered.
    gathered: Vec<u16>,
}

/// The bucket of a latency.
pub(super) fn bucket(latency: Nanos) -> u16 {
    // At most 54 powers of two with 256 buckets each, and the 512 below.
    Buckets::bucket(latency.0.max(0).unsigned_abs()) as u16
}

/// The latency in the middle of a bucket.
pub(super) fn middle(bucket: u16) -> Nanos {
    let bucket = usize::from(bucket);
    Nanos(u64::midpoint(Buckets::least(bucket), Buckets::least(bucket + 1) - 1) as i64)
}

impl Distribution {
    pub(super) fn add(&mut self, latency: Nanos) {
        self.gathered.push(bucket(latency));
        if self.gathered.len() >= GATHERED {
            self.settle();
        }
    }

    /// Adds one latency `count` times. Requires [`Self::settle`] first.
    pub(super) fn add_many(&mut self, latency: Nanos, count: u64) {
        if count > 0 {
            self.merge_sorted(vec![(bucket(latency), count)]);
        }
    }

    /// Counts what is still buffered. Queries and merges below require it.
    pub(super) fn settle(&mut self) {
        let mut gathered = std::mem::take(&mut self.gathered);
        gathered.sort_unstable();
        let counted =
            gathered.chunk_by(|a, b| a == b).filter_map(|run| Some((*run.first()?, run.len() as u64)));
        self.merge_sorted(counted.collect());
        gathered.clear();
        self.gathered = gathered;
    }

    /// Adds another distribution; both must be settled.
    pub(super) fn merge(&mut self, other: &Self) {
        self.merge_sorted(other.buckets.clone());
    }

    fn merge_sorted(&mut self, more: Vec<(u16, u64)>) {
        let mut all = std::mem::take(&mut self.buckets);
        all.extend(more);
        // Two sorted sequences: the stable sort merely merges them.
        all.sort_by_key(|(bucket, _)| *bucket);
        all.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 += if same { next.1 } else { 0 };
            same
        });
        self.buckets = all;
    }

    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }

    /// The bucket of the value at this rank, from 1; `None` beyond the last.
    pub(super) fn at_rank(&self, rank: u64) -> Option<u16> {
        let mut below = 0;
        let found = self.buckets.iter().find(|(_, count)| {
            below += count;
            below >= rank
        });
        found.map(|(bucket, _)| *bucket)
    }

    /// How many values lie in this bucket or below.
    pub(super) fn up_to(&self, bucket: u16) -> u64 {
        let there = self.buckets.iter().take_while(|(at, _)| *at <= bucket);
        there.map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_bucket_is_narrow_and_the_order_is_kept(a in 0_i64..i64::MAX, b in 0_i64..i64::MAX) {
            prop_assert_eq!(bucket(Nanos(a)) <= bucket(Nanos(b)), a <= b || bucket(Nanos(a)) == bucket(Nanos(b)));
            let off = (middle(bucket(Nanos(a))).0 - a).abs();
            prop_assert!(off as f64 <= a as f64 / 256.0, "{} is off by {}", a, off);
        }

        #[test]
        fn ranks_are_those_of_the_sorted_values(values in prop::collection::vec(0_i64..5_000_000, 1..9000), rank in 0_usize..9000) {
            let mut merged = Distribution::default();
            for part in values.chunks(5000) {
                let mut distribution = Distribution::default();
                part.iter().for_each(|value| distribution.add(Nanos(*value)));
                distribution.settle();
                merged.merge(&distribution);
            }
            let mut sorted = values;
            sorted.sort_unstable();
            prop_assert_eq!(merged.count(), sorted.len() as u64);
            let found = merged.at_rank(rank as u64 + 1);
            prop_assert_eq!(found, sorted.get(rank).map(|value| bucket(Nanos(*value))));
            if let Some(at) = found {
                let at_most = sorted.iter().filter(|value| bucket(Nanos(**value)) <= at).count();
                prop_assert_eq!(merged.up_to(at), at_most as u64);
            }
        }
    }
}

//! Latencies of one block of time, in buckets so narrow that they do not matter: at most 0.4 % wide. A run of ten million requests
//! takes a few megabytes so, and blocks and runs can be merged without loss.

use saasbench_model::units::Nanos;

/// Buckets of each power of two.
const STEPS: u64 = 256;
/// Values are gathered as they come, and counted into buckets when so many are there.
const GATHERED: usize = 4096;

/// Counts of latencies by bucket.
#[derive(Debug, Clone, Default)]
pub(super) struct Distribution {
    /// Buckets with their counts, in order; none is empty.
    buckets: Vec<(u16, u64)>,
    /// Buckets of values that are not yet among them.
    gathered: Vec<u16>,
}

/// The bucket of a latency: exact below 256 ns, then 256 to each power of two.
pub(super) fn bucket(latency: Nanos) -> u16 {
    let value = latency.0.max(0).unsigned_abs();
    let shift = (64 - value.leading_zeros()).saturating_sub(STEPS.ilog2() + 1);
    // At most 54 powers of two with 256 each, and the 512 below.
    (u64::from(shift) * STEPS + (value >> shift)) as u16
}

/// The middle of a bucket.
pub(super) fn middle(bucket: u16) -> Nanos {
    let bucket = u64::from(bucket);
    let shift = (bucket / STEPS).saturating_sub(1);
    let low = (bucket - shift * STEPS) << shift;
    Nanos((low + ((1 << shift) - 1) / 2) as i64)
}

impl Distribution {
    pub(super) fn add(&mut self, latency: Nanos) {
        self.gathered.push(bucket(latency));
        if self.gathered.len() >= GATHERED {
            self.settle();
        }
    }

    /// Adds the same latency many times, to a distribution that has settled.
    pub(super) fn add_many(&mut self, latency: Nanos, count: u64) {
        if count > 0 {
            self.merge_sorted(vec![(bucket(latency), count)]);
        }
    }

    /// Counts what was only gathered so far; the questions below are for a distribution that has settled.
    pub(super) fn settle(&mut self) {
        let mut gathered = std::mem::take(&mut self.gathered);
        gathered.sort_unstable();
        let counted =
            gathered.chunk_by(|a, b| a == b).filter_map(|run| Some((*run.first()?, run.len() as u64)));
        self.merge_sorted(counted.collect());
        gathered.clear();
        self.gathered = gathered;
    }

    /// Adds another one that has settled.
    pub(super) fn merge(&mut self, other: &Self) {
        self.merge_sorted(other.buckets.clone());
    }

    fn merge_sorted(&mut self, more: Vec<(u16, u64)>) {
        let mut all = std::mem::take(&mut self.buckets);
        all.extend(more);
        // Two sorted runs: the stable sort only merges them.
        all.sort_by_key(|(bucket, _)| *bucket);
        all.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 += if same { next.1 } else { 0 };
            same
        });
        self.buckets = all;
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }

    /// The bucket of the value of this rank, from 1; `None` if there are fewer.
    pub(super) fn at_rank(&self, rank: u64) -> Option<u16> {
        let mut below = 0;
        let found = self.buckets.iter().find(|(_, count)| {
            below += count;
            below >= rank
        });
        found.map(|(bucket, _)| *bucket)
    }

    /// How many lie in this bucket or below.
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

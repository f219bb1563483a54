//! The latest latencies of each tenant, for whoever follows a run while it goes: counted on the recorder's thread, and only
//! where somebody follows.
//!
//! A bucket is 6 % wide at the most (HdrHistogram's layout with 16 buckets for each power of two): enough to look at, and small.

use super::{batch::Batch, sample::Outcome, tally::LONGEST};
use crate::units::Nanos;

/// Buckets for each power of two.
const HALF: u32 = 16;
/// All of them, up to an hour (2⁴² ns).
const BUCKETS: usize = 40 * HALF as usize;

/// Latencies from intended of answered requests since they were last taken, by tenant.
#[derive(Debug, Clone, Default)]
pub struct Recent(pub Vec<Latencies>);

/// How often each latency occurred; takes no room before the first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latencies(Vec<u32>);

impl Recent {
    /// None yet, for so many tenants.
    pub fn new(tenants: usize) -> Self {
        Self(vec![Latencies::default(); tenants])
    }

    /// Counts the answered requests of a batch.
    pub fn add(&mut self, batch: &Batch) {
        for row in batch.rows.iter().filter(|row| matches!(row.outcome, Outcome::Status(_))) {
            if let Some(latencies) = self.0.get_mut(row.tenant as usize) {
                latencies.add(Nanos(row.done - row.intended));
            }
        }
    }

    /// Those since the last time, which leaves none.
    pub fn take(&mut self) -> Self {
        let tenants = self.0.len();
        std::mem::replace(self, Self::new(tenants))
    }
}

impl Latencies {
    /// Counts one.
    pub fn add(&mut self, latency: Nanos) {
        if self.0.is_empty() {
            self.0 = vec![0; BUCKETS];
        }
        if let Some(count) = self.0.get_mut(bucket(latency.0.clamp(1, LONGEST.0).unsigned_abs())) {
            *count = count.saturating_add(1);
        }
    }

    /// Counts all of another's.
    pub fn merge(&mut self, other: &Self) {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
            return;
        }
        for (sum, count) in self.0.iter_mut().zip(&other.0) {
            *sum = sum.saturating_add(*count);
        }
    }

    /// The middle of the bucket that the quantile `q` falls in; `None` without a latency.
    pub fn quantile(&self, q: f64) -> Option<Nanos> {
        let total: u64 = self.0.iter().map(|count| u64::from(*count)).sum();
        let rank = ((total as f64 * q).ceil() as u64).max(1);
        let mut below = 0;
        let found = self.0.iter().position(|count| {
            below += u64::from(*count);
            below >= rank
        });
        found.filter(|_| total > 0).map(|index| Nanos((least(index) + least(index + 1)) as i64 / 2))
    }
}

/// The bucket of a latency in nanoseconds.
fn bucket(latency: u64) -> usize {
    let power = (u64::BITS - (latency | u64::from(2 * HALF - 1)).leading_zeros()) - HALF.ilog2() - 1;
    (power * HALF) as usize + (latency >> power) as usize
}

/// The least latency of a bucket.
fn least(bucket: usize) -> u64 {
    let power = (bucket as u32 / HALF).saturating_sub(1);
    u64::from(bucket as u32 - power * HALF) << power
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn every_latency_has_a_bucket_that_holds_it_and_is_narrow(latency in 1..=LONGEST.0.unsigned_abs()) {
            let index = bucket(latency);
            proptest::prop_assert!(index < BUCKETS);
            proptest::prop_assert!(least(index) <= latency && latency < least(index + 1));
            proptest::prop_assert!((least(index + 1) - least(index)) as f64 <= 1.0_f64.max(latency as f64 / 16.0));
        }
    }

    #[test]
    fn quantiles_are_those_of_what_was_counted_since() {
        let mut recent = Recent::new(2);
        recent.0[1].add(Nanos::from_millis(1));
        assert_eq!(recent.0[0].quantile(0.5), None);
        assert_eq!(recent.take().0[1].quantile(0.5), Some(Nanos(999_424)));
        assert_eq!(recent.0[1].quantile(0.5), None);
        for millis in 1..=100 {
            recent.0[0].add(Nanos::from_millis(millis));
        }
        recent.0[1].add(Nanos::from_secs(2));
        let near =
            |found: Option<Nanos>, millis: f64| (found.unwrap().as_millis_f64() / millis - 1.0).abs() < 0.04;
        assert!(near(recent.0[0].quantile(0.5), 50.0) && near(recent.0[0].quantile(0.99), 99.0));
        let mut all = Latencies::default();
        recent.0.iter().for_each(|latencies| all.merge(latencies));
        assert!(near(all.quantile(1.0), 2000.0) && near(all.quantile(0.5), 51.0));
    }
}

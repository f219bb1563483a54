//! A histogram of durations in atomics. Counts are kept per bucket and summed up when read, so that `+Inf` and `_count`
//! are one number and never disagree; the sum is in whole nanoseconds, so that it is exact.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::exposition::Exposition;

/// The fine buckets, in milliseconds (prometheus-fastapi-instrumentator's `highr`).
pub(super) const FINE: &[u32] = &[
    10, 25, 50, 75, 100, 250, 500, 750, 1000, 1500, 2000, 2500, 3000, 3500, 4000, 4500, 5000, 7500, 10_000,
    30_000, 60_000,
];

/// The coarse buckets, in milliseconds (its `lowr`).
pub(super) const COARSE: &[u32] = &[100, 500, 1000];

#[derive(Debug)]
pub(super) struct Histogram {
    /// Upper bounds in milliseconds, inclusive, rising.
    bounds: &'static [u32],
    /// One for each bound, and one for what exceeds them all.
    counts: Box<[AtomicU64]>,
    nanos: AtomicU64,
}

impl Histogram {
    pub(super) fn new(bounds: &'static [u32]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, nanos: AtomicU64::new(0) }
    }

    pub(super) fn observe(&self, duration: Duration) {
        // From the front: nearly all requests belong to the first buckets.
        let within = |bound: &u32| duration <= Duration::from_millis(u64::from(*bound));
        let bucket = self.bounds.iter().position(within).unwrap_or(self.bounds.len());
        self.counts[bucket].fetch_add(1, Relaxed);
        self.nanos.fetch_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| count.load(Relaxed) == 0)
    }

    /// Writes buckets, sum and count of one series.
    pub(super) fn write(&self, out: &mut Exposition, name: &str, labels: &[(&str, &str)]) {
        let mut cumulative = 0;
        for (index, count) in self.counts.iter().enumerate() {
            cumulative += count.load(Relaxed);
            let bound = self.bounds.get(index).map(|bound| (f64::from(*bound) / 1000.0).to_string());
            let le = ("le", bound.as_deref().unwrap_or("+Inf"));
            out.sample(name, "_bucket", &[labels, &[le]].concat(), cumulative as f64);
        }
        out.sample(name, "_sum", labels, self.nanos.load(Relaxed) as f64 / 1e9);
        out.sample(name, "_count", labels, cumulative as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_inclusive_and_buckets_cumulative() {
        let histogram = Histogram::new(COARSE);
        for micros in [1, 100_000, 100_001, 1_000_000, 1_000_001] {
            histogram.observe(Duration::from_micros(micros));
        }
        let mut out = Exposition::default();
        histogram.write(&mut out, "d", &[("handler", "/")]);
        assert_eq!(
            out.finish(),
            "d_bucket{handler=\"/\",le=\"0.1\"} 2\n\
             d_bucket{handler=\"/\",le=\"0.5\"} 3\n\
             d_bucket{handler=\"/\",le=\"1\"} 4\n\
             d_bucket{handler=\"/\",le=\"+Inf\"} 5\n\
             d_sum{handler=\"/\"} 2.200003\n\
             d_count{handler=\"/\"} 5\n"
        );
    }
}

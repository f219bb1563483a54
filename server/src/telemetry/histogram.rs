//! A lock-free histogram of durations. Counts are stored per bucket and added up when read, so that `+Inf`
//! and `_count` are one number and always agree; the sum is in whole nanoseconds, so that it is exact.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use saasbench_exposition::writer::Writer;

/// The inclusive upper bound of a bucket: its label, and the duration that observations are compared with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    le: &'static str,
    limit: Duration,
}

impl Bound {
    const fn new(le: &'static str, millis: u64) -> Self {
        Self { le, limit: Duration::from_millis(millis) }
    }
}

/// The fine buckets (prometheus-fastapi-instrumentator's `highr`).
pub(super) const FINE: &[Bound] = &[
    Bound::new("0.01", 10),
    Bound::new("0.025", 25),
    Bound::new("0.05", 50),
    Bound::new("0.075", 75),
    Bound::new("0.1", 100),
    Bound::new("0.25", 250),
    Bound::new("0.5", 500),
    Bound::new("0.75", 750),
    Bound::new("1", 1000),
    Bound::new("1.5", 1500),
    Bound::new("2", 2000),
    Bound::new("2.5", 2500),
    Bound::new("3", 3000),
    Bound::new("3.5", 3500),
    Bound::new("4", 4000),
    Bound::new("4.5", 4500),
    Bound::new("5", 5000),
    Bound::new("7.5", 7500),
    Bound::new("10", 10_000),
    Bound::new("30", 30_000),
    Bound::new("60", 60_000),
];

/// The coarse buckets (its `lowr`).
pub(super) const COARSE: &[Bound] = &[Bound::new("0.1", 100), Bound::new("0.5", 500), Bound::new("1", 1000)];

#[derive(Debug)]
pub(super) struct Histogram {
    /// In ascending order.
    bounds: &'static [Bound],
    /// One for each bound, and one for everything above.
    counts: Box<[AtomicU64]>,
    nanos: AtomicU64,
}

impl Histogram {
    pub(super) fn new(bounds: &'static [Bound]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, nanos: AtomicU64::new(0) }
    }

    pub(super) fn observe(&self, duration: Duration) {
        // A linear search: nearly all requests belong to the first buckets.
        let bucket =
            self.bounds.iter().position(|bound| duration <= bound.limit).unwrap_or(self.bounds.len());
        self.counts[bucket].fetch_add(1, Relaxed);
        self.nanos.fetch_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| count.load(Relaxed) == 0)
    }

    pub(super) fn clear(&self) {
        self.counts.iter().for_each(|count| count.store(0, Relaxed));
        self.nanos.store(0, Relaxed);
    }

    /// Writes the buckets, the sum and the count of one series.
    pub(super) fn write(&self, out: &mut Writer, name: &str, labels: &[(&str, &str)]) {
        let mut cumulative = 0;
        for (index, count) in self.counts.iter().enumerate() {
            cumulative += count.load(Relaxed);
            let le = self.bounds.get(index).map_or("+Inf", |bound| bound.le);
            let labels = labels.iter().copied().chain([("le", le)]);
            out.sample(name, "_bucket", labels, cumulative as f64);
        }
        out.summary(name, labels, self.nanos.load(Relaxed) as f64 / 1e9, cumulative);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_limits_of_bounds_agree_and_ascend() {
        for bounds in [FINE, COARSE] {
            assert!(bounds.iter().all(|bound| bound.le.parse() == Ok(bound.limit.as_secs_f64())));
            assert!(bounds.is_sorted_by(|one, next| one.limit < next.limit));
        }
    }

    #[test]
    fn bounds_are_inclusive_and_buckets_cumulative() {
        let histogram = Histogram::new(COARSE);
        for micros in [1, 100_000, 100_001, 1_000_000, 1_000_001] {
            histogram.observe(Duration::from_micros(micros));
        }
        let mut out = Writer::default();
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

//! Does the record hold what the engine did? The engine counts the requests that it has under way, and the meter looks at
//! that count twice a second; the samples say for every instant how many there were.
//!
//! This is Little's law held at instants: over the whole load, the mean of the one is throughput times the mean of the latency,
//! and the mean of the other is what the engine saw. A request without a sample, a sample without a request, or an instant
//! that was taken at the wrong place sets them apart.

use saasbench_model::units::Nanos;
use saasbench_record::{
    sample::{Outcome, Sample},
    usage::Usage,
};

/// A request that began or ended within so long of a look may have been counted or not.
const EDGE: Nanos = Nanos::from_millis(1);
/// A thread that waits for a processor counts late, so that single looks may disagree: at most this share of them, or one.
const DISAGREE_ALLOWED: f64 = 0.2;

/// What was counted, beside what the samples amount to.
#[derive(Debug)]
pub(super) struct Balance(Vec<Look>);

/// One look at the engine's count.
#[derive(Debug)]
struct Look {
    at: Nanos,
    counted: u64,
    /// Samples that were under way for certain.
    certain: u64,
    /// Those that may have been, too.
    possible: u64,
}

/// How the two compare.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Compared {
    pub(super) agree: bool,
    pub(super) reported: String,
}

impl Balance {
    /// With the looks of a run, in order.
    pub(super) fn new(usage: &[Usage]) -> Self {
        let look = |usage: &Usage| {
            let counted = u64::from(usage.in_flight?);
            Some(Look { at: usage.at_ns, counted, certain: 0, possible: 0 })
        };
        Self(usage.iter().filter_map(look).collect())
    }

    /// Counts a sample at every look that it was under way at.
    pub(super) fn add(&mut self, sample: &Sample) {
        if sample.outcome == Outcome::Dropped {
            return;
        }
        let first = self.0.partition_point(|look| look.at < sample.sent - EDGE);
        for look in self.0.iter_mut().skip(first).take_while(|look| look.at <= sample.done + EDGE) {
            look.possible += 1;
            look.certain += u64::from(sample.sent + EDGE <= look.at && look.at <= sample.done - EDGE);
        }
    }

    /// How they compare; `None` without a look.
    pub(super) fn compare(&self) -> Option<Compared> {
        let looks = self.0.len() as f64;
        let differ = self.0.iter().filter(|look| look.counted < look.certain || look.counted > look.possible);
        let differ = differ.count();
        let mean = self.0.iter().map(|look| look.counted as f64).sum::<f64>() / looks;
        (looks > 0.0).then(|| Compared {
            agree: differ as f64 <= (DISAGREE_ALLOWED * looks).max(1.0),
            reported: format!(
                "{mean:.1} requests under way on average; the samples disagree at {differ} of {looks} polls"
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saasbench_record::testing::sample;

    fn balance(counted: u32, samples: usize) -> Compared {
        let look = |second: i64| Usage {
            at_ns: Nanos::from_millis(second * 1000 + 500),
            cpu_ns: Nanos::ZERO,
            memory_bytes: 0,
            in_flight: Some(counted),
            threads: Default::default(),
        };
        let usage: Vec<Usage> = (0..10).map(look).collect();
        let mut balance = Balance::new(&usage);
        for _ in 0..samples {
            let mut sample = sample(0, 0, Outcome::Status(200));
            (sample.sent, sample.done) = (Nanos::ZERO, Nanos::from_secs(10));
            balance.add(&sample);
        }
        balance.compare().unwrap()
    }

    #[test]
    fn what_was_counted_must_be_in_the_record() {
        assert!(balance(3, 3).agree);
        assert_eq!(
            balance(4, 3),
            Compared {
                agree: false,
                reported: "4.0 requests under way on average; the samples disagree at 10 of 10 polls"
                    .to_owned()
            }
        );
        assert!(!balance(2, 3).agree);
        assert_eq!(Balance::new(&[]).compare(), None);
    }

    #[test]
    fn what_begins_or_ends_at_a_look_may_count_or_not() {
        for counted in [0, 1] {
            let usage = Usage {
                at_ns: Nanos::from_millis(500),
                cpu_ns: Nanos::ZERO,
                memory_bytes: 0,
                in_flight: Some(counted),
                threads: Default::default(),
            };
            let mut balance = Balance::new(&[usage]);
            let mut sample = sample(0, 0, Outcome::Status(200));
            (sample.sent, sample.done) = (Nanos::ZERO, Nanos(500_900_000));
            balance.add(&sample);
            assert!(balance.compare().unwrap().agree, "{counted}");
        }
    }
}

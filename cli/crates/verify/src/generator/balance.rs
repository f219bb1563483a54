//! Is the record complete? The engine counts its requests in flight, and the self-monitor samples that count
//! twice a second; the samples of the record give the same number for every instant.
//!
//! This is Little's law at single instants: over the whole load, the mean of one is throughput times mean
//! latency, the mean of the other is what the engine counted. A request without a sample, a sample without a
//! request, or a wrong timestamp makes them differ.

use saasbench_model::units::Nanos;
use saasbench_record::{
    sample::{RequestOutcome, Sample},
    usage::Usage,
};

/// A request that started or ended within this time of a reading may have been counted or not.
const EDGE: Nanos = Nanos::from_millis(1);
/// A thread that waits for a processor counts late, so single readings may disagree: at most this share of
/// them, or one.
const DISAGREE_ALLOWED: f64 = 0.2;

/// The engine's readings next to the samples.
#[derive(Debug)]
pub(super) struct Balance(Vec<Reading>);

/// One reading of the engine's count.
#[derive(Debug)]
struct Reading {
    at: Nanos,
    counted: u64,
    /// Samples that were certainly in flight.
    certain: u64,
    /// Samples that may have been in flight, those included.
    possible: u64,
}

/// Result of the comparison.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Compared {
    pub(super) agree: bool,
    pub(super) reported: String,
}

impl Balance {
    /// Starts with the readings of a run, in order.
    pub(super) fn new(usage: &[Usage]) -> Self {
        let look = |usage: &Usage| {
            let counted = u64::from(usage.in_flight?);
            Some(Reading { at: usage.at_ns, counted, certain: 0, possible: 0 })
        };
        Self(usage.iter().filter_map(look).collect())
    }

    /// Counts a sample at every reading during which it was in flight.
    pub(super) fn add(&mut self, sample: &Sample) {
        if sample.outcome == RequestOutcome::Dropped {
            return;
        }
        let first = self.0.partition_point(|look| look.at < sample.sent - EDGE);
        for look in self.0.iter_mut().skip(first).take_while(|look| look.at <= sample.done + EDGE) {
            look.possible += 1;
            look.certain += u64::from(sample.sent + EDGE <= look.at && look.at <= sample.done - EDGE);
        }
    }

    /// Compares the two; `None` without readings.
    pub(super) fn compare(&self) -> Option<Compared> {
        let looks = self.0.len() as f64;
        let differ = self.0.iter().filter(|look| look.counted < look.certain || look.counted > look.possible);
        let differ = differ.count();
        let mean = self.0.iter().map(|look| look.counted as f64).sum::<f64>() / looks;
        (looks > 0.0).then(|| Compared {
            agree: differ as f64 <= (DISAGREE_ALLOWED * looks).max(1.0),
            reported: format!(
                "{mean:.1} requests in flight on average; the samples disagree at {differ} of {looks} polls"
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
            stalls: 0,
            threads: Default::default(),
        };
        let usage: Vec<Usage> = (0..10).map(look).collect();
        let mut balance = Balance::new(&usage);
        for _ in 0..samples {
            let mut sample = sample(0, 0, RequestOutcome::Status(200));
            (sample.sent, sample.done) = (Nanos::ZERO, Nanos::from_secs(10));
            balance.add(&sample);
        }
        balance.compare().unwrap()
    }

    #[test]
    fn counted_requests_must_be_in_the_record() {
        assert!(balance(3, 3).agree);
        assert_eq!(
            balance(4, 3),
            Compared {
                agree: false,
                reported: "4.0 requests in flight on average; the samples disagree at 10 of 10 polls"
                    .to_owned()
            }
        );
        assert!(!balance(2, 3).agree);
        assert_eq!(Balance::new(&[]).compare(), None);
    }

    #[test]
    fn requests_that_start_or_end_at_a_reading_may_count_or_not() {
        for counted in [0, 1] {
            let usage = Usage {
                at_ns: Nanos::from_millis(500),
                cpu_ns: Nanos::ZERO,
                memory_bytes: 0,
                in_flight: Some(counted),
                stalls: 0,
                threads: Default::default(),
            };
            let mut balance = Balance::new(&[usage]);
            let mut sample = sample(0, 0, RequestOutcome::Status(200));
            (sample.sent, sample.done) = (Nanos::ZERO, Nanos(500_900_000));
            balance.add(&sample);
            assert!(balance.compare().unwrap().agree, "{counted}");
        }
    }
}

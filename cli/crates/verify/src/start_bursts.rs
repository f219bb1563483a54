//! Finds requests of users that started together. Users who start at one instant all send at once, and then wait for
//! each other: that is the generator's doing, and tells nothing about how long single requests wait.

use std::collections::VecDeque;

use saasbench_model::units::Nanos;
use saasbench_record::sample::Sample;

/// How many starting requests of each replica are remembered.
const REMEMBERED: usize = 256;

/// The latest requests of starting users, by replica: when they were sent, and done.
#[derive(Debug)]
pub(super) struct StartBursts(Vec<VecDeque<(Nanos, Nanos)>>);

impl StartBursts {
    pub(super) fn new(replicas: usize) -> Self {
        Self(vec![VecDeque::new(); replicas])
    }

    /// Whether a request belongs to a user's start, and another user's was on its way to the same replica when it
    /// was sent. Requests come in the order of the record.
    pub(super) fn is_in_one(&mut self, sample: &Sample) -> bool {
        let is_start = sample.iteration == 0 || sample.request == 1;
        let Some(latest) = self.0.get_mut(sample.replica).filter(|_| is_start) else { return false };
        let ahead = latest.iter().any(|(sent, done)| *sent <= sample.sent && *done > sample.sent);
        latest.push_back((sample.sent, sample.done));
        if latest.len() > REMEMBERED {
            latest.pop_front();
        }
        ahead
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saasbench_record::{sample::RequestOutcome, testing::sample};

    #[test]
    fn only_starts_that_overlap_are_a_burst() {
        let at = |sent: i64, done: i64, replica, request| Sample {
            sent: Nanos::from_millis(sent),
            done: Nanos::from_millis(done),
            request,
            ..sample(sent, replica, RequestOutcome::Status(200))
        };
        let mut bursts = StartBursts::new(2);
        for (sample, expected) in [
            (at(0, 5, 0, 1), false),
            (at(0, 10, 0, 1), true),
            (at(1, 15, 0, 1), true),
            (at(1, 6, 1, 1), false),
            // No start.
            (at(2, 20, 0, 2), false),
            // The others are done.
            (at(15, 20, 0, 1), false),
            (at(30, 31, 0, 1), false),
        ] {
            assert_eq!(bursts.is_in_one(&sample), expected, "{sample:?}");
        }
    }
}

//! Attributes latency to the generator: its lateness, and its stalls.
//!
//! A stall has effects beyond its end. Whatever became due meanwhile is sent at once afterwards, and the
//! service has to work that off; if it is otherwise at most half busy, this takes as long again as the stall.
//! So each stall has an *exclusion window* of twice its length, and time within it is never attributed to the
//! service. A stall of 5 ms excludes 10 ms and no more: it does not explain a service that hung for 300 ms.

use std::{collections::HashMap, ops::Range};

use saasbench_model::units::Nanos;
use saasbench_record::{
    sample::Sample,
    stall::{SHORTEST, Stall},
};

/// Stalls that are named one by one; of any others only the number is reported.
const NAMED: usize = 5;

/// The stalls of a run with their exclusion windows, and when users started.
#[derive(Debug)]
pub struct StallExclusions {
    stalls: Vec<Stall>,
    /// Exclusion windows, merged where they overlap, in order.
    shadows: Vec<ExclusionWindow>,
    /// When each user, by load and number, last completed a start step.
    started: HashMap<(usize, u64), Nanos>,
}

/// A span in which nothing is attributed to the service.
#[derive(Debug)]
struct ExclusionWindow {
    from: Nanos,
    to: Nanos,
    /// Total length of the exclusion windows before it.
    before: Nanos,
    /// Indices of the stalls that it belongs to.
    stalls: Range<usize>,
}

/// The attribution of one request's latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StallAttribution {
    /// How long it waited for the generator after it could have been sent.
    pub lateness: Nanos,
    /// Whether any of its time from intended to done lies in an exclusion window.
    pub touched: bool,
    /// Its latency from intended, without lateness and without exclusion windows.
    pub from_intended: Nanos,
    /// Its latency from sent, without exclusion windows.
    pub from_sent: Nanos,
}

impl StallExclusions {
    /// The exclusion windows of a run's stalls; gaps shorter than [`SHORTEST`] have none.
    pub fn new(stalls: &[Stall]) -> Self {
        let mut stalls: Vec<Stall> =
            stalls.iter().filter(|stall| stall.length() >= SHORTEST).copied().collect();
        stalls.sort_by_key(|stall| stall.from_ns);
        let mut shadows: Vec<ExclusionWindow> = Vec::new();
        for (index, stall) in stalls.iter().enumerate() {
            let (from, to) = shadow(stall);
            match shadows.last_mut().filter(|last| from <= last.to) {
                Some(last) => {
                    last.to = last.to.max(to);
                    last.stalls.end = index + 1;
                }
                None => {
                    let before =
                        shadows.last().map_or(Nanos::ZERO, |last| last.before + (last.to - last.from));
                    shadows.push(ExclusionWindow { from, to, before, stalls: index..index + 1 });
                }
            }
        }
        Self { stalls, shadows, started: HashMap::new() }
    }

    /// The attribution of a request. Requests must come in the order of the record, because a user that had
    /// to run its start steps waited for the service, not for the generator.
    pub fn of(&mut self, sample: &Sample) -> StallAttribution {
        let user = (sample.load, sample.user);
        let started = if sample.iteration == 0 {
            self.started.insert(user, sample.done);
            None
        } else {
            self.started.get(&user).copied().filter(|done| *done <= sample.sent)
        };
        let ready = started.map_or(sample.intended, |done| done.max(sample.intended));
        let from_sent = self.clear(sample.sent, sample.done);
        StallAttribution {
            lateness: sample.sent - ready,
            touched: self.clear(sample.intended, sample.done) < sample.latency_intended(),
            from_intended: self.clear(sample.intended, ready) + from_sent,
            from_sent,
        }
    }

    /// Replaces the stalls, but keeps when users started.
    pub fn replace_stalls(&mut self, stalls: &[Stall]) {
        let started = std::mem::take(&mut self.started);
        *self = Self { started, ..Self::new(stalls) };
    }

    /// The stalls, sorted by their start.
    pub fn stalls(&self) -> &[Stall] {
        &self.stalls
    }

    /// Indices of the stalls whose exclusion windows a request was in.
    pub fn touching(&self, sample: &Sample) -> impl Iterator<Item = usize> {
        let (from, to) = (sample.intended, sample.done);
        let first = self.shadows.partition_point(|shadow| shadow.to <= from);
        let near = self.shadows.get(first..).unwrap_or_default().iter().take_while(move |s| s.from < to);
        near.flat_map(|shadow| shadow.stalls.clone()).filter(move |index| {
            self.stalls.get(*index).map(shadow).is_some_and(|(begin, end)| begin < to && from < end)
        })
    }

    /// Describes the stalls, those first that touched the most requests; `touched` has the count of each
    /// stall.
    pub fn name(&self, touched: &[u64]) -> Vec<String> {
        let mut named: Vec<(u64, &Stall)> =
            touched.iter().copied().zip(&self.stalls).filter(|(count, _)| *count > 0).collect();
        named.sort_by_key(|(count, stall)| (std::cmp::Reverse(*count), stall.from_ns));
        let mut lines: Vec<String> = named
            .iter()
            .take(NAMED)
            .map(|(count, stall)| {
                let requests = if *count == 1 { "request" } else { "requests" };
                format!(
                    "at {:.4} s the generator stalled for {} ({}): {count} {requests} affected",
                    stall.from_ns.as_secs_f64(),
                    stall.length(),
                    stall.cause
                )
            })
            .collect();
        if let Some(rest) = named.get(NAMED..).filter(|rest| !rest.is_empty()) {
            let total = rest.iter().fold(Nanos::ZERO, |sum, (_, stall)| sum + stall.length());
            lines.push(format!("… and {} more stalls, {total} in total", rest.len()));
        }
        lines
    }

    /// How much of a span lies outside of exclusion windows.
    pub(super) fn clear(&self, from: Nanos, to: Nanos) -> Nanos {
        if self.shadows.is_empty() || to <= from {
            return to - from;
        }
        (to - from) - (self.shaded_before(to) - self.shaded_before(from))
    }

    /// Total time in exclusion windows before an instant.
    fn shaded_before(&self, at: Nanos) -> Nanos {
        let started = self.shadows.partition_point(|shadow| shadow.from < at);
        let last = started.checked_sub(1).and_then(|index| self.shadows.get(index));
        last.map_or(Nanos::ZERO, |shadow| shadow.before + (at.min(shadow.to) - shadow.from))
    }
}

/// From a stall's start to its own length after its end.
fn shadow(stall: &Stall) -> (Nanos, Nanos) {
    (stall.from_ns, stall.to_ns + stall.length())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use saasbench_record::{
        sample::RequestOutcome,
        testing::{self, stall},
    };

    fn sample(intended: i64, sent: i64, done: i64) -> Sample {
        let [intended, sent, done] = [intended, sent, done].map(Nanos::from_millis);
        Sample { intended, sent, done, ..testing::sample(0, 0, RequestOutcome::Status(200)) }
    }

    #[test]
    fn time_in_an_exclusion_window_does_not_count() {
        // The window of a 300 ms stall at 1 s lasts until 1.6 s.
        let mut excuses = StallExclusions::new(&[stall(1000, 300), stall(3000, 4)]);
        let table = [
            // Before it, after it, and during a gap too short to count.
            ((900, 900, 1000), (false, 0, 100, 100)),
            ((1600, 1600, 1700), (false, 0, 100, 100)),
            ((3000, 3000, 3100), (false, 0, 100, 100)),
            // In flight when it started: 50 ms before it, 100 ms after the window.
            ((950, 950, 1700), (true, 0, 150, 150)),
            // Due during the stall, sent afterwards; done within the window, or long after it.
            ((1100, 1300, 1500), (true, 200, 0, 0)),
            ((1100, 1300, 3000), (true, 200, 1400, 1400)),
            // Due after the stall, behind the others.
            ((1400, 1400, 1650), (true, 0, 50, 50)),
            // Sent late without a known stall.
            ((2000, 2080, 2100), (false, 80, 20, 20)),
        ];
        for ((intended, sent, done), (touched, lateness, from_intended, from_sent)) in table {
            let [lateness, from_intended, from_sent] =
                [lateness, from_intended, from_sent].map(Nanos::from_millis);
            let expected = StallAttribution { lateness, touched, from_intended, from_sent };
            let sample = sample(intended, sent, done);
            assert_eq!(excuses.of(&sample), expected, "{intended} {sent} {done}");
            assert_eq!(excuses.touching(&sample).count(), usize::from(touched));
        }
    }

    #[test]
    fn a_user_that_had_to_start_first_waited_for_the_service() {
        let mut excuses = StallExclusions::new(&[]);
        excuses.of(&Sample { iteration: 0, ..sample(0, 1, 50) });
        let excuse = excuses.of(&sample(0, 53, 60));
        assert_eq!([excuse.lateness, excuse.from_intended], [3, 57].map(Nanos::from_millis));
        // An older start does not explain a later wait.
        assert_eq!(excuses.of(&sample(100, 130, 140)).lateness, Nanos::from_millis(30));
    }

    #[test]
    fn stalls_are_named_by_what_they_touched() {
        let stalls: Vec<Stall> = (0..8).map(|i| stall(1000 * i, 5 + i)).collect();
        let lines = StallExclusions::new(&stalls).name(&[3, 0, 1, 9, 2, 1, 1, 1]);
        insta::assert_snapshot!(lines.join("\n"), @r#"
        at 3.0000 s the generator stalled for 8 ms (the process was stopped): 9 requests affected
        at 0.0000 s the generator stalled for 5 ms (the process was stopped): 3 requests affected
        at 4.0000 s the generator stalled for 9 ms (the process was stopped): 2 requests affected
        at 2.0000 s the generator stalled for 7 ms (the process was stopped): 1 request affected
        at 5.0000 s the generator stalled for 10 ms (the process was stopped): 1 request affected
        … and 2 more stalls, 23 ms in total
        "#);
    }

    proptest! {
        /// Checks the definition, millisecond by millisecond.
        #[test]
        fn clear_time_is_outside_of_exclusion_windows(
            spans in prop::collection::vec((0_i64..100, 5_i64..20), 0..6), from in 0_i64..120, length in 1_i64..60,
        ) {
            let stalls: Vec<Stall> = spans.iter().map(|(from, length)| stall(*from, *length)).collect();
            let clear = (from..from + length)
                .filter(|at| !spans.iter().any(|(from, length)| from <= at && *at < from + 2 * length))
                .count() as i64;
            let mut excuses = StallExclusions::new(&stalls);
            let sample = sample(from, from, from + length);
            let excuse = excuses.of(&sample);
            prop_assert_eq!(excuse.from_sent, Nanos::from_millis(clear));
            prop_assert_eq!(excuse.touched, clear < length);
            prop_assert_eq!(excuses.touching(&sample).next().is_some(), excuse.touched);
        }
    }
}

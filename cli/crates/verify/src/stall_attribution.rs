//! Attributes latency to the generator: its lateness, and the share of its stalls ([`Stalls::share`]).

use std::collections::HashMap;

use saasbench_model::units::Nanos;
use saasbench_record::{
    sample::{NoResponseReason, RequestOutcome, Sample},
    stall::{Stall, Stalls},
};

/// Stalls that are named one by one; of any others only the number is reported.
const NAMED: usize = 5;

/// The stalls of a run, and when users started.
#[derive(Debug)]
pub struct StallExclusions {
    stalls: Stalls,
    /// When each user, by load and number, last completed a start step, or met a connection that was being
    /// closed.
    started: HashMap<(usize, u64), Nanos>,
}

/// The attribution of one request's latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StallAttribution {
    /// How long it waited for the generator after it could have been sent.
    pub lateness: Nanos,
    /// Whether a stall, or the backlog of one, reached into its time from intended to done.
    pub touched: bool,
    /// Whether one reached into its time from intended to sent, and may have made it late.
    pub delayed: bool,
    /// Its latency from intended, without lateness and without the stalls' share.
    pub from_intended: Nanos,
    /// Its latency from sent, without the stalls' share.
    pub from_sent: Nanos,
}

impl StallExclusions {
    /// Of a run's stalls.
    pub fn new(stalls: &[Stall]) -> Self {
        Self { stalls: Stalls::new(stalls), started: HashMap::new() }
    }

    /// The attribution of a request. Requests must come in the order of the record, because a user that had
    /// to run its start steps, or to send a request once more, waited for the service, not for the generator.
    pub fn of(&mut self, sample: &Sample) -> StallAttribution {
        let user = (sample.load, sample.user);
        let is_start = sample.iteration == 0;
        let is_resent = sample.outcome == RequestOutcome::NoResponse(NoResponseReason::Resent);
        let begins = is_start && sample.retry_of.is_none();
        let started = self.started.get(&user).copied().filter(|done| !begins && *done <= sample.sent);
        if is_start || is_resent {
            self.started.insert(user, sample.done);
        }
        let ready = started.map_or(sample.intended, |done| done.max(sample.intended));
        let from_sent = self.clear(sample.sent, sample.done);
        let waited = ready - sample.intended - self.stalls.within(sample.intended, ready);
        let is_touched = |to: Nanos| self.stalls.touching(sample.intended, to).next().is_some();
        StallAttribution {
            lateness: sample.sent - ready,
            touched: is_touched(sample.done),
            delayed: is_touched(sample.sent + Nanos(1)),
            from_intended: waited + from_sent,
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
        self.stalls.all()
    }

    /// Indices of the stalls that touched a request.
    pub fn touching(&self, sample: &Sample) -> impl Iterator<Item = usize> {
        self.stalls.touching(sample.intended, sample.done)
    }

    /// Describes the stalls, those first that touched the most requests; `touched` has the count of each
    /// stall.
    pub fn name(&self, touched: &[u64]) -> Vec<String> {
        let mut named: Vec<(u64, &Stall)> =
            touched.iter().copied().zip(self.stalls.all()).filter(|(count, _)| *count > 0).collect();
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

    /// The length of a span without the stalls' share.
    pub(super) fn clear(&self, from: Nanos, to: Nanos) -> Nanos {
        (to - from) - self.stalls.share(from, to)
    }
}

#[cfg(test)]
mod tests {
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
    fn the_share_of_stalls_does_not_count() {
        // The backlog of a 300 ms stall at 1 s drains until 1.6 s.
        let mut exclusions = StallExclusions::new(&[stall(1000, 300), stall(3000, 4)]);
        let table = [
            // Before it, after it, and during a gap too short to count.
            ((900, 900, 1000), (false, false, 0, 100, 100)),
            ((1600, 1600, 1700), (false, false, 0, 100, 100)),
            ((3000, 3000, 3100), (false, false, 0, 100, 100)),
            // In flight when it started.
            ((950, 950, 1700), (true, false, 0, 450, 450)),
            // Due during the stall, sent afterwards: delayed by as much as the stall lasted, or by more.
            ((1100, 1300, 1500), (true, true, 200, 0, 0)),
            ((1100, 1300, 3000), (true, true, 200, 1400, 1400)),
            // Due after the stall, behind the others.
            ((1400, 1400, 1750), (true, true, 0, 50, 50)),
            // Due while there was a backlog, sent when there was none.
            ((1500, 1700, 1800), (true, true, 200, 100, 100)),
            // Sent late without a known stall.
            ((2000, 2080, 2100), (false, false, 80, 20, 20)),
        ];
        for ((intended, sent, done), (touched, delayed, lateness, from_intended, from_sent)) in table {
            let [lateness, from_intended, from_sent] =
                [lateness, from_intended, from_sent].map(Nanos::from_millis);
            let expected = StallAttribution { lateness, touched, delayed, from_intended, from_sent };
            let sample = sample(intended, sent, done);
            assert_eq!(exclusions.of(&sample), expected, "{intended} {sent} {done}");
            assert_eq!(exclusions.touching(&sample).count(), usize::from(touched));
        }
    }

    #[test]
    fn many_stalls_do_not_explain_a_hung_service() {
        // 12 ms twice a second, as on a shared machine.
        let stalls: Vec<Stall> = (0..20).map(|i| stall(500 * i + 100, 12)).collect();
        let attribution = StallExclusions::new(&stalls).of(&sample(0, 0, 4_096));
        assert_eq!(attribution.from_sent, Nanos::from_millis(4_096 - 8 * 12));
        assert!(attribution.touched && !attribution.delayed);
    }

    #[test]
    fn a_user_that_had_to_start_first_waited_for_the_service() {
        let mut exclusions = StallExclusions::new(&[]);
        exclusions.of(&Sample { iteration: 0, ..sample(0, 1, 50) });
        let attribution = exclusions.of(&sample(0, 53, 60));
        assert_eq!([attribution.lateness, attribution.from_intended], [3, 57].map(Nanos::from_millis));
        // An older start does not explain a later wait.
        assert_eq!(exclusions.of(&sample(100, 130, 140)).lateness, Nanos::from_millis(30));
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
}

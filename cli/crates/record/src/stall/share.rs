//! How much of a request's latency the generator's stalls may account for.
//!
//! While the generator stands still it neither sends nor reads: the stall time between sending and reading is
//! its own. What became due meanwhile is sent at once afterwards, and the service has to work that off. A
//! queue that serves arrivals in order delays nobody by more than the arrivals were bunched. So a request
//! that is sent before this backlog has drained may wait for as long as the stall lasted, and no longer: a
//! stall of 5 ms does not explain a service that hung for 300 ms, nor do many of them.

use std::{cmp::Reverse, collections::BinaryHeap};

use saasbench_model::units::Nanos;

use super::{SHORTEST, Stall};

/// The stalls of a run.
#[derive(Debug, Default)]
pub struct Stalls {
    /// Sorted by their start.
    all: Vec<Stall>,
    /// Spans of stalls, merged where they overlap, each with the total length of those before it.
    spans: Vec<(Nanos, Nanos, Nanos)>,
    /// From when on which backlog is the longest, as the length of its stall; zero without any.
    backlogs: Vec<(Nanos, Nanos)>,
    /// For each stall, until when it or an earlier one delays requests.
    delayed_until: Vec<Nanos>,
}

impl Stalls {
    /// Gaps shorter than [`SHORTEST`] do not count.
    pub fn new(stalls: &[Stall]) -> Self {
        let mut all: Vec<Stall> = stalls.iter().filter(|stall| stall.length() >= SHORTEST).copied().collect();
        all.sort_by_key(|stall| stall.from_ns);
        let delayed_until = all
            .iter()
            .scan(Nanos(i64::MIN), |until, stall| {
                *until = stall.delays_until().max(*until);
                Some(*until)
            })
            .collect();
        Self { spans: spans(&all), backlogs: backlogs(&all), delayed_until, all }
    }

    /// The stalls, sorted by their start.
    pub fn all(&self) -> &[Stall] {
        &self.all
    }

    /// The most that stalls can have added to a span that began with sending something: the stall time in it,
    /// and the longest earlier stall whose backlog had not drained when it began.
    pub fn share(&self, from: Nanos, to: Nanos) -> Nanos {
        if self.all.is_empty() || to <= from {
            return Nanos::ZERO;
        }
        (self.within(from, to) + self.backlog(from)).min(to - from)
    }

    /// The stall time in a span.
    pub fn within(&self, from: Nanos, to: Nanos) -> Nanos {
        if to <= from { Nanos::ZERO } else { self.before(to) - self.before(from) }
    }

    /// Indices of the stalls that lasted in a span, or whose backlog remained.
    pub fn touching(&self, from: Nanos, to: Nanos) -> impl Iterator<Item = usize> {
        let first = self.delayed_until.partition_point(|until| *until <= from);
        let near = self.all.iter().enumerate().skip(first).take_while(move |(_, stall)| stall.from_ns < to);
        near.filter(move |(_, stall)| from < stall.delays_until()).map(|(index, _)| index)
    }

    /// Total stall time before an instant.
    fn before(&self, at: Nanos) -> Nanos {
        let started = self.spans.partition_point(|(from, ..)| *from < at);
        let last = started.checked_sub(1).and_then(|index| self.spans.get(index));
        last.map_or(Nanos::ZERO, |(from, to, before)| *before + (at.min(*to) - *from))
    }

    /// The longest stall before an instant whose backlog had not drained then.
    fn backlog(&self, at: Nanos) -> Nanos {
        let changed = self.backlogs.partition_point(|(from, _)| *from <= at);
        changed
            .checked_sub(1)
            .and_then(|index| self.backlogs.get(index))
            .map_or(Nanos::ZERO, |(_, length)| *length)
    }
}

fn spans(stalls: &[Stall]) -> Vec<(Nanos, Nanos, Nanos)> {
    let mut spans: Vec<(Nanos, Nanos, Nanos)> = Vec::new();
    for stall in stalls {
        match spans.last_mut().filter(|(_, to, _)| stall.from_ns <= *to) {
            Some((_, to, _)) => *to = stall.to_ns.max(*to),
            None => {
                let before = spans.last().map_or(Nanos::ZERO, |(from, to, before)| *before + (*to - *from));
                spans.push((stall.from_ns, stall.to_ns, before));
            }
        }
    }
    spans
}

fn backlogs(stalls: &[Stall]) -> Vec<(Nanos, Nanos)> {
    let mut by_end: Vec<&Stall> = stalls.iter().collect();
    by_end.sort_by_key(|stall| stall.to_ns);
    let mut changes: Vec<Nanos> =
        stalls.iter().flat_map(|stall| [stall.to_ns, stall.delays_until()]).collect();
    changes.sort_unstable();
    changes.dedup();
    let mut begun = by_end.into_iter().peekable();
    let mut open = BinaryHeap::new(); // the longest first, with its end
    changes
        .into_iter()
        .map(|at| {
            while let Some(stall) = begun.next_if(|stall| stall.to_ns <= at) {
                open.push((stall.length(), Reverse(stall.delays_until())));
            }
            while open.peek().is_some_and(|(_, Reverse(until))| *until <= at) {
                open.pop();
            }
            (at, open.peek().map_or(Nanos::ZERO, |(length, _)| *length))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stall::Cause;

    fn stall(from: i64, length: i64, drained: Option<i64>) -> Stall {
        let [from_ns, to_ns] = [from, from + length].map(Nanos::from_millis);
        Stall { from_ns, to_ns, cause: Cause::Stopped, drained_ns: drained.map(Nanos::from_millis) }
    }

    fn shares(stalls: &[Stall], spans: &[(i64, i64)]) -> Vec<i64> {
        let stalls = Stalls::new(stalls);
        let share =
            |(from, to): &(i64, i64)| stalls.share(Nanos::from_millis(*from), Nanos::from_millis(*to));
        spans.iter().map(|span| share(span).0 / 1_000_000).collect()
    }

    #[test]
    fn a_stall_excuses_at_most_its_length() {
        let one = [stall(1000, 300, Some(1400)), stall(5000, 4, None)];
        let spans = [
            (900, 1000),  // before it
            (900, 1100),  // until its middle
            (900, 4000),  // all of it, and no more
            (1100, 1200), // within
            (1300, 1350), // sent into its backlog: all of a short latency
            (1300, 9000), // and at most its length of a long one
            (1399, 9000),
            (1400, 9000), // the backlog has drained
            (4990, 5100), // too short a gap to count
        ];
        assert_eq!(shares(&one, &spans), [0, 100, 300, 100, 50, 300, 300, 0, 0]);
        // A backlog of unknown length is excused for ten times the stall; one that remains is the service's.
        for drained in [None, Some(99_000)] {
            let one = [stall(1000, 10, drained)];
            assert_eq!(shares(&one, &[(1109, 9000), (1110, 9000)]), [10, 0]);
        }
    }

    #[test]
    fn of_several_backlogs_the_longest_counts() {
        let two = [stall(1000, 300, Some(1900)), stall(1400, 100, Some(2000)), stall(3000, 50, Some(3010))];
        assert_eq!(shares(&two, &[(1350, 9000), (1600, 9000), (1950, 9000)]), [450, 350, 150]);
    }

    proptest! {
        /// The definition, millisecond by millisecond.
        #[test]
        fn shares_are_as_defined(
            made in prop::collection::vec((0_i64..100, 5_i64..20, 0_i64..30), 0..6),
            from in 0_i64..150, length in 1_i64..60,
        ) {
            let all: Vec<Stall> =
                made.iter().map(|(from, length, more)| stall(*from, *length, Some(from + length + more))).collect();
            let within = (from..from + length)
                .filter(|at| made.iter().any(|(from, length, _)| from <= at && *at < from + length))
                .count() as i64;
            let backlog = made.iter().filter(|(begin, length, more)| {
                begin + length <= from && from < begin + length + more
            });
            let backlog = backlog.map(|(_, length, _)| *length).max().unwrap_or(0);
            let share = shares(&all, &[(from, from + length)]);
            prop_assert_eq!(&share, &[(within + backlog).min(length)]);
            let [begin, end] = [from, from + length].map(Nanos::from_millis);
            let touched: Vec<usize> = Stalls::new(&all).touching(begin, end).collect();
            prop_assert_eq!(share != [0], !touched.is_empty());
        }
    }
}

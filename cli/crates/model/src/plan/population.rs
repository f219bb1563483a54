//! The users of a closed load over time: which users are active when, and which iterations are whose.
//!
//! While the load has `u` users, those with numbers (from 0) below `u` are active: the last to arrive are the
//! first to leave. A user's times follow from its number alone, so any worker can run any of them.

use std::ops::Range;

use super::{arrivals, stages::placed};
use crate::{
    scenario::Stage,
    units::{Nanos, Rate},
};

/// When a user (from 0) is active, as offsets from the load's start: ordered spans with gaps between them.
/// With `spawn` it starts no earlier than its turn at this many users per second.
pub fn presence(stages: &[Stage], spawn: Option<Rate>, number: u64) -> Vec<Range<Nanos>> {
    let turn = spawn.map_or(Nanos::ZERO, |rate| arrivals::offset(rate, number));
    let mut spans: Vec<Range<Nanos>> = Vec::new();
    for placed in placed(stages) {
        let Some(span) = within(placed.stage, number as f64) else { continue };
        let span = (placed.begin + span.start).max(turn)..placed.begin + span.end;
        match spans.last_mut() {
            _ if span.is_empty() => {}
            Some(last) if last.end == span.start => last.end = span.end,
            _ => spans.push(span),
        }
    }
    spans
}

/// When during a stage there are more than `number` users, from its start.
fn within(stage: Stage, number: f64) -> Option<Range<Nanos>> {
    let Stage { length, from, to } = stage;
    let crossing = || Nanos((length.0 as f64 * ((number - from) / (to - from))).round() as i64);
    match (from > number, to > number) {
        (true, true) => Some(Nanos::ZERO..length),
        (false, true) => Some(crossing()..length),
        (true, false) => Some(Nanos::ZERO..crossing()),
        (false, false) => None,
    }
}

/// The number of a user's iteration within its load, from 1: `round` counts the user's own iterations from 0,
/// `users` is the maximum number of users. No two iterations share a number, however slow a user is; a load
/// of n `iterations` consists of the numbers up to n.
pub fn iteration(users: u64, number: u64, round: u64) -> u64 {
    round.saturating_mul(users).saturating_add(number).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::stages::testing, *};

    fn spans(list: &[(i64, f64, f64)], spawn: Option<f64>, number: u64) -> Vec<(f64, f64)> {
        let spans = presence(&testing::stages(list), spawn.map(Rate), number);
        spans.iter().map(|span| (span.start.as_secs_f64(), span.end.as_secs_f64())).collect()
    }

    #[test]
    fn users_come_and_go_with_the_stages() {
        let trapezoid = [(30, 0.0, 100.0), (60, 100.0, 100.0), (10, 100.0, 0.0)];
        for (number, expected) in [
            (0, vec![(0.0, 100.0)]),
            (1, vec![(0.3, 99.9)]),
            (50, vec![(15.0, 95.0)]),
            (99, vec![(29.7, 90.1)]),
            (100, vec![]),
        ] {
            assert_eq!(spans(&trapezoid, None, number), expected, "user {number}");
        }
        // A jump starts all at once, and stops all at once.
        let spike = [(10, 2.0, 2.0), (5, 8.0, 8.0), (10, 2.0, 2.0)];
        assert_eq!(spans(&spike, None, 1), [(0.0, 25.0)]);
        assert_eq!(spans(&spike, None, 2), [(10.0, 15.0)]);
        // Users who left come back.
        let waves = [(10, 0.0, 4.0), (10, 4.0, 0.0), (10, 0.0, 4.0), (10, 4.0, 2.0)];
        assert_eq!(spans(&waves, None, 0), [(0.0, 40.0)]);
        assert_eq!(spans(&waves, None, 2), [(5.0, 15.0), (25.0, 40.0)]);
        assert_eq!(spans(&waves, None, 3), [(7.5, 12.5), (27.5, 35.0)]);
    }

    #[test]
    fn spawned_users_come_one_after_the_other() {
        for (number, expected) in [(0, (0.0, 10.0)), (1, (0.5, 10.0)), (19, (9.5, 10.0))] {
            assert_eq!(spans(&[(10, 30.0, 30.0)], Some(2.0), number), [expected]);
        }
        assert_eq!(spans(&[(10, 30.0, 30.0)], Some(2.0), 20), []);
    }

    #[test]
    fn iterations_are_numbered_without_coordination() {
        let numbers: BTreeSet<u64> =
            (0..3).flat_map(|number| (0..4).map(move |round| iteration(3, number, round))).collect();
        assert_eq!(numbers.into_iter().collect::<Vec<_>>(), (1..=12).collect::<Vec<_>>());
        // Seven iterations by three users: three, two and two.
        let share = |number| (0..).take_while(|round| iteration(3, number, *round) <= 7).count();
        assert_eq!([0, 1, 2].map(share), [3, 2, 2]);
    }

    /// The number of users at an instant according to the stages.
    fn users(stages: &[Stage], at: Nanos) -> Option<f64> {
        let placed = placed(stages).find(|placed| placed.begin <= at && at < placed.end())?;
        let part = (at - placed.begin).as_secs_f64() / placed.stage.length.as_secs_f64();
        Some(placed.stage.from + (placed.stage.to - placed.stage.from) * part)
    }

    proptest::proptest! {
        #[test]
        fn the_number_of_active_users_follows_the_stages(
            stages in testing::arbitrary(60.0),
            part in 0.0f64..1.0,
        ) {
            let at = Nanos((Stage::length(&stages).0 as f64 * part) as i64);
            let Some(wanted) = users(&stages, at) else { return Ok(()) };
            let there = |number| presence(&stages, None, number).iter().any(|span| span.contains(&at));
            let all = (0..Stage::highest(&stages).ceil() as u64).filter(|number| there(*number)).count();
            // Very close to a border either count is right.
            let near = [wanted - 1e-3, wanted, wanted + 1e-3].map(|users| users.max(0.0).ceil() as usize);
            proptest::prop_assert!(near.contains(&all), "{} of {}", all, wanted);
            // The last to arrive are the first to leave.
            proptest::prop_assert!((0..all as u64).all(there));
        }

        #[test]
        fn spans_are_in_order_and_apart(stages in testing::arbitrary(60.0), number in 0u64..60) {
            let spans = presence(&stages, Some(Rate(7.0)), number);
            let turn = arrivals::offset(Rate(7.0), number);
            proptest::prop_assert!(spans.iter().all(|span| turn <= span.start && span.start < span.end));
            proptest::prop_assert!(spans.windows(2).all(|pair| pair[0].end < pair[1].start));
        }
    }
}

//! The plan's time against the run's: it stands still in pauses, and goes on with the run's otherwise.
//!
//! What needs to know when something of the plan is due, or where in the plan an instant lies, finds it here:
//! the load, its warm-up, the checks and the displays. Instants of both are on the run's clock, and before
//! the first pause they are the same.

use std::ops::Range;

use crate::units::Nanos;

/// When the plan's time stood still.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanTime {
    /// In order, none of them empty; one that goes on has [`Nanos::MAX`] for its end.
    pauses: Vec<Range<Nanos>>,
}

impl PlanTime {
    /// Of a load that begins at `begin`, with the instants at which its pace was changed, in order, and
    /// whether it was paused from then on. What was before the begin is over by then, or begins with it.
    pub fn new(begin: Nanos, changes: impl IntoIterator<Item = (Nanos, bool)>) -> Self {
        let (mut pauses, mut since) = (Vec::new(), None);
        for (at, paused) in changes {
            let at = at.max(begin);
            match (since, paused) {
                (None, true) => since = Some(at),
                (Some(from), false) => {
                    pauses.extend((from < at).then_some(from..at));
                    since = None;
                }
                _ => {}
            }
        }
        pauses.extend(since.map(|from| from..Nanos::MAX));
        Self { pauses }
    }

    /// When an instant of the plan comes; [`Nanos::MAX`] as long as a pause is in its way. What is due at the
    /// instant at which a pause begins comes after it.
    pub fn comes(&self, planned: Nanos) -> Nanos {
        let mut at = planned;
        for Range { start, end } in &self.pauses {
            match *end {
                _ if *start > at => break,
                Nanos::MAX => return Nanos::MAX,
                end => at = at + (end - *start),
            }
        }
        at
    }

    /// Where in the plan an instant of the run is: in a pause, at its begin.
    pub fn of(&self, at: Nanos) -> Nanos {
        let pauses = self.pauses.iter().take_while(|pause| pause.start < at);
        pauses.fold(at, |planned, pause| planned - (pause.end.min(at) - pause.start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: i64) -> Nanos {
        Nanos::from_secs(seconds)
    }

    /// Of a load that begins at 2 s, with these changes.
    fn time(changes: &[(i64, bool)]) -> PlanTime {
        PlanTime::new(secs(2), changes.iter().map(|(at, paused)| (secs(*at), *paused)))
    }

    #[test]
    fn the_plan_stands_still_in_a_pause() {
        let time = time(&[(10, true), (12, true), (15, false), (18, false), (20, true), (21, false)]);
        for (planned, comes) in [(2, 2), (9, 9), (10, 15), (14, 19), (15, 21), (30, 36)] {
            assert_eq!(time.comes(secs(planned)), secs(comes), "{planned}");
            assert_eq!(time.of(secs(comes)), secs(planned), "{comes}");
        }
        assert_eq!(
            (time.of(secs(10)), time.of(secs(13)), time.of(Nanos(i64::MIN))),
            (secs(10), secs(10), Nanos(i64::MIN))
        );
        assert_eq!(time.comes(Nanos::MAX), Nanos::MAX);
    }

    #[test]
    fn in_a_pause_that_goes_on_nothing_comes_but_what_has() {
        let time = time(&[(10, true)]);
        assert_eq!(
            (time.comes(secs(9)), time.comes(secs(10)), time.comes(secs(11))),
            (secs(9), Nanos::MAX, Nanos::MAX)
        );
        assert_eq!(time.of(secs(14)), secs(10));
    }

    #[test]
    fn what_was_paused_before_the_load_began_does_not_count() {
        assert_eq!(time(&[(0, true), (1, false)]), PlanTime::default());
        let time = time(&[(0, true), (3, false)]);
        assert_eq!((time.comes(secs(2)), time.comes(secs(5)), time.of(secs(5))), (secs(3), secs(6), secs(4)));
    }

    proptest::proptest! {
        #[test]
        fn what_comes_is_where_it_was_planned(
            mut at in proptest::collection::vec(0i64..100, 0..8),
            planned in 2i64..100,
        ) {
            at.sort_unstable();
            let changes: Vec<(i64, bool)> = at.iter().enumerate().map(|(i, at)| (*at, i % 2 == 0)).collect();
            let time = time(&changes);
            let comes = time.comes(secs(planned));
            if comes < Nanos::MAX {
                proptest::prop_assert!(comes >= secs(planned));
                proptest::prop_assert_eq!(time.of(comes), secs(planned));
                // It is the last such instant.
                proptest::prop_assert!(time.of(comes + Nanos(1)) > secs(planned));
            }
        }
    }
}

//! Converts between plan time and run time, which differ by a run's pauses: plan time stands still during
//! them.
//!
//! Load, warm-up, checks and displays convert between the two here. Both are counted from the run's zero, and
//! they are equal up to the first pause.
//!
//! ```
//! use saasbench_model::{plan::time::{PlanInstant, PlanTime}, units::Nanos};
//!
//! // A load that starts at 2 s, with a pause from 10 s to 15 s.
//! let secs = Nanos::from_secs;
//! let time = PlanTime::new(secs(2), [(secs(10), true), (secs(15), false)]);
//! assert_eq!(time.to_run_time(PlanInstant(secs(11))), Some(secs(16)));
//! assert_eq!(time.to_plan_time(secs(16)), PlanInstant(secs(11)));
//! ```

use std::ops::{Add, Sub};

use crate::units::Nanos;

/// An instant of the plan, counted from the run's zero. Instants of the run and durations are plain
/// [`Nanos`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PlanInstant(pub Nanos);

impl Add<Nanos> for PlanInstant {
    type Output = Self;
    fn add(self, length: Nanos) -> Self {
        Self(self.0 + length)
    }
}

impl Sub<Nanos> for PlanInstant {
    type Output = Self;
    fn sub(self, length: Nanos) -> Self {
        Self(self.0 - length)
    }
}

impl Sub for PlanInstant {
    type Output = Nanos;
    fn sub(self, earlier: Self) -> Nanos {
        self.0 - earlier.0
    }
}

/// The pauses of a run, for converting between plan time and run time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanTime {
    /// In order; none is empty.
    pauses: Vec<Pause>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pause {
    start: Nanos,
    /// `None` while it lasts.
    end: Option<Nanos>,
}

impl PlanTime {
    /// For a load that starts at `start`. `changes` are the instants at which its pace was changed, in order,
    /// and whether it was paused from then on. A pause before the start has no effect, unless it lasts beyond
    /// it.
    pub fn new(start: Nanos, changes: impl IntoIterator<Item = (Nanos, bool)>) -> Self {
        let (mut pauses, mut since) = (Vec::new(), None);
        for (at, paused) in changes {
            let at = at.max(start);
            match (since, paused) {
                (None, true) => since = Some(at),
                (Some(from), false) => {
                    pauses.extend((from < at).then_some(Pause { start: from, end: Some(at) }));
                    since = None;
                }
                _ => {}
            }
        }
        pauses.extend(since.map(|from| Pause { start: from, end: None }));
        Self { pauses }
    }

    /// The instant of the run at which an instant of the plan is reached; `None` if an unfinished pause is in
    /// between. What is due exactly when a pause starts is reached after it.
    pub fn to_run_time(&self, planned: PlanInstant) -> Option<Nanos> {
        let PlanInstant(mut at) = planned;
        for Pause { start, end } in &self.pauses {
            if *start > at {
                break;
            }
            at = at + ((*end)? - *start);
        }
        Some(at)
    }

    /// The instant of the plan at an instant of the run; during a pause, that of its start.
    pub fn to_plan_time(&self, at: Nanos) -> PlanInstant {
        let pauses = self.pauses.iter().take_while(|pause| pause.start < at);
        let planned = pauses
            .fold(at, |planned, Pause { start, end }| planned - (end.map_or(at, |end| end.min(at)) - *start));
        PlanInstant(planned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: i64) -> Nanos {
        Nanos::from_secs(seconds)
    }

    fn planned(seconds: i64) -> PlanInstant {
        PlanInstant(secs(seconds))
    }

    /// For a load that starts at 2 s, with these changes.
    fn time(changes: &[(i64, bool)]) -> PlanTime {
        PlanTime::new(secs(2), changes.iter().map(|(at, paused)| (secs(*at), *paused)))
    }

    #[test]
    fn plan_time_stops_during_a_pause() {
        let time = time(&[(10, true), (12, true), (15, false), (18, false), (20, true), (21, false)]);
        for (at, reached) in [(2, 2), (9, 9), (10, 15), (14, 19), (15, 21), (30, 36)] {
            assert_eq!(time.to_run_time(planned(at)), Some(secs(reached)), "{at}");
            assert_eq!(time.to_plan_time(secs(reached)), planned(at), "{reached}");
        }
        assert_eq!((time.to_plan_time(secs(10)), time.to_plan_time(secs(13))), (planned(10), planned(10)));
        assert_eq!(time.to_plan_time(secs(-5)), planned(-5));
    }

    #[test]
    fn an_unfinished_pause_blocks_what_is_due_after_its_start() {
        let time = time(&[(10, true)]);
        let reached = [9, 10, 11].map(|at| time.to_run_time(planned(at)));
        assert_eq!(reached, [Some(secs(9)), None, None]);
        assert_eq!(time.to_plan_time(secs(14)), planned(10));
    }

    #[test]
    fn a_pause_before_the_load_does_not_count() {
        assert_eq!(time(&[(0, true), (1, false)]), PlanTime::default());
        let time = time(&[(0, true), (3, false)]);
        assert_eq!(
            (time.to_run_time(planned(2)), time.to_run_time(planned(5)), time.to_plan_time(secs(5))),
            (Some(secs(3)), Some(secs(6)), planned(4))
        );
    }

    proptest::proptest! {
        #[test]
        fn conversions_are_inverse(
            mut at in proptest::collection::vec(0i64..100, 0..8),
            due in 2i64..100,
        ) {
            at.sort_unstable();
            let changes: Vec<(i64, bool)> = at.iter().enumerate().map(|(i, at)| (*at, i % 2 == 0)).collect();
            let time = time(&changes);
            if let Some(reached) = time.to_run_time(planned(due)) {
                proptest::prop_assert!(reached >= secs(due));
                proptest::prop_assert_eq!(time.to_plan_time(reached), planned(due));
                // It is the last such instant.
                proptest::prop_assert!(time.to_plan_time(reached + Nanos(1)) > planned(due));
            }
        }
    }
}

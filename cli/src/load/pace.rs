//! How a load that is under way is held back or driven on from outside: paused, slower, faster.
//!
//! A pause stops the plan's time: nothing begins, and everything that is due is due so much later. A factor scales the rate of
//! open loads from its instant on; of the users of a closed load it leaves those with the lowest numbers at work. The plan of a
//! run that nobody touches is as it was, and costs what it did.

use std::cell::{Cell, RefCell};

use tokio::sync::watch;

use crate::{
    record::manifest::{Event, Pace},
    units::Nanos,
};

/// The least and the greatest factor.
pub const FACTORS: std::ops::RangeInclusive<f64> = 0.1..=10.0;

/// Turns the pace. All changes of a run, in order, are what its workers get.
#[derive(Debug, Clone)]
pub struct Controls(watch::Sender<Vec<Event>>);

/// Where workers hear of it.
#[derive(Debug, Clone)]
pub struct Listener(watch::Receiver<Vec<Event>>);

impl Default for Controls {
    fn default() -> Self {
        Self(watch::Sender::new(Vec::new()))
    }
}

impl Controls {
    /// What workers listen to.
    pub fn listen(&self) -> Listener {
        Listener(self.0.subscribe())
    }

    /// The pace at present.
    pub fn pace(&self) -> Pace {
        self.0.borrow().last().and_then(|last| last.pace).unwrap_or_default()
    }

    /// Pauses, or goes on.
    pub fn pause(&self, at: Nanos) {
        let pace = self.pace();
        self.turn(at, Pace { paused: !pace.paused, ..pace });
    }

    /// Changes the factor by so many tenths of the plan.
    pub fn step(&self, at: Nanos, tenths: i32) {
        let pace = self.pace();
        // Tenths stay whole, however often they are added.
        let factor = ((pace.factor * 10.0).round() + f64::from(tenths)) / 10.0;
        let factor = factor.clamp(*FACTORS.start(), *FACTORS.end());
        if factor != pace.factor {
            self.turn(at, Pace { factor, ..pace });
        }
    }

    fn turn(&self, at: Nanos, pace: Pace) {
        let event = Event::of_pace(at, self.pace(), pace);
        self.0.send_modify(|changes| changes.push(event));
    }
}

impl Listener {
    /// Waits for a change; for ever when nobody can make one any more.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether anything was changed.
    pub fn has_changed(&self) -> bool {
        !self.0.borrow().is_empty()
    }

    /// All changes so far.
    pub fn changes(&mut self) -> Vec<Event> {
        self.0.borrow_and_update().clone()
    }
}

/// What one worker knows of the pace.
#[derive(Debug, Default)]
pub(super) struct Tempo {
    turns: RefCell<Vec<Turn>>,
    /// How long the plan's time has stood still in pauses that are over.
    stood: Cell<Nanos>,
    pace: Cell<Pace>,
}

/// A change, by the plan's time.
#[derive(Debug, Clone, Copy)]
struct Turn {
    at: Nanos,
    /// The same by the plan's time: without the pauses before it.
    planned: Nanos,
    factor: f64,
}

impl Tempo {
    /// Takes all changes so far.
    pub(super) fn set(&self, changes: &[Event]) {
        let (mut stood, mut paused_at, mut turns) = (Nanos::ZERO, None, Vec::new());
        for Event { at_ns, pace, .. } in changes {
            let pace = pace.unwrap_or_default();
            // In a pause, the plan's time is that of its beginning.
            let planned = paused_at.unwrap_or(*at_ns) - stood;
            match (paused_at, pace.paused) {
                (None, true) => paused_at = Some(*at_ns),
                (Some(since), false) => {
                    stood = stood + (*at_ns - since);
                    paused_at = None;
                }
                _ => {}
            }
            turns.push(Turn { at: *at_ns, planned, factor: pace.factor });
            self.pace.set(pace);
        }
        self.stood.set(stood);
        self.turns.replace(turns);
    }

    /// Whether nothing begins.
    pub(super) fn is_paused(&self) -> bool {
        self.pace.get().paused
    }

    /// How long the plan's time has stood still by `now`, which is asked for in a pause only: what is due by the plan is due so
    /// much later.
    pub(super) fn stood(&self, now: impl FnOnce() -> Nanos) -> Nanos {
        if !self.is_paused() {
            return self.stood.get();
        }
        // The plan's time is at the pause's beginning as long as it lasts.
        self.turns.borrow().last().map_or(Nanos::ZERO, |turn| now() - turn.planned)
    }

    /// When the last change was made.
    pub(super) fn changed_at(&self) -> Nanos {
        self.turns.borrow().last().map_or(Nanos(i64::MIN), |turn| turn.at)
    }

    /// Whether the user with this number (from 0) of a closed load with so many at the most may begin an iteration.
    pub(super) fn admits(&self, number: u64, most: u64) -> bool {
        let Pace { paused, factor } = self.pace.get();
        !paused && (factor >= 1.0 || number < ((most as f64 * factor).ceil() as u64).max(1))
    }

    /// The factors of a load that begins at `begin`, and from when on each holds, by the load's own plan.
    pub(super) fn factors(&self, begin: Nanos) -> Vec<(Nanos, f64)> {
        let turns = self.turns.borrow();
        turns.iter().map(|turn| ((turn.planned - begin).max(Nanos::ZERO), turn.factor)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: i64) -> Nanos {
        Nanos::from_secs(seconds)
    }

    fn set(tempo: &Tempo, changes: &[(i64, bool, f64)]) {
        let event = |&(at, paused, factor): &(i64, bool, f64)| {
            Event::of_pace(secs(at), Pace::default(), Pace { paused, factor })
        };
        tempo.set(&changes.iter().map(event).collect::<Vec<_>>());
    }

    #[test]
    fn steps_are_tenths_of_the_plan_within_bounds() {
        let controls = Controls::default();
        assert_eq!(controls.pace(), Pace { paused: false, factor: 1.0 });
        for _ in 0..3 {
            controls.step(secs(1), 1);
        }
        controls.pause(secs(2));
        assert_eq!(controls.pace(), Pace { paused: true, factor: 1.3 });
        controls.step(secs(3), -100);
        controls.step(secs(3), -1);
        controls.pause(secs(4));
        let told: Vec<String> = controls.listen().changes().into_iter().map(|event| event.text).collect();
        let percent = |n| format!("at {n} % of the plan");
        assert_eq!(
            told,
            [
                percent(110),
                percent(120),
                percent(130),
                "paused".to_owned(),
                percent(10),
                "went on".to_owned()
            ]
        );
    }

    #[test]
    fn the_plans_time_stands_still_in_a_pause() {
        let tempo = Tempo::default();
        assert_eq!(tempo.stood(|| secs(9)), Nanos::ZERO);
        set(&tempo, &[(10, true, 1.0)]);
        assert_eq!(tempo.stood(|| secs(14)), secs(4));
        assert!(tempo.is_paused() && !tempo.admits(0, 10));
        set(&tempo, &[(10, true, 1.0), (12, true, 1.1)]);
        assert_eq!(tempo.stood(|| secs(14)), secs(4));
        set(&tempo, &[(10, true, 1.0), (12, true, 1.1), (15, false, 1.1), (20, false, 0.5)]);
        assert_eq!(tempo.stood(|| secs(99)), secs(5));
        // The load begins at 2 s: 110 % holds from 8 s of its plan on, 50 % from 13 s on.
        assert_eq!(tempo.factors(secs(2)), [(secs(8), 1.0), (secs(8), 1.1), (secs(8), 1.1), (secs(13), 0.5)]);
        assert_eq!((0..10).filter(|number| tempo.admits(*number, 10)).count(), 5);
        assert!(tempo.admits(0, 1), "one is left at the least");
        set(&tempo, &[(10, true, 1.0), (15, false, 1.0), (20, true, 1.0)]);
        assert_eq!(tempo.stood(|| secs(23)), secs(8));
    }
}

//! How a load that is under way is held back or driven on from outside: paused, slower, faster.
//!
//! A pause stops the plan's time (`plan::time`): nothing begins, and everything that is due is due so much later. A factor scales the rate of
//! open loads from its instant on; of the users of a closed load it leaves those with the lowest numbers at work. The plan of a
//! run that nobody touches is as it was, and costs what it did.

use std::cell::{Cell, RefCell};

use tokio::sync::watch;

use saasbench_model::{plan::time::PlanTime, units::Nanos};
use saasbench_record::manifest::{Event, Pace, plan_time};

/// The least and the greatest factor.
pub const FACTORS: std::ops::RangeInclusive<f64> = 0.1..=10.0;

/// Turns the pace. All changes of a run, in order, are what its workers get.
#[derive(Debug, Clone)]
pub struct RateControl(watch::Sender<Vec<Event>>);

/// Where workers hear of it.
#[derive(Debug, Clone)]
pub struct RateControlReceiver(watch::Receiver<Vec<Event>>);

impl Default for RateControl {
    fn default() -> Self {
        Self(watch::Sender::new(Vec::new()))
    }
}

impl RateControl {
    /// What workers listen to.
    pub fn listen(&self) -> RateControlReceiver {
        RateControlReceiver(self.0.subscribe())
    }

    /// The pace at present.
    pub fn pace(&self) -> Pace {
        self.0.borrow().last().and_then(|last| last.pace).unwrap_or_default()
    }

    /// The plan's time of a load that begins at `begin`, as far as it is known.
    pub fn plan_time(&self, begin: Nanos) -> PlanTime {
        plan_time(&self.0.borrow(), begin)
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

    /// Where nobody listens, there is no load.
    fn turn(&self, at: Nanos, pace: Pace) {
        if self.0.is_closed() {
            return;
        }
        let event = Event::of_pace(at, self.pace(), pace);
        self.0.send_modify(|changes| changes.push(event));
    }
}

impl RateControlReceiver {
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
#[derive(Debug)]
pub(super) struct WorkerPace {
    changes: RefCell<Vec<Event>>,
    /// When the loads begin.
    begin: Cell<Nanos>,
    time: RefCell<PlanTime>,
    pace: Cell<Pace>,
    /// When the load went on after the last pause.
    resumed: Cell<Nanos>,
}

impl Default for WorkerPace {
    fn default() -> Self {
        let before_all = Nanos(i64::MIN);
        Self {
            changes: RefCell::default(),
            begin: Cell::new(before_all),
            time: RefCell::default(),
            pace: Cell::default(),
            resumed: Cell::new(before_all),
        }
    }
}

impl WorkerPace {
    /// Takes all changes so far.
    pub(super) fn set(&self, changes: Vec<Event>) {
        self.changes.replace(changes);
        self.settle();
    }

    /// The loads begin at this instant: pauses before it are over.
    pub(super) fn begin_at(&self, begin: Nanos) {
        self.begin.set(begin);
        self.settle();
    }

    fn settle(&self) {
        let (changes, begin) = (self.changes.borrow(), self.begin.get());
        self.time.replace(plan_time(&changes, begin));
        self.pace.set(changes.last().and_then(|last| last.pace).unwrap_or_default());
        let went_on = |pair: &&[Event]| is_paused(&pair[0]) && !is_paused(&pair[1]);
        if let Some(resumed) = changes.windows(2).rev().find(went_on) {
            self.resumed.set(resumed[1].at_ns);
        }
    }

    /// Whether nothing begins.
    pub(super) fn is_paused(&self) -> bool {
        self.pace.get().paused
    }

    /// When an instant of the plan comes; [`Nanos::MAX`] as long as a pause is in its way.
    pub(super) fn comes(&self, planned: Nanos) -> Nanos {
        self.time.borrow().comes(planned)
    }

    /// Where in the plan an instant of the run is.
    pub(super) fn planned(&self, at: Nanos) -> Nanos {
        self.time.borrow().of(at)
    }

    /// When something is due that begins only now. What had not begun when a pause came is due at its end: not the load is late
    /// then, but the run was held back.
    pub(super) fn due(&self, planned: Nanos) -> Nanos {
        self.comes(planned).max(self.resumed.get())
    }

    /// When the last change was made, by the plan's time.
    pub(super) fn changed_at(&self) -> Nanos {
        self.changes.borrow().last().map_or(Nanos(i64::MIN), |last| self.planned(last.at_ns))
    }

    /// Whether the user with this number (from 0) of a closed load with so many at the most may begin iterations outside pauses.
    pub(super) fn admits(&self, number: u64, most: u64) -> bool {
        let factor = self.pace.get().factor;
        factor >= 1.0 || number < ((most as f64 * factor).ceil() as u64).max(1)
    }

    /// The factors of a load that begins at `begin`, and from when on each holds, by the load's own plan.
    pub(super) fn factors(&self, begin: Nanos) -> Vec<(Nanos, f64)> {
        let factor = |event: &Event| {
            let from = (self.planned(event.at_ns) - begin).max(Nanos::ZERO);
            (from, event.pace.unwrap_or_default().factor)
        };
        self.changes.borrow().iter().map(factor).collect()
    }
}

fn is_paused(event: &Event) -> bool {
    event.pace.is_some_and(|pace| pace.paused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: i64) -> Nanos {
        Nanos::from_secs(seconds)
    }

    fn set(tempo: &WorkerPace, changes: &[(i64, bool, f64)]) {
        let event = |&(at, paused, factor): &(i64, bool, f64)| {
            Event::of_pace(secs(at), Pace::default(), Pace { paused, factor })
        };
        tempo.set(changes.iter().map(event).collect());
    }

    #[test]
    fn steps_are_tenths_of_the_plan_within_bounds() {
        let controls = RateControl::default();
        controls.pause(secs(0));
        assert_eq!(controls.pace(), Pace { paused: false, factor: 1.0 }, "nobody listens");
        let mut listener = controls.listen();
        for _ in 0..3 {
            controls.step(secs(1), 1);
        }
        controls.pause(secs(2));
        assert_eq!(controls.pace(), Pace { paused: true, factor: 1.3 });
        controls.step(secs(3), -100);
        controls.step(secs(3), -1);
        controls.pause(secs(4));
        let told: Vec<String> = listener.changes().into_iter().map(|event| event.text).collect();
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
    fn a_worker_knows_what_is_due_when() {
        let tempo = WorkerPace::default();
        assert_eq!((tempo.comes(secs(9)), tempo.due(secs(9))), (secs(9), secs(9)));
        set(&tempo, &[(10, true, 1.0), (12, true, 1.1)]);
        assert!(tempo.is_paused());
        assert_eq!((tempo.comes(secs(11)), tempo.planned(secs(14))), (Nanos::MAX, secs(10)));
        set(&tempo, &[(10, true, 1.0), (12, true, 1.1), (15, false, 1.1), (20, false, 0.5)]);
        assert_eq!((tempo.comes(secs(11)), tempo.planned(secs(16))), (secs(16), secs(11)));
        // What was late by the pause's begin is due at its end, as it could not begin any more.
        assert_eq!((tempo.comes(secs(9)), tempo.due(secs(9))), (secs(9), secs(15)));
        assert_eq!(tempo.changed_at(), secs(15));
        // The load begins at 2 s: 110 % holds from 8 s of its plan on, 50 % from 13 s on.
        assert_eq!(tempo.factors(secs(2)), [(secs(8), 1.0), (secs(8), 1.1), (secs(8), 1.1), (secs(13), 0.5)]);
        assert_eq!((0..10).filter(|number| tempo.admits(*number, 10)).count(), 5);
        assert!(tempo.admits(0, 1), "one is left at the least");
    }

    #[test]
    fn what_is_done_before_the_load_begins_holds_from_its_begin_on() {
        let tempo = WorkerPace::default();
        set(&tempo, &[(1, true, 1.0), (2, true, 1.2), (4, false, 1.2)]);
        tempo.begin_at(secs(3));
        assert_eq!((tempo.comes(secs(3)), tempo.comes(secs(5))), (secs(4), secs(6)));
        assert_eq!(tempo.factors(secs(3)), [(secs(0), 1.0), (secs(0), 1.2), (secs(0), 1.2)]);
        tempo.begin_at(secs(8));
        assert_eq!(tempo.comes(secs(9)), secs(9));
    }
}

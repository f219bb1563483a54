//! Changes the pace of a load while it runs: pauses it, slows it down, speeds it up.
//!
//! A pause stops plan time (`plan::time`): nothing starts, and everything is due later by the pause's length.
//! A factor scales the rate of open loads from its instant on; in a closed load only the users with the
//! lowest numbers remain active. A run whose pace is never changed follows its plan, at no cost.

use std::cell::{Cell, RefCell};

use tokio::sync::watch;

use saasbench_model::{
    plan::time::{PlanInstant, PlanTime},
    units::Nanos,
};
use saasbench_record::event::{Pace, PaceChange, plan_time};

/// The range of factors.
pub const FACTORS: std::ops::RangeInclusive<f64> = 0.1..=10.0;

/// Changes the pace. Its receivers get all changes of a run, in order.
#[derive(Debug, Clone)]
pub struct RateControl(watch::Sender<Vec<PaceChange>>);

/// Receives the changes of a [`RateControl`].
#[derive(Debug, Clone)]
pub struct RateControlReceiver(watch::Receiver<Vec<PaceChange>>);

impl Default for RateControl {
    fn default() -> Self {
        Self(watch::Sender::new(Vec::new()))
    }
}

impl RateControl {
    /// A new receiver; it gets earlier changes, too.
    pub fn subscribe(&self) -> RateControlReceiver {
        RateControlReceiver(self.0.subscribe())
    }

    /// The current pace.
    pub fn pace(&self) -> Pace {
        self.0.borrow().last().map(|last| last.to).unwrap_or_default()
    }

    /// The plan time of a load that starts at `start`, given the changes so far.
    pub fn plan_time(&self, start: Nanos) -> PlanTime {
        plan_time(&self.0.borrow(), start)
    }

    /// Pauses or resumes.
    pub fn pause(&self, at: Nanos) {
        let pace = self.pace();
        self.change(at, Pace { paused: !pace.paused, ..pace });
    }

    /// Changes the factor by `tenths` of the planned rate.
    pub fn step(&self, at: Nanos, tenths: i32) {
        let pace = self.pace();
        // Rounded, so that repeated additions stay exact tenths.
        let factor = ((pace.factor * 10.0).round() + f64::from(tenths)) / 10.0;
        let factor = factor.clamp(*FACTORS.start(), *FACTORS.end());
        if factor != pace.factor {
            self.change(at, Pace { factor, ..pace });
        }
    }

    /// Does nothing without a receiver: then there is no load.
    fn change(&self, at: Nanos, pace: Pace) {
        if self.0.is_closed() {
            return;
        }
        let change = PaceChange { at_ns: at, from: self.pace(), to: pace };
        self.0.send_modify(|changes| changes.push(change));
    }
}

impl RateControlReceiver {
    /// Waits for a change; never returns if the [`RateControl`] was dropped.
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
    pub fn changes(&mut self) -> Vec<PaceChange> {
        self.0.borrow_and_update().clone()
    }
}

/// One worker's view of the pace.
#[derive(Debug, Default)]
pub(super) struct WorkerPace {
    changes: RefCell<Vec<PaceChange>>,
    /// When the loads start; the run's zero until that is known.
    start: Cell<Nanos>,
    time: RefCell<PlanTime>,
    pace: Cell<Pace>,
    /// When the load was resumed after the last pause.
    resumed: Cell<Option<Nanos>>,
}

impl WorkerPace {
    /// Takes all changes so far.
    pub(super) fn set(&self, changes: Vec<PaceChange>) {
        self.changes.replace(changes);
        self.update();
    }

    /// Sets when the loads start: pauses before it are over.
    pub(super) fn start_at(&self, start: Nanos) {
        self.start.set(start);
        self.update();
    }

    fn update(&self) {
        let changes = self.changes.borrow();
        self.time.replace(plan_time(&changes, self.start.get()));
        self.pace.set(changes.last().map(|last| last.to).unwrap_or_default());
        let resumes = |change: &&PaceChange| change.from.paused && !change.to.paused;
        if let Some(change) = changes.iter().rev().find(resumes) {
            self.resumed.set(Some(change.at_ns));
        }
    }

    /// Whether the load is paused.
    pub(super) fn is_paused(&self) -> bool {
        self.pace.get().paused
    }

    /// The run's instant of a plan's instant; `None` if an unfinished pause is in between.
    pub(super) fn to_run_time(&self, planned: PlanInstant) -> Option<Nanos> {
        self.time.borrow().to_run_time(planned)
    }

    /// The plan's instant of a run's instant.
    pub(super) fn to_plan_time(&self, at: Nanos) -> PlanInstant {
        self.time.borrow().to_plan_time(at)
    }

    /// When something that starts only now counts as due; `None` during a pause. What had not started when a
    /// pause began is due at the pause's end: the run was held back, and the load is not late.
    pub(super) fn due(&self, planned: PlanInstant) -> Option<Nanos> {
        let due = self.to_run_time(planned)?;
        Some(self.resumed.get().map_or(due, |resumed| due.max(resumed)))
    }

    /// When the last change was made, if there was one.
    pub(super) fn changed_at(&self) -> Option<PlanInstant> {
        self.changes.borrow().last().map(|last| self.to_plan_time(last.at_ns))
    }

    /// Whether a user of a closed load with at most `most` users may start iterations, apart from pauses.
    /// Users are numbered from 0.
    pub(super) fn admits(&self, number: u64, most: u64) -> bool {
        let factor = self.pace.get().factor;
        factor >= 1.0 || number < ((most as f64 * factor).ceil() as u64).max(1)
    }

    /// The factors of a load that starts at `start`, each with its first offset in the load's plan.
    pub(super) fn factors(&self, start: PlanInstant) -> Vec<(Nanos, f64)> {
        let factor = |change: &PaceChange| {
            let from = (self.to_plan_time(change.at_ns) - start).max(Nanos::ZERO);
            (from, change.to.factor)
        };
        self.changes.borrow().iter().map(factor).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: i64) -> Nanos {
        Nanos::from_secs(seconds)
    }

    fn set(pace: &WorkerPace, changes: &[(i64, bool, f64)]) {
        let mut from = Pace::default();
        let change = |&(at, paused, factor): &(i64, bool, f64)| {
            let to = Pace { paused, factor };
            PaceChange { at_ns: secs(at), from: std::mem::replace(&mut from, to), to }
        };
        pace.set(changes.iter().map(change).collect());
    }

    #[test]
    fn steps_are_tenths_of_the_plan_within_bounds() {
        let rate_control = RateControl::default();
        rate_control.pause(secs(0));
        assert_eq!(rate_control.pace(), Pace { paused: false, factor: 1.0 }, "without a receiver");
        let mut receiver = rate_control.subscribe();
        for _ in 0..3 {
            rate_control.step(secs(1), 1);
        }
        rate_control.pause(secs(2));
        assert_eq!(rate_control.pace(), Pace { paused: true, factor: 1.3 });
        rate_control.step(secs(3), -100);
        rate_control.step(secs(3), -1);
        rate_control.pause(secs(4));
        let texts: Vec<String> = receiver.changes().iter().map(ToString::to_string).collect();
        let percent = |n| format!("at {n} % of the plan");
        assert_eq!(
            texts,
            [
                percent(110),
                percent(120),
                percent(130),
                "paused".to_owned(),
                percent(10),
                "resumed".to_owned()
            ]
        );
    }

    fn planned(seconds: i64) -> PlanInstant {
        PlanInstant(secs(seconds))
    }

    #[test]
    fn pauses_delay_what_is_due() {
        let pace = WorkerPace::default();
        assert_eq!((pace.to_run_time(planned(9)), pace.due(planned(9))), (Some(secs(9)), Some(secs(9))));
        assert_eq!(pace.changed_at(), None);
        set(&pace, &[(10, true, 1.0), (12, true, 1.1)]);
        assert!(pace.is_paused());
        assert_eq!((pace.to_run_time(planned(11)), pace.to_plan_time(secs(14))), (None, planned(10)));
        set(&pace, &[(10, true, 1.0), (12, true, 1.1), (15, false, 1.1), (20, false, 0.5)]);
        assert_eq!(
            (pace.to_run_time(planned(11)), pace.to_plan_time(secs(16))),
            (Some(secs(16)), planned(11))
        );
        // What was late when the pause started is due at its end, as it could not start any more.
        assert_eq!((pace.to_run_time(planned(9)), pace.due(planned(9))), (Some(secs(9)), Some(secs(15))));
        assert_eq!(pace.changed_at(), Some(planned(15)));
        // The load starts at 2 s: 110 % applies from 8 s of its plan on, 50 % from 13 s on.
        assert_eq!(
            pace.factors(planned(2)),
            [(secs(8), 1.0), (secs(8), 1.1), (secs(8), 1.1), (secs(13), 0.5)]
        );
        assert_eq!((0..10).filter(|number| pace.admits(*number, 10)).count(), 5);
        assert!(pace.admits(0, 1), "at least one user stays");
    }

    #[test]
    fn changes_before_the_load_apply_from_its_start() {
        let pace = WorkerPace::default();
        set(&pace, &[(1, true, 1.0), (2, true, 1.2), (4, false, 1.2)]);
        pace.start_at(secs(3));
        assert_eq!(
            (pace.to_run_time(planned(3)), pace.to_run_time(planned(5))),
            (Some(secs(4)), Some(secs(6)))
        );
        assert_eq!(pace.factors(planned(3)), [(secs(0), 1.0), (secs(0), 1.2), (secs(0), 1.2)]);
        pace.start_at(secs(8));
        assert_eq!(pace.to_run_time(planned(9)), Some(secs(9)));
    }
}

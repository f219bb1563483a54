//! One simulated user: it runs the start steps of its journey once, then the steps in each iteration; every
//! request produces a sample.

mod attempt;
mod response;

use self::attempt::{Attempt, Sent};
use super::{cookies::Jar, exchange::Transport, pacer::Wake, worker::Worker};
use saasbench_model::{
    plan::{
        pause,
        seeded::{self, Purpose},
        step_selection,
        time::PlanInstant,
    },
    scenario::{JourneyIndex, Load, Pause, Step, StepIndex, TenantIndex},
    units::Nanos,
};

/// One user of one load.
#[derive(Debug)]
pub(super) struct User<T: Transport> {
    load: usize,
    journey: JourneyIndex,
    /// From 0 within its load.
    number: u64,
    tenant: TenantIndex,
    saved: Vec<Option<String>>,
    started: bool,
    /// Requests that it has sent, including start steps.
    requests: u64,
    /// Iterations that it has started.
    iterations: u64,
    cookies: Jar,
    /// When the outcome of its last request was known and the think time after it was over; the run's zero
    /// before its first request.
    done: Nanos,
    connections: T::UserConnections,
}

/// Until when a load lets a user continue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadlines {
    /// No iteration that is due at this instant or later is started.
    pub(super) end: PlanInstant,
    /// No wait within an iteration lasts longer than this.
    waits: PlanInstant,
    /// No further step of an iteration is started at this instant or later; `None`: iterations are completed.
    last_step: Option<PlanInstant>,
}

impl Deadlines {
    /// The deadlines of a load that starts at `start`.
    pub(super) fn of(load: &Load, start: PlanInstant) -> Self {
        let end = start + load.duration;
        let stop = load.stop.map(|stop| end + stop);
        Self { end, waits: stop.unwrap_or(end), last_step: stop }
    }

    /// The same for a user that leaves the load at `end`.
    pub(super) fn with_end(self, end: PlanInstant) -> Self {
        Self { end, ..self }
    }

    /// The run's instant at which waits end; `None` if an unfinished pause is in between.
    fn waits_end<T: Transport>(self, worker: &Worker<T>) -> Option<Nanos> {
        worker.pace.to_run_time(self.waits)
    }

    /// Whether a step that is due at `due` must not start any more.
    pub(super) fn is_past<T: Transport>(self, worker: &Worker<T>, due: Nanos) -> bool {
        let last = self.last_step.and_then(|last| worker.pace.to_run_time(last));
        last.is_some_and(|last| due >= last)
    }
}

/// How an iteration, or the start steps, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IterationOutcome {
    /// Every step got the expected response.
    Complete,
    /// A step got a response after which the next step cannot follow.
    Broken,
    /// A step got no response; its request may not even have been sent.
    NoResponse,
}

impl<T: Transport> User<T> {
    /// A user that has not started yet, and uses `in_turn` connections to each replica.
    pub(super) fn new(
        worker: &Worker<T>,
        load: usize,
        journey: JourneyIndex,
        number: u64,
        tenant: TenantIndex,
        in_turn: usize,
    ) -> Self {
        let slots = worker.setup.scenario.journeys.get(journey).map_or(0, |journey| journey.saved.len());
        Self {
            load,
            journey,
            number,
            tenant,
            saved: vec![None; slots],
            started: false,
            requests: 0,
            iterations: 0,
            cookies: Jar::default(),
            done: Nanos::ZERO,
            connections: worker.transport.connect_user(in_turn),
        }
    }

    /// Its number, from 0 within its load.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Whether its start steps are done.
    pub(super) fn started(&self) -> bool {
        self.started
    }

    /// When it was done with its last request and the think time after it; the run's zero before its first
    /// request.
    pub(super) fn done(&self) -> Nanos {
        self.done
    }

    /// Makes it run its start steps again next time.
    pub(super) fn forget(&mut self) {
        self.started = false;
    }

    /// Runs the start steps, the first of which is due at `due`; without `deadlines` nothing is retried.
    pub(super) async fn start(
        &mut self,
        worker: &Worker<T>,
        due: Nanos,
        deadlines: Option<Deadlines>,
    ) -> IterationOutcome {
        self.saved.fill(None);
        self.cookies.clear();
        // A journey without start steps has started when it was due.
        self.done = self.done.max(due);
        let Some(journey) = worker.setup.scenario.journeys.get(self.journey) else {
            return IterationOutcome::Complete;
        };
        let turn = self.number + self.requests;
        let ended = self.walk(worker, &journey.start, 0, turn, due, deadlines).await;
        self.started = ended == IterationOutcome::Complete;
        ended
    }

    /// Runs the steps once, as iteration `iteration` (from 1), the first of which is due at `due`; `turn`
    /// selects the replica. After a broken iteration the user runs its start steps again, because its saved
    /// values may be the cause.
    pub(super) async fn iterate(
        &mut self,
        worker: &Worker<T>,
        iteration: u64,
        turn: u64,
        due: Nanos,
        deadlines: Deadlines,
    ) -> IterationOutcome {
        let scenario = &*worker.setup.scenario;
        let Some(journey) = scenario.journeys.get(self.journey) else { return IterationOutcome::Complete };
        self.iterations += 1;
        let chosen = step_selection::choose(scenario, journey, &self.saved, || {
            step_selection::draw(scenario, self.load, self.number, self.iterations, iteration)
        });
        let steps = chosen.as_ref().map_or(journey.steps.as_slice(), std::slice::from_ref);
        let ended = self.walk(worker, steps, iteration, turn, due, Some(deadlines)).await;
        worker.transport.end_iteration(&mut self.connections);
        if ended == IterationOutcome::Broken {
            self.started = false;
        }
        ended
    }

    /// Selects the replica, for a user that counts its own requests.
    pub(super) fn turn(&self) -> u64 {
        self.number + self.requests
    }

    /// Runs those of the steps whose turn it is.
    async fn walk(
        &mut self,
        worker: &Worker<T>,
        steps: &[StepIndex],
        iteration: u64,
        mut turn: u64,
        mut due: Nanos,
        deadlines: Option<Deadlines>,
    ) -> IterationOutcome {
        // The iteration was due in time, so its first step is always sent, and start steps are always
        // completed.
        let mut may_stop = false;
        for &index in steps {
            let Some(step) = worker.setup.scenario.steps.get(index) else { continue };
            if !step_selection::is_selected(step, self.iterations, &self.saved) {
                continue;
            }
            for _ in 0..step.turn.repeat {
                if may_stop && deadlines.is_some_and(|deadlines| deadlines.is_past(worker, due)) {
                    return IterationOutcome::Complete;
                }
                may_stop = iteration > 0;
                if worker.pacer.is_stopped() {
                    return IterationOutcome::Broken;
                }
                let attempt = Attempt { step: index, iteration, turn, due, retry_of: None };
                let (sent, next) = self.send_with_retries(worker, attempt, deadlines).await;
                if sent.ended != IterationOutcome::Complete {
                    return sent.ended;
                }
                if !self.think(worker, step, deadlines).await {
                    return IterationOutcome::Complete;
                }
                (turn, due) = (next, self.done);
            }
        }
        IterationOutcome::Complete
    }

    /// Sends a request, and retries as long as the service asks for that. Returns the result of the last
    /// attempt, and the turn of the next request.
    async fn send_with_retries(
        &mut self,
        worker: &Worker<T>,
        mut attempt: Attempt,
        deadlines: Option<Deadlines>,
    ) -> (Sent, u64) {
        loop {
            let sent = self.send(worker, &attempt).await;
            attempt.turn += 1;
            let Some((deadlines, again)) = deadlines.zip(sent.again_after.map(|time| sent.done + time))
            else {
                return (sent, attempt.turn);
            };
            if deadlines.waits_end(worker).is_some_and(|end| again >= end) {
                // The load ends first: the response is final, and a user that waits sends nothing else either.
                if let Some(end) = worker.pace.to_run_time(deadlines.end) {
                    worker.pacer.until(end).await;
                    self.done = self.done.max(end);
                }
                return (sent, attempt.turn);
            }
            if !worker.pacer.until(again).await {
                return (sent, attempt.turn);
            }
            attempt = Attempt { due: again, retry_of: Some(self.requests), ..attempt };
        }
    }

    /// Waits for the step's think time; false if the load ends before it is over, or is stopped.
    async fn think(&mut self, worker: &Worker<T>, step: &Step, deadlines: Option<Deadlines>) -> bool {
        let Some((low, high)) = step.turn.pause else { return true };
        let seed = worker.setup.scenario.seed;
        let chance = seeded::uniform(seed, Purpose::Think, self.load, self.number, self.requests);
        self.done = pause::next(Pause::Uniform(low, high), self.done, self.done, chance);
        loop {
            let waits_end = deadlines.and_then(|deadlines| deadlines.waits_end(worker));
            let due = waits_end.map_or(self.done, |end| end.min(self.done));
            match worker.pacer.until_or_pace_change(Some(due)).await {
                Wake::Due => return waits_end.is_none_or(|end| self.done < end),
                Wake::Stopped => return false,
                // A pause delays the load's end.
                Wake::PaceChanged => {}
            }
        }
    }
}

//! A user walks its journey: start steps once, then the steps again and again; every request leaves a sample.

mod answer;

use super::{
    canary::Canaries,
    cookies::Jar,
    exchange::{Exchange, NoAnswer, Transport},
    pacer::Wake,
    render::Values,
    worker::{Setup, Worker},
};
use crate::retry_after;
use saasbench_model::{
    plan::{
        pause,
        seeded::{self, Purpose},
        step_selection,
    },
    scenario::{JourneyIndex, Load, Pause, Step, StepIndex, TenantIndex},
    units::Nanos,
};
use saasbench_record::sample::{LimiterHeaders, NotSentReason, Outcome, Sample};

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
    /// Requests that it has sent; start steps included.
    requests: u64,
    /// Iterations that it has begun.
    passes: u64,
    cookies: Jar,
    /// When the outcome of the last of its requests was known, and what it thought after that was over.
    done: Nanos,
    line: T::Line,
}

/// How long a load lets a user go on, by the plan's time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Until {
    /// No iteration that is due at this instant or later begins.
    pub(super) end: Nanos,
    /// No wait within an iteration lasts longer.
    waits: Nanos,
    /// No further step of an iteration begins at this instant or later.
    last: Nanos,
}

impl Until {
    /// What a load that begins at `begin` says.
    pub(super) fn of(load: &Load, begin: Nanos) -> Self {
        let end = begin + load.duration;
        let stop = load.stop.map(|stop| end + stop);
        Self { end, waits: stop.unwrap_or(end), last: stop.unwrap_or(Nanos::MAX) }
    }

    /// The same for a user that has to go at `end`.
    pub(super) fn but_ends(self, end: Nanos) -> Self {
        Self { end, ..self }
    }

    /// When no wait lasts any longer, as far as is known now.
    fn waits<T: Transport>(self, worker: &Worker<T>) -> Nanos {
        worker.tempo.comes(self.waits)
    }

    /// Whether a step that is due at `due` may not begin any more.
    pub(super) fn is_past<T: Transport>(self, worker: &Worker<T>, due: Nanos) -> bool {
        due >= worker.tempo.comes(self.last)
    }
}

/// A request to be sent.
struct Attempt {
    step: StepIndex,
    iteration: u64,
    turn: u64,
    due: Nanos,
    /// Number of the user's request that it repeats.
    retry_of: Option<u64>,
}

/// What came of it.
struct Sent {
    pass: Pass,
    done: Nanos,
    /// How long to wait before sending it again, if that is what to do.
    again_after: Option<Nanos>,
}

/// How a pass through steps ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// Every step was answered as expected.
    Complete,
    /// A step was answered, but not so that the next can follow.
    Broken,
    /// A step had no answer; its requests may not even have been sent.
    Unanswered,
}

impl<T: Transport> User<T> {
    /// A user that has not started yet.
    pub(super) fn new(
        worker: &Worker<T>,
        load: usize,
        journey: JourneyIndex,
        number: u64,
        tenant: TenantIndex,
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
            passes: 0,
            cookies: Jar::default(),
            done: Nanos(i64::MIN),
            line: worker.transport.line(),
        }
    }

    /// Its number, from 0 within its load.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Whether its start steps are behind it.
    pub(super) fn started(&self) -> bool {
        self.started
    }

    /// When it was done with its last request, and with thinking after it; before all time without one.
    pub(super) fn done(&self) -> Nanos {
        self.done
    }

    /// Makes it start afresh next time.
    pub(super) fn forget(&mut self) {
        self.started = false;
    }

    /// Walks the start steps, the first of which is due at `due`; without `until` no request is sent again.
    pub(super) async fn start(&mut self, worker: &Worker<T>, due: Nanos, until: Option<Until>) -> Pass {
        self.saved.fill(None);
        self.cookies.clear();
        // A journey without start steps has started when it was due.
        self.done = self.done.max(due);
        let Some(journey) = worker.setup.scenario.journeys.get(self.journey) else { return Pass::Complete };
        let turn = self.number + self.requests;
        let pass = self.walk(worker, &journey.start, 0, turn, due, until).await;
        self.started = pass == Pass::Complete;
        pass
    }

    /// Walks the steps once, as iteration `iteration` (from 1), the first of which is due at `due`; `turn` is whose
    /// turn it is among the replicas. A pass that broke makes the user start afresh next time: what it saved may be
    /// what was wrong.
    pub(super) async fn iterate(
        &mut self,
        worker: &Worker<T>,
        iteration: u64,
        turn: u64,
        due: Nanos,
        until: Until,
    ) -> Pass {
        let scenario = &*worker.setup.scenario;
        let Some(journey) = scenario.journeys.get(self.journey) else { return Pass::Complete };
        self.passes += 1;
        let chosen = step_selection::choose(scenario, journey, &self.saved, || {
            step_selection::draw(scenario, self.load, self.number, self.passes, iteration)
        });
        let steps = chosen.as_ref().map_or(journey.steps.as_slice(), std::slice::from_ref);
        let pass = self.walk(worker, steps, iteration, turn, due, Some(until)).await;
        if pass == Pass::Broken {
            self.started = false;
        }
        pass
    }

    /// Whose turn it is among the replicas, for a user that counts its own requests.
    pub(super) fn turn(&self) -> u64 {
        self.number + self.requests
    }

    /// Walks those of the steps that have their turn.
    async fn walk(
        &mut self,
        worker: &Worker<T>,
        steps: &[StepIndex],
        iteration: u64,
        mut turn: u64,
        mut due: Nanos,
        until: Option<Until>,
    ) -> Pass {
        // The first step stands for the iteration, which was due in time; and who starts has to come to an end of it.
        let mut may_stop = false;
        for &index in steps {
            let Some(step) = worker.setup.scenario.steps.get(index) else { continue };
            if !step_selection::has_turn(step, self.passes, &self.saved) {
                continue;
            }
            for _ in 0..step.turn.repeat {
                if may_stop && until.is_some_and(|until| until.is_past(worker, due)) {
                    return Pass::Complete;
                }
                may_stop = iteration > 0;
                if worker.pacer.is_stopped() {
                    return Pass::Broken;
                }
                let attempt = Attempt { step: index, iteration, turn, due, retry_of: None };
                let (sent, next) = self.persist(worker, attempt, until).await;
                if sent.pass != Pass::Complete {
                    return sent.pass;
                }
                if !self.think(worker, step, until).await {
                    return Pass::Complete;
                }
                (turn, due) = (next, self.done);
            }
        }
        Pass::Complete
    }

    /// Sends a request, and again as long as the service asks for that; what came of the last, and whose turn is next.
    async fn persist(
        &mut self,
        worker: &Worker<T>,
        mut attempt: Attempt,
        until: Option<Until>,
    ) -> (Sent, u64) {
        loop {
            let sent = self.send(worker, &attempt).await;
            attempt.turn += 1;
            let Some((until, again)) = until.zip(sent.again_after.map(|time| sent.done + time)) else {
                return (sent, attempt.turn);
            };
            // A wait that the load's end or a stop would cut short leaves the answer as it is.
            if again >= until.waits(worker) || !worker.pacer.until(again).await {
                return (sent, attempt.turn);
            }
            attempt = Attempt { due: again, retry_of: Some(self.requests), ..attempt };
        }
    }

    /// Thinks as long as the step says; false when the load ends before that, or is stopped.
    async fn think(&mut self, worker: &Worker<T>, step: &Step, until: Option<Until>) -> bool {
        let Some((low, high)) = step.turn.pause else { return true };
        let seed = worker.setup.scenario.seed;
        let chance = seeded::uniform(seed, Purpose::Think, self.load, self.number, self.requests);
        self.done = pause::next(Pause::Uniform(low, high), self.done, self.done, chance);
        loop {
            let waits = until.map_or(Nanos::MAX, |until| until.waits(worker));
            match worker.pacer.until_or_turn(self.done.min(waits)).await {
                Wake::Due => return self.done < waits,
                Wake::Stopped => return false,
                // A pause puts the load's end off.
                Wake::Turned => {}
            }
        }
    }

    /// Sends one step's request and records what came of it.
    async fn send(&mut self, worker: &Worker<T>, attempt: &Attempt) -> Sent {
        let setup = &*worker.setup;
        let scenario = &*setup.scenario;
        let (Some(step), Some(load)) = (scenario.steps.get(attempt.step), scenario.loads.get(self.load))
        else {
            return Sent { pass: Pass::Broken, done: attempt.due, again_after: None };
        };
        self.requests += 1;
        let replica = seeded::replica(load.routing, self.number, attempt.turn, setup.replicas);
        let mut exchange = worker.lend();
        let rendered = self.values(setup, attempt).is_some_and(|values| {
            let (body, request) = (&mut worker.body(), &mut exchange.request);
            setup.renderer.render(attempt.step, replica, &values, body, request).is_ok()
        });
        let result = match rendered {
            true => {
                worker.begin();
                let result = worker.transport.send(&mut self.line, &mut exchange).await;
                worker.end();
                result
            }
            false => {
                exchange.sent = worker.now();
                exchange.request.bytes.clear();
                exchange.request.body_at = 0;
                Err(NoAnswer::NotSent(NotSentReason::RenderFailed))
            }
        };
        self.done = if result.is_ok() { exchange.answer.done } else { worker.now() };
        let (outcome, failed_check, pass) = match result {
            Ok(()) => self.take_answer(worker, attempt, step, &exchange.answer),
            Err(NoAnswer::NotSent(obstacle)) => (Outcome::NotSent(obstacle), None, Pass::Unanswered),
            Err(NoAnswer::Unknown(silence)) => (Outcome::Unknown(silence), None, Pass::Unanswered),
        };
        let is_answered = result.is_ok();
        let canary = self.canary(setup, attempt.step).filter(|_| is_answered);
        let mut sample = self.sample(attempt, replica, outcome, &mut exchange);
        sample.failed_check = failed_check;
        if !setup.blot.is_empty() {
            for text in [&mut sample.limiter.policy, &mut sample.limiter.state].into_iter().flatten() {
                *text = setup.blot.out(text).as_ref().into();
            }
        }
        sample.canary = canary.and_then(|(all, owner)| all.find(&exchange.answer.body, owner));
        let again_after =
            is_answered.then(|| retry_after::asked(setup, load, step, &exchange.answer)).flatten();
        worker.put(&sample);
        worker.take_back(exchange);
        Sent { pass, done: self.done, again_after }
    }

    /// What a step's templates can name; `None` only by a defect.
    fn values<'a>(&'a self, setup: &'a Setup, attempt: &Attempt) -> Option<Values<'a>> {
        Some(Values {
            tenant: setup.scenario.tenants.get(self.tenant)?,
            user: self.number + 1,
            iteration: attempt.iteration,
            canary: self.canary(setup, attempt.step),
            load: self.load,
            saved: &self.saved,
            cookies: Some(&self.cookies),
        })
    }

    /// The words that must not cross tenants, if there are any, and whose a step sends.
    fn canary<'a>(&self, setup: &'a Setup, step: StepIndex) -> Option<(&'a Canaries, TenantIndex)> {
        let all = setup.canaries.as_ref()?;
        Some((all, setup.scenario.canary_tenant(self.tenant, step)))
    }

    /// What is recorded of a request, but for what the answer's body told.
    fn sample(&self, attempt: &Attempt, replica: usize, outcome: Outcome, exchange: &mut Exchange) -> Sample {
        let limiter = std::mem::take(&mut exchange.answer.limiter);
        let is_answered = matches!(outcome, Outcome::Status(_));
        let answer = is_answered.then_some(&exchange.answer);
        Sample {
            intended: attempt.due,
            sent: exchange.sent,
            first_byte: answer.map(|answer| answer.first_byte),
            done: self.done,
            tenant: self.tenant,
            step: attempt.step,
            load: self.load,
            user: self.number + 1,
            request: self.requests,
            iteration: attempt.iteration,
            replica,
            outcome,
            bytes_out: (exchange.request.bytes.len() - exchange.request.body_at) as u64,
            bytes_in: answer.map_or(0, |answer| answer.body_bytes),
            failed_check: None,
            limiter: if is_answered { limiter } else { LimiterHeaders::default() },
            retry_of: attempt.retry_of,
            canary: None,
        }
    }
}

//! A user walks its journey: start steps once, then the steps again and again; every request leaves a sample.

use super::{
    exchange::{Answer, Exchange, NoAnswer, Transport},
    patience,
    render::Values,
    worker::Worker,
};
use crate::{
    plan::mix,
    record::sample::{LimiterHeaders, Obstacle, Outcome, Sample},
    scenario::{Journey, Scenario, Step, StepIndex, TenantIndex},
    units::Nanos,
};

/// One user of one load.
#[derive(Debug)]
pub(super) struct User<T: Transport> {
    load: usize,
    /// From 0 within its load.
    number: u64,
    tenant: TenantIndex,
    saved: Vec<Option<String>>,
    started: bool,
    /// Requests that it has sent; start steps included.
    requests: u64,
    /// When the outcome of the last of them was known.
    done: Nanos,
    line: T::Line,
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
    pub(super) fn new(worker: &Worker<T>, load: usize, number: u64, tenant: TenantIndex) -> Self {
        let slots = journey(&worker.setup.scenario, load).map_or(0, |journey| journey.saved.len());
        Self {
            load,
            number,
            tenant,
            saved: vec![None; slots],
            started: false,
            requests: 0,
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

    /// When the outcome of its last request was known; before all time without one.
    pub(super) fn done(&self) -> Nanos {
        self.done
    }

    /// Walks the start steps, the first of which is due at `due`; without `end` no request is sent again.
    pub(super) async fn start(&mut self, worker: &Worker<T>, due: Nanos, end: Option<Nanos>) -> Pass {
        self.saved.fill(None);
        // A journey without start steps has started when it was due.
        self.done = self.done.max(due);
        let turn = self.number + self.requests;
        let pass = self.walk(worker, |journey| &journey.start, 0, turn, due, end).await;
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
        end: Nanos,
    ) -> Pass {
        let pass = self.walk(worker, |journey| &journey.steps, iteration, turn, due, Some(end)).await;
        if pass == Pass::Broken {
            self.started = false;
        }
        pass
    }

    /// Whose turn it is among the replicas, for a user that counts its own requests.
    pub(super) fn turn(&self) -> u64 {
        self.number + self.requests
    }

    async fn walk(
        &mut self,
        worker: &Worker<T>,
        steps: impl Fn(&Journey) -> &Vec<StepIndex>,
        iteration: u64,
        mut turn: u64,
        mut due: Nanos,
        end: Option<Nanos>,
    ) -> Pass {
        let Some(journey) = journey(&worker.setup.scenario, self.load) else { return Pass::Complete };
        for &step in steps(journey) {
            let mut attempt = Attempt { step, iteration, turn, due, retry_of: None };
            let sent = loop {
                let sent = self.send(worker, &attempt).await;
                attempt.turn += 1;
                let Some((end, again)) = end.zip(sent.again_after.map(|time| sent.done + time)) else {
                    break sent;
                };
                // A wait that the load's end or a stop would cut short leaves the answer as it is.
                if again >= end || !worker.pacer.until(again).await {
                    break sent;
                }
                attempt = Attempt { due: again, retry_of: Some(self.requests), ..attempt };
            };
            if sent.pass != Pass::Complete {
                return sent.pass;
            }
            (turn, due) = (attempt.turn, sent.done);
        }
        Pass::Complete
    }

    /// Sends one step's request and records what came of it.
    async fn send(&mut self, worker: &Worker<T>, attempt: &Attempt) -> Sent {
        let setup = &*worker.setup;
        let scenario = &*setup.scenario;
        let (Some(step), Some(load), Some(tenant)) = (
            scenario.steps.get(attempt.step),
            scenario.loads.get(self.load),
            scenario.tenants.get(self.tenant),
        ) else {
            return Sent { pass: Pass::Broken, done: attempt.due, again_after: None };
        };
        self.requests += 1;
        let replica = mix::replica(load.routing, self.number, attempt.turn, setup.replicas);
        let canary =
            setup.canaries.as_ref().map(|all| (all, scenario.canary_tenant(self.tenant, attempt.step)));
        let values = Values {
            tenant,
            user: self.number + 1,
            iteration: attempt.iteration,
            canary,
            saved: &self.saved,
        };
        let mut exchange = worker.lend();
        let rendered =
            setup.renderer.render(attempt.step, replica, &values, &mut worker.body(), &mut exchange.request);
        let result = match rendered {
            Ok(()) => worker.transport.send(&mut self.line, &mut exchange).await,
            Err(_) => {
                exchange.sent = worker.now();
                exchange.request.bytes.clear();
                exchange.request.body_at = 0;
                Err(NoAnswer::NotSent(Obstacle::Unbuildable))
            }
        };
        self.done = if result.is_ok() { exchange.answer.done } else { worker.now() };
        let (outcome, failed_check, pass) = match result {
            Ok(()) => self.take_answer(step, &exchange.answer),
            Err(NoAnswer::NotSent(obstacle)) => (Outcome::NotSent(obstacle), None, Pass::Unanswered),
            Err(NoAnswer::Unknown(silence)) => (Outcome::Unknown(silence), None, Pass::Unanswered),
        };
        let is_answered = result.is_ok();
        let owner = canary.filter(|_| is_answered);
        let mut sample = self.sample(attempt, replica, outcome, &exchange);
        sample.failed_check = failed_check;
        sample.canary = owner.and_then(|(all, owner)| all.find(&exchange.answer.body, owner));
        let again_after = is_answered.then(|| patience::asked(setup, load, step, &exchange.answer)).flatten();
        worker.put(&sample);
        worker.take_back(exchange);
        Sent { pass, done: self.done, again_after }
    }

    /// What is recorded of a request, but for what the answer's body told.
    fn sample(&self, attempt: &Attempt, replica: usize, outcome: Outcome, exchange: &Exchange) -> Sample {
        let answer = matches!(outcome, Outcome::Status(_)).then_some(&exchange.answer);
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
            limiter: answer.map_or_else(LimiterHeaders::default, |answer| answer.limiter.clone()),
            retry_of: attempt.retry_of,
            canary: None,
        }
    }

    /// Checks an answer and saves what the step saves: what was wrong, if anything, and whether the next step can follow.
    /// Values are taken from 2xx answers alone: an expected refusal has none.
    fn take_answer(&mut self, step: &Step, answer: &Answer) -> (Outcome, Option<String>, Pass) {
        let outcome = Outcome::Status(answer.status);
        if !step.status.contains(answer.status) {
            let wrong = format!("status {}, expected {}", answer.status, step.status);
            return (outcome, Some(wrong), Pass::Broken);
        }
        if step.save.is_empty() {
            return (outcome, None, Pass::Complete);
        }
        if !(200..300).contains(&answer.status) {
            return (outcome, None, Pass::Broken);
        }
        match self.save(step, answer) {
            Ok(()) => (outcome, None, Pass::Complete),
            Err(wrong) => (outcome, Some(wrong), Pass::Broken),
        }
    }

    fn save(&mut self, step: &Step, answer: &Answer) -> Result<(), String> {
        let body: serde_json::Value = serde_json::from_slice(&answer.body)
            .map_err(|_| "the body is not JSON, and the step saves from it".to_owned())?;
        for save in &step.save {
            let value = match body.pointer(&save.pointer) {
                Some(serde_json::Value::String(text)) => text.clone(),
                Some(serde_json::Value::Null) | None => {
                    return Err(format!("nothing at {} to save", save.pointer));
                }
                Some(other) => other.to_string(),
            };
            if let Some(slot) = self.saved.get_mut(save.slot) {
                *slot = Some(value);
            }
        }
        Ok(())
    }
}

/// The journey of a load.
fn journey(scenario: &Scenario, load: usize) -> Option<&Journey> {
    scenario.loads.get(load).and_then(|load| scenario.journeys.get(load.journey))
}

//! A user walks its journey: start steps once, then the steps again and again; every request leaves a sample.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    canary::Canaries,
    patience::{self, Until},
    render::{self, Values},
    transport::{Answer, NoAnswer, Transport},
};
use crate::{
    clock::RunClock,
    plan::mix,
    record::{
        sample::{LimiterHeaders, Obstacle, Outcome, Sample},
        writer::Sink,
    },
    scenario::{Scenario, Step, StepIndex, TenantIndex},
    units::{Nanos, Tolerance},
};

/// What all users of a run share.
#[derive(Debug)]
pub struct Shared<T> {
    /// What they do.
    pub scenario: Arc<Scenario>,
    /// How many replicas there are.
    pub replicas: usize,
    /// How they send.
    pub transport: T,
    /// What time it is.
    pub clock: RunClock,
    /// How far the service's clocks may disagree with it.
    pub tolerance: Tolerance,
    /// Where their samples go.
    pub sink: Sink,
    /// Values of `${env:NAME}`.
    pub secrets: BTreeMap<String, String>,
    /// Words that must not cross tenants; `None` where the scenario sends none, and no answer is searched.
    pub canaries: Option<Canaries>,
}

/// One user of one load.
#[derive(Debug)]
pub struct User {
    load: usize,
    /// From 0 within its load.
    number: u64,
    tenant: TenantIndex,
    saved: Vec<Option<String>>,
    started: bool,
    /// Requests that it has sent; start steps included.
    requests: u64,
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
pub enum Pass {
    /// Every step was answered as expected.
    Complete,
    /// A step was answered, but not so that the next can follow.
    Broken,
    /// A step had no answer; its requests may not even have been sent.
    Unanswered,
}

impl User {
    /// A user that has not started yet.
    pub fn new<T>(shared: &Shared<T>, load: usize, number: u64, tenant: TenantIndex) -> Self {
        let slots = shared
            .scenario
            .loads
            .get(load)
            .and_then(|load| shared.scenario.journeys.get(load.journey))
            .map_or(0, |journey| journey.saved.len());
        Self { load, number, tenant, saved: vec![None; slots], started: false, requests: 0 }
    }

    /// Its tenant.
    pub fn tenant(&self) -> TenantIndex {
        self.tenant
    }

    /// Its number, from 0 within its load.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether its start steps are behind it.
    pub fn started(&self) -> bool {
        self.started
    }

    /// Walks the start steps, the first of which is due at `due`; without `until` no request is sent again.
    pub async fn start<T: Transport>(
        &mut self,
        shared: &Shared<T>,
        due: Nanos,
        until: Option<&Until>,
    ) -> Pass {
        self.saved.fill(None);
        let turn = self.number + self.requests;
        let pass = self.walk(shared, |journey| &journey.start, 0, turn, due, until).await;
        self.started = pass == Pass::Complete;
        pass
    }

    /// Walks the steps once, as iteration `iteration` (from 1), the first of which is due at `due`; `turn` is whose
    /// turn it is among the replicas. A pass that broke makes the user start afresh next time: what it saved may be
    /// what was wrong.
    pub async fn iterate<T: Transport>(
        &mut self,
        shared: &Shared<T>,
        iteration: u64,
        turn: u64,
        due: Nanos,
        until: &Until,
    ) -> Pass {
        let pass = self.walk(shared, |journey| &journey.steps, iteration, turn, due, Some(until)).await;
        if pass == Pass::Broken {
            self.started = false;
        }
        pass
    }

    /// Whose turn it is among the replicas, for a user that counts its own requests.
    pub fn turn(&self) -> u64 {
        self.number + self.requests
    }

    async fn walk<T: Transport>(
        &mut self,
        shared: &Shared<T>,
        steps: impl Fn(&crate::scenario::Journey) -> &Vec<StepIndex>,
        iteration: u64,
        mut turn: u64,
        mut due: Nanos,
        until: Option<&Until>,
    ) -> Pass {
        let scenario = Arc::clone(&shared.scenario);
        let Some(journey) =
            scenario.loads.get(self.load).and_then(|load| scenario.journeys.get(load.journey))
        else {
            return Pass::Complete;
        };
        for &step in steps(journey) {
            let mut attempt = Attempt { step, iteration, turn, due, retry_of: None };
            let sent = loop {
                let sent = self.send(shared, &attempt).await;
                attempt.turn += 1;
                let Some((until, again)) = until.zip(sent.again_after.map(|time| sent.done + time)) else {
                    break sent;
                };
                // A wait that the load's end or a stop would cut short leaves the answer as it is.
                if again >= until.end || !until.wait(shared.clock, again).await {
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
    async fn send<T: Transport>(&mut self, shared: &Shared<T>, attempt: &Attempt) -> Sent {
        let &Attempt { step: index, iteration, turn, due: intended, retry_of } = attempt;
        let scenario = &shared.scenario;
        let (Some(step), Some(load), Some(tenant)) =
            (scenario.steps.get(index), scenario.loads.get(self.load), scenario.tenants.get(self.tenant))
        else {
            return Sent { pass: Pass::Broken, done: intended, again_after: None };
        };
        self.requests += 1;
        let replica = mix::replica(load.routing, self.number, turn, shared.replicas);
        let canary = shared.canaries.as_ref().map(|all| (all, scenario.canary_tenant(self.tenant, index)));
        let values = Values {
            tenant,
            user: self.number + 1,
            iteration,
            canary,
            saved: &self.saved,
            secrets: &shared.secrets,
        };
        let request = render::request(step, &values, replica);
        let bytes_out = request.as_ref().and_then(|r| r.body.as_ref()).map_or(0, |body| body.len() as u64);
        let sent = shared.clock.now();
        let result = match request {
            Some(request) => shared.transport.send(request).await,
            None => Err(NoAnswer::NotSent(Obstacle::Unbuildable)),
        };
        let done = shared.clock.now();
        let (outcome, failed_check, pass) = match &result {
            Ok(answer) => {
                let failed_check = self.take_answer(step, answer);
                let follow =
                    failed_check.is_none() && (step.save.is_empty() || (200..300).contains(&answer.status));
                (
                    Outcome::Status(answer.status),
                    failed_check,
                    if follow { Pass::Complete } else { Pass::Broken },
                )
            }
            Err(NoAnswer::NotSent(obstacle)) => (Outcome::NotSent(*obstacle), None, Pass::Unanswered),
            Err(NoAnswer::Unknown(silence)) => (Outcome::Unknown(*silence), None, Pass::Unanswered),
        };
        let answer = result.as_ref().ok();
        shared.sink.put(Sample {
            intended,
            sent,
            first_byte: answer.map(|answer| answer.first_byte),
            done,
            tenant: self.tenant,
            step: index,
            load: self.load,
            user: self.number + 1,
            request: self.requests,
            iteration,
            replica,
            outcome,
            bytes_out,
            bytes_in: answer.map_or(0, |answer| answer.body_bytes),
            failed_check,
            limiter: answer.map_or_else(LimiterHeaders::default, |answer| answer.limiter.clone()),
            retry_of,
            canary: answer.zip(canary).and_then(|(answer, (all, owner))| all.find(&answer.body, owner)),
        });
        let again_after = answer.and_then(|answer| patience::asked(shared, load, step, answer));
        Sent { pass, done, again_after }
    }

    /// Checks an answer and saves what the step saves; what was wrong, if anything. Values are taken from 2xx answers
    /// alone: an expected refusal has none.
    fn take_answer(&mut self, step: &Step, answer: &Answer) -> Option<String> {
        if !step.status.contains(answer.status) {
            return Some(format!("status {}, expected {}", answer.status, step.status));
        }
        if step.save.is_empty() || !(200..300).contains(&answer.status) {
            return None;
        }
        let body: serde_json::Value = match serde_json::from_slice(&answer.body) {
            Ok(body) => body,
            Err(_) => return Some("the body is not JSON, and the step saves from it".to_owned()),
        };
        for save in &step.save {
            let value = match body.pointer(&save.pointer) {
                Some(serde_json::Value::String(text)) => text.clone(),
                Some(serde_json::Value::Null) | None => {
                    return Some(format!("nothing at {} to save", save.pointer));
                }
                Some(other) => other.to_string(),
            };
            if let Some(slot) = self.saved.get_mut(save.slot) {
                *slot = Some(value);
            }
        }
        None
    }
}

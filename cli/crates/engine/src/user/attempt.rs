//! Sends one request of a user, and records how it ended.

use super::{IterationOutcome, User};
use crate::{
    canary::Canaries,
    exchange::{Exchange, Request, SendError, Transport},
    render::Values,
    retry_after,
    worker::{Setup, Worker},
};
use saasbench_model::{
    plan::seeded,
    scenario::{StepIndex, TenantIndex},
    units::Nanos,
};
use saasbench_record::sample::{LimiterHeaders, NoResponseReason, NotSentReason, RequestOutcome, Sample};

/// A request to be sent.
pub(super) struct Attempt {
    pub(super) step: StepIndex,
    pub(super) iteration: u64,
    pub(super) turn: u64,
    pub(super) due: Nanos,
    /// Number of the user's request that it repeats.
    pub(super) retry_of: Option<u64>,
}

/// The result of an attempt.
pub(super) struct Sent {
    pub(super) ended: IterationOutcome,
    pub(super) done: Nanos,
    /// How long to wait before a retry, if there is to be one.
    pub(super) again_after: Option<Nanos>,
}

impl<T: Transport> User<T> {
    /// Sends one step's request and records its result.
    pub(super) async fn send(&mut self, worker: &Worker<T>, attempt: &Attempt) -> Sent {
        let setup = &*worker.setup;
        let scenario = &*setup.scenario;
        let (Some(step), Some(load)) = (scenario.steps.get(attempt.step), scenario.loads.get(self.load))
        else {
            return Sent { ended: IterationOutcome::Broken, done: attempt.due, again_after: None };
        };
        self.requests += 1;
        let replica = seeded::replica(load.routing, self.number, attempt.turn, setup.replicas);
        let mut exchange = worker.acquire();
        let rendered = self.values(setup, attempt).is_some_and(|values| {
            let (body, request) = (&mut worker.body(), &mut exchange.request);
            setup.renderer.render(attempt.step, replica, &values, body, request).is_ok()
        });
        let mut facts = self.facts(attempt, replica, &exchange.request);
        let result = match rendered {
            true => {
                exchange.request.on_new_connection = false;
                let awaited = Awaited::begin(worker, facts);
                let mut result = worker.transport.send(&mut self.connections, &mut exchange).await;
                awaited.end();
                if result == Err(SendError::NoResponse(NoResponseReason::ClosedIdle)) && step.is_idempotent()
                {
                    let resent = RequestOutcome::NoResponse(NoResponseReason::Resent);
                    worker.put(&facts.sample(&mut exchange, resent, worker.now()));
                    self.requests += 1;
                    facts = RequestFacts { request: self.requests, retry_of: Some(facts.request), ..facts };
                    exchange.request.on_new_connection = true;
                    let awaited = Awaited::begin(worker, facts);
                    result = worker.transport.send(&mut self.connections, &mut exchange).await;
                    awaited.end();
                }
                result
            }
            false => {
                exchange.sent = worker.now();
                facts.bytes_out = 0;
                Err(SendError::NotSent(NotSentReason::RenderFailed))
            }
        };
        self.done = if result.is_ok() { exchange.response.done } else { worker.now() };
        let (outcome, failed_check, ended) = match result {
            Ok(()) => self.take_response(worker, attempt, step, &exchange.response),
            Err(SendError::NotSent(reason)) => {
                (RequestOutcome::NotSent(reason), None, IterationOutcome::NoResponse)
            }
            Err(SendError::NoResponse(reason)) => {
                (RequestOutcome::NoResponse(reason), exchange.problem.take(), IterationOutcome::NoResponse)
            }
        };
        let has_response = result.is_ok();
        let canary = self.canary(setup, attempt.step).filter(|_| has_response);
        let mut sample = facts.sample(&mut exchange, outcome, self.done);
        sample.failed_check = failed_check;
        if !setup.redactor.is_empty() {
            let limiter = &mut sample.limiter;
            for text in [&mut limiter.policy, &mut limiter.state, &mut limiter.unread].into_iter().flatten() {
                *text = setup.redactor.redact(text).as_ref().into();
            }
        }
        sample.canary = canary.and_then(|(all, owner)| all.find(&exchange.response.body, owner));
        let again_after =
            has_response.then(|| retry_after::retry_delay(setup, load, step, &exchange.response)).flatten();
        worker.put(&sample);
        worker.release(exchange);
        Sent { ended, done: self.done, again_after }
    }

    /// The values for a step's templates; `None` only because of a bug.
    pub(super) fn values<'a>(&'a self, setup: &'a Setup, attempt: &Attempt) -> Option<Values<'a>> {
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

    /// The run's canaries, if it has any, and the tenant whose canary a step sends.
    fn canary<'a>(&self, setup: &'a Setup, step: StepIndex) -> Option<(&'a Canaries, TenantIndex)> {
        let all = setup.canaries.as_ref()?;
        Some((all, setup.scenario.canary_tenant(self.tenant, step)))
    }

    /// What is known of a request before it is sent.
    fn facts(&self, attempt: &Attempt, replica: usize, request: &Request) -> RequestFacts {
        RequestFacts {
            intended: attempt.due,
            tenant: self.tenant,
            step: attempt.step,
            load: self.load,
            user: self.number + 1,
            request: self.requests,
            iteration: attempt.iteration,
            replica,
            bytes_out: request.bytes.len().saturating_sub(request.body_at) as u64,
            retry_of: attempt.retry_of,
        }
    }
}

/// What is known of a request before it is sent.
#[derive(Debug, Clone, Copy)]
struct RequestFacts {
    intended: Nanos,
    tenant: TenantIndex,
    step: StepIndex,
    load: usize,
    user: u64,
    request: u64,
    iteration: u64,
    replica: usize,
    bytes_out: u64,
    retry_of: Option<u64>,
}

impl RequestFacts {
    /// The sample of the request, without what is read from the response's body.
    fn sample(&self, exchange: &mut Exchange, outcome: RequestOutcome, done: Nanos) -> Sample {
        let limiter = std::mem::take(&mut exchange.response.limiter);
        let without = Sample {
            connection: if matches!(outcome, RequestOutcome::NotSent(_)) { 0 } else { exchange.connection },
            ..self.unanswered(exchange.sent, done, outcome)
        };
        if !matches!(outcome, RequestOutcome::Status(_)) {
            return without;
        }
        Sample {
            first_byte: Some(exchange.response.first_byte),
            bytes_in: exchange.response.body_bytes,
            limiter,
            queued: exchange.queued,
            ..without
        }
    }

    /// The sample of a request without a response.
    fn unanswered(&self, sent: Nanos, done: Nanos, outcome: RequestOutcome) -> Sample {
        Sample {
            intended: self.intended,
            sent,
            first_byte: None,
            done,
            tenant: self.tenant,
            step: self.step,
            load: self.load,
            user: self.user,
            request: self.request,
            iteration: self.iteration,
            replica: self.replica,
            outcome,
            bytes_out: self.bytes_out,
            bytes_in: 0,
            failed_check: None,
            limiter: LimiterHeaders::default(),
            retry_of: self.retry_of,
            canary: None,
            connection: 0,
            queued: Nanos::ZERO,
        }
    }
}

/// A request that is waited for. If the wait is given up, it is recorded nevertheless: the service may have seen
/// it.
struct Awaited<'w, T: Transport> {
    worker: &'w Worker<T>,
    facts: RequestFacts,
    sent: Nanos,
    is_over: bool,
}

impl<'w, T: Transport> Awaited<'w, T> {
    fn begin(worker: &'w Worker<T>, facts: RequestFacts) -> Self {
        worker.request_started();
        Self { worker, facts, sent: worker.now(), is_over: false }
    }

    /// The outcome is known.
    fn end(mut self) {
        self.is_over = true;
    }
}

impl<T: Transport> Drop for Awaited<'_, T> {
    fn drop(&mut self) {
        self.worker.request_ended();
        if !self.is_over {
            let given_up = RequestOutcome::NoResponse(NoResponseReason::GivenUp);
            self.worker.put(&self.facts.unanswered(self.sent, self.worker.now(), given_up));
        }
    }
}

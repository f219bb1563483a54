//! Sends one request of a user, and records how it ended.

use super::{IterationOutcome, User};
use crate::{
    canary::Canaries,
    exchange::{Exchange, SendError, Transport},
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
        let mut retry_of = attempt.retry_of;
        let replica = seeded::replica(load.routing, self.number, attempt.turn, setup.replicas);
        let mut exchange = worker.acquire();
        let rendered = self.values(setup, attempt).is_some_and(|values| {
            let (body, request) = (&mut worker.body(), &mut exchange.request);
            setup.renderer.render(attempt.step, replica, &values, body, request).is_ok()
        });
        let result = match rendered {
            true => {
                worker.request_started();
                exchange.request.on_new_connection = false;
                let mut result = worker.transport.send(&mut self.connections, &mut exchange).await;
                if result == Err(SendError::NoResponse(NoResponseReason::ClosedIdle)) && step.is_idempotent()
                {
                    let resent = RequestOutcome::NoResponse(NoResponseReason::Resent);
                    self.done = worker.now();
                    worker.put(&self.sample(attempt, retry_of, replica, resent, &mut exchange));
                    retry_of = Some(self.requests);
                    self.requests += 1;
                    exchange.request.on_new_connection = true;
                    result = worker.transport.send(&mut self.connections, &mut exchange).await;
                }
                worker.request_ended();
                result
            }
            false => {
                exchange.sent = worker.now();
                exchange.request.bytes.clear();
                exchange.request.body_at = 0;
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
        let mut sample = self.sample(attempt, retry_of, replica, outcome, &mut exchange);
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

    /// The sample of a request, without what is read from the response's body.
    fn sample(
        &self,
        attempt: &Attempt,
        retry_of: Option<u64>,
        replica: usize,
        outcome: RequestOutcome,
        exchange: &mut Exchange,
    ) -> Sample {
        let limiter = std::mem::take(&mut exchange.response.limiter);
        let has_response = matches!(outcome, RequestOutcome::Status(_));
        let response = has_response.then_some(&exchange.response);
        Sample {
            intended: attempt.due,
            sent: exchange.sent,
            first_byte: response.map(|response| response.first_byte),
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
            bytes_in: response.map_or(0, |response| response.body_bytes),
            failed_check: None,
            limiter: if has_response { limiter } else { LimiterHeaders::default() },
            retry_of,
            canary: None,
            connection: if matches!(outcome, RequestOutcome::NotSent(_)) { 0 } else { exchange.connection },
            queued: if has_response { exchange.queued } else { Nanos::ZERO },
        }
    }
}

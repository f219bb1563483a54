//! Processes a response for a user: stores cookies, runs the step's checks, and saves values.

use jiff::Timestamp;

use super::{IterationOutcome, User, attempt::Attempt};
use crate::{
    check::{self, Checks},
    exchange::{Response, Transport},
    extract::{self, NotJson, Value},
    worker::Worker,
};
use saasbench_model::scenario::Step;
use saasbench_record::sample::RequestOutcome;

impl<T: Transport> User<T> {
    /// Processes a response: returns its outcome, what was wrong with it, if anything, and whether the next
    /// step can follow.
    pub(super) fn take_response(
        &mut self,
        worker: &Worker<T>,
        attempt: &Attempt,
        step: &Step,
        response: &Response,
    ) -> (RequestOutcome, Option<String>, IterationOutcome) {
        let outcome = RequestOutcome::Status(response.status);
        let journey = worker.setup.scenario.journeys.get(step.journey);
        if journey.is_some_and(|journey| journey.cookies) {
            let now = worker.setup.clock.zero_unix() + response.done;
            self.cookies.take(&response.head, Timestamp::from_nanosecond(now.0.into()).unwrap_or_default());
        }
        if !step.status.contains(response.status) {
            let wrong = format!("status {}, expected {}", response.status, step.status);
            return (outcome, Some(wrong), IterationOutcome::Broken);
        }
        if !step.reads(response.status) {
            // What the next steps need was not saved.
            let ended =
                if step.save.is_empty() { IterationOutcome::Complete } else { IterationOutcome::Broken };
            return (outcome, None, ended);
        }
        match self.check(worker, attempt, step, response).or_else(|| self.save(worker, step, response)) {
            None => (outcome, None, IterationOutcome::Complete),
            wrong => (outcome, wrong, IterationOutcome::Broken),
        }
    }

    /// The message of the first check that fails.
    fn check(
        &self,
        worker: &Worker<T>,
        attempt: &Attempt,
        step: &Step,
        response: &Response,
    ) -> Option<String> {
        if step.checks.is_empty() {
            return None;
        }
        let setup = &*worker.setup;
        let values = self.values(setup, attempt);
        let fill = |check: usize, out: &mut Vec<u8>| {
            values.as_ref().is_some_and(|values| setup.renderer.fill(attempt.step, check, values, out))
        };
        let checks = Checks { checks: &step.checks, fill: &fill, redactor: &setup.redactor };
        checks.failed(response, &mut worker.scratch())
    }

    /// Saves the step's values; returns the problem, if one of them is missing.
    fn save(&mut self, worker: &Worker<T>, step: &Step, response: &Response) -> Option<String> {
        let mut scratch = worker.scratch();
        for save in &step.save {
            let value = match extract::value(&save.from, response, &mut scratch.found) {
                Err(NotJson) => {
                    return Some(format!("{}, and the step saves from it", check::not_json(response)));
                }
                Ok(Value::Nothing | Value::Null) => return Some(format!("nothing at {} to save", save.from)),
                Ok(value) => value,
            };
            if let Some(slot) = self.saved.get_mut(save.slot) {
                let text = slot.get_or_insert_default();
                text.clear();
                value.write_to(text);
            }
        }
        None
    }
}

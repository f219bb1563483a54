//! What a user makes of an answer: takes its cookies, holds it against the step's checks, saves what the step saves.

use jiff::Timestamp;

use super::{Attempt, Pass, User};
use crate::{
    check::{self, Checks},
    exchange::{Answer, Transport},
    extract::{self, NotJson, Value},
    worker::Worker,
};
use saasbench_model::scenario::Step;
use saasbench_record::sample::Outcome;

impl<T: Transport> User<T> {
    /// Takes an answer: what was wrong, if anything, and whether the next step can follow.
    pub(super) fn take_answer(
        &mut self,
        worker: &Worker<T>,
        attempt: &Attempt,
        step: &Step,
        answer: &Answer,
    ) -> (Outcome, Option<String>, Pass) {
        let outcome = Outcome::Status(answer.status);
        let journey = worker.setup.scenario.journeys.get(step.journey);
        if journey.is_some_and(|journey| journey.cookies) {
            let now = worker.setup.clock.zero_unix() + answer.done;
            self.cookies.take(&answer.head, Timestamp::from_nanosecond(now.0.into()).unwrap_or_default());
        }
        if !step.status.contains(answer.status) {
            let wrong = format!("status {}, expected {}", answer.status, step.status);
            return (outcome, Some(wrong), Pass::Broken);
        }
        if !step.reads(answer.status) {
            // What the next steps need was not saved.
            let pass = if step.save.is_empty() { Pass::Complete } else { Pass::Broken };
            return (outcome, None, pass);
        }
        match self.check(worker, attempt, step, answer).or_else(|| self.save(worker, step, answer)) {
            None => (outcome, None, Pass::Complete),
            wrong => (outcome, wrong, Pass::Broken),
        }
    }

    /// What the first failing check says.
    fn check(&self, worker: &Worker<T>, attempt: &Attempt, step: &Step, answer: &Answer) -> Option<String> {
        if step.checks.is_empty() {
            return None;
        }
        let setup = &*worker.setup;
        let values = self.values(setup, attempt);
        let fill = |check: usize, out: &mut Vec<u8>| {
            values.as_ref().is_some_and(|values| setup.renderer.fill(attempt.step, check, values, out))
        };
        let checks = Checks { checks: &step.checks, fill: &fill, blot: &setup.blot };
        checks.failed(answer, &mut worker.room())
    }

    /// Saves what the step saves; what is wrong, if that is not there.
    fn save(&mut self, worker: &Worker<T>, step: &Step, answer: &Answer) -> Option<String> {
        let mut room = worker.room();
        for save in &step.save {
            let value = match extract::value(&save.from, answer, &mut room.found) {
                Err(NotJson) => {
                    return Some(format!("{}, and the step saves from it", check::not_json(answer)));
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

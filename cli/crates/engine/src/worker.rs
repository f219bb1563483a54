//! A worker: one thread's share of the load, with connections, buffers and samples of its own.
//!
//! Workers share only what is never changed ([`Setup`]), so a request takes no lock, no channel and no
//! allocation.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    sync::{Arc, OnceLock},
};

use super::{
    canary::Canaries,
    check::Scratch,
    exchange::{Exchange, Transport},
    pacer::{Pacer, Wake},
    render::{Origin, Renderer},
};
use crate::{clock::RunClock, self_monitor::in_flight::InFlight};
use crate::{
    rate_control::{RateControlReceiver, WorkerPace},
    redactor,
};
use saasbench_model::{
    plan::time::PlanInstant,
    redact::secrets::Redactor,
    scenario::Scenario,
    units::{Nanos, Tolerance},
};
use saasbench_record::{batch::Batch, sample::Sample, writer::Sink};

/// Samples that a worker collects before it hands them to the recorder.
const BATCH: usize = 1024;
/// The longest that it keeps a sample.
pub(super) const BATCH_TIME: Nanos = Nanos::from_millis(100);

/// What all workers of a run share; immutable.
#[derive(Debug)]
pub struct Setup {
    /// The users' journeys and loads.
    pub scenario: Arc<Scenario>,
    /// Number of replicas.
    pub replicas: usize,
    /// The compiled steps.
    pub renderer: Renderer,
    /// Removes secrets from what is recorded of responses.
    pub redactor: Redactor,
    /// The run's clock.
    pub clock: RunClock,
    /// Bound on the difference between the service's clocks and the run's.
    pub tolerance: Tolerance,
    /// Words that must not cross tenants; `None` if the scenario sends none and no response is searched.
    pub canaries: Option<Canaries>,
    /// Counts the requests in flight, for live views.
    pub in_flight: Arc<InFlight>,
    /// Changes of the pace; `None` if there can be none.
    pub pace: Option<RateControlReceiver>,
    /// When the loads started, once they have.
    pub started: Arc<OnceLock<Nanos>>,
}

impl Setup {
    /// Prepares a scenario for the replicas at `origins`; `secrets` are the values of `${env:NAME}`.
    pub fn new(
        scenario: Arc<Scenario>,
        origins: &[Origin],
        secrets: &BTreeMap<String, String>,
        clock: RunClock,
        tolerance: Tolerance,
        canaries: Option<Canaries>,
        in_flight: Arc<InFlight>,
    ) -> Self {
        let renderer = Renderer::new(&scenario, origins, secrets, canaries.is_some());
        let redactor = redactor::of(&scenario, secrets);
        let replicas = origins.len();
        Self {
            scenario,
            replicas,
            renderer,
            redactor,
            clock,
            tolerance,
            canaries,
            in_flight,
            pace: None,
            started: Arc::default(),
        }
    }

    /// The same with another redactor, which knows more secrets.
    #[must_use]
    pub fn redacted_by(self, redactor: Redactor) -> Self {
        Self { redactor, ..self }
    }

    /// The same for a load whose pace can be changed.
    #[must_use]
    pub fn paced_by(self, pace: RateControlReceiver) -> Self {
        Self { pace: Some(pace), ..self }
    }
}

/// A worker's part of a load: of numbered things, those with `number % of == index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Number of the worker, from 0.
    pub index: u64,
    /// Number of workers.
    pub of: u64,
}

impl Share {
    /// How many of the numbers `0..total` belong to it.
    pub fn count(self, total: u64) -> u64 {
        (total + self.of - 1).saturating_sub(self.index) / self.of.max(1)
    }

    /// The `nth` of its numbers, from 0.
    pub fn number(self, nth: u64) -> u64 {
        self.index + nth * self.of
    }
}

/// One thread's share of the load.
#[derive(Debug)]
pub struct Worker<T> {
    pub(super) setup: Arc<Setup>,
    pub(super) transport: T,
    pub(super) pacer: Rc<Pacer>,
    pub(super) pace: WorkerPace,
    share: Share,
    #[expect(clippy::vec_box, reason = "users hold them for a while, and their tasks should stay small")]
    exchanges: RefCell<Vec<Box<Exchange>>>,
    /// Scratch buffer for rendering bodies.
    body: RefCell<Vec<u8>>,
    samples: RefCell<Batch>,
    scratch: RefCell<Scratch>,
    handed_over: Cell<Nanos>,
    sink: Sink,
}

impl<T: Transport> Worker<T> {
    /// The worker with this share.
    pub(super) fn new(setup: Arc<Setup>, transport: T, pacer: Pacer, share: Share, sink: Sink) -> Self {
        Self {
            setup,
            transport,
            pacer: Rc::new(pacer),
            pace: WorkerPace::default(),
            share,
            exchanges: RefCell::default(),
            body: RefCell::default(),
            samples: RefCell::new(Batch::with_capacity(BATCH)),
            scratch: RefCell::default(),
            handed_over: Cell::new(Nanos::ZERO),
            sink,
        }
    }

    /// Its share of a load that can use at most `most` workers; `None` for no share.
    pub(super) fn share_of(&self, most: u64) -> Option<Share> {
        let of = self.share.of.min(most.max(1));
        (self.share.index < of).then_some(Share { index: self.share.index, of })
    }

    /// Now, on the run's clock.
    pub(super) fn now(&self) -> Nanos {
        self.setup.clock.now()
    }

    /// Waits until the plan's instant `planned`, which a pause delays, or for a change of the pace.
    pub(super) async fn until_planned_or_pace_change(&self, planned: PlanInstant) -> Wake {
        // During a pause nothing starts, however late it is.
        let due = if self.pace.is_paused() { None } else { self.pace.to_run_time(planned) };
        self.pacer.until_or_pace_change(due).await
    }

    /// Waits until the plan's instant `planned`, which a pause delays; false if nothing may start any more.
    pub(super) async fn until_planned(&self, planned: PlanInstant) -> bool {
        loop {
            match self.until_planned_or_pace_change(planned).await {
                Wake::Due => return true,
                Wake::Stopped => return false,
                Wake::PaceChanged => {}
            }
        }
    }

    /// An exchange from the worker's pool; [`Self::release`] returns it.
    pub(super) fn acquire(&self) -> Box<Exchange> {
        self.exchanges.borrow_mut().pop().unwrap_or_default()
    }

    /// Returns an exchange to the pool.
    pub(super) fn release(&self, mut exchange: Box<Exchange>) {
        exchange.shrink();
        self.exchanges.borrow_mut().push(exchange);
    }

    /// Counts a request that is about to be sent.
    pub(super) fn request_started(&self) {
        self.setup.in_flight.begin(self.share.index as usize);
    }

    /// Whether requests are in flight.
    pub(super) fn has_requests_in_flight(&self) -> bool {
        self.setup.in_flight.of(self.share.index as usize) > 0
    }

    /// Counts a request as over.
    pub(super) fn request_ended(&self) {
        self.setup.in_flight.end(self.share.index as usize);
    }

    pub(super) fn body(&self) -> std::cell::RefMut<'_, Vec<u8>> {
        self.body.borrow_mut()
    }

    pub(super) fn scratch(&self) -> std::cell::RefMut<'_, Scratch> {
        self.scratch.borrow_mut()
    }

    /// Collects a sample, and hands over the batch if it is full or old enough.
    pub(super) fn put(&self, sample: &Sample) {
        let mut samples = self.samples.borrow_mut();
        samples.push(sample);
        if samples.len() == BATCH || sample.done - self.handed_over.get() >= BATCH_TIME {
            self.handed_over.set(sample.done);
            self.sink.hand_over(&mut samples);
        }
    }

    /// Hands over the collected samples.
    pub(super) fn hand_over(&self) {
        self.handed_over.set(self.now());
        self.sink.hand_over(&mut self.samples.borrow_mut());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_disjoint_and_complete() {
        for of in 1..5 {
            for total in 0..20 {
                let mut all: Vec<u64> = (0..of)
                    .map(|index| Share { index, of })
                    .flat_map(|share| (0..share.count(total)).map(move |nth| share.number(nth)))
                    .collect();
                all.sort_unstable();
                assert_eq!(all, (0..total).collect::<Vec<_>>(), "{total} over {of}");
            }
        }
    }
}

//! A worker: one thread's share of the load, with connections, buffers and samples of its own.
//!
//! Nothing in it is shared with another worker but what nobody changes ([`Setup`]): on the way of a request there is no
//! lock, no channel and no allocation.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    sync::{Arc, OnceLock},
};

use tokio::task::JoinSet;

use super::{
    canary::Canaries,
    check::Room,
    closed,
    exchange::{Exchange, Transport},
    open,
    pacer::{Pacer, Wake},
    render::{Origin, Renderer},
};
use crate::{clock::RunClock, self_monitor::in_flight::InFlight};
use crate::{
    drive::StartSignal,
    rate_control::{RateControlReceiver, WorkerPace},
    redactor::Redactor,
};
use saasbench_model::{
    scenario::{LoadModel, Scenario},
    units::{Nanos, Tolerance},
};
use saasbench_record::{batch::Batch, sample::Sample, writer::Sink};

/// Samples that a worker keeps before it hands them over.
const BATCH: usize = 1024;
/// The longest that it keeps them.
const BATCH_TIME: Nanos = Nanos::from_millis(100);

/// What all workers of a run know, and nobody changes.
#[derive(Debug)]
pub struct Setup {
    /// What the users do.
    pub scenario: Arc<Scenario>,
    /// How many replicas there are.
    pub replicas: usize,
    /// The steps, ready to be rendered.
    pub renderer: Renderer,
    /// What shall not be recorded of answers.
    pub blot: Redactor,
    /// What time it is.
    pub clock: RunClock,
    /// How far the service's clocks may disagree with it.
    pub tolerance: Tolerance,
    /// Words that must not cross tenants; `None` where the scenario sends none, and no answer is searched.
    pub canaries: Option<Canaries>,
    /// How many requests are under way, for whoever wants to know.
    pub in_flight: Arc<InFlight>,
    /// Who may hold the load back or drive it on.
    pub pace: Option<RateControlReceiver>,
    /// When the loads began, once they have.
    pub begun: Arc<OnceLock<Nanos>>,
}

impl Setup {
    /// Prepares a scenario for replicas at these places; `secrets` are the values of `${env:NAME}`.
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
        let blot = Redactor::new(&scenario, secrets);
        let replicas = origins.len();
        Self {
            scenario,
            replicas,
            renderer,
            blot,
            clock,
            tolerance,
            canaries,
            in_flight,
            pace: None,
            begun: Arc::default(),
        }
    }

    /// The same for a load whose pace may be changed.
    #[must_use]
    pub fn paced_by(self, pace: RateControlReceiver) -> Self {
        Self { pace: Some(pace), ..self }
    }
}

/// Which part of a load is a worker's: of things that are numbered, those with `number % of == index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Which one.
    pub index: u64,
    /// Of how many.
    pub of: u64,
}

impl Share {
    /// How many of the numbers `0..total` are in it.
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
    /// What all know.
    pub(super) setup: Arc<Setup>,
    /// How it sends.
    pub(super) transport: T,
    /// Who wakes its tasks.
    pub(super) pacer: Rc<Pacer>,
    /// What it knows of the pace.
    pub(super) tempo: WorkerPace,
    share: Share,
    #[expect(clippy::vec_box, reason = "they are lent to users, whose tasks should stay small")]
    exchanges: RefCell<Vec<Box<Exchange>>>,
    /// Room for bodies while they are rendered.
    body: RefCell<Vec<u8>>,
    samples: RefCell<Batch>,
    /// Room for what answers are held against.
    room: RefCell<Room>,
    handed_over: Cell<Nanos>,
    sink: Sink,
}

impl<T: Transport> Worker<T> {
    /// The worker that has this share.
    pub(super) fn new(setup: Arc<Setup>, transport: T, pacer: Pacer, share: Share, sink: Sink) -> Self {
        Self {
            setup,
            transport,
            pacer: Rc::new(pacer),
            tempo: WorkerPace::default(),
            share,
            exchanges: RefCell::default(),
            body: RefCell::default(),
            samples: RefCell::new(Batch::with_capacity(BATCH)),
            room: RefCell::default(),
            handed_over: Cell::new(Nanos::ZERO),
            sink,
        }
    }

    /// Its share of a load that can use `most` workers at the most; `None`: nothing of it.
    pub(super) fn share_of(&self, most: u64) -> Option<Share> {
        let of = self.share.of.min(most.max(1));
        (self.share.index < of).then_some(Share { index: self.share.index, of })
    }

    /// Now, on the run's clock.
    pub(super) fn now(&self) -> Nanos {
        self.setup.clock.now()
    }

    /// Waits until the plan's instant `planned`, which a pause puts off, or for a change of the pace.
    pub(super) async fn until_planned_or_turn(&self, planned: Nanos) -> Wake {
        // In a pause nothing begins, late as it may be.
        let due = if self.tempo.is_paused() { Nanos::MAX } else { self.tempo.comes(planned) };
        self.pacer.until_or_turn(due).await
    }

    /// Waits until the plan's instant `planned`, which a pause puts off; false when nothing begins any more.
    pub(super) async fn until_planned(&self, planned: Nanos) -> bool {
        loop {
            match self.until_planned_or_turn(planned).await {
                Wake::Due => return true,
                Wake::Stopped => return false,
                Wake::Turned => {}
            }
        }
    }

    /// An exchange to use; to be given back.
    pub(super) fn lend(&self) -> Box<Exchange> {
        self.exchanges.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes an exchange back.
    pub(super) fn take_back(&self, mut exchange: Box<Exchange>) {
        exchange.shrink();
        self.exchanges.borrow_mut().push(exchange);
    }

    /// Counts a request that is about to be sent.
    pub(super) fn begin(&self) {
        self.setup.in_flight.begin(self.share.index as usize);
    }

    /// Counts it as over.
    pub(super) fn end(&self) {
        self.setup.in_flight.end(self.share.index as usize);
    }

    /// Room to render a body in.
    pub(super) fn body(&self) -> std::cell::RefMut<'_, Vec<u8>> {
        self.body.borrow_mut()
    }

    /// Room to look at an answer in.
    pub(super) fn room(&self) -> std::cell::RefMut<'_, Room> {
        self.room.borrow_mut()
    }

    /// Keeps a sample.
    pub(super) fn put(&self, sample: &Sample) {
        let mut samples = self.samples.borrow_mut();
        samples.push(sample);
        if samples.len() == BATCH || sample.done - self.handed_over.get() >= BATCH_TIME {
            self.handed_over.set(sample.done);
            self.sink.hand_over(&mut samples);
        }
    }

    /// Hands over whatever is kept.
    fn hand_over(&self) {
        self.handed_over.set(self.now());
        self.sink.hand_over(&mut self.samples.borrow_mut());
    }

    /// Runs its share of every load, from the beginning that the cue gives, to their ends.
    pub(super) async fn run(self: Rc<Self>, mut cue: StartSignal) {
        let mut helpers = JoinSet::new();
        let pacer = Rc::clone(&self.pacer);
        helpers.spawn_local(async move {
            // Its only error is a runtime without input and output, where this pacer could not have been made.
            let _ = pacer.drive().await;
        });
        let (pacer, stop) = (Rc::clone(&self.pacer), cue.stop.clone());
        helpers.spawn_local(async move {
            stop.cancelled().await;
            pacer.stop();
        });
        if let Some(mut listener) = self.setup.pace.clone() {
            let worker = Rc::clone(&self);
            helpers.spawn_local(async move {
                loop {
                    worker.tempo.set(listener.changes());
                    worker.pacer.turn();
                    listener.changed().await;
                }
            });
        }
        let worker = Rc::clone(&self);
        helpers.spawn_local(async move {
            while worker.pacer.until(worker.now() + BATCH_TIME).await {
                worker.hand_over();
            }
        });

        let mut pools = Vec::new();
        for (index, load) in self.setup.scenario.loads.iter().enumerate() {
            pools.push(match load.model {
                LoadModel::Open { .. } => open::Pool::start(&self, index).await,
                LoadModel::Closed { .. } => None,
            });
        }
        let Some(begin) = cue.begin().await else { return };
        self.tempo.begin_at(begin);
        let mut loads = JoinSet::new();
        for ((index, load), pool) in self.setup.scenario.loads.iter().enumerate().zip(pools) {
            let worker = Rc::clone(&self);
            let begin = begin + load.after;
            match (&load.model, pool) {
                (LoadModel::Closed { .. }, _) => {
                    loads.spawn_local(closed::run(worker, index, begin));
                }
                (LoadModel::Open { .. }, Some(pool)) => {
                    loads.spawn_local(open::run(worker, index, begin, pool));
                }
                (LoadModel::Open { .. }, None) => {}
            }
        }
        loads.join_all().await;
        helpers.shutdown().await;
        self.hand_over();
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

//! Runs the loads of a scenario: starts its workers at the same instant, and waits until they have ended.
//!
//! It uses no network and no clock but those it is given; under tokio's paused clock hours pass at once.

use std::{future::Future, io, rc::Rc, sync::Arc};

use tokio::{
    runtime::{Builder, LocalOptions},
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    busy, closed,
    exchange::Transport,
    open,
    pacer::Pacer,
    worker::{BATCH_TIME, Setup, Share, Worker},
};
use saasbench_model::{plan::time::PlanInstant, scenario::LoadModel, units::Nanos};
use saasbench_record::{manifest::LoadPhase, writer::Sink};

/// How a load is ended before its time.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    /// Cancelled when no further request may start.
    pub stop: CancellationToken,
    /// Cancelled when no response is waited for any more: what is in flight is recorded without one.
    pub give_up: CancellationToken,
}

/// Signals a worker when its loads start, and when to stop.
#[derive(Debug)]
struct StartSignal {
    ready: Option<mpsc::UnboundedSender<()>>,
    start: watch::Receiver<Option<Nanos>>,
    ending: Ending,
}

impl StartSignal {
    /// Reports that the worker is ready, and waits until all are. Returns when the loads start; `None` if the
    /// barrier was dropped.
    async fn wait(&mut self) -> Option<Nanos> {
        // Dropped, because the barrier stops waiting for workers that failed to get ready once all senders
        // are gone.
        if let Some(ready) = self.ready.take() {
            let _ = ready.send(());
        }
        *self.start.wait_for(Option::is_some).await.ok()?
    }
}

/// Gives all workers the same start.
#[derive(Debug)]
struct StartBarrier {
    signal: StartSignal,
    ready: mpsc::UnboundedReceiver<()>,
    start: watch::Sender<Option<Nanos>>,
}

impl StartBarrier {
    fn new(ending: &Ending) -> Self {
        let (ready, workers_ready) = mpsc::unbounded_channel();
        let (start, started) = watch::channel(None);
        Self {
            signal: StartSignal { ready: Some(ready), start: started, ending: ending.clone() },
            ready: workers_ready,
            start,
        }
    }

    fn signal(&self) -> StartSignal {
        StartSignal {
            ready: self.signal.ready.clone(),
            start: self.signal.start.clone(),
            ending: self.signal.ending.clone(),
        }
    }

    /// Waits until all workers are ready (or gone), lets them start, and waits for their end.
    async fn release(self, setup: &Setup, workers: usize, from_ns: Nanos, end: impl Future) -> LoadPhase {
        let Self { signal, mut ready, start } = self;
        drop(signal);
        let starting = async {
            for _ in 0..workers {
                if ready.recv().await.is_none() {
                    break;
                }
            }
            let start_ns = setup.clock.now();
            let _ = setup.started.set(start_ns);
            let _ = start.send(Some(start_ns));
            start_ns
        };
        let (start_ns, _) = tokio::join!(starting, end);
        LoadPhase { from_ns, start_ns, to_ns: setup.clock.now() }
    }
}

/// Runs every load to its end, or until `ending`: after `stop` no further iteration starts, and requests in flight
/// are awaited, each for at most the scenario's timeout, until `give_up`. Returns when the loads ran.
///
/// There is a worker for each transport, all in tasks of the current thread, paced by tokio's clock: call it
/// where `tokio::task::spawn_local` works.
pub async fn drive<T: Transport>(
    setup: Arc<Setup>,
    transports: Vec<T>,
    sink: Sink,
    ending: &Ending,
) -> LoadPhase {
    let from_ns = setup.clock.now();
    let barrier = StartBarrier::new(ending);
    let of = transports.len() as u64;
    let mut tasks = tokio::task::JoinSet::new();
    for (index, transport) in (0..).zip(transports) {
        let pacer = Pacer::on_tokio(setup.clock);
        let worker = Worker::new(Arc::clone(&setup), transport, pacer, Share { index, of }, sink.clone());
        tasks.spawn_local(run_worker(Rc::new(worker), barrier.signal()));
    }
    drop(sink);
    barrier.release(&setup, of as usize, from_ns, tasks.join_all()).await
}

/// Like [`drive`], with every worker on a thread and a runtime of its own, paced to within microseconds.
/// `connect` creates the transport of the worker with this number, on the worker's thread.
///
/// # Errors
/// When a thread, its runtime or its transport cannot be created, or a worker ends early because of a bug.
pub async fn drive_on_threads<T: Transport>(
    setup: Arc<Setup>,
    workers: usize,
    connect: impl Fn(usize) -> io::Result<T> + Clone + Send + 'static,
    sink: Sink,
    ending: &Ending,
) -> io::Result<LoadPhase> {
    let from_ns = setup.clock.now();
    let barrier = StartBarrier::new(ending);
    let mut ends = JoinSet::new();
    for index in 0..workers {
        let (end, ended) = oneshot::channel();
        ends.spawn(ended);
        let (setup, connect, sink, signal) =
            (Arc::clone(&setup), connect.clone(), sink.clone(), barrier.signal());
        let share = Share { index: index as u64, of: workers as u64 };
        let work = move || {
            let result = work(setup, share, connect, sink, signal);
            let _ = end.send(result);
        };
        std::thread::Builder::new().name(format!("worker-{index}")).spawn(work)?;
    }
    drop(sink);
    let mut failed = None;
    let ended = async {
        while let Some(end) = ends.join_next().await {
            let early = || Err(io::Error::other("a worker ended early, by a defect of saasbench"));
            if let Err(error) = end.ok().and_then(Result::ok).unwrap_or_else(early) {
                ending.stop.cancel();
                failed = Some(error);
            }
        }
    };
    let phase = barrier.release(&setup, workers, from_ns, ended).await;
    failed.map_or(Ok(phase), Err)
}

/// Runs a worker's share of every load, from the start that `signal` gives to their ends.
async fn run_worker<T: Transport>(worker: Rc<Worker<T>>, mut signal: StartSignal) {
    let mut helpers = JoinSet::new();
    let pacer = Rc::clone(&worker.pacer);
    helpers.spawn_local(async move {
        // Its only error is a runtime without I/O, on which this pacer could not have been created.
        let _ = pacer.drive().await;
    });
    let (pacer, stop) = (Rc::clone(&worker.pacer), signal.ending.stop.clone());
    helpers.spawn_local(async move {
        stop.cancelled().await;
        pacer.stop();
    });
    if let Some(mut receiver) = worker.setup.pace.clone() {
        let worker = Rc::clone(&worker);
        helpers.spawn_local(async move {
            loop {
                worker.pace.set(receiver.changes());
                worker.pacer.notify_pace_change();
                receiver.changed().await;
            }
        });
    }
    let recording = Rc::clone(&worker);
    helpers.spawn_local(async move {
        while recording.pacer.until(recording.now() + BATCH_TIME).await {
            recording.hand_over();
        }
    });

    let mut pools = Vec::new();
    for (index, load) in worker.setup.scenario.loads.iter().enumerate() {
        pools.push(match load.model {
            LoadModel::Open { .. } => open::UserPool::start(&worker, index).await,
            LoadModel::Closed { .. } => None,
        });
    }
    let give_up = signal.ending.give_up.clone();
    let Some(start) = signal.wait().await else { return };
    worker.pace.start_at(start);
    let mut loads = JoinSet::new();
    for ((index, load), pool) in worker.setup.scenario.loads.iter().enumerate().zip(pools) {
        let worker = Rc::clone(&worker);
        // At the start, plan time and run time are equal.
        let start = PlanInstant(start) + load.after;
        match (&load.model, pool) {
            (LoadModel::Closed { .. }, _) => {
                loads.spawn_local(closed::run(worker, index, start));
            }
            (LoadModel::Open { .. }, Some(pool)) => {
                loads.spawn_local(open::run(worker, index, start, pool));
            }
            (LoadModel::Open { .. }, None) => {}
        }
    }
    let at_end = async { while loads.join_next().await.is_some() {} };
    if give_up.run_until_cancelled(at_end).await.is_none() {
        loads.shutdown().await;
        // The tasks of users record what they were waiting for when they are dropped.
        while worker.has_requests_in_flight() {
            tokio::task::yield_now().await;
        }
    }
    helpers.shutdown().await;
    worker.hand_over();
}

/// The body of a worker's thread.
fn work<T: Transport>(
    setup: Arc<Setup>,
    share: Share,
    connect: impl FnOnce(usize) -> io::Result<T>,
    sink: Sink,
    signal: StartSignal,
) -> io::Result<()> {
    let mut builder = Builder::new_current_thread();
    busy::note(&mut builder, setup.clock);
    let runtime = builder.enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let pacer = Pacer::exact(setup.clock)?;
        let worker = Worker::new(setup, connect(share.index as usize)?, pacer, share, sink);
        // In a task of its own: what is awaited here would be polled whenever any task is woken.
        let run = tokio::task::spawn_local(run_worker(Rc::new(worker), signal));
        run.await.map_err(io::Error::other)
    })
}

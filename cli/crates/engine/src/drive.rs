//! Runs the loads of a scenario: brings its workers up, gives them one beginning, and waits for their end.
//!
//! The engine knows no network and no clock but the ones it is given; under tokio's paused clock it runs at once.

use std::{future::Future, io, rc::Rc, sync::Arc};

use tokio::{
    runtime::{Builder, LocalOptions},
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    exchange::Transport,
    pacer::Pacer,
    worker::{Setup, Share, Worker},
};
use saasbench_model::units::Nanos;
use saasbench_record::{manifest::LoadPhase, writer::Sink};

/// What a worker hears from outside.
#[derive(Debug)]
pub(super) struct StartSignal {
    ready: Option<mpsc::UnboundedSender<()>>,
    begin: watch::Receiver<Option<Nanos>>,
    /// Told when no request is to begin any more.
    pub(super) stop: CancellationToken,
}

impl StartSignal {
    /// Says that the worker is ready, and waits until all are: the instant that the loads begin at. `None` when the engine
    /// is gone.
    pub(super) async fn begin(&mut self) -> Option<Nanos> {
        // Not kept: when all of them are gone, nobody is waited for any more who could not get ready.
        if let Some(ready) = self.ready.take() {
            let _ = ready.send(());
        }
        *self.begin.wait_for(Option::is_some).await.ok()?
    }
}

/// Gives all workers the same beginning.
#[derive(Debug)]
struct StartBarrier {
    cue: StartSignal,
    ready: mpsc::UnboundedReceiver<()>,
    begin: watch::Sender<Option<Nanos>>,
}

impl StartBarrier {
    fn new(stop: &CancellationToken) -> Self {
        let (ready, readies) = mpsc::unbounded_channel();
        let (begin, begun) = watch::channel(None);
        Self {
            cue: StartSignal { ready: Some(ready), begin: begun, stop: stop.clone() },
            ready: readies,
            begin,
        }
    }

    fn cue(&self) -> StartSignal {
        StartSignal {
            ready: self.cue.ready.clone(),
            begin: self.cue.begin.clone(),
            stop: self.cue.stop.clone(),
        }
    }

    /// Waits until all workers are ready (or gone), lets them begin, and waits for their end.
    async fn conduct(self, setup: &Setup, workers: usize, from_ns: Nanos, end: impl Future) -> LoadPhase {
        let Self { cue, mut ready, begin } = self;
        drop(cue);
        let begun = async {
            for _ in 0..workers {
                if ready.recv().await.is_none() {
                    break;
                }
            }
            let start_ns = setup.clock.now();
            let _ = setup.begun.set(start_ns);
            let _ = begin.send(Some(start_ns));
            start_ns
        };
        let (start_ns, _) = tokio::join!(begun, end);
        LoadPhase { from_ns, start_ns, to_ns: setup.clock.now() }
    }
}

/// Runs every load to its end, or until `stop`: then no iteration begins any more, and requests in flight are awaited (each
/// for the scenario's timeout at the most). Answers with when that was.
///
/// There is a worker for each transport, all of them in tasks of the current thread, paced by tokio's clock: call it where
/// `tokio::task::spawn_local` works.
pub async fn drive<T: Transport>(
    setup: Arc<Setup>,
    transports: Vec<T>,
    sink: Sink,
    stop: &CancellationToken,
) -> LoadPhase {
    let from_ns = setup.clock.now();
    let conductor = StartBarrier::new(stop);
    let of = transports.len() as u64;
    let mut tasks = tokio::task::JoinSet::new();
    for (index, transport) in (0..).zip(transports) {
        let pacer = Pacer::on_tokio(setup.clock);
        let worker = Worker::new(Arc::clone(&setup), transport, pacer, Share { index, of }, sink.clone());
        tasks.spawn_local(Rc::new(worker).run(conductor.cue()));
    }
    drop(sink);
    conductor.conduct(&setup, of as usize, from_ns, tasks.join_all()).await
}

/// Like [`drive`], with every worker on a thread and a runtime of its own, paced to some microseconds. `connect` makes the
/// transport of each, by its number, on its thread.
///
/// # Errors
/// When a thread, its runtime or its transport cannot be made; and when a worker ends early by a defect.
pub async fn drive_on_threads<T: Transport>(
    setup: Arc<Setup>,
    workers: usize,
    connect: impl Fn(usize) -> io::Result<T> + Clone + Send + 'static,
    sink: Sink,
    stop: &CancellationToken,
) -> io::Result<LoadPhase> {
    let from_ns = setup.clock.now();
    let conductor = StartBarrier::new(stop);
    let mut ends = JoinSet::new();
    for index in 0..workers {
        let (end, ended) = oneshot::channel();
        ends.spawn(ended);
        let (setup, connect, sink, cue) =
            (Arc::clone(&setup), connect.clone(), sink.clone(), conductor.cue());
        let share = Share { index: index as u64, of: workers as u64 };
        let work = move || {
            let result = work(setup, share, connect, sink, cue);
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
                stop.cancel();
                failed = Some(error);
            }
        }
    };
    let phase = conductor.conduct(&setup, workers, from_ns, ended).await;
    failed.map_or(Ok(phase), Err)
}

/// A worker's thread.
fn work<T: Transport>(
    setup: Arc<Setup>,
    share: Share,
    connect: impl FnOnce(usize) -> io::Result<T>,
    sink: Sink,
    cue: StartSignal,
) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let pacer = Pacer::exact(setup.clock)?;
        let worker = Worker::new(setup, connect(share.index as usize)?, pacer, share, sink);
        // In a task like all others: what is awaited here would be polled whenever any task has been woken.
        let run = tokio::task::spawn_local(Rc::new(worker).run(cue));
        run.await.map_err(io::Error::other)
    })
}

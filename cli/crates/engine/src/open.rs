//! An open load: iterations are released when they are due, whether or not earlier ones have ended.
//!
//! Each is taken by a user who is idle; users are tasks that wait for work, so that an arrival costs no new task.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};

use tokio::{sync::oneshot, task::JoinSet};

use super::{
    exchange::Transport,
    pacer::Wake,
    user::{Pass, Until, User},
    worker::{Share, Worker},
};
use saasbench_model::{
    plan::{arrivals::Arrivals, seeded},
    scenario::{Load, LoadModel, Stage},
    units::Nanos,
};
use saasbench_record::sample::{LimiterHeaders, Outcome, Sample};

/// Arrivals that are given out, if they are due, before users have their turn.
const AT_ONCE: u64 = 32;

/// Started users kept ready, in seconds of arrivals: enough for answers that take so long.
const READY_SECONDS: f64 = 0.1;

/// An iteration to be done.
#[derive(Debug, Clone, Copy)]
struct Job {
    /// From 1.
    iteration: u64,
    /// Whose turn it is among the replicas.
    turn: u64,
    due: Nanos,
    /// How long the load goes on.
    until: Until,
}

/// Where a user waits for work.
#[derive(Default)]
struct ParkedUser {
    job: Cell<Option<Job>>,
    waker: Cell<Option<Waker>>,
}

impl ParkedUser {
    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// The users who wait, and whether there will be more work.
struct Idle {
    /// By [`position`]: the last to come is the first to go.
    seats: Vec<RefCell<Vec<Rc<ParkedUser>>>>,
    closed: Cell<bool>,
}

impl Idle {
    fn new(tenants: u64) -> Self {
        Self { seats: (0..tenants).map(|_| RefCell::default()).collect(), closed: Cell::new(false) }
    }

    /// Gives a job to one who waits for `position`; false when nobody does.
    fn give(&self, position: usize, job: Job) -> bool {
        let Some(seat) = self.seats.get(position).and_then(|seats| seats.borrow_mut().pop()) else {
            return false;
        };
        seat.job.set(Some(job));
        seat.wake();
        true
    }

    /// Waits in `seat` for the next job; `None` when there will be none.
    async fn next(&self, position: usize, seat: &Rc<ParkedUser>) -> Option<Job> {
        let mut seated = false;
        poll_fn(|context| {
            if let Some(job) = seat.job.take() {
                return Poll::Ready(Some(job));
            }
            if self.closed.get() {
                return Poll::Ready(None);
            }
            seat.waker.set(Some(context.waker().clone()));
            if !seated && let Some(seats) = self.seats.get(position) {
                seated = true;
                seats.borrow_mut().push(Rc::clone(seat));
            }
            Poll::Pending
        })
        .await
    }

    /// Sends everybody home: who waits at once, who is at work as soon as it comes back.
    fn close(&self) {
        self.closed.set(true);
        for seat in self.seats.iter().flat_map(RefCell::take) {
            seat.wake();
        }
    }
}

/// The users of a worker's share of an open load.
pub(super) struct Pool {
    index: usize,
    share: Share,
    idle: Rc<Idle>,
    users: JoinSet<()>,
    created: u64,
    most: u64,
}

impl Pool {
    /// Starts enough users that the first arrivals find one ready; `None` where the load is too small for this worker to have
    /// a share.
    pub(super) async fn start<T: Transport>(worker: &Rc<Worker<T>>, index: usize) -> Option<Self> {
        let load = worker.setup.scenario.loads.get(index)?;
        let max_users = load.model.most_users();
        let tenants = load.tenants.len().max(1) as u64;
        let positions = tenants * load.journeys.len().max(1) as u64;
        // Any worker may be given any tenant's arrivals, and needs a user for each.
        let share = worker.share_of(max_users / positions)?;
        let idle = Rc::new(Idle::new(positions));
        let most = share.count(max_users);
        let mut pool = Self { index, share, idle, users: JoinSet::new(), created: 0, most };
        let ready = share
            .count(((Stage::highest(load.model.stages()) * READY_SECONDS).ceil() as u64).max(tenants))
            .min(pool.most);
        let mut started = Vec::new();
        for nth in 0..ready {
            if worker.pacer.is_stopped() {
                break;
            }
            let position = position(load, worker.setup.scenario.seed, index, share.number(nth));
            let (done, is_started) = oneshot::channel();
            pool.create(worker, position, None, Some(done));
            started.push(is_started);
        }
        for is_started in started {
            let _ = is_started.await;
        }
        Some(pool)
    }

    /// Adds a user for `position`, who does `first` before it waits for work; without it, its start steps
    /// alone, which `started` is told of. False when there are as many as there may be.
    fn create<T: Transport>(
        &mut self,
        worker: &Rc<Worker<T>>,
        position: u64,
        first: Option<Job>,
        started: Option<oneshot::Sender<()>>,
    ) -> bool {
        let Some(load) = worker.setup.scenario.loads.get(self.index).filter(|_| self.created < self.most)
        else {
            return false;
        };
        let number = self.share.number(self.created);
        self.created += 1;
        let journeys = load.journeys.len().max(1) as u64;
        let Some(&(journey, _)) = load.journeys.get((position % journeys) as usize) else { return false };
        let user = User::new(worker, self.index, journey, number, seeded::tenant(load, position / journeys));
        let (worker, idle) = (Rc::clone(worker), Rc::clone(&self.idle));
        let seat = ParkedUser { job: Cell::new(first), ..ParkedUser::default() };
        self.users.spawn_local(serve(worker, user, seat, idle, position as usize, started));
        true
    }

    /// Gives an arrival to a user at `position`; false when none can take it.
    fn give<T: Transport>(&mut self, worker: &Rc<Worker<T>>, position: u64, job: Job) -> bool {
        self.idle.give(position as usize, job) || self.create(worker, position, Some(job), None)
    }
}

/// One user: does what comes, and waits for more.
async fn serve<T: Transport>(
    worker: Rc<Worker<T>>,
    mut user: User<T>,
    seat: ParkedUser,
    idle: Rc<Idle>,
    position: usize,
    started: Option<oneshot::Sender<()>>,
) {
    if let Some(started) = started {
        // The load has no end yet, and must not be held up: who is rejected here starts when it is needed.
        user.start(&worker, worker.now(), None).await;
        let _ = started.send(());
    }
    let seat = Rc::new(seat);
    while let Some(job) = idle.next(position, &seat).await {
        if user.started() || user.start(&worker, job.due, Some(job.until)).await == Pass::Complete {
            user.iterate(&worker, job.iteration, job.turn, job.due, job.until).await;
        }
    }
}

/// Where users wait that can take arrival `k`: for each tenant of the load there is a place for each of its journeys.
fn position(load: &Load, seed: u64, index: usize, k: u64) -> u64 {
    let tenant = k % load.tenants.len().max(1) as u64;
    tenant * load.journeys.len() as u64 + seeded::journey(load, seed, index, k) as u64
}

/// Runs a worker's share of the arrivals of a load that begins at `begin`, to the load's end by the plan or its last iteration: that is
/// the same for all workers, whatever their shares are.
pub(super) async fn run<T: Transport>(worker: Rc<Worker<T>>, index: usize, begin: Nanos, mut pool: Pool) {
    let setup = std::sync::Arc::clone(&worker.setup);
    let Some(load) = setup.scenario.loads.get(index) else { return };
    let LoadModel::Open { rate, spacing, .. } = &load.model else { return };
    let until = Until::of(load, begin);
    let tenants = load.tenants.len().max(1) as u64;
    let mut arrivals = Arrivals::new(rate, *spacing, setup.scenario.seed, index);
    arrivals.rescale(&worker.tempo.factors(begin));
    for given in 0.. {
        let (k, skipped) =
            (pool.share.number(given), if given == 0 { pool.share.index } else { pool.share.of - 1 });
        if load.iterations.is_some_and(|iterations| k >= iterations) {
            break;
        }
        let offset = arrivals.after(skipped);
        let Some(due) = due(&worker, begin, until.end, &mut arrivals, offset).await else { break };
        // After a stall many are due at once: users must come back meanwhile, or arrivals are dropped that they could take.
        if given % AT_ONCE == AT_ONCE - 1 {
            tokio::task::yield_now().await;
        }
        // Each tenant takes turns of its own: with as many tenants as replicas, `k` alone would tie them together.
        let turn = k / tenants + k % tenants;
        let position = position(load, setup.scenario.seed, index, k);
        if !pool.give(&worker, position, Job { iteration: k + 1, turn, due, until }) {
            drop_arrival(&worker, index, k, turn, due);
        }
    }
    pool.idle.close();
    pool.users.join_all().await;
}

/// Waits until an arrival is due, `offset` after the begin by the plan unless the pace changes meanwhile: that instant. `None` when the
/// load has ended before that: as long as it goes on, an arrival that is not due any more may be again.
async fn due<T: Transport>(
    worker: &Worker<T>,
    begin: Nanos,
    end: Nanos,
    arrivals: &mut Arrivals,
    mut offset: Option<Nanos>,
) -> Option<Nanos> {
    loop {
        let planned = offset.map_or(end, |offset| begin + offset);
        match worker.until_planned_or_turn(planned).await {
            Wake::Due => return offset.map(|_| worker.tempo.due(planned)),
            Wake::Stopped => return None,
            Wake::Turned => {
                arrivals.rescale(&worker.tempo.factors(begin));
                offset = arrivals.again();
            }
        }
    }
}

/// Records an arrival for which there was no user: it is counted, never hidden.
fn drop_arrival<T: Transport>(worker: &Worker<T>, index: usize, k: u64, turn: u64, due: Nanos) {
    let setup = &worker.setup;
    let Some(load) = setup.scenario.loads.get(index) else { return };
    let journey = load.journeys.get(seeded::journey(load, setup.scenario.seed, index, k));
    let first = journey.and_then(|(journey, _)| setup.scenario.journeys.get(*journey)?.steps.first());
    let now = worker.now();
    worker.put(&Sample {
        intended: due,
        sent: now,
        first_byte: None,
        done: now,
        tenant: seeded::tenant(load, k),
        step: first.copied().unwrap_or_default(),
        load: index,
        user: 0,
        request: 0,
        iteration: k + 1,
        replica: seeded::replica(load.routing, 0, turn, setup.replicas),
        outcome: Outcome::Dropped,
        bytes_out: 0,
        bytes_in: 0,
        failed_check: None,
        limiter: LimiterHeaders::default(),
        retry_of: None,
        canary: None,
    });
}

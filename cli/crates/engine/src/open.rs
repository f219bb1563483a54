//! An open load: iterations start when they are due, whether or not earlier ones have ended.
//!
//! Each is taken by an idle user. Users are tasks that wait for jobs, so that an arrival needs no new task.

use std::{
    cell::{Cell, RefCell},
    cmp::Ordering,
    collections::BinaryHeap,
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};

use tokio::{sync::oneshot, task::JoinSet};

use super::{
    exchange::Transport,
    pacer::Wake,
    user::{Deadlines, IterationOutcome, User},
    worker::{Share, Worker},
};
use saasbench_model::{
    plan::{arrivals::Arrivals, connections, seeded, time::PlanInstant},
    scenario::{Load, LoadModel, Stage},
    units::Nanos,
};
use saasbench_record::sample::{LimiterHeaders, RequestOutcome, Sample};

/// Due arrivals that are dispatched before the users' tasks run.
const AT_ONCE: u64 = 32;

/// Started users that are kept ready, in seconds of arrivals: enough for responses that take that long.
const READY_SECONDS: f64 = 0.1;

/// An iteration to run.
#[derive(Debug, Clone, Copy)]
struct Job {
    /// From 1.
    iteration: u64,
    /// Selects the replica.
    turn: u64,
    due: Nanos,
    deadlines: Deadlines,
}

/// A user that waits for a job. The one with the lowest number is the greatest.
struct ParkedUser {
    number: u64,
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

impl PartialEq for ParkedUser {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for ParkedUser {}

impl PartialOrd for ParkedUser {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ParkedUser {
    fn cmp(&self, other: &Self) -> Ordering {
        other.number.cmp(&self.number)
    }
}

/// The idle users, and whether there will be more jobs.
struct IdleUsers {
    /// By [`position`]; the one with the lowest number is next, so that few users, with warm connections, take
    /// what few can take.
    parked: Vec<RefCell<BinaryHeap<Rc<ParkedUser>>>>,
    closed: Cell<bool>,
}

impl IdleUsers {
    fn new(tenants: u64) -> Self {
        Self { parked: (0..tenants).map(|_| RefCell::default()).collect(), closed: Cell::new(false) }
    }

    /// Hands a job to an idle user at `position`; false if there is none.
    fn dispatch(&self, position: usize, job: Job) -> bool {
        let Some(user) = self.parked.get(position).and_then(|parked| parked.borrow_mut().pop()) else {
            return false;
        };
        user.job.set(Some(job));
        user.wake();
        true
    }

    /// Parks `user` until its next job; `None` when there will be none.
    async fn next(&self, position: usize, user: &Rc<ParkedUser>) -> Option<Job> {
        let mut is_parked = false;
        poll_fn(|context| {
            if let Some(job) = user.job.take() {
                return Poll::Ready(Some(job));
            }
            if self.closed.get() {
                return Poll::Ready(None);
            }
            user.waker.set(Some(context.waker().clone()));
            if !is_parked && let Some(parked) = self.parked.get(position) {
                is_parked = true;
                parked.borrow_mut().push(Rc::clone(user));
            }
            Poll::Pending
        })
        .await
    }

    /// Ends all users: idle ones now, the others after their job.
    fn close(&self) {
        self.closed.set(true);
        for user in self.parked.iter().flat_map(|parked| parked.take().into_vec()) {
            user.wake();
        }
    }
}

/// The users of a worker's share of an open load.
pub(super) struct UserPool {
    index: usize,
    share: Share,
    idle: Rc<IdleUsers>,
    users: JoinSet<()>,
    created: u64,
    /// How many were created at each position.
    at: Vec<u64>,
    most: u64,
}

impl UserPool {
    /// Starts enough users that the first arrivals find one ready; `None` if the load is too small for this
    /// worker to have a share.
    pub(super) async fn start<T: Transport>(worker: &Rc<Worker<T>>, index: usize) -> Option<Self> {
        let load = worker.setup.scenario.loads.get(index)?;
        let max_users = load.model.most_users();
        let tenants = load.tenants.len().max(1) as u64;
        let positions = tenants * load.journeys.len().max(1) as u64;
        // Any worker may get any tenant's arrivals, and needs a user for each.
        let share = worker.share_of(max_users / positions)?;
        let idle = Rc::new(IdleUsers::new(positions));
        let most = share.count(max_users);
        let at = vec![0; positions as usize];
        let mut pool = Self { index, share, idle, users: JoinSet::new(), created: 0, at, most };
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

    /// Adds a user at `position`, which runs `first` before it waits for jobs; without `first`, it only runs
    /// its start steps, and then signals `started`. False if the load has its maximum of users already.
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
        let setup = &worker.setup;
        let rank = self.at.get_mut(position as usize).map_or(0, |count| std::mem::replace(count, *count + 1));
        let in_turn = connections::in_turn(&setup.scenario, load, rank, setup.replicas);
        let tenant = seeded::tenant(load, position / journeys);
        let user = User::new(worker, self.index, journey, number, tenant, in_turn);
        let (worker, idle) = (Rc::clone(worker), Rc::clone(&self.idle));
        let parked = ParkedUser { number, job: Cell::new(first), waker: Cell::default() };
        self.users.spawn_local(serve(worker, user, parked, idle, position as usize, started));
        true
    }

    /// Hands an arrival to a user at `position`; false when none can take it.
    fn dispatch<T: Transport>(&mut self, worker: &Rc<Worker<T>>, position: u64, job: Job) -> bool {
        self.idle.dispatch(position as usize, job) || self.create(worker, position, Some(job), None)
    }
}

/// The task of one user: runs its jobs until there are no more.
async fn serve<T: Transport>(
    worker: Rc<Worker<T>>,
    mut user: User<T>,
    parked: ParkedUser,
    idle: Rc<IdleUsers>,
    position: usize,
    started: Option<oneshot::Sender<()>>,
) {
    if let Some(started) = started {
        // The load has no end yet and must not be delayed: a user that is rejected here starts when it is
        // needed.
        user.start(&worker, worker.now(), None).await;
        let _ = started.send(());
    }
    let parked = Rc::new(parked);
    while let Some(job) = idle.next(position, &parked).await {
        if user.started()
            || user.start(&worker, job.due, Some(job.deadlines)).await == IterationOutcome::Complete
        {
            user.iterate(&worker, job.iteration, job.turn, job.due, job.deadlines).await;
        }
    }
}

/// The position of the users that can take arrival `k`: there is one for each tenant and journey of the load.
fn position(load: &Load, seed: u64, index: usize, k: u64) -> u64 {
    let tenant = k % load.tenants.len().max(1) as u64;
    tenant * load.journeys.len() as u64 + seeded::journey(load, seed, index, k) as u64
}

/// Runs a worker's share of the arrivals of a load that starts at `start`, until the load's planned end or
/// its last iteration, which is the same for all workers.
pub(super) async fn run<T: Transport>(
    worker: Rc<Worker<T>>,
    index: usize,
    start: PlanInstant,
    mut pool: UserPool,
) {
    let setup = std::sync::Arc::clone(&worker.setup);
    let Some(load) = setup.scenario.loads.get(index) else { return };
    let LoadModel::Open { rate, spacing, .. } = &load.model else { return };
    let deadlines = Deadlines::of(load, start);
    let tenants = load.tenants.len().max(1) as u64;
    let mut arrivals = Arrivals::new(rate, *spacing, setup.scenario.seed, index);
    arrivals.rescale(&worker.pace.factors(start));
    for dispatched in 0.. {
        let (k, skipped) = (
            pool.share.number(dispatched),
            if dispatched == 0 { pool.share.index } else { pool.share.of - 1 },
        );
        if load.iterations.is_some_and(|iterations| k >= iterations) {
            break;
        }
        let offset = arrivals.after(skipped);
        let Some(due) = due(&worker, start, deadlines.end, &mut arrivals, offset).await else { break };
        // After a stall many are due at once: users must become idle in between, or arrivals are dropped that
        // they could take.
        if dispatched % AT_ONCE == AT_ONCE - 1 {
            tokio::task::yield_now().await;
        }
        // Each tenant has its own turns: with as many tenants as replicas, `k` alone would tie each tenant to
        // one replica.
        let turn = k / tenants + k % tenants;
        let position = position(load, setup.scenario.seed, index, k);
        if !pool.dispatch(&worker, position, Job { iteration: k + 1, turn, due, deadlines }) {
            drop_arrival(&worker, index, k, turn, due);
        }
    }
    pool.idle.close();
    pool.users.join_all().await;
}

/// Waits for an arrival at `offset` in the load's plan, or at another one if the pace changes meanwhile;
/// returns when it was due. `None` if the load has ended before; until then, a later change may make an
/// arrival due again.
async fn due<T: Transport>(
    worker: &Worker<T>,
    start: PlanInstant,
    end: PlanInstant,
    arrivals: &mut Arrivals,
    mut offset: Option<Nanos>,
) -> Option<Nanos> {
    loop {
        let planned = offset.map_or(end, |offset| start + offset);
        match worker.until_planned_or_pace_change(planned).await {
            Wake::Due => return offset.and_then(|_| worker.pace.due(planned)),
            Wake::Stopped => return None,
            Wake::PaceChanged => {
                arrivals.rescale(&worker.pace.factors(start));
                offset = arrivals.again();
            }
        }
    }
}

/// Records an arrival that found no idle user: dropped arrivals are always counted.
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
        outcome: RequestOutcome::Dropped,
        bytes_out: 0,
        bytes_in: 0,
        failed_check: None,
        limiter: LimiterHeaders::default(),
        retry_of: None,
        canary: None,
        connection: 0,
        queued: Nanos::ZERO,
    });
}

//! Runs the loads of a scenario: open ones release iterations when they are due, closed ones let their users go round.
//!
//! The engine knows no network and no clock but the ones it is given; under tokio's paused clock it runs at once.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    patience::Until,
    transport::Transport,
    user::{Pass, Shared, User},
};
use crate::{
    plan::{arrivals, mix},
    record::{
        manifest::LoadPhase,
        sample::{LimiterHeaders, Outcome, Sample},
    },
    scenario::{Load, LoadModel},
    units::{Nanos, Rate},
};

/// A user that got no answer waits at least so long: a service that is down must not be asked in a tight loop.
const BACK_OFF: Nanos = Nanos::from_millis(100);

/// Started users kept ready for an open load, in seconds of its arrivals: enough for answers that take so long.
const READY_SECONDS: f64 = 0.1;

/// Runs every load to its end, or until `stop`: then no iteration begins any more, and requests in flight are awaited
/// (each for the scenario's timeout at the most). Answers with when that was.
pub async fn drive<T: Transport>(shared: Arc<Shared<T>>, stop: &CancellationToken) -> LoadPhase {
    let from_ns = shared.clock.now();
    let mut pools = Vec::new();
    for (index, load) in shared.scenario.loads.iter().enumerate() {
        pools.push(match load.model {
            LoadModel::Open { rate, max_users } => {
                Some(Pool::start(&shared, index, load, rate, max_users, stop).await)
            }
            LoadModel::Closed { .. } => None,
        });
    }
    let begin_ns = shared.clock.now();
    let mut loads = JoinSet::new();
    for (index, (load, pool)) in shared.scenario.loads.iter().zip(pools).enumerate() {
        let run = Run {
            shared: Arc::clone(&shared),
            index,
            load: load.clone(),
            begin: begin_ns + load.after,
            until: Until { end: begin_ns + load.after + load.duration, stop: stop.clone() },
        };
        match (&load.model, pool) {
            (&LoadModel::Closed { users, spawn, pause }, _) => loads.spawn(closed(run, users, spawn, pause)),
            (&LoadModel::Open { rate, .. }, Some(pool)) => loads.spawn(open(run, rate, pool)),
            (LoadModel::Open { .. }, None) => continue,
        };
    }
    loads.join_all().await;
    LoadPhase { from_ns, begin_ns, to_ns: shared.clock.now() }
}

/// One load on its way.
#[derive(Debug)]
struct Run<T> {
    shared: Arc<Shared<T>>,
    index: usize,
    load: Load,
    begin: Nanos,
    until: Until,
}

impl<T: Transport> Run<T> {
    /// Waits until `due`; false when the run was stopped first.
    async fn wait(&self, due: Nanos) -> bool {
        self.until.wait(self.shared.clock, due).await
    }
}

/// A closed load: each user goes round in a task of its own.
async fn closed<T: Transport>(run: Run<T>, users: usize, spawn: Option<Rate>, pause: (Nanos, Nanos)) {
    let run = Arc::new(run);
    let iterations = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for number in 0..users as u64 {
        let due = run.begin + spawn.map_or(Nanos::ZERO, |rate| arrivals::offset(rate, number));
        if due >= run.until.end || !run.wait(due).await {
            break;
        }
        let user = User::new(&run.shared, run.index, number, mix::tenant(&run.load, number));
        tasks.spawn(go_round(Arc::clone(&run), user, Arc::clone(&iterations), pause, due));
    }
    tasks.join_all().await;
}

/// One user of a closed load, from the instant `due` at which it is ready.
async fn go_round<T: Transport>(
    run: Arc<Run<T>>,
    mut user: User,
    iterations: Arc<AtomicU64>,
    pause: (Nanos, Nanos),
    mut due: Nanos,
) {
    for round in 0.. {
        if due >= run.until.end || !run.wait(due).await {
            return;
        }
        let mut pass = Pass::Complete;
        if !user.started() {
            pass = user.start(&run.shared, due, Some(&run.until)).await;
            // The first step is due when the user has started.
            due = run.shared.clock.now();
        }
        if pass == Pass::Complete {
            let iteration = iterations.fetch_add(1, Ordering::Relaxed) + 1;
            if run.load.iterations.is_some_and(|most| iteration > most) {
                return;
            }
            let turn = user.turn();
            pass = user.iterate(&run.shared, iteration, turn, due, &run.until).await;
        }
        let seed = run.shared.scenario.seed;
        let rest = mix::pause(pause, seed, run.index, user.number(), round);
        let rest = if pass == Pass::Complete { rest } else { rest.max(BACK_OFF) };
        due = run.shared.clock.now() + rest;
    }
}

/// Started users of an open load, by the position of their tenant in it, waiting for arrivals.
#[derive(Debug)]
struct Pool {
    idle: Vec<Mutex<Vec<User>>>,
    created: AtomicU64,
    most: u64,
}

impl Pool {
    /// Starts enough users that the first arrivals find one ready.
    async fn start<T: Transport>(
        shared: &Arc<Shared<T>>,
        index: usize,
        load: &Load,
        rate: Rate,
        max_users: usize,
        stop: &CancellationToken,
    ) -> Self {
        let pool = Self {
            idle: load.tenants.iter().map(|_| Mutex::default()).collect(),
            created: AtomicU64::new(0),
            most: max_users as u64,
        };
        let tenants = load.tenants.len().max(1) as u64;
        let ready = ((rate.0 * READY_SECONDS).ceil() as u64).max(tenants).min(pool.most);
        let mut tasks = JoinSet::new();
        for _ in 0..ready {
            if stop.is_cancelled() {
                break;
            }
            let Some(mut user) =
                pool.create(shared, index, load, pool.created.load(Ordering::Relaxed) % tenants)
            else {
                break;
            };
            let shared = Arc::clone(shared);
            tasks.spawn(async move {
                let due = shared.clock.now();
                // The load has no end yet, and must not be held up: who is refused here starts when it is needed.
                user.start(&shared, due, None).await;
                user
            });
        }
        for user in tasks.join_all().await {
            pool.give_back(load, user);
        }
        pool
    }

    /// A new user for the tenant at `position`; `None` when there are as many as there may be.
    fn create<T>(&self, shared: &Shared<T>, index: usize, load: &Load, position: u64) -> Option<User> {
        let number = self
            .created
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < self.most).then_some(n + 1))
            .ok()?;
        Some(User::new(shared, index, number, mix::tenant(load, position)))
    }

    fn take(&self, position: u64) -> Option<User> {
        self.idle.get(position as usize)?.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give_back(&self, load: &Load, user: User) {
        let position = load.tenants.iter().position(|&tenant| tenant == user.tenant());
        if let Some(idle) = position.and_then(|position| self.idle.get(position)) {
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(user);
        }
    }
}

/// An open load: iterations are released when they are due, whether or not earlier ones have ended.
async fn open<T: Transport>(run: Run<T>, rate: Rate, pool: Pool) {
    let (run, pool) = (Arc::new(run), Arc::new(pool));
    let due_in_time = arrivals::count(rate, run.load.duration);
    let count = run.load.iterations.map_or(due_in_time, |most| most.min(due_in_time));
    let tenants = run.load.tenants.len().max(1) as u64;
    let mut tasks = JoinSet::new();
    for k in 0..count {
        let due = run.begin + arrivals::offset(rate, k);
        if !run.wait(due).await {
            break;
        }
        while tasks.try_join_next().is_some() {}
        let position = k % tenants;
        // Each tenant takes turns of its own: with as many tenants as replicas, `k` alone would tie them together.
        let turn = k / tenants + position;
        let leased = pool.take(position).or_else(|| pool.create(&run.shared, run.index, &run.load, position));
        let Some(mut user) = leased else {
            drop_arrival(&run, k, turn, due);
            continue;
        };
        let (run, pool) = (Arc::clone(&run), Arc::clone(&pool));
        tasks.spawn(async move {
            if user.started() || user.start(&run.shared, due, Some(&run.until)).await == Pass::Complete {
                user.iterate(&run.shared, k + 1, turn, due, &run.until).await;
            }
            pool.give_back(&run.load, user);
        });
    }
    tasks.join_all().await;
}

/// Records an arrival for which there was no user: it is counted, never hidden.
fn drop_arrival<T>(run: &Run<T>, k: u64, turn: u64, due: Nanos) {
    let scenario = &run.shared.scenario;
    let first = scenario.journeys.get(run.load.journey).and_then(|journey| journey.steps.first());
    let now = run.shared.clock.now();
    run.shared.sink.put(Sample {
        intended: due,
        sent: now,
        first_byte: None,
        done: now,
        tenant: mix::tenant(&run.load, k),
        step: first.copied().unwrap_or_default(),
        load: run.index,
        user: 0,
        request: 0,
        iteration: k + 1,
        replica: mix::replica(run.load.routing, 0, turn, run.shared.replicas),
        outcome: Outcome::Dropped,
        bytes_out: 0,
        bytes_in: 0,
        failed_check: None,
        limiter: LimiterHeaders::default(),
        retry_of: None,
        canary: None,
    });
}

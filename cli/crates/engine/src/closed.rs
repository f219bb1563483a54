//! A closed load: users who wait for their answers, each in a task of its own.

use std::{ops::Range, rc::Rc, sync::Arc};

use tokio::task::JoinSet;

use super::{
    exchange::Transport,
    pacer::Wake,
    user::{Pass, Until, User},
    worker::Worker,
};
use saasbench_model::{
    plan::{
        pause, population,
        seeded::{self, Purpose},
    },
    scenario::{LoadModel, Pause},
    units::Nanos,
};

/// A user that got no answer waits at least so long: a service that is down must not be asked in a tight loop.
const BACK_OFF: Nanos = Nanos::from_millis(100);

/// A worker's share of a closed load, on its way.
struct Run<T> {
    worker: Rc<Worker<T>>,
    index: usize,
    begin: Nanos,
    until: Until,
    pause: Pause,
    /// How many users the load has at the most, over all workers.
    users: u64,
    /// The highest number of an iteration.
    iterations: u64,
}

/// Runs a worker's share of the users of a load that begins at `begin`.
pub(super) async fn run<T: Transport>(worker: Rc<Worker<T>>, index: usize, begin: Nanos) {
    let setup = Arc::clone(&worker.setup);
    let Some(load) = setup.scenario.loads.get(index) else { return };
    let LoadModel::Closed { users, spawn, pause } = &load.model else { return };
    let most = load.model.most_users();
    let Some(share) = worker.share_of(most) else { return };
    let until = Until::of(load, begin);
    let iterations = load.iterations.unwrap_or(u64::MAX);
    let run = Rc::new(Run { worker, index, begin, until, pause: *pause, users: most, iterations });
    let mut tasks = JoinSet::new();
    for number in (0..share.count(most)).map(|nth| share.number(nth)) {
        if population::iteration(most, number, 0) > iterations {
            break;
        }
        // Whoever comes later in number comes no earlier in time.
        let presence = population::presence(users, *spawn, number);
        let Some(first) = presence.first() else { break };
        if !run.worker.until_planned(begin + first.start).await {
            break;
        }
        let journey = load.journeys.get(seeded::journey(load, setup.scenario.seed, index, number));
        let Some(&(journey, _)) = journey else { break };
        let user = User::new(&run.worker, index, journey, number, seeded::tenant(load, number));
        tasks.spawn_local(come_and_go(Rc::clone(&run), user, presence));
    }
    tasks.join_all().await;
}

/// One user, whenever it is there; one who comes back starts afresh.
async fn come_and_go<T: Transport>(run: Rc<Run<T>>, mut user: User<T>, presence: Vec<Range<Nanos>>) {
    let mut round = 0;
    for Range { start, end } in presence {
        let due = (run.begin + start).max(run.worker.tempo.planned(user.done()));
        let until = run.until.but_ends(run.begin + end);
        if go_round(&run, &mut user, &mut round, due, until).await.is_none() {
            return;
        }
        user.forget();
    }
}

/// One user, from the instant `due` at which it is ready until it has to go; `None` when it is not to come back. What is due is kept
/// by the plan's time, so that a pause leaves users as far apart as they were.
async fn go_round<T: Transport>(
    run: &Run<T>,
    user: &mut User<T>,
    round: &mut u64,
    mut due: Nanos,
    until: Until,
) -> Option<()> {
    let worker = &*run.worker;
    while due < until.end {
        let iteration = population::iteration(run.users, user.number(), *round);
        if iteration > run.iterations || worker.pacer.is_stopped() || !comes(worker, due, user.done()).await {
            return None;
        }
        if !worker.tempo.admits(user.number(), run.users) {
            // Not the user is late, but the run was held back.
            due = due.max(admitted(run, user.number(), until).await?);
            continue;
        }
        let mut begun = worker.tempo.due(due);
        let mut pass = Pass::Complete;
        if !user.started() {
            pass = user.start(worker, begun, Some(until)).await;
            // The first step is due when the user has started.
            begun = user.done();
            due = worker.tempo.planned(begun);
            if until.is_past(worker, begun) {
                return None;
            }
        }
        if pass == Pass::Complete {
            let turn = user.turn();
            pass = user.iterate(worker, iteration, turn, begun, until).await;
        }
        let chance =
            seeded::uniform(worker.setup.scenario.seed, Purpose::Pause, run.index, user.number(), *round);
        let ended = worker.tempo.planned(user.done());
        due = pause::next(run.pause, due, ended, chance);
        if pass != Pass::Complete {
            due = due.max(ended + BACK_OFF);
        }
        *round += 1;
    }
    Some(())
}

/// Waits until the plan's instant `due` comes, of a user that was done at `done`; false when nothing begins any more.
async fn comes<T: Transport>(worker: &Worker<T>, due: Nanos, done: Nanos) -> bool {
    let has_come = !worker.tempo.is_paused() && worker.tempo.comes(due) <= done;
    has_come || worker.until_planned(due).await
}

/// Waits until a user that is held back may begin iterations, and tells from when on it may, by the plan: the change that allowed it, or
/// the end of its time. `None` when nothing begins any more.
async fn admitted<T: Transport>(run: &Run<T>, number: u64, until: Until) -> Option<Nanos> {
    let worker = &*run.worker;
    loop {
        match worker.until_planned_or_turn(until.end).await {
            Wake::Stopped => return None,
            Wake::Due => return Some(until.end),
            Wake::Turned if worker.tempo.admits(number, run.users) => return Some(worker.tempo.changed_at()),
            Wake::Turned => {}
        }
    }
}

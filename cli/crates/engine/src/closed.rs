//! A closed load: each user waits for its responses before it sends the next request. Each user is a task.

use std::{ops::Range, rc::Rc, sync::Arc};

use tokio::task::JoinSet;

use super::{
    exchange::Transport,
    pacer::Wake,
    user::{Deadlines, IterationOutcome, User},
    worker::Worker,
};
use saasbench_model::{
    plan::{
        pause, population,
        seeded::{self, Purpose},
        time::PlanInstant,
    },
    scenario::{LoadModel, Pause},
    units::Nanos,
};

/// The shortest wait after a request without a response: a service that is down must not be sent requests in
/// a tight loop.
const BACK_OFF: Nanos = Nanos::from_millis(100);

/// A worker's share of a closed load.
struct Run<T> {
    worker: Rc<Worker<T>>,
    index: usize,
    start: PlanInstant,
    deadlines: Deadlines,
    pause: Pause,
    /// The most users that the load has at a time, over all workers.
    users: u64,
    /// The highest iteration number.
    iterations: u64,
}

/// Runs a worker's share of the users of a load that starts at `start`.
pub(super) async fn run<T: Transport>(worker: Rc<Worker<T>>, index: usize, start: PlanInstant) {
    let setup = Arc::clone(&worker.setup);
    let Some(load) = setup.scenario.loads.get(index) else { return };
    let LoadModel::Closed { users, spawn, pause } = &load.model else { return };
    let most = load.model.most_users();
    let Some(share) = worker.share_of(most) else { return };
    let deadlines = Deadlines::of(load, start);
    let iterations = load.iterations.unwrap_or(u64::MAX);
    let run = Rc::new(Run { worker, index, start, deadlines, pause: *pause, users: most, iterations });
    let mut tasks = JoinSet::new();
    for number in (0..share.count(most)).map(|nth| share.number(nth)) {
        if population::iteration(most, number, 0) > iterations {
            break;
        }
        // Users with higher numbers never join earlier.
        let presence = population::presence(users, *spawn, number);
        let Some(first) = presence.first() else { break };
        if !run.worker.until_planned(start + first.start).await {
            break;
        }
        let journey = load.journeys.get(seeded::journey(load, setup.scenario.seed, index, number));
        let Some(&(journey, _)) = journey else { break };
        let user = User::new(&run.worker, index, journey, number, seeded::tenant(load, number), 1);
        tasks.spawn_local(run_user(Rc::clone(&run), user, presence));
    }
    tasks.join_all().await;
}

/// Runs one user through the spans in which it is present; after an absence it runs its start steps again.
async fn run_user<T: Transport>(run: Rc<Run<T>>, mut user: User<T>, presence: Vec<Range<Nanos>>) {
    let mut round = 0;
    for Range { start, end } in presence {
        let due = (run.start + start).max(run.worker.pace.to_plan_time(user.done()));
        let deadlines = run.deadlines.with_end(run.start + end);
        if iterate_until(&run, &mut user, &mut round, due, deadlines).await.is_none() {
            return;
        }
        user.forget();
    }
}

/// Runs the iterations of one user, the first of which is due at `due`, until it leaves; `None` if it will
/// not come back. Due instants are kept in plan time, so that a pause does not change the distances between
/// users.
async fn iterate_until<T: Transport>(
    run: &Run<T>,
    user: &mut User<T>,
    round: &mut u64,
    mut due: PlanInstant,
    deadlines: Deadlines,
) -> Option<()> {
    let worker = &*run.worker;
    while due < deadlines.end {
        let iteration = population::iteration(run.users, user.number(), *round);
        let is_over = iteration > run.iterations || worker.pacer.is_stopped();
        if is_over || !is_reached(worker, due, user.done()).await {
            return None;
        }
        if !worker.pace.admits(user.number(), run.users) {
            // The run was held back, so the user is not late.
            due = admitted(run, user.number(), due, deadlines).await?;
            continue;
        }
        let Some(mut started) = worker.pace.due(due) else { continue };
        let mut ended = IterationOutcome::Complete;
        if !user.started() {
            ended = user.start(worker, started, Some(deadlines)).await;
            // The first step is due when the start steps are done.
            started = user.done();
            due = worker.pace.to_plan_time(started);
            if deadlines.is_past(worker, started) {
                return None;
            }
        }
        if ended == IterationOutcome::Complete {
            let turn = user.turn();
            ended = user.iterate(worker, iteration, turn, started, deadlines).await;
        }
        let chance =
            seeded::uniform(worker.setup.scenario.seed, Purpose::Pause, run.index, user.number(), *round);
        let done = worker.pace.to_plan_time(user.done());
        due = PlanInstant(pause::next(run.pause, due.0, done.0, chance));
        if ended != IterationOutcome::Complete {
            due = due.max(done + BACK_OFF);
        }
        *round += 1;
    }
    Some(())
}

/// Waits until the plan's instant `due` of a user that was done at `done`; false if no more iterations may
/// start.
async fn is_reached<T: Transport>(worker: &Worker<T>, due: PlanInstant, done: Nanos) -> bool {
    let has_passed = !worker.pace.is_paused() && worker.pace.to_run_time(due).is_some_and(|due| due <= done);
    has_passed || worker.until_planned(due).await
}

/// Waits until a user that is held back by the pace may start iterations. Returns when its next one, which
/// was due at `due`, is due then: not before the change that admitted it, and at most the user's end. `None`
/// if no more iterations may start.
async fn admitted<T: Transport>(
    run: &Run<T>,
    number: u64,
    due: PlanInstant,
    deadlines: Deadlines,
) -> Option<PlanInstant> {
    let worker = &*run.worker;
    loop {
        match worker.until_planned_or_pace_change(deadlines.end).await {
            Wake::Stopped => return None,
            Wake::Due => return Some(due.max(deadlines.end)),
            Wake::PaceChanged if worker.pace.admits(number, run.users) => {
                return Some(worker.pace.changed_at().map_or(due, |changed| due.max(changed)));
            }
            Wake::PaceChanged => {}
        }
    }
}

//! A closed load: users who wait for their answers, each in a task of its own.

use std::{cell::Cell, rc::Rc};

use tokio::task::JoinSet;

use super::{
    exchange::Transport,
    user::{Pass, User},
    worker::{Share, Worker},
};
use crate::{
    plan::{arrivals, mix},
    units::{Nanos, Rate},
};

/// A user that got no answer waits at least so long: a service that is down must not be asked in a tight loop.
const BACK_OFF: Nanos = Nanos::from_millis(100);

/// A worker's share of a closed load, on its way.
struct Run<T> {
    worker: Rc<Worker<T>>,
    index: usize,
    /// Nothing that is due at this instant or later begins.
    end: Nanos,
    pause: (Nanos, Nanos),
    share: Share,
    /// Iterations begun.
    iterations: Cell<u64>,
    /// How many may begin.
    most: u64,
}

/// Runs a worker's share of the users of a load that begins at `begin`.
pub(super) async fn run<T: Transport>(
    worker: Rc<Worker<T>>,
    index: usize,
    begin: Nanos,
    users: usize,
    spawn: Option<Rate>,
    pause: (Nanos, Nanos),
) {
    let setup = std::sync::Arc::clone(&worker.setup);
    let Some(load) = setup.scenario.loads.get(index) else { return };
    let Some(share) = worker.share_of(users as u64) else { return };
    let most = load.iterations.map_or(u64::MAX, |total| share.count(total));
    let end = begin + load.duration;
    let run = Rc::new(Run { worker, index, end, pause, share, iterations: Cell::new(0), most });
    let mut tasks = JoinSet::new();
    for nth in 0..share.count(users as u64) {
        let number = share.number(nth);
        let due = begin + spawn.map_or(Nanos::ZERO, |rate| arrivals::offset(rate, number));
        if due >= end || !run.worker.pacer.until(due).await {
            break;
        }
        let user = User::new(&run.worker, index, number, mix::tenant(load, number));
        tasks.spawn_local(go_round(Rc::clone(&run), user, due));
    }
    tasks.join_all().await;
}

/// One user, from the instant `due` at which it is ready.
async fn go_round<T: Transport>(run: Rc<Run<T>>, mut user: User<T>, mut due: Nanos) {
    let worker = &*run.worker;
    for round in 0.. {
        let is_due = due <= user.done();
        if due >= run.end || worker.pacer.is_stopped() || !(is_due || worker.pacer.until(due).await) {
            return;
        }
        let mut pass = Pass::Complete;
        if !user.started() {
            pass = user.start(worker, due, Some(run.end)).await;
            // The first step is due when the user has started.
            due = user.done();
        }
        if pass == Pass::Complete {
            let begun = run.iterations.get();
            if begun == run.most {
                return;
            }
            run.iterations.set(begun + 1);
            let turn = user.turn();
            pass = user.iterate(worker, run.share.number(begun) + 1, turn, due, run.end).await;
        }
        let rest = mix::pause(run.pause, worker.setup.scenario.seed, run.index, user.number(), round);
        let rest = if pass == Pass::Complete { rest } else { rest.max(BACK_OFF) };
        due = user.done() + rest;
    }
}

//! The timer that requests need not set, on a paused clock.

use std::{
    future::{pending, ready},
    rc::Rc,
    time::Duration,
};

use tokio::{
    sync::{Mutex, oneshot},
    time::{Instant, sleep},
};

use crate::http1::deadline::Deadline;

const SECOND: Duration = Duration::from_secs(1);

/// Waits for something that never happens, and returns how long.
async fn wait_in_vain(deadline: &mut Deadline, length: Duration) -> Duration {
    let began = Instant::now();
    assert_eq!(deadline.limit(began + length, pending::<()>()).await, None);
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_at_its_deadline_whatever_the_timer_was_set_to() {
    let mut deadline = Deadline::default();
    // Each with the timer as the previous one left it: absent, expired, expired long ago, set for earlier,
    // set for later.
    assert_eq!(wait_in_vain(&mut deadline, 10 * SECOND).await, 10 * SECOND);
    assert_eq!(wait_in_vain(&mut deadline, 10 * SECOND).await, 10 * SECOND);
    sleep(60 * SECOND).await;
    assert_eq!(wait_in_vain(&mut deadline, 10 * SECOND).await, 10 * SECOND);
    assert_eq!(deadline.limit(Instant::now() + 10 * SECOND, sleep(4 * SECOND)).await, Some(()));
    assert_eq!(wait_in_vain(&mut deadline, 10 * SECOND).await, 10 * SECOND);
    assert_eq!(deadline.limit(Instant::now() + 10 * SECOND, sleep(SECOND)).await, Some(()));
    assert_eq!(wait_in_vain(&mut deadline, 2 * SECOND).await, 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_ready_future_is_taken_even_past_the_deadline() {
    let mut deadline = Deadline::default();
    let at = Instant::now();
    sleep(SECOND).await;
    assert_eq!(deadline.limit(at, ready(1)).await, Some(1));
    assert_eq!(deadline.limit(at, pending::<()>()).await, None);
}

/// A timer that was set by one task must wake the other that is waiting now.
#[tokio::test(start_paused = true)]
async fn a_timer_that_changes_hands_wakes_the_new_owner() {
    let deadline = Rc::new(Mutex::new(Deadline::default()));
    let (first, second) = (Rc::clone(&deadline), deadline);
    let (handed, over) = oneshot::channel();
    let local = tokio::task::LocalSet::new();
    let began = Instant::now();
    local.spawn_local(async move {
        let limited = first.lock().await.limit(began + 10 * SECOND, sleep(SECOND)).await;
        assert_eq!(limited, Some(()));
        handed.send(()).unwrap();
        pending::<()>().await;
    });
    let waited = local.run_until(async move {
        over.await.unwrap();
        let outcome = second.lock().await.limit(began + 12 * SECOND, pending::<()>()).await;
        (outcome, began.elapsed())
    });
    assert_eq!(tokio::time::timeout(60 * SECOND, waited).await, Ok((None, 12 * SECOND)));
}

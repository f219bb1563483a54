//! A timer that requests need not reset: it stays set for an earlier deadline, and is moved only when that
//! has passed.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll, Waker, ready},
};

use tokio::{
    task::coop::unconstrained,
    time::{Instant, Sleep, sleep_until},
};

/// Limits how long futures may take. Deadlines are expected to rise from use to use: then the timer is
/// touched once per deadline length, however many uses there are.
#[derive(Debug, Default)]
pub struct Deadline {
    timer: Option<Timer>,
}

#[derive(Debug)]
struct Timer {
    sleep: Pin<Box<Sleep>>,
    /// Woken when it fires.
    waker: Waker,
}

impl Deadline {
    /// The output of `future`, or `None` if it is not ready by `at`.
    pub async fn limit<T>(&mut self, at: Instant, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending => self.poll_passed(at, cx).map(|()| None),
        })
        .await
    }

    fn poll_passed(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self
            .timer
            .get_or_insert_with(|| Timer { sleep: Box::pin(sleep_until(at)), waker: Waker::noop().clone() });
        if timer.sleep.deadline() > at {
            timer.sleep.as_mut().reset(at);
        } else if timer.waker.will_wake(cx.waker()) && !timer.sleep.is_elapsed() {
            return Poll::Pending; // set, and for this task
        }
        timer.waker.clone_from(cx.waker());
        loop {
            // Unconstrained: a used-up budget must not keep the timer from storing the waker.
            ready!(Pin::new(&mut unconstrained(timer.sleep.as_mut())).poll(cx));
            if timer.sleep.deadline() >= at {
                return Poll::Ready(());
            }
            timer.sleep.as_mut().reset(at);
        }
    }
}

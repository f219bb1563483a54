//! Wakes tasks at their instants: one queue and one timer for all waits of a worker.
//!
//! tokio's timers round up to a whole millisecond. Here the timer is a `timerfd` with an absolute instant,
//! whose readiness is polled together with the sockets. Under a clock that is paused for a test, it is one of
//! tokio's timers.

use std::{
    cell::{Cell, RefCell},
    collections::BinaryHeap,
    future::{Future, poll_fn},
    io,
    os::fd::OwnedFd,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use tokio::{io::unix::AsyncFd, sync::Notify};

use crate::clock::RunClock;
use saasbench_model::units::Nanos;

/// Wakes the tasks of one worker at their instants.
#[derive(Debug)]
pub struct Pacer {
    clock: RunClock,
    waiting: RefCell<BinaryHeap<Waiting>>,
    /// Tasks that wait for no instant, only for a change of the pace or a stop.
    without_instant: RefCell<Vec<Waker>>,
    /// Numbers the waits, so that of two with the same instant the first is woken first.
    waits: Cell<u64>,
    /// What the alarm is set to; `None` while no wait has an instant.
    set_to: Cell<Option<Nanos>>,
    stopped: Cell<bool>,
    /// How often all tasks were woken because of a change of the pace.
    pace_changes: Cell<u64>,
    alarm: Alarm,
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// The instant is reached.
    Due,
    /// The load is being stopped: nothing starts any more.
    Stopped,
    /// The pace was changed, so the instant to wait for may be another one.
    PaceChanged,
}

/// The timer for the next instant.
#[derive(Debug)]
enum Alarm {
    /// To the nanosecond, on the monotonic clock; `zero` is the run's zero there.
    TimerFd { fd: AsyncFd<OwnedFd>, zero: Nanos },
    /// To the millisecond; `changed` announces a new instant.
    Tokio { changed: Notify },
}

/// A task that waits.
#[derive(Debug)]
struct Waiting {
    due: Nanos,
    number: u64,
    waker: Waker,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The greatest is woken first.
impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.due, other.number).cmp(&(self.due, self.number))
    }
}

impl Pacer {
    /// A pacer with a precision of microseconds, for a runtime with I/O.
    ///
    /// # Errors
    /// When the operating system cannot provide a timer.
    pub fn exact(clock: RunClock) -> io::Result<Self> {
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        // Deprecated because of types that return one descriptor and close another; its successor is unsafe.
        #[expect(deprecated, reason = "an `OwnedFd` closes the descriptor that it returns")]
        let fd = AsyncFd::with_interest(fd, tokio::io::Interest::READABLE)?;
        let zero = zero_of(clock);
        Ok(Self::new(clock, Alarm::TimerFd { fd, zero }))
    }

    /// A pacer that follows tokio's clock, paused or not.
    pub fn on_tokio(clock: RunClock) -> Self {
        Self::new(clock, Alarm::Tokio { changed: Notify::new() })
    }

    fn new(clock: RunClock, alarm: Alarm) -> Self {
        Self {
            clock,
            waiting: RefCell::default(),
            without_instant: RefCell::default(),
            waits: Cell::new(0),
            set_to: Cell::new(None),
            stopped: Cell::new(false),
            pace_changes: Cell::new(0),
            alarm,
        }
    }

    /// Waits until `due` (true) or until [`Self::stop`] (false).
    pub async fn until(&self, due: Nanos) -> bool {
        loop {
            match self.until_or_pace_change(Some(due)).await {
                Wake::Due => return true,
                Wake::Stopped => return false,
                Wake::PaceChanged => {}
            }
        }
    }

    /// Waits until `due` (`None`: no instant), until [`Self::stop`], or until the next
    /// [`Self::notify_pace_change`].
    pub async fn until_or_pace_change(&self, due: Option<Nanos>) -> Wake {
        let pace_changes = self.pace_changes.get();
        let mut queued = false;
        poll_fn(|context| {
            if self.stopped.get() {
                return Poll::Ready(Wake::Stopped);
            }
            if self.pace_changes.get() != pace_changes {
                return Poll::Ready(Wake::PaceChanged);
            }
            if due.is_some_and(|due| self.clock.now() >= due) {
                return Poll::Ready(Wake::Due);
            }
            if !queued {
                queued = true;
                match due {
                    Some(due) => self.queue(due, context.waker()),
                    None => self.without_instant.borrow_mut().push(context.waker().clone()),
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Wakes all tasks, so that they decide again what to wait for.
    pub fn notify_pace_change(&self) {
        self.pace_changes.set(self.pace_changes.get() + 1);
        self.wake_all();
    }

    /// Ends every wait, now and later.
    pub fn stop(&self) {
        self.stopped.set(true);
        self.wake_all();
    }

    fn wake_all(&self) {
        self.waiting.take().into_iter().for_each(|waiting| waiting.waker.wake());
        self.without_instant.take().into_iter().for_each(Waker::wake);
    }

    /// Whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        self.stopped.get()
    }

    fn queue(&self, due: Nanos, waker: &Waker) {
        let number = self.waits.get();
        self.waits.set(number + 1);
        self.waiting.borrow_mut().push(Waiting { due, number, waker: waker.clone() });
        if self.set_to.get().is_none_or(|set_to| due < set_to) {
            self.set(due);
            if let Alarm::Tokio { changed } = &self.alarm {
                changed.notify_one();
            }
        }
    }

    /// Sets the timer. Failing can only be a bug; then the timer is left as it was.
    fn set(&self, due: Nanos) {
        self.set_to.set(Some(due));
        if let Alarm::TimerFd { fd, zero } = &self.alarm {
            // Zero would switch the timer off; the past is equivalent to now.
            let at = (*zero + due).0.max(1);
            let spec = Itimerspec {
                it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
                it_value: Timespec { tv_sec: at / 1_000_000_000, tv_nsec: at % 1_000_000_000 },
            };
            let _ = timerfd_settime(fd, TimerfdTimerFlags::ABSTIME, &spec);
        }
    }

    /// Wakes the tasks that are due, in a loop; must run as a task of its own, and never ends.
    ///
    /// # Errors
    /// When the runtime has no I/O.
    pub async fn drive(&self) -> io::Result<()> {
        loop {
            match &self.alarm {
                // Readiness is reported once for each time that the timer expires, whether or not it is read.
                Alarm::TimerFd { fd, .. } => fd.readable().await?.clear_ready(),
                Alarm::Tokio { changed } => self.alarm_or_change(changed).await,
            }
            self.wake_due();
        }
    }

    /// Waits until the timer expires, or is set to another instant.
    async fn alarm_or_change(&self, changed: &Notify) {
        let mut change = pin!(changed.notified());
        let Some(set_to) = self.set_to.get() else { return change.await };
        let mut alarm = pin!(tokio::time::sleep_until(self.clock.instant(set_to)));
        poll_fn(|context: &mut Context<'_>| {
            let is_changed = Pin::as_mut(&mut change).poll(context).is_ready();
            if is_changed || alarm.as_mut().poll(context).is_ready() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    fn wake_due(&self) {
        let now = self.clock.now();
        let mut waiting = self.waiting.borrow_mut();
        while let Some(first) = waiting.peek()
            && first.due <= now
        {
            if let Some(first) = waiting.pop() {
                first.waker.wake();
            }
        }
        let next = waiting.peek().map(|first| first.due);
        drop(waiting);
        match next {
            Some(next) => self.set(next),
            // The timer has expired, and no wait has an instant.
            None => self.set_to.set(None),
        }
    }
}

/// The run's zero on the monotonic clock. Of several pairs of readings the closest is used, because the
/// thread can be preempted between two readings.
fn zero_of(clock: RunClock) -> Nanos {
    let reading = || {
        let before = clock.now();
        let monotonic = clock_gettime(ClockId::Monotonic);
        let after = clock.now();
        (after - before, Nanos::from_secs(monotonic.tv_sec) + Nanos(monotonic.tv_nsec) - after)
    };
    (0..8).map(|_| reading()).min().map_or(Nanos::ZERO, |(_, zero)| zero)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use tokio::runtime::{Builder, LocalOptions};

    use super::*;

    #[test]
    fn the_exact_pacer_wakes_in_order_and_never_early() {
        let runtime =
            Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
        let woken = runtime.block_on(async {
            let clock = RunClock::start();
            let pacer = Rc::new(Pacer::exact(clock).unwrap());
            let driver = Rc::clone(&pacer);
            tokio::task::spawn_local(async move { driver.drive().await });
            let woken = Rc::new(RefCell::new(Vec::new()));
            let begin = clock.now();
            let tasks: Vec<_> = [30_u8, 0, 20, 20, 10]
                .into_iter()
                .enumerate()
                .map(|(number, millis)| {
                    let (pacer, woken) = (Rc::clone(&pacer), Rc::clone(&woken));
                    tokio::task::spawn_local(async move {
                        let due = begin + Nanos::from_millis(millis.into());
                        assert!(pacer.until(due).await);
                        assert!(clock.now() >= due);
                        woken.borrow_mut().push(number);
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            woken.take()
        });
        assert_eq!(woken, [1, 4, 2, 3, 0]);
    }

    #[test]
    fn a_stop_ends_every_wait() {
        let runtime =
            Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
        runtime.block_on(async {
            let clock = RunClock::start();
            let pacer = Rc::new(Pacer::exact(clock).unwrap());
            let waiting = Rc::clone(&pacer);
            let task = tokio::task::spawn_local(async move { waiting.until(Nanos::from_secs(3600)).await });
            tokio::task::yield_now().await;
            pacer.stop();
            assert!(!task.await.unwrap());
            assert!(!pacer.until(Nanos::ZERO).await, "nothing starts after a stop");
        });
    }
}

//! Wakes tasks at their instants: one queue and one alarm for all waits of a worker.
//!
//! tokio's timers round up to a whole millisecond. Here the alarm is a `timerfd` with an absolute instant, whose readiness
//! comes with that of the sockets. Under a clock that is paused for a test, it is a timer of tokio's.

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
    /// Numbers the waits, so that of two that are due together the first to come goes first.
    waits: Cell<u64>,
    /// What the alarm is set to.
    set_to: Cell<Nanos>,
    stopped: Cell<bool>,
    /// How often everybody was woken to think again.
    turns: Cell<u64>,
    alarm: Alarm,
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// The instant has come.
    Due,
    /// Nothing begins any more.
    Stopped,
    /// There may be something else to wait for.
    Turned,
}

/// What tells that the next instant has come.
#[derive(Debug)]
enum Alarm {
    /// To the nanosecond, on the monotonic clock; `zero` is the run's zero there.
    TimerFd { fd: AsyncFd<OwnedFd>, zero: Nanos },
    /// To the millisecond, and told of a new instant by hand.
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

/// The greatest is the one to wake first.
impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.due, other.number).cmp(&(self.due, self.number))
    }
}

impl Pacer {
    /// One that is exact to some microseconds; for a runtime that drives input and output.
    ///
    /// # Errors
    /// When the operating system has no timer to give.
    pub fn exact(clock: RunClock) -> io::Result<Self> {
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        // Deprecated for types that say one descriptor and close another; its successor can only be called as unsafe code.
        #[expect(deprecated, reason = "an `OwnedFd` is the descriptor that it says it is")]
        let fd = AsyncFd::with_interest(fd, tokio::io::Interest::READABLE)?;
        let zero = zero_of(clock);
        Ok(Self::new(clock, Alarm::TimerFd { fd, zero }))
    }

    /// One that follows tokio's clock, paused or not.
    pub fn on_tokio(clock: RunClock) -> Self {
        Self::new(clock, Alarm::Tokio { changed: Notify::new() })
    }

    fn new(clock: RunClock, alarm: Alarm) -> Self {
        Self {
            clock,
            waiting: RefCell::default(),
            waits: Cell::new(0),
            set_to: Cell::new(Nanos::MAX),
            stopped: Cell::new(false),
            turns: Cell::new(0),
            alarm,
        }
    }

    /// Waits until `due`, or until [`Self::stop`]: false then.
    pub async fn until(&self, due: Nanos) -> bool {
        loop {
            match self.until_or_turn(due).await {
                Wake::Due => return true,
                Wake::Stopped => return false,
                Wake::Turned => {}
            }
        }
    }

    /// Waits until `due`, until [`Self::stop`], or until the next [`Self::turn`].
    pub async fn until_or_turn(&self, due: Nanos) -> Wake {
        let turns = self.turns.get();
        let mut queued = false;
        poll_fn(|context| {
            if self.stopped.get() {
                return Poll::Ready(Wake::Stopped);
            }
            if self.turns.get() != turns {
                return Poll::Ready(Wake::Turned);
            }
            if self.clock.now() >= due {
                return Poll::Ready(Wake::Due);
            }
            if !queued {
                queued = true;
                self.queue(due, context.waker());
            }
            Poll::Pending
        })
        .await
    }

    /// Wakes everybody to think again about what to wait for.
    pub fn turn(&self) {
        self.turns.set(self.turns.get() + 1);
        for waiting in self.waiting.take() {
            waiting.waker.wake();
        }
    }

    /// Ends every wait, now and later.
    pub fn stop(&self) {
        self.stopped.set(true);
        for waiting in self.waiting.take() {
            waiting.waker.wake();
        }
    }

    /// Whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        self.stopped.get()
    }

    fn queue(&self, due: Nanos, waker: &Waker) {
        let number = self.waits.get();
        self.waits.set(number + 1);
        self.waiting.borrow_mut().push(Waiting { due, number, waker: waker.clone() });
        if due < self.set_to.get() {
            self.set(due);
            if let Alarm::Tokio { changed } = &self.alarm {
                changed.notify_one();
            }
        }
    }

    /// Sets the alarm. A timer that the system rejects to set can only be a defect, and is left as it was.
    fn set(&self, due: Nanos) {
        self.set_to.set(due);
        if let Alarm::TimerFd { fd, zero } = &self.alarm {
            // Zero would switch the timer off; the past is as good as now.
            let at = (*zero + due).0.max(1);
            let spec = Itimerspec {
                it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
                it_value: Timespec { tv_sec: at / 1_000_000_000, tv_nsec: at % 1_000_000_000 },
            };
            let _ = timerfd_settime(fd, TimerfdTimerFlags::ABSTIME, &spec);
        }
    }

    /// Wakes whoever is due, again and again; a task of its own, which has no end.
    ///
    /// # Errors
    /// When the runtime does not drive input and output.
    pub async fn drive(&self) -> io::Result<()> {
        loop {
            match &self.alarm {
                // Readiness is told once for each time that the timer runs out, whether or not it is read.
                Alarm::TimerFd { fd, .. } => fd.readable().await?.clear_ready(),
                Alarm::Tokio { changed } => self.alarm_or_change(changed).await,
            }
            self.wake_due();
        }
    }

    /// Waits until the alarm goes off, or is set to another instant.
    async fn alarm_or_change(&self, changed: &Notify) {
        let mut change = pin!(changed.notified());
        if self.set_to.get() == Nanos::MAX {
            return change.await;
        }
        let mut alarm = pin!(tokio::time::sleep_until(self.clock.instant(self.set_to.get())));
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
        let next = waiting.peek().map_or(Nanos::MAX, |first| first.due);
        drop(waiting);
        if next == Nanos::MAX {
            // The timer has run out, and nothing else is to be waited for.
            self.set_to.set(next);
        } else {
            self.set(next);
        }
    }
}

/// The run's zero on the monotonic clock: of some readings of both the closest together, because a thread can be put aside
/// between two of them.
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
    fn the_exact_alarm_wakes_in_order_and_never_early() {
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
            assert!(!pacer.until(Nanos::ZERO).await, "nothing begins after a stop");
        });
    }
}

//! A stall: a span in which the generator did not run, as its hiccup meter saw it.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use serde::{Deserialize, Serialize};

use crate::units::Nanos;

/// The shortest gap that counts: below it lies the ordinary coming and going of a scheduler.
pub const SHORTEST: Nanos = Nanos::from_millis(5);

/// A span in which the generator did not run: a line of `generator/stalls.jsonl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stall {
    /// The meter last ran then; the stall began at most one of its beats (1 ms) later.
    pub from_ns: Nanos,
    /// It ran again.
    pub to_ns: Nanos,
    /// Why, as far as it can be told.
    pub cause: Cause,
}

/// Why the meter did not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The process was stopped (SIGSTOP, a debugger) or frozen (a paused container).
    Stopped,
    /// It was ready to run, and the processors had something else to do.
    NoProcessor,
    /// Neither: nobody kept it from running, so the machine itself did not run.
    Machine,
    /// The operating system keeps no account of it.
    Unknown,
}

impl Stall {
    /// How long it lasted: up to one beat of the meter too much.
    pub fn length(&self) -> Nanos {
        self.to_ns - self.from_ns
    }
}

/// All stalls so far: the meter counts, anybody may read.
#[derive(Debug, Default)]
pub struct Stalled {
    count: AtomicU64,
    ns: AtomicI64,
    all: Mutex<Vec<Stall>>,
    until: AtomicI64,
}

impl Stalled {
    /// One more.
    pub fn add(&self, stall: &Stall) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.ns.fetch_add(stall.length().0, Ordering::Relaxed);
        self.all.lock().unwrap_or_else(PoisonError::into_inner).push(*stall);
    }

    /// The meter has looked at all that was before this instant.
    pub fn look(&self, until: Nanos) {
        self.until.store(until.0, Ordering::Release);
    }

    /// Up to when all stalls are known.
    pub fn looked_until(&self) -> Nanos {
        Nanos(self.until.load(Ordering::Acquire))
    }

    /// All of them, in order, held still meanwhile: be quick.
    pub fn all<T>(&self, look: impl FnOnce(&[Stall]) -> T) -> T {
        look(&self.all.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many there were, and how long they lasted together.
    pub fn total(&self) -> (u64, Nanos) {
        (self.count.load(Ordering::Relaxed), Nanos(self.ns.load(Ordering::Relaxed)))
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Stopped => "the process was stopped",
            Self::NoProcessor => "it waited for a processor",
            Self::Machine => "the machine stood still",
            Self::Unknown => "cause unknown",
        })
    }
}

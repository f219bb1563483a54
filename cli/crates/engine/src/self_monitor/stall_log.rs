//! The stalls of a run so far: the hiccup meter adds, the engine and the displays read.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use saasbench_model::units::Nanos;
use saasbench_record::stall::Stall;

/// All stalls so far: the meter counts, anybody may read.
#[derive(Debug, Default)]
pub struct StallLog {
    count: AtomicU64,
    ns: AtomicI64,
    all: Mutex<Vec<Stall>>,
    until: AtomicI64,
}

impl StallLog {
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

//! The stalls of a run so far: the hiccup meter writes it, the engine and the displays read it.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use saasbench_model::units::Nanos;
use saasbench_record::stall::Stall;

/// All stalls so far: the meter writes, any thread may read.
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

    /// The meter has detected all stalls before this instant.
    pub fn complete_until(&self, until: Nanos) {
        self.until.store(until.0, Ordering::Release);
    }

    /// Up to when all stalls are known.
    pub fn known_until(&self) -> Nanos {
        Nanos(self.until.load(Ordering::Acquire))
    }

    /// Reads all of them, in order; the lock is held meanwhile.
    pub fn all<T>(&self, read: impl FnOnce(&[Stall]) -> T) -> T {
        read(&self.all.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Their number, and their length together.
    pub fn total(&self) -> (u64, Nanos) {
        (self.count.load(Ordering::Relaxed), Nanos(self.ns.load(Ordering::Relaxed)))
    }
}

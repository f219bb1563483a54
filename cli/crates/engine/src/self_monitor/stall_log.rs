//! The stalls of a run so far: the hiccup meter writes them, engine and live views read them.

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
    /// Adds a stall.
    pub fn add(&self, stall: &Stall) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.ns.fetch_add(stall.length().0, Ordering::Relaxed);
        self.all.lock().unwrap_or_else(PoisonError::into_inner).push(*stall);
    }

    /// Marks that all stalls before this instant have been detected.
    pub fn complete_until(&self, until: Nanos) {
        self.until.store(until.0, Ordering::Release);
    }

    /// The instant until which all stalls are known.
    pub fn known_until(&self) -> Nanos {
        Nanos(self.until.load(Ordering::Acquire))
    }

    /// Replaces a stall by what is known of it now.
    pub fn complete(&self, stall: &Stall) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.iter_mut().rev().find(|known| known.from_ns == stall.from_ns) {
            *known = *stall;
        }
    }

    /// Calls `read` with all stalls, in order, while holding the lock.
    pub fn all<T>(&self, read: impl FnOnce(&[Stall]) -> T) -> T {
        read(&self.all.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Their number and total length.
    pub fn total(&self) -> (u64, Nanos) {
        (self.count.load(Ordering::Relaxed), Nanos(self.ns.load(Ordering::Relaxed)))
    }
}

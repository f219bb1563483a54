//! Counts the requests in flight, in the engine itself and not from samples.

use std::sync::atomic::{AtomicU32, Ordering};

/// The number of requests in flight, by worker: each worker writes its own count, and any thread may read.
#[derive(Debug)]
pub struct InFlight(Vec<Count>);

/// One worker's count, on a cache line that no other worker writes to.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Count(AtomicU32);

impl Default for InFlight {
    fn default() -> Self {
        Self::new(1)
    }
}

impl InFlight {
    /// No requests, for this number of workers.
    pub fn new(workers: usize) -> Self {
        Self((0..workers.max(1)).map(|_| Count::default()).collect())
    }

    /// Counts a request that a worker starts to send.
    pub fn begin(&self, worker: usize) {
        self.change(worker, |count| count.wrapping_add(1));
    }

    /// Counts a request whose outcome is known.
    pub fn end(&self, worker: usize) {
        self.change(worker, |count| count.wrapping_sub(1));
    }

    /// The number of one worker's.
    pub fn of(&self, worker: usize) -> u32 {
        self.0.get(worker % self.0.len()).map_or(0, |count| count.0.load(Ordering::Relaxed))
    }

    /// The number in flight, over all workers.
    pub fn total(&self) -> u32 {
        self.0.iter().map(|count| count.0.load(Ordering::Relaxed)).sum()
    }

    /// Only one thread writes to a count, so load and store need not be one atomic operation.
    fn change(&self, worker: usize, change: impl Fn(u32) -> u32) {
        if let Some(Count(count)) = self.0.get(worker % self.0.len()) {
            count.store(change(count.load(Ordering::Relaxed)), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_count_separately() {
        let in_flight = InFlight::new(2);
        in_flight.begin(0);
        in_flight.begin(1);
        in_flight.begin(1);
        in_flight.end(0);
        assert_eq!(in_flight.total(), 2);
    }
}

//! The store in memory: exact, with one clock and one lock. It needs no timer: expired entries are removed
//! whenever a map has doubled since the last sweep, so memory stays within twice what is alive.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{DecideOptions, DecisionMode};
use crate::limiter::{Decision, KeyedLimit, LimitResult, LimitState};

/// Smaller maps are not swept.
const MIN_SWEEP_SIZE: usize = 1024;

#[derive(Debug, Clone)]
pub(super) struct MemoryStore(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Clock,
    contents: Mutex<Contents>,
}

/// Time since the Unix epoch that advances with tokio's clock: monotonic, and paused with it.
#[derive(Debug)]
struct Clock {
    anchor: Instant,
    unix: Duration,
}

impl Clock {
    fn now(&self) -> Duration {
        self.unix + self.anchor.elapsed()
    }
}

#[derive(Debug, Default)]
struct Contents {
    sessions: ExpiringMap<()>,
    limits: ExpiringMap<LimitState>,
}

/// A map whose entries expire.
#[derive(Debug)]
struct ExpiringMap<V> {
    entries: HashMap<String, (Duration, V)>,
    sweep_at: usize,
}

impl<V> Default for ExpiringMap<V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), sweep_at: MIN_SWEEP_SIZE }
    }
}

impl<V> ExpiringMap<V> {
    fn get(&self, key: &str, now: Duration) -> Option<&V> {
        self.entries.get(key).filter(|(end, _)| now < *end).map(|(_, value)| value)
    }

    fn insert(&mut self, key: String, now: Duration, end: Duration, value: V) {
        self.entries.insert(key, (end, value));
        if self.entries.len() >= self.sweep_at {
            self.entries.retain(|_, (end, _)| now < *end);
            self.sweep_at = MIN_SWEEP_SIZE.max(self.entries.len() * 2);
        }
    }
}

impl MemoryStore {
    /// An empty store, whose clock is at `unix` now.
    pub(super) fn at(unix: Duration) -> Self {
        let clock = Clock { anchor: Instant::now(), unix };
        Self(Arc::new(Shared { clock, contents: Mutex::default() }))
    }

    pub(super) fn create_session(&self, key: String, lifetime: Option<Duration>) {
        let now = self.0.clock.now();
        let end = lifetime.map_or(Duration::MAX, |lifetime| now + lifetime);
        self.lock().sessions.insert(key, now, end, ());
    }

    pub(super) fn has_session(&self, key: &str) -> bool {
        self.lock().sessions.get(key, self.0.clock.now()).is_some()
    }

    pub(super) fn decide(&self, session: &str, limits: &[KeyedLimit]) -> Option<Decision> {
        let mut contents = self.lock();
        // Read while the lock is held, so that decisions have the order of their instants.
        let now = self.0.clock.now();
        contents.sessions.get(session, now)?;
        let results = contents.limits.check_all(limits, now);
        let mut decision = Decision { at: now, results };
        if decision.admitted() {
            decision.results = contents.limits.admit_all(limits, now);
        }
        Some(decision)
    }

    /// As [`decide`](Self::decide), for a fault.
    pub(super) fn decide_with(
        &self,
        options: DecideOptions,
        session: &str,
        limits: &[KeyedLimit],
    ) -> Option<Decision> {
        let mut contents = self.lock();
        let now = self.0.clock.now();
        contents.sessions.get(session, now)?;
        let now = now + options.clock_offset;
        let results = contents.limits.check_all(limits, now);
        let mut decision = Decision { at: now, results };
        match (options.mode, decision.admitted()) {
            (DecisionMode::CheckOnly, _) | (DecisionMode::Decide, false) => {}
            (DecisionMode::CountOnly, _) | (_, true) => {
                decision.results = contents.limits.admit_all(limits, now);
            }
            (DecisionMode::CountRejections, false) => {
                contents.limits.admit_all(limits, now);
                contents.limits.cap_rejections(limits);
                let after = contents.limits.check_all(limits, now);
                for (result, after) in decision.results.iter_mut().zip(after) {
                    // A limit that had room before is not the one that rejects.
                    *result = LimitResult { retry_after: result.retry_after.and(after.retry_after), ..after };
                }
            }
        }
        Some(decision)
    }

    /// Nothing panics while the lock is held; even then each entry would be consistent.
    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ExpiringMap<LimitState> {
    fn check_all(&mut self, limits: &[KeyedLimit], now: Duration) -> Vec<LimitResult> {
        limits.iter().map(|keyed| self.check(keyed, now)).collect()
    }

    fn admit_all(&mut self, limits: &[KeyedLimit], now: Duration) -> Vec<LimitResult> {
        limits.iter().map(|keyed| self.admit(keyed, now)).collect()
    }

    /// For rejections that were counted.
    fn cap_rejections(&mut self, limits: &[KeyedLimit]) {
        for keyed in limits {
            if let Some((_, state)) = self.entries.get_mut(&keyed.key) {
                state.cap_rejections(&keyed.enforced);
            }
        }
    }

    /// The result for a request at `now`, which is not counted.
    fn check(&mut self, keyed: &KeyedLimit, now: Duration) -> LimitResult {
        let limit = &keyed.enforced;
        let usage = match self.entries.get_mut(&keyed.key) {
            Some((_, state)) => {
                state.advance(now, limit);
                state.usage(now, limit)
            }
            None => LimitState::new(limit).usage(now, limit),
        };
        usage.result(limit, usage.remaining(limit) == 0)
    }

    /// Counts one admission at `now` and returns the result after it.
    fn admit(&mut self, keyed: &KeyedLimit, now: Duration) -> LimitResult {
        let limit = &keyed.enforced;
        let admit = |state: &mut LimitState| {
            state.advance(now, limit);
            state.admit(now, limit);
            state.usage(now, limit).result(limit, false)
        };
        if let Some((end, state)) = self.entries.get_mut(&keyed.key) {
            let result = admit(state);
            *end = now + result.reset_after;
            return result;
        }
        let mut state = LimitState::new(limit);
        let result = admit(&mut state);
        self.insert(keyed.key.clone(), now, now + result.reset_after, state);
        result
    }
}

#[cfg(test)]
mod tests;

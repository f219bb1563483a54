//! The store in memory: exact, on one clock, behind one lock. It needs no timer: what has expired is swept out whenever a
//! map has doubled since the last sweep, so memory stays within twice what is alive.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{Manner, Step};
use crate::limiter::{Decision, KeyedLimit, Reading, State};

/// A map smaller than this is not worth a sweep.
const SMALLEST_SWEEP: usize = 1024;

#[derive(Debug, Clone)]
pub(super) struct MemoryStore(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Clock,
    contents: Mutex<Contents>,
}

/// Time since the Unix epoch that passes as tokio's does: never backwards, and standing still where that is paused.
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
    sessions: Expiring<()>,
    limits: Expiring<State>,
}

/// A map whose entries end at an instant.
#[derive(Debug)]
struct Expiring<V> {
    entries: HashMap<String, (Duration, V)>,
    sweep_at: usize,
}

impl<V> Default for Expiring<V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), sweep_at: SMALLEST_SWEEP }
    }
}

impl<V> Expiring<V> {
    fn get(&self, key: &str, now: Duration) -> Option<&V> {
        self.entries.get(key).filter(|(end, _)| now < *end).map(|(_, value)| value)
    }

    fn insert(&mut self, key: String, now: Duration, end: Duration, value: V) {
        self.entries.insert(key, (end, value));
        if self.entries.len() >= self.sweep_at {
            self.entries.retain(|_, (end, _)| now < *end);
            self.sweep_at = SMALLEST_SWEEP.max(self.entries.len() * 2);
        }
    }
}

impl MemoryStore {
    /// Empty; its clock shows `unix` now.
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
        // Read inside the lock: decisions are ordered as their instants are.
        let now = self.0.clock.now();
        contents.sessions.get(session, now)?;
        let readings = contents.limits.look(limits, now);
        let mut decision = Decision { at: now, readings };
        if decision.admitted() {
            decision.readings = contents.limits.take(limits, now);
        }
        Some(decision)
    }

    /// As [`decide`](Self::decide), as a fault wants it.
    pub(super) fn decide_as(&self, manner: Manner, session: &str, limits: &[KeyedLimit]) -> Option<Decision> {
        let mut contents = self.lock();
        let now = self.0.clock.now();
        contents.sessions.get(session, now)?;
        let now = now + manner.ahead;
        let readings = contents.limits.look(limits, now);
        let mut decision = Decision { at: now, readings };
        match (manner.step, decision.admitted()) {
            (Step::Check, _) | (Step::Decide, false) => {}
            (Step::Act, _) | (_, true) => decision.readings = contents.limits.take(limits, now),
            (Step::CountRefusals, false) => {
                contents.limits.take(limits, now);
                contents.limits.bound(limits);
                let after = contents.limits.look(limits, now);
                for (reading, after) in decision.readings.iter_mut().zip(after) {
                    // Whichever had room before is not the one that refuses.
                    *reading = Reading { wait: reading.wait.and(after.wait), ..after };
                }
            }
        }
        Some(decision)
    }

    /// A panic cannot happen while the lock is held; if it did, the contents would still be whole entries.
    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Expiring<State> {
    fn look(&mut self, limits: &[KeyedLimit], now: Duration) -> Vec<Reading> {
        limits.iter().map(|keyed| self.look_at(keyed, now)).collect()
    }

    fn take(&mut self, limits: &[KeyedLimit], now: Duration) -> Vec<Reading> {
        limits.iter().map(|keyed| self.take_from(keyed, now)).collect()
    }

    /// For refusals that were counted.
    fn bound(&mut self, limits: &[KeyedLimit]) {
        for keyed in limits {
            if let Some((_, state)) = self.entries.get_mut(&keyed.key) {
                state.bound(&keyed.enforced);
            }
        }
    }

    /// What the limit says to a request at `now`, which is not counted.
    fn look_at(&mut self, keyed: &KeyedLimit, now: Duration) -> Reading {
        let limit = &keyed.enforced;
        let standing = match self.entries.get_mut(&keyed.key) {
            Some((_, state)) => {
                state.roll(now, limit);
                state.standing(now, limit)
            }
            None => State::fresh(limit).standing(now, limit),
        };
        standing.reading(limit, standing.remaining(limit) == 0)
    }

    /// Counts one admission at `now` and says how the limit stands then.
    fn take_from(&mut self, keyed: &KeyedLimit, now: Duration) -> Reading {
        let limit = &keyed.enforced;
        let admit = |state: &mut State| {
            state.roll(now, limit);
            state.admit(now, limit);
            state.standing(now, limit).reading(limit, false)
        };
        if let Some((end, state)) = self.entries.get_mut(&keyed.key) {
            let reading = admit(state);
            *end = now + reading.resets_in;
            return reading;
        }
        let mut state = State::fresh(limit);
        let reading = admit(&mut state);
        self.insert(keyed.key.clone(), now, now + reading.resets_in, state);
        reading
    }
}

#[cfg(test)]
mod tests;

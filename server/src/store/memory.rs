//! The store in memory: exact, on the process's monotonic clock, behind one lock. It needs no timer: what has expired is
//! swept out whenever a map has doubled since the last sweep, so memory stays within twice what is alive.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::limiter::{Decision, KeyedLimit, Window};

/// A map smaller than this is not worth a sweep.
const SMALLEST_SWEEP: usize = 1024;

#[derive(Debug, Clone, Default)]
pub(super) struct MemoryStore(Arc<Mutex<Contents>>);

#[derive(Debug, Default)]
struct Contents {
    sessions: Expiring<()>,
    windows: Expiring<Window>,
}

/// A map whose entries end at an instant.
#[derive(Debug)]
struct Expiring<V> {
    entries: HashMap<String, (Instant, V)>,
    sweep_at: usize,
}

impl<V> Default for Expiring<V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), sweep_at: SMALLEST_SWEEP }
    }
}

impl<V> Expiring<V> {
    fn get(&self, key: &str, now: Instant) -> Option<&V> {
        self.entries.get(key).filter(|(end, _)| now < *end).map(|(_, value)| value)
    }

    fn insert(&mut self, key: String, now: Instant, end: Instant, value: V) {
        self.entries.insert(key, (end, value));
        if self.entries.len() >= self.sweep_at {
            self.entries.retain(|_, (end, _)| now < *end);
            self.sweep_at = SMALLEST_SWEEP.max(self.entries.len() * 2);
        }
    }
}

impl MemoryStore {
    pub(super) fn create_session(&self, key: String, lifetime: Duration) {
        let now = Instant::now();
        self.lock().sessions.insert(key, now, now + lifetime, ());
    }

    pub(super) fn has_session(&self, key: &str) -> bool {
        self.lock().sessions.get(key, Instant::now()).is_some()
    }

    pub(super) fn decide(&self, session: &str, limits: &[KeyedLimit]) -> Option<Decision> {
        let mut contents = self.lock();
        // Read inside the lock: decisions are ordered as their instants are.
        let now = Instant::now();
        contents.sessions.get(session, now)?;
        let met: Vec<Window> = limits
            .iter()
            .map(|keyed| Window::at(now, contents.windows.get(&keyed.key, now).copied(), &keyed.limit))
            .collect();
        let admitted = met.iter().zip(limits).all(|(window, keyed)| window.has_room(keyed));
        let mut readings = Vec::with_capacity(limits.len());
        for (window, keyed) in met.into_iter().zip(limits) {
            if admitted {
                let window = window.admit();
                readings.push(window.reading(now, &keyed.limit, false));
                contents.windows.put(keyed, now, window);
            } else {
                readings.push(window.reading(now, &keyed.limit, !window.has_room(keyed)));
            }
        }
        Some(Decision { readings })
    }

    /// A panic cannot happen while the lock is held; if it did, the contents would still be whole entries.
    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Expiring<Window> {
    /// Stores a window, reusing the key's entry where it has one.
    fn put(&mut self, keyed: &KeyedLimit, now: Instant, window: Window) {
        let end = window.end(&keyed.limit);
        match self.entries.get_mut(&keyed.key) {
            Some(entry) => *entry = (end, window),
            None => self.insert(keyed.key.clone(), now, end, window),
        }
    }
}

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limiter::Limit;

    fn limits(entries: &[(&str, u32)]) -> Vec<KeyedLimit> {
        let keyed =
            |(key, quota): &(&str, u32)| KeyedLimit::new("t", Limit::parse(key, Some(*quota)).unwrap());
        entries.iter().map(keyed).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_when_its_lifetime_is_over() {
        let store = MemoryStore::default();
        store.create_session("s".to_owned(), Duration::from_secs(60));
        tokio::time::advance(Duration::from_millis(59_999)).await;
        assert!(store.has_session("s") && store.decide("s", &[]).is_some());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!store.has_session("s") && store.decide("s", &[]).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_expired_is_swept_out() {
        let store = MemoryStore::default();
        for index in 0..100_000 {
            store.create_session(index.to_string(), Duration::from_secs(1));
            tokio::time::advance(Duration::from_millis(10)).await;
        }
        let kept = store.lock().sessions.entries.len();
        assert!(kept <= SMALLEST_SWEEP, "100 are alive, {kept} are kept");
    }

    /// The fixed window, naively: a list of all admissions' windows.
    #[derive(Default)]
    struct Model {
        windows: Vec<(Duration, u32)>,
    }

    impl Model {
        /// What is used of the window at `now`, a hit that is admitted then included.
        fn hit(&mut self, now: Duration, limit: &Limit, counts: bool) -> u32 {
            let current = self.windows.last_mut().filter(|(opened, _)| now - *opened < limit.window);
            match (current, counts) {
                (Some((_, used)), true) => {
                    *used += 1;
                    *used
                }
                (Some((_, used)), false) => *used,
                (None, true) => {
                    self.windows.push((now, 1));
                    1
                }
                (None, false) => 0,
            }
        }
    }

    proptest! {
        #[test]
        fn decisions_are_those_of_the_naive_model(
            steps in prop::collection::vec(0_u64..1500, 1..200),
            (short, long) in (1_u32..6, 1_u32..12),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            runtime.block_on(async {
                let limits = limits(&[("chat_per_2s", short), ("chat_per_7s", long)]);
                let store = MemoryStore::default();
                store.create_session("s".to_owned(), Duration::from_secs(86_400));
                let mut models = [Model::default(), Model::default()];
                let mut now = Duration::ZERO;
                for step in steps {
                    let step = Duration::from_millis(step);
                    tokio::time::advance(step).await;
                    now += step;
                    let decision = store.decide("s", &limits).unwrap();
                    let room = |(model, keyed): (&mut Model, &KeyedLimit)| model.hit(now, &keyed.limit, false) < keyed.limit.quota;
                    let admitted = models.iter_mut().zip(&limits).all(room);
                    prop_assert_eq!(decision.admitted(), admitted);
                    for ((model, keyed), reading) in models.iter_mut().zip(&limits).zip(&decision.readings) {
                        prop_assert_eq!(reading.used, model.hit(now, &keyed.limit, admitted));
                        prop_assert!(!reading.resets_in.is_zero() && reading.resets_in <= keyed.limit.window);
                    }
                }
                Ok(())
            })?;
        }
    }
}

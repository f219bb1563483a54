//! The fixed window as the memory store counts it. The Redis script follows the same rules, on Redis's clock; the same
//! tests hold for both.

use tokio::time::Instant;

use super::{KeyedLimit, Limit, Reading};

/// A window that opened with its first admission, and how many it has admitted since.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    opened: Instant,
    used: u32,
}

impl Window {
    /// The window as a hit at `now` meets it: `stored` while it lasts, else a fresh one that opens now. It lasts for
    /// the half-open span [opened, opened + window).
    pub(crate) fn at(now: Instant, stored: Option<Self>, limit: &Limit) -> Self {
        stored.filter(|window| now < window.end(limit)).unwrap_or(Self { opened: now, used: 0 })
    }

    /// The first instant that no longer belongs to it.
    pub(crate) fn end(&self, limit: &Limit) -> Instant {
        self.opened + limit.window
    }

    /// Whether one more hit fits.
    pub(crate) fn has_room(&self, keyed: &KeyedLimit) -> bool {
        self.used < keyed.limit.quota
    }

    /// The window with one more admission.
    pub(crate) fn admit(self) -> Self {
        Self { used: self.used.saturating_add(1), ..self }
    }

    /// What a client is told about it at `now`.
    pub(crate) fn reading(&self, now: Instant, limit: &Limit, refuses: bool) -> Reading {
        let resets_in = self.end(limit).saturating_duration_since(now);
        Reading { used: self.used, resets_in, refuses }
    }
}

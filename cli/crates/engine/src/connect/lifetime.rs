//! For how long a connection is used: by the scenario, and by what its server said.

use saasbench_model::{
    scenario::http::{ConnectionScope, Reuse},
    units::Nanos,
};

/// How long, besides two connect times, it may take until the close of a connection is seen that the server
/// closed before it received the request.
const CLOSE_SEEN_WITHIN: Nanos = Nanos::from_millis(10);

/// How long a connection must have been idle for a server to close it for that.
const LEAST_IDLE: Nanos = Nanos::from_millis(500);

/// What is known of a connection's life.
#[derive(Debug, Clone, Copy)]
pub struct Lifetime {
    /// When connecting began.
    begun: Nanos,
    /// How long it took to connect.
    connected_in: Nanos,
    /// When its last response was complete; `None` if it is new.
    idle_since: Option<Nanos>,
    /// How long the server keeps it while it is idle, if it said so.
    kept_for: Option<Nanos>,
    requests: u64,
}

impl Lifetime {
    /// Of a new connection.
    pub fn new(begun: Nanos, connected: Nanos) -> Self {
        let connected_in = connected - begun;
        Self { begun, connected_in, idle_since: None, kept_for: None, requests: 0 }
    }

    /// A response was complete at `done`, which said how long the connection is kept.
    pub fn respond(&mut self, done: Nanos, kept_for: Option<Nanos>) {
        self.idle_since = Some(done);
        self.kept_for = kept_for.or(self.kept_for);
        self.requests += 1;
    }

    /// Whether another request may be sent on it at `now`, with `open` requests in flight.
    pub fn takes_another(&self, reuse: &Reuse, open: usize, now: Nanos) -> bool {
        let is_young = reuse.max_age.is_none_or(|most| now - self.begun < most);
        let is_fresh = reuse.max_requests.is_none_or(|most| self.requests + (open as u64) < most);
        // The request must arrive before the server closes it.
        let is_kept = self.kept_for.is_none_or(|kept| self.idle(now) + self.race() < kept);
        let is_first = self.requests == 0 && open == 0;
        is_first || reuse.scope != Some(ConnectionScope::PerRequest) && is_young && is_fresh && is_kept
    }

    /// How long it had been idle, if a server may have closed it for that just when a request was sent, at
    /// `sent`, and this was seen at `lost`, without the generator's own delays.
    pub fn closed_idle(&self, sent: Nanos, lost: Nanos) -> Option<Nanos> {
        let idle = self.idle(sent);
        // Later the server had received the request; and nobody closes what was in use a moment ago.
        (self.idle_since.is_some() && idle >= LEAST_IDLE && lost - sent <= self.race()).then_some(idle)
    }

    fn idle(&self, now: Nanos) -> Nanos {
        self.idle_since.map_or(Nanos::ZERO, |since| now - since)
    }

    fn race(&self) -> Nanos {
        self.connected_in + self.connected_in + CLOSE_SEEN_WITHIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: i64) -> Nanos {
        Nanos::from_millis(millis)
    }

    #[test]
    fn a_connection_ends_by_age_requests_and_what_its_server_said() {
        let used = |done, kept_for: Option<i64>| {
            let mut life = Lifetime::new(ms(0), ms(5));
            life.respond(ms(done), kept_for.map(ms));
            life
        };
        let limits = |max_requests, max_age: Option<i64>| Reuse {
            max_requests,
            max_age: max_age.map(ms),
            ..Reuse::default()
        };
        for (life, reuse, now, takes) in [
            (used(10, None), Reuse::default(), 1_000_000, true),
            (used(10, None), limits(None, Some(100)), 99, true),
            (used(10, None), limits(None, Some(100)), 100, false),
            (used(10, None), limits(Some(2), None), 11, true),
            (used(10, None), limits(Some(1), None), 11, false),
            // Kept for 5 s from its last response, and a request takes up to 20 ms to get there.
            (used(10, Some(5_000)), Reuse::default(), 4_989, true),
            (used(10, Some(5_000)), Reuse::default(), 4_990, false),
            (
                used(10, None),
                Reuse { scope: Some(ConnectionScope::PerRequest), ..Reuse::default() },
                11,
                false,
            ),
            (
                used(10, None),
                Reuse { scope: Some(ConnectionScope::PerIteration), ..Reuse::default() },
                11,
                true,
            ),
        ] {
            assert_eq!(life.takes_another(&reuse, 0, ms(now)), takes, "{life:?} {reuse:?} at {now} ms");
        }
    }

    #[test]
    fn only_a_close_that_is_seen_at_once_after_a_silence_is_a_race() {
        let mut life = Lifetime::new(ms(0), ms(5));
        assert_eq!(life.closed_idle(ms(900), ms(901)), None, "it was new");
        life.respond(ms(100), None);
        for (sent, lost, idle) in
            [(599, 600, None), (600, 601, Some(500)), (2_100, 2_120, Some(2_000)), (2_100, 2_121, None)]
        {
            assert_eq!(life.closed_idle(ms(sent), ms(lost)), idle.map(ms), "sent at {sent}, lost at {lost}");
        }
    }
}

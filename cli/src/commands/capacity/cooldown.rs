//! The pause between two steps: until the service responds as fast as before the first step.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{environment::RunningEnvironment, observe::replica_client};

/// Interval of probes.
const PAUSE: Duration = Duration::from_millis(50);
/// A probe counts as fast if it takes at most this much longer than before …
const GRACE: Duration = Duration::from_millis(20);
/// … or this many times as long.
const SLOWER: u32 = 3;
/// How many pauses the service may take to recover.
const TIMEOUT: u32 = 10;
/// Timeout of a probe.
const PROBE: Duration = Duration::from_secs(10);

/// The result of a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cooldown {
    /// The service responds as fast as before.
    Settled,
    /// It is still slower.
    NotSettled,
    /// It no longer responds.
    Unreachable,
}

/// Requests `/` of each replica, whatever the status.
#[derive(Debug)]
pub(super) struct Probe {
    clients: Vec<(reqwest::Client, String)>,
    calm: Option<Duration>,
}

impl Probe {
    /// A probe for the replicas of an environment.
    pub(super) fn new(up: &RunningEnvironment) -> Self {
        let endpoints = up.connections().endpoints.replicas().iter();
        let clients = endpoints.filter_map(|endpoint| {
            let target = endpoint.target();
            Some((replica_client(&up.connections().tls, endpoint).ok()?, target.base_url()))
        });
        Self { clients: clients.collect(), calm: None }
    }

    /// How long the slowest replica takes; `None` if one does not respond.
    async fn measure(&self) -> Option<Duration> {
        let mut slowest = Duration::ZERO;
        for (client, url) in &self.clients {
            let begin = Instant::now();
            timeout(PROBE, client.get(url).send()).await.ok()?.ok()?;
            slowest = slowest.max(begin.elapsed());
        }
        Some(slowest)
    }

    /// Measures how long it takes before any load: the minimum of five, unless it is stopped.
    pub(super) async fn wait_until_idle(&mut self, stop: &CancellationToken) {
        for _ in 0..5 {
            let Some(measured) = stop.run_until_cancelled(self.measure()).await else { return };
            if let Some(took) = measured {
                self.calm = Some(self.calm.map_or(took, |calm| calm.min(took)));
            }
        }
    }

    /// Pauses for `least`, and longer until the service responds as fast as before. A service that did not
    /// respond before is not waited for, and `stop` ends the pause.
    pub(super) async fn rest(&self, least: Duration, settle: Duration, stop: &CancellationToken) -> Cooldown {
        let until = Instant::now() + least + settle * TIMEOUT;
        let resting = async {
            sleep(least).await;
            let Some(calm) = self.calm else { return Cooldown::Settled };
            loop {
                let took = self.measure().await;
                if took.is_some_and(|took| took <= (calm * SLOWER).max(calm + GRACE)) {
                    return Cooldown::Settled;
                }
                if Instant::now() >= until {
                    return if took.is_some() { Cooldown::NotSettled } else { Cooldown::Unreachable };
                }
                sleep(PAUSE).await;
            }
        };
        stop.run_until_cancelled(resting).await.unwrap_or(Cooldown::Settled)
    }
}

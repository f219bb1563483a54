//! The faults of one replica. Routes call the injector at the points where a fault can take effect. Those of
//! the limiter are in `limiter`, those of the metrics in `metrics` and `exposition`.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::state::{MetricFaultState, ProcessState};
use super::{Fault, Faults};

/// The faults of a replica; there is at least one.
#[derive(Debug)]
pub(crate) struct FaultInjector {
    faults: Vec<Fault>,
    pub(super) replica: u32,
    /// `limit-false-rejection`: how many chats this replica should have admitted.
    pub(super) admitted: tokio::sync::Mutex<u32>,
    pub(super) metric_state: MetricFaultState,
    pub(super) process: Arc<ProcessState>,
}

impl FaultInjector {
    /// `None` if there are no faults.
    pub(crate) fn new(faults: &Faults, replica: u32) -> Option<Self> {
        let process = Arc::clone(&faults.process);
        let faults = faults.list.clone();
        (!faults.is_empty()).then(|| Self {
            faults,
            replica,
            admitted: Default::default(),
            metric_state: MetricFaultState::default(),
            process,
        })
    }

    /// The parameter of the fault for which `pick` returns one.
    pub(super) fn find<T>(&self, pick: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        self.faults.iter().find_map(pick)
    }

    /// Whether a fault without a parameter is switched on.
    pub(super) fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    pub(super) fn all(&self, is: impl Fn(&Fault) -> bool) -> bool {
        self.faults.iter().all(is)
    }

    /// `session-crosses-tenants`.
    pub(crate) fn accepts_cross_tenant_sessions(&self) -> bool {
        self.has(Fault::SessionCrossesTenants)
    }

    /// `redis-keys-leak`: the lifetime of a session; `None` means that it never expires.
    pub(crate) fn session_lifetime(&self, lifetime: Duration) -> Option<Duration> {
        (!self.has(Fault::RedisKeysLeak)).then_some(lifetime)
    }

    /// `noisy-neighbour`.
    pub(super) async fn delay_chat(&self) {
        let pause = self.find(|fault| match fault {
            Fault::NoisyNeighbour { pause } => Some(*pause),
            _ => None,
        });
        if let Some(pause) = pause {
            let _held = self.process.lock.lock().await;
            tokio::time::sleep(pause).await;
        }
    }

    /// `reply-leaks`: the reply, or the last reply to another tenant.
    pub(crate) fn leak(&self, tenant: &str, reply: String) -> String {
        let every = self.find(|fault| match fault {
            Fault::ReplyLeaks { every } => Some(*every),
            _ => None,
        });
        let Some(every) = every else { return reply };
        let due = (self.process.reply_count.fetch_add(1, Relaxed) + 1).is_multiple_of(every);
        let mut replies = self.process.replies.lock().unwrap_or_else(PoisonError::into_inner);
        let leaked = replies.iter().rev().find(|(other, _)| other != tenant).map(|(_, text)| text.clone());
        replies.retain(|(other, _)| other != tenant);
        replies.push((tenant.to_owned(), reply.clone()));
        leaked.filter(|_| due).unwrap_or(reply)
    }
}

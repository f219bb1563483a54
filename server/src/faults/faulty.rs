//! The faults at work in one replica: what the routes ask at the few places where a fault can strike. How it decides about
//! limits is reported in `limiter`.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::metrics::Miscounting;
use super::{Fault, Faults};

/// What all replicas of a process remember together.
#[derive(Debug, Default)]
pub(super) struct Process {
    /// Held by every chat of `noisy-neighbour`.
    lock: tokio::sync::Mutex<()>,
    /// For `limit-fail-open`.
    pub(super) first_chat: OnceLock<Instant>,
    answers: AtomicU32,
    /// The last reply to each tenant, the latest at the end.
    replies: Mutex<Vec<(String, String)>>,
    /// For `tenant-mislabelled`.
    pub(super) first_tenant: OnceLock<usize>,
}

/// A replica's faults; there is at least one.
#[derive(Debug)]
pub(crate) struct Faulty {
    faults: Vec<Fault>,
    pub(super) replica: u32,
    /// How many chats this replica should have admitted, for `limit-false-rejection`.
    pub(super) admitted: tokio::sync::Mutex<u32>,
    pub(super) miscounting: Miscounting,
    pub(super) process: Arc<Process>,
}

impl Faulty {
    /// `None` if there are no faults.
    pub(crate) fn new(faults: &Faults, replica: u32) -> Option<Self> {
        let process = Arc::clone(&faults.process);
        let faults = faults.list.clone();
        (!faults.is_empty()).then(|| Self {
            faults,
            replica,
            admitted: Default::default(),
            miscounting: Miscounting::default(),
            process,
        })
    }

    /// The parameter of the fault that `pick` picks.
    pub(super) fn find<T>(&self, pick: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        self.faults.iter().find_map(pick)
    }

    /// Whether a fault without a parameter is on.
    pub(super) fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    pub(super) fn all(&self, is: impl Fn(&Fault) -> bool) -> bool {
        self.faults.iter().all(is)
    }

    /// `session-crosses-tenants`.
    pub(crate) fn accepts_foreign_sessions(&self) -> bool {
        self.has(Fault::SessionCrossesTenants)
    }

    /// `redis-keys-leak`: how long a session is kept; `None` is permanently.
    pub(crate) fn session_lifetime(&self, lifetime: Duration) -> Option<Duration> {
        (!self.has(Fault::RedisKeysLeak)).then_some(lifetime)
    }

    /// `noisy-neighbour`.
    pub(super) async fn disturb(&self) {
        let pause = self.find(|fault| match fault {
            Fault::NoisyNeighbour { pause } => Some(*pause),
            _ => None,
        });
        if let Some(pause) = pause {
            let _held = self.process.lock.lock().await;
            tokio::time::sleep(pause).await;
        }
    }

    /// `reply-leaks`: the reply, or the last one to another tenant.
    pub(crate) fn leak(&self, tenant: &str, reply: String) -> String {
        let every = self.find(|fault| match fault {
            Fault::ReplyLeaks { every } => Some(*every),
            _ => None,
        });
        let Some(every) = every else { return reply };
        let due = (self.process.answers.fetch_add(1, Relaxed) + 1).is_multiple_of(every);
        let mut replies = self.process.replies.lock().unwrap_or_else(PoisonError::into_inner);
        let foreign = replies.iter().rev().find(|(other, _)| other != tenant).map(|(_, text)| text.clone());
        replies.retain(|(other, _)| other != tenant);
        replies.push((tenant.to_owned(), reply.clone()));
        foreign.filter(|_| due).unwrap_or(reply)
    }
}

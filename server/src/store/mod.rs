//! What replicas share: sessions and the counters of limits. Two kinds of store, one set of operations; each decision
//! is a single atomic step.

mod memory;
mod redis;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use self::memory::MemoryStore;
use self::redis::RedisStore;
use crate::limiter::{Decision, KeyedLimit};

/// A store of sessions and limits. Clones share it: two [`App`](crate::App)s with clones of one store are two replicas
/// of one service.
#[derive(Debug, Clone)]
pub struct Store(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Memory(MemoryStore),
    Redis(RedisStore),
}

/// Why a store could not be opened or did not answer. Never shows a password.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The URL is none that Redis's client understands.
    #[error("`{url}` is no Redis URL: {cause}")]
    Url {
        /// As given, without user and password.
        url: String,
        /// What the client says about it.
        cause: String,
    },
    /// Redis could not be reached at start.
    #[error("cannot reach Redis at {url}: {cause}")]
    Unreachable {
        /// As given, without user and password.
        url: String,
        /// Refused, timed out, wrong password, …
        cause: String,
    },
    /// The connection is down and being brought up again; nothing was sent.
    #[error("the store is away")]
    Away,
    /// A command was sent and not answered as it should: whether it took effect is unknown.
    #[error("the store failed: {0}")]
    Failed(String),
}

/// How a fault has a chat decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Manner {
    /// By how much the limits' clock is ahead of the store's.
    pub(crate) ahead: Duration,
    pub(crate) step: Step,
}

/// What of a decision is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// All of it.
    Decide,
    /// Only the question: nothing is counted.
    Check,
    /// Only the counting: nothing is refused.
    Act,
    /// All of it, and refusals are counted, too.
    CountRefusals,
}

/// Which conversation with the store, for the metric that counts failed ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    CreateSession,
    FindSession,
    Chat,
    Ping,
}

impl Operation {
    pub(crate) const ALL: [Self; 4] = [Self::CreateSession, Self::FindSession, Self::Chat, Self::Ping];

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::CreateSession => "create_session",
            Self::FindSession => "find_session",
            Self::Chat => "chat",
            Self::Ping => "ping",
        }
    }
}

impl Store {
    /// A store in this process's memory, empty. It reads the system's clock once, now; from then on time passes as tokio's
    /// clock does, which can be paused.
    #[must_use]
    pub fn memory() -> Self {
        Self::memory_at(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    /// As [`memory`](Self::memory), with the time since the Unix epoch that it is to be now.
    #[must_use]
    pub fn memory_at(unix: Duration) -> Self {
        Self(Kind::Memory(MemoryStore::at(unix)))
    }

    /// Connects to Redis (6 or later). From then on the connection is kept up: while Redis is away operations fail at once, and
    /// within half a second of its return they succeed again. Must run inside the runtime that will serve.
    ///
    /// # Errors
    ///
    /// The URL is bad, or Redis does not answer within two seconds.
    pub async fn connect_redis(url: &str) -> Result<Self, StoreError> {
        Ok(Self(Kind::Redis(RedisStore::connect(url).await?)))
    }

    /// `memory`, or the URL of Redis without its password.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.0 {
            Kind::Memory(_) => "memory".to_owned(),
            Kind::Redis(store) => store.describe(),
        }
    }

    /// Keeps a session for `lifetime`; `None` is permanently.
    pub(crate) async fn create_session(
        &self,
        key: String,
        lifetime: Option<Duration>,
    ) -> Result<(), StoreError> {
        match &self.0 {
            Kind::Memory(store) => {
                store.create_session(key, lifetime);
                Ok(())
            }
            Kind::Redis(store) => store.create_session(&key, lifetime).await,
        }
    }

    /// Whether a session exists.
    pub(crate) async fn has_session(&self, key: &str) -> Result<bool, StoreError> {
        match &self.0 {
            Kind::Memory(store) => Ok(store.has_session(key)),
            Kind::Redis(store) => store.has_session(key).await,
        }
    }

    /// Decides one chat in one atomic step: `None` if the session does not exist (nothing is consumed then), otherwise
    /// what the limits say. Refused hits consume nothing and extend no window.
    pub(crate) async fn decide(
        &self,
        session: &str,
        limits: &[KeyedLimit],
    ) -> Result<Option<Decision>, StoreError> {
        match &self.0 {
            Kind::Memory(store) => Ok(store.decide(session, limits)),
            Kind::Redis(store) => store.decide(session, limits).await,
        }
    }

    /// As [`decide`](Self::decide), as a fault wants it. Redis then keeps even fixed windows under keys of their own.
    pub(crate) async fn decide_as(
        &self,
        manner: Manner,
        session: &str,
        limits: &[KeyedLimit],
    ) -> Result<Option<Decision>, StoreError> {
        match &self.0 {
            Kind::Memory(store) => Ok(store.decide_as(manner, session, limits)),
            Kind::Redis(store) => store.decide_as(manner, session, limits).await,
        }
    }

    /// Whether the store answers.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        match &self.0 {
            Kind::Memory(_) => Ok(()),
            Kind::Redis(store) => store.ping().await,
        }
    }
}

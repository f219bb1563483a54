//! The store: sessions and the counters of limits, which replicas share. Two backends, memory and Redis, have
//! the same operations; each decision is one atomic step.

mod memory;
mod redis;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use self::memory::MemoryStore;
use self::redis::RedisStore;
use crate::limiter::{Decision, KeyedLimit};

/// A store of sessions and limits. Clones share its contents: two [`App`](crate::App)s with clones of one
/// store are two replicas of one service.
#[derive(Debug, Clone)]
pub struct Store(Backend);

#[derive(Debug, Clone)]
enum Backend {
    Memory(MemoryStore),
    Redis(RedisStore),
}

/// Why a store could not be opened or did not respond. Never contains a password.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The URL is invalid.
    #[error("`{url}` is not a Redis URL: {cause}")]
    Url {
        /// As given, without user and password.
        url: String,
        /// The error of the Redis client.
        cause: String,
    },
    /// Redis was unreachable at start.
    #[error("cannot reach Redis at {url}: {cause}")]
    Unreachable {
        /// As given, without user and password.
        url: String,
        /// The error of the Redis client: connection refused, timeout, wrong password, …
        cause: String,
    },
    /// The connection is down and being re-established; nothing was sent.
    #[error("the store is unavailable")]
    Unavailable,
    /// A command was sent and failed, or its reply is invalid: whether it took effect is unknown.
    #[error("the store failed: {0}")]
    Failed(String),
}

/// How a fault changes a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DecideOptions {
    /// By how much the clock of the limits is ahead of the store's.
    pub(crate) clock_offset: Duration,
    pub(crate) mode: DecisionMode,
}

/// Which parts of a decision are carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DecisionMode {
    /// Check and count.
    Decide,
    /// Check only: nothing is counted.
    CheckOnly,
    /// Count only: nothing is rejected.
    CountOnly,
    /// Check and count, and count rejections, too.
    CountRejections,
}

/// An operation of the store, for the metric that counts failures.
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
    /// An empty store in memory. It reads the system clock once, now; from then on it follows tokio's clock,
    /// which can be paused.
    #[must_use]
    pub fn memory() -> Self {
        Self::memory_at(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    /// As [`memory`](Self::memory), with `unix` since the Unix epoch as the current time.
    #[must_use]
    pub fn memory_at(unix: Duration) -> Self {
        Self(Backend::Memory(MemoryStore::at(unix)))
    }

    /// Connects to Redis (6 or later) and reconnects from then on: while Redis is unavailable operations fail
    /// at once, and within half a second of its return they succeed again. Must run inside the runtime that
    /// will serve.
    ///
    /// # Errors
    ///
    /// The URL is invalid, or Redis does not respond within two seconds.
    pub async fn connect_redis(url: &str) -> Result<Self, StoreError> {
        Ok(Self(Backend::Redis(RedisStore::connect(url).await?)))
    }

    /// `memory`, or the URL of Redis without its password.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.0 {
            Backend::Memory(_) => "memory".to_owned(),
            Backend::Redis(store) => store.describe(),
        }
    }

    /// Stores a session for `lifetime`; with `None` it never expires.
    pub(crate) async fn create_session(
        &self,
        key: String,
        lifetime: Option<Duration>,
    ) -> Result<(), StoreError> {
        match &self.0 {
            Backend::Memory(store) => {
                store.create_session(key, lifetime);
                Ok(())
            }
            Backend::Redis(store) => store.create_session(&key, lifetime).await,
        }
    }

    /// Whether a session exists.
    pub(crate) async fn has_session(&self, key: &str) -> Result<bool, StoreError> {
        match &self.0 {
            Backend::Memory(store) => Ok(store.has_session(key)),
            Backend::Redis(store) => store.has_session(key).await,
        }
    }

    /// Decides about one chat in one atomic step; `None` if the session does not exist, and then nothing is
    /// consumed. Rejected chats consume nothing and extend no window.
    pub(crate) async fn decide(
        &self,
        session: &str,
        limits: &[KeyedLimit],
    ) -> Result<Option<Decision>, StoreError> {
        match &self.0 {
            Backend::Memory(store) => Ok(store.decide(session, limits)),
            Backend::Redis(store) => store.decide(session, limits).await,
        }
    }

    /// As [`decide`](Self::decide), for a fault. In Redis even fixed windows then have separate keys.
    pub(crate) async fn decide_with(
        &self,
        options: DecideOptions,
        session: &str,
        limits: &[KeyedLimit],
    ) -> Result<Option<Decision>, StoreError> {
        match &self.0 {
            Backend::Memory(store) => Ok(store.decide_with(options, session, limits)),
            Backend::Redis(store) => store.decide_with(options, session, limits).await,
        }
    }

    /// Checks that the store responds.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        match &self.0 {
            Backend::Memory(_) => Ok(()),
            Backend::Redis(store) => store.ping().await,
        }
    }
}

//! The state that faults keep between requests.

use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Mutex, OnceLock};

use tokio::time::Instant;

/// Shared by all replicas of a process.
#[derive(Debug, Default)]
pub(super) struct ProcessState {
    /// `noisy-neighbour`: held by every chat.
    pub(super) lock: tokio::sync::Mutex<()>,
    /// `limit-fail-open`.
    pub(super) first_chat: OnceLock<Instant>,
    /// `reply-leaks`: the number of replies.
    pub(super) reply_count: AtomicU32,
    /// `reply-leaks`: the last reply to each tenant, the latest at the end.
    pub(super) replies: Mutex<Vec<(String, String)>>,
    /// `tenant-mislabelled`.
    pub(super) first_tenant: OnceLock<usize>,
}

/// Of one replica, for the faults of its metrics.
#[derive(Debug, Default)]
pub(super) struct MetricFaultState {
    /// Completed requests.
    pub(super) completed: AtomicU32,
    /// Requests of the tenant that came first.
    pub(super) of_first_tenant: AtomicU32,
    /// `counter-reset`: when the first request of a tenant completed.
    pub(super) first_completed: OnceLock<Instant>,
    /// `counter-reset`: whether it has happened.
    pub(super) was_reset: AtomicBool,
    /// `metrics-stale`: the cached exposition, and when it was rendered.
    pub(super) cached: Mutex<Option<(Instant, String)>>,
}

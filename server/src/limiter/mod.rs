//! Rate limits: what is promised ([`Limit`], [`Algorithm`]), where a limit stands ([`Standing`]), and what a decision
//! tells the client ([`Decision`]). The stores apply the same rules: memory through [`State`], Redis through its scripts.

mod algorithm;
mod decision;
mod limit;
#[cfg(test)]
pub(crate) mod model;
mod standing;
mod state;

pub use algorithm::Algorithm;
pub(crate) use decision::{Decision, Reading};
pub use limit::{Limit, LimitError};
pub(crate) use standing::Standing;
pub(crate) use state::State;

/// A limit together with the store's key that counts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyedLimit {
    /// Names tenant and limit. The tenant is a hash tag, so that a Redis cluster keeps a tenant's keys together; all that
    /// was promised is part of the key, so that a changed limit starts afresh.
    pub(crate) key: String,
    /// As promised: what clients are reported.
    pub(crate) limit: Limit,
    /// As kept: what the stores go by. The same, but for a fault.
    pub(crate) enforced: Limit,
}

impl KeyedLimit {
    pub(crate) fn new(tenant: &str, limit: Limit) -> Self {
        let (quota, seconds) = (limit.quota, limit.window.as_secs());
        let key = format!("tenancy:{{{tenant}}}:chat:{quota}:{seconds}");
        let key = match limit.algorithm {
            Algorithm::FixedWindow => key,
            Algorithm::TokenBucket { burst } => format!("{key}:{}:{burst}", limit.algorithm.name()),
            _ => format!("{key}:{}", limit.algorithm.name()),
        };
        Self { key, limit, enforced: limit }
    }
}

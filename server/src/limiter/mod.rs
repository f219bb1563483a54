//! Rate limits: what is promised ([`Limit`], [`Algorithm`]), how much of a limit is used ([`LimitUsage`]),
//! and what was decided about a request ([`Decision`]). Both stores apply the same rules: memory by
//! [`LimitState`], Redis by scripts.

mod algorithm;
mod decision;
mod limit;
#[cfg(test)]
pub(crate) mod model;
mod state;
mod usage;

pub use algorithm::Algorithm;
pub(crate) use decision::{Decision, LimitResult};
pub use limit::{Limit, LimitError};
pub(crate) use state::LimitState;
pub(crate) use usage::LimitUsage;

/// A limit, and the key of the store under which it is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyedLimit {
    /// Tenant and limit. The tenant is a hash tag, so that a Redis cluster keeps its keys together; the whole
    /// promise is part of the key, so that a changed limit starts afresh.
    pub(crate) key: String,
    /// As promised, and stated in responses.
    pub(crate) limit: Limit,
    /// As the stores enforce it; differs only with a fault.
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

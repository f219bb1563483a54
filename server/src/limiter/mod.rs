//! Rate limits: what is promised ([`Limit`]), how a window counts ([`Window`]), and what a decision tells the client
//! ([`Decision`]). The stores apply the same rules: memory through [`Window`], Redis through its script.

mod decision;
mod limit;
mod window;

pub(crate) use decision::{Decision, Reading};
pub use limit::{Limit, LimitError};
pub(crate) use window::Window;

/// A limit together with the store's key that counts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyedLimit {
    /// Names tenant and limit. The tenant is a hash tag, so that a Redis cluster keeps a tenant's keys together; quota
    /// and window are part of the key, so that a changed limit starts afresh.
    pub(crate) key: String,
    pub(crate) limit: Limit,
}

impl KeyedLimit {
    pub(crate) fn new(tenant: &str, limit: Limit) -> Self {
        let key = format!("tenancy:{{{tenant}}}:chat:{}:{}", limit.quota, limit.window.as_secs());
        Self { key, limit }
    }
}

//! Faults of the configuration: other keys, quotas or windows than promised. They are applied once, when a
//! replica starts.

use std::time::Duration;

use super::{Fault, Faults};
use crate::limiter::{Algorithm, KeyedLimit};
use crate::tenants::Tenants;

/// A century: in effect never, and still short enough to be added to every clock.
pub(super) const NEVER_EXPIRES: Duration = Duration::from_secs(100 * 365 * 86_400);

impl Faults {
    /// The tenants with the limits that a replica with these faults enforces.
    pub(crate) fn apply_config_faults(&self, mut tenants: Tenants, replica: u32) -> Tenants {
        for fault in self.iter() {
            if fault == Fault::LimitNoExpiry {
                for keyed in tenants.iter_mut().take(1).flat_map(|tenant| &mut tenant.limits) {
                    keyed.enforced.window = NEVER_EXPIRES;
                }
            }
            for keyed in tenants.iter_mut().flat_map(|tenant| &mut tenant.limits) {
                keyed.apply_config_fault(fault, replica);
            }
        }
        tenants
    }
}

impl KeyedLimit {
    fn apply_config_fault(&mut self, fault: Fault, replica: u32) {
        let enforced = &mut self.enforced;
        match fault {
            // By the process, too: replicas in separate processes may have the same number.
            Fault::LimitPerReplica => {
                self.key = format!("{}:replica-{}-{replica}", self.key, std::process::id());
            }
            Fault::LimitOffByOne { more } => {
                let maximum = match &mut enforced.algorithm {
                    Algorithm::TokenBucket { burst } => burst,
                    _ => &mut enforced.quota,
                };
                *maximum = maximum.saturating_add_signed(more).max(1);
            }
            Fault::LimitShortWindow { factor } => {
                let millis = enforced.window.mul_f64(factor).as_millis().max(1);
                enforced.window = Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
            }
            Fault::LimitSharedKey => {
                let (seconds, name) = (self.limit.window.as_secs(), self.limit.algorithm.name());
                self.key = format!("tenancy:{{shared}}:chat:{seconds}:{name}");
            }
            _ => {}
        }
    }
}

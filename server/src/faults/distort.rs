//! Faults that are nothing but other keys, quotas and windows than were promised: applied once, when a replica starts.

use std::time::Duration;

use super::{Fault, Faults};
use crate::limiter::{Algorithm, KeyedLimit};
use crate::tenants::Tenants;

/// A century is permanently, and still a number that every clock can be added to.
pub(super) const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 86_400);

impl Faults {
    /// The tenants as a replica with these faults keeps them.
    pub(crate) fn distort(&self, mut tenants: Tenants, replica: u32) -> Tenants {
        for fault in self.iter() {
            if fault == Fault::LimitNoExpiry {
                for keyed in tenants.iter_mut().take(1).flat_map(|tenant| &mut tenant.limits) {
                    keyed.enforced.window = FOR_EVER;
                }
            }
            for keyed in tenants.iter_mut().flat_map(|tenant| &mut tenant.limits) {
                keyed.distort(fault, replica);
            }
        }
        tenants
    }
}

impl KeyedLimit {
    fn distort(&mut self, fault: Fault, replica: u32) {
        let enforced = &mut self.enforced;
        match fault {
            // Replicas in processes of their own have the same number unless set otherwise.
            Fault::LimitPerReplica => {
                self.key = format!("{}:replica-{}-{replica}", self.key, std::process::id());
            }
            Fault::LimitOffByOne { more } => {
                let most = match &mut enforced.algorithm {
                    Algorithm::TokenBucket { burst } => burst,
                    _ => &mut enforced.quota,
                };
                *most = most.saturating_add_signed(more).max(1);
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

//! Deliberate defects, off unless switched on by name: with them the service breaks one of its promises, as an honest
//! mistake would, and whoever judges it has to notice. [`CATALOGUE`] lists them, `parse` reads their names and values,
//! `Faulty` is what is at work in one replica. An honest replica has none of it but an empty `Option`.

mod catalogue;
mod faulty;
mod parse;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use catalogue::{CATALOGUE, Entry};
pub(crate) use faulty::Faulty;
use faulty::Process;
pub use parse::FaultError;

use crate::tenants::Tenants;

/// One fault with its parameter; [`CATALOGUE`] says what each does. Read from `NAME[=VALUE]`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// `limit-per-replica`.
    LimitPerReplica,
    /// `session-crosses-tenants`.
    SessionCrossesTenants,
    /// `reply-leaks`.
    ReplyLeaks {
        /// Every so many answers; at least 1.
        every: u32,
    },
    /// `noisy-neighbour`.
    NoisyNeighbour {
        /// How long each chat holds the lock.
        pause: Duration,
    },
}

/// A set of faults, at most one of a name; none by default. Clones share what the faults remember (a lock, the last
/// replies), as the replicas of one process do.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    list: Vec<Fault>,
    process: Arc<Process>,
}

impl Faults {
    /// Whether all is honest.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The faults, in the order they were given.
    pub fn iter(&self) -> impl Iterator<Item = Fault> {
        self.list.iter().copied()
    }

    /// The tenants as a replica with these faults keeps them: other keys, other quotas than were promised.
    pub(crate) fn distort(&self, mut tenants: Tenants, replica: u32) -> Tenants {
        for fault in self.iter() {
            if let Fault::LimitPerReplica = fault {
                // Replicas in processes of their own have the same number unless told otherwise.
                let process = std::process::id();
                for keyed in tenants.iter_mut().flat_map(|tenant| &mut tenant.limits) {
                    keyed.key.push_str(&format!(":replica-{process}-{replica}"));
                }
            }
        }
        tenants
    }
}

/// The later of two of one name counts.
impl FromIterator<Fault> for Faults {
    fn from_iter<I: IntoIterator<Item = Fault>>(faults: I) -> Self {
        let mut list: Vec<Fault> = Vec::new();
        for fault in faults {
            list.retain(|other| other.name() != fault.name());
            list.push(fault);
        }
        Self { list, process: Arc::default() }
    }
}

/// The same faults, whatever they remember.
impl PartialEq for Faults {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

/// `limit-race=5ms, remaining-lies`: what [`FromStr`](std::str::FromStr) reads.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.list.iter().enumerate() {
            write!(f, "{}{fault}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

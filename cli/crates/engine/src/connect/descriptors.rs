//! The process's limit of open files and sockets.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use saasbench_model::scenario::{LoadModel, Routing, Scenario};

/// Descriptors that are not connections of the load: recorded files, scrapes, the runtime's own.
const OTHERS: u64 = 64;

/// Connections that loads keep open at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needed {
    /// Those of closed loads, whose users all have one.
    pub surely: u64,
    /// Including those of open loads with `max_users` users.
    pub at_most: u64,
}

impl Needed {
    /// For a scenario on this number of replicas with HTTP/1.1, where each user has a connection to each; if
    /// the service runs in this process, each connection counts twice.
    pub fn by(scenario: &Scenario, replicas: usize, is_embedded: bool) -> Self {
        let ends = if is_embedded { 2 } else { 1 };
        let mut needed = Self::default();
        for load in &scenario.loads {
            let each = match load.routing {
                Routing::RoundRobin => replicas * ends,
                Routing::Sticky | Routing::Only(_) => replicas.min(1) * ends,
            };
            let connections = load.model.most_users().saturating_mul(each as u64);
            needed.at_most = needed.at_most.saturating_add(connections);
            if matches!(load.model, LoadModel::Closed { .. }) {
                needed.surely = needed.surely.saturating_add(connections);
            }
        }
        needed
    }
}

/// More connections than the process may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the loads keep up to {needed} connections open, and this process may have {allowed} files and sockets"
)]
pub struct TooFew {
    /// Connections that the loads may have open at once.
    pub needed: u64,
    /// The limit of the system.
    pub allowed: u64,
}

impl TooFew {
    /// What the user can do about it.
    pub fn hint(&self) -> String {
        format!(
            "raise the hard limit (`ulimit -Hn {}`, or LimitNOFILE= of a systemd unit), use fewer users, or \
             `replica = \"sticky\"`, which keeps each user to one connection",
            self.needed + OTHERS
        )
    }
}

/// Raises the process's limit of descriptors as far as permitted, and returns it; `None` for no limit.
pub fn raise() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    // If that fails, the limit remains.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current
}

/// Checks that this number of connections is allowed.
///
/// # Errors
/// [`TooFew`].
pub fn check(needed: u64, allowed: Option<u64>) -> Result<(), TooFew> {
    match allowed {
        Some(allowed) if needed.saturating_add(OTHERS) > allowed => Err(TooFew { needed, allowed }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_as_far_as_it_goes() {
        let allowed = raise();
        assert_eq!(allowed, getrlimit(Resource::Nofile).maximum);
    }

    #[test]
    fn too_many_connections_are_reported() {
        assert_eq!(check(20_000, None), Ok(()));
        assert_eq!(check(960, Some(1024)), Ok(()));
        let error = check(20_000, Some(4096)).unwrap_err();
        insta::assert_snapshot!(format!("{error}\n{}", error.hint()));
    }
}

//! Over how many connections did a history go? A limit that each of several processes behind one address keeps
//! by itself shows only to a client with connections to several of them.

use std::collections::BTreeSet;

use saasbench_limiter::Request;
use saasbench_record::manifest::Environment;

/// With this many connections to processes chosen at random, all are to one of two in fewer than one of a
/// hundred runs.
pub(super) const ENOUGH: usize = 8;

/// Whether more processes than those that are known may answer: not in an environment that this program
/// started.
pub(super) fn is_watched(environment: &Environment) -> bool {
    !["embedded", "local"].contains(&environment.name.as_str())
}

/// The fewest connections to any of the replicas that a history went to; `None` if the record does not say.
pub(super) fn connections(history: &[Request]) -> Option<usize> {
    let connections: BTreeSet<(u16, u32)> = history
        .iter()
        .filter(|request| request.connection > 0)
        .map(|request| (request.replica, request.connection))
        .collect();
    let replicas: BTreeSet<u16> = connections.iter().map(|(replica, _)| *replica).collect();
    let of = |replica: &u16| connections.iter().filter(|(other, _)| other == replica).count();
    replicas.iter().map(of).min()
}

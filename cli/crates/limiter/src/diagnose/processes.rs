//! Hypothesis: several processes behind one address, each of which keeps the limit by itself.
//!
//! All requests of a connection are decided by one process, but which connections share one is not known. So
//! connections are placed in groups, the busiest first, each with those that were rejected at the same times if
//! possible. A placement is possible while a single limiter can have decided all of each group, whatever the
//! connections that are not placed yet consumed of it. When all are placed, every group keeps the promise by
//! itself. What tells that from a limit that nobody keeps is that several groups used up the quota.

use std::collections::BTreeMap;

use super::{Case, Hypothesis, Key, first};
use crate::{Decision, HistoryContext, Request};

/// Requests of each key that are grouped.
const MOST_GROUPED: usize = 1_000;
/// Connections of a key, and groups of them.
const MOST_CONNECTIONS: usize = 128;
const MOST_GROUPS: usize = 32;
/// Up to this difference a connection probably belongs to a group.
const ALIKE: f64 = 0.4;
/// Placements of connections that are tried for each key, and requests that are judged for all.
const NODES: usize = 2_000;
const MOST_WORK: usize = 2_000_000;

/// A replica and one of its connections.
type Connection = (u16, u32);

/// The connections of each key fall into groups, each of which keeps the promise; of some key several used it
/// up.
pub(super) fn per_process(case: &Case<'_>) -> Option<Hypothesis> {
    // The search has a budget of its own, so that enough is left for the other hypotheses.
    let before = case.work.replace(0);
    let found = searched(case);
    case.work.set(before);
    found
}

fn searched(case: &Case<'_>) -> Option<Hypothesis> {
    let (mut processes, mut connections, mut used_up) = (0, 0, 0);
    for key in case.broken().chain(case.kept()) {
        let (requests, until) = first(key.requests, MOST_GROUPED);
        let context =
            HistoryContext { complete_until: case.context.complete_until.min(until), ..case.context.clone() };
        let key = Key { requests, ..*key };
        let order = busiest(&key)?;
        let of = |group: &Vec<Connection>| -> Vec<Request> {
            requests.iter().filter(|request| group.contains(&connection(request))).copied().collect()
        };
        let mut search = Grouping { case, key: &key, context: &context, groups: Vec::new(), budget: NODES };
        if !search.place(&order) {
            return None;
        }
        let groups = search.groups;
        let histories: Vec<Vec<Request>> = groups.iter().map(of).collect();
        let full = histories.iter().filter(|history| is_full(history, &key)).count();
        (processes, used_up) = (processes.max(groups.len()), used_up.max(full));
        connections = connections.max(groups.iter().map(Vec::len).sum());
    }
    (used_up > 1).then_some(Hypothesis::PerProcess { processes, connections })
}

fn connection(request: &Request) -> Connection {
    (request.replica, request.connection)
}

/// The connections of a key, those with most requests first. `None` if they are not known, or too many.
fn busiest(key: &Key<'_>) -> Option<Vec<Connection>> {
    let mut counts: BTreeMap<Connection, usize> = BTreeMap::new();
    for request in key.requests {
        if request.connection == 0 {
            return None;
        }
        *counts.entry(connection(request)).or_default() += 1;
    }
    let mut busiest: Vec<Connection> = counts.keys().copied().collect();
    busiest.sort_by_key(|connection| (std::cmp::Reverse(counts[connection]), *connection));
    (busiest.len() <= MOST_CONNECTIONS).then_some(busiest)
}

/// A search for groups of connections, each of which keeps the promise.
struct Grouping<'a> {
    case: &'a Case<'a>,
    key: &'a Key<'a>,
    context: &'a HistoryContext,
    groups: Vec<Vec<Connection>>,
    /// Placements that may still be tried.
    budget: usize,
}

impl Grouping<'_> {
    /// Places these connections; false if that is impossible, or takes too long.
    fn place(&mut self, rest: &[Connection]) -> bool {
        let Some((next, rest)) = rest.split_first() else { return true };
        let mut places: Vec<(f64, usize)> = self
            .groups
            .iter()
            .enumerate()
            .filter(|(_, group)| group.first().is_some_and(|(replica, _)| *replica == next.0))
            .map(|(rank, group)| (difference(self.key.requests, group, *next), rank))
            .collect();
        if self.groups.len() < MOST_GROUPS {
            // A group of its own comes after those that it resembles, and before the others.
            places.push((ALIKE, self.groups.len()));
        }
        places.sort_by(|one, other| one.0.total_cmp(&other.0));
        for (_, rank) in places {
            if self.budget == 0 || self.case.work.get() > MOST_WORK {
                return false;
            }
            self.budget -= 1;
            match self.groups.get_mut(rank) {
                Some(group) => group.push(*next),
                None => self.groups.push(vec![*next]),
            }
            if self.is_possible() && self.place(rest) {
                return true;
            }
            self.groups[rank].pop();
            self.groups.retain(|group| !group.is_empty());
        }
        false
    }

    /// Whether each group can be one limiter's, if that may also have decided connections that are not placed
    /// yet.
    fn is_possible(&self) -> bool {
        self.groups.iter().all(|group| {
            let seen = with_others_unknown(self.key.requests, group, &self.groups);
            self.case.work.set(self.case.work.get() + seen.len());
            crate::judge(&seen, self.key.promise, self.context).violations.is_empty()
        })
    }
}

/// How often a request of the group and one of the connection, sent one after the other, got different
/// responses; of those of which one was admitted.
fn difference(requests: &[Request], group: &[Connection], next: Connection) -> f64 {
    let (mut pairs, mut differ) = (0_u32, 0_u32);
    let mut last: Option<(bool, Decision)> = None;
    for request in requests.iter().filter(|request| request.decision != Decision::Unknown) {
        let is_next = connection(request) == next;
        if !is_next && !group.contains(&connection(request)) {
            continue;
        }
        if let Some((_, decision)) = last.filter(|(was_next, _)| *was_next != is_next) {
            pairs += u32::from(decision == Decision::Admitted || request.decision == Decision::Admitted);
            differ += u32::from(decision != request.decision);
        }
        last = Some((is_next, request.decision));
    }
    f64::from(differ) / f64::from(pairs.max(1))
}

/// What a limiter sees that decides these connections, and perhaps some of those of the replica that are in no
/// other group.
fn with_others_unknown(
    requests: &[Request],
    group: &[Connection],
    others: &[Vec<Connection>],
) -> Vec<Request> {
    let replica = group.first().map_or(0, |(replica, _)| *replica);
    let of_replica = requests.iter().filter(|request| request.replica == replica);
    let seen = of_replica.filter_map(|request| match request.decision {
        _ if group.contains(&connection(request)) => Some(*request),
        Decision::Rejected => None,
        _ if others.iter().any(|other| other.contains(&connection(request))) => None,
        _ => Some(Request { decision: Decision::Unknown, ..*request }),
    });
    seen.collect()
}

/// Whether it rejected something, and admitted as much as the promise permits at once.
fn is_full(history: &[Request], key: &Key<'_>) -> bool {
    let admitted = history.iter().filter(|request| request.decision == Decision::Admitted).count() as u64;
    admitted >= key.promise.room() && history.iter().any(|request| request.decision == Decision::Rejected)
}

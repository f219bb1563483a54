//! Hypothesis: several processes behind one address, each of which keeps the limit by itself.
//!
//! All requests of a connection are decided by one process, but which connections share one is not known. So
//! connections are grouped, the busiest first: one joins a group if a single limiter can have decided all of
//! both, whatever the remaining connections consumed of it, and if they were rejected at the same times; of
//! several it joins the most similar one, and otherwise starts a group of its own. The hypothesis holds if every group then keeps the promise by itself, and it is told from a limit that nobody
//! keeps by groups that used up the quota each.

use std::collections::BTreeMap;

use super::{Case, Hypothesis, Key, first};
use crate::{Decision, HistoryContext, Request};

/// Requests of each key that are grouped.
const MOST_GROUPED: usize = 2_000;
/// Connections of a key, and groups of them.
const MOST_CONNECTIONS: usize = 256;
const MOST_GROUPS: usize = 32;
/// Shares of neighbouring requests whose responses may differ within a group: one process rejects for all of
/// its connections at the same time. Tried until one succeeds.
const ALIKE: [f64; 5] = [0.3, 0.5, 0.2, 0.7, 1.0];

/// A replica and one of its connections.
type Connection = (u16, u32);

/// The connections of each key fall into groups, each of which keeps the promise; of some key several used it
/// up.
pub(super) fn per_process(case: &Case<'_>) -> Option<Hypothesis> {
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
        let (groups, histories) = ALIKE.into_iter().find_map(|alike| {
            let groups = grouped(case, &key, &order, alike, &context)?;
            let histories: Vec<Vec<Request>> = groups.iter().map(of).collect();
            let kept = histories.iter().all(|history| keeps(case, &key, history, &context));
            kept.then_some((groups, histories))
        })?;
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

/// The connections in groups, each of which one limiter can have decided. `None` if that takes too many.
fn grouped(
    case: &Case<'_>,
    key: &Key<'_>,
    order: &[Connection],
    alike: f64,
    context: &HistoryContext,
) -> Option<Vec<Vec<Connection>>> {
    let mut groups: Vec<Vec<Connection>> = Vec::new();
    for &next in order {
        let mut similar: Vec<(f64, usize)> = groups
            .iter()
            .enumerate()
            .filter(|(_, group)| group.first().is_some_and(|(replica, _)| *replica == next.0))
            .map(|(rank, group)| (difference(key.requests, group, next), rank))
            .filter(|(differs, _)| *differs <= alike)
            .collect();
        similar.sort_by(|one, other| one.0.total_cmp(&other.0));
        let fits = |rank: &usize| {
            let joined = [&groups[*rank][..], &[next]].concat();
            keeps(case, key, &with_others_unknown(key.requests, &joined, &groups), context)
        };
        match similar.into_iter().map(|(_, rank)| rank).find(fits) {
            Some(rank) => groups[rank].push(next),
            None => groups.push(vec![next]),
        }
        if groups.len() > MOST_GROUPS || case.work.get() > super::MOST_WORK {
            return None;
        }
    }
    Some(groups)
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

fn keeps(case: &Case<'_>, key: &Key<'_>, requests: &[Request], context: &HistoryContext) -> bool {
    case.work.set(case.work.get() + requests.len());
    crate::judge(requests, key.promise, context).violations.is_empty()
}

/// Whether it rejected something, and admitted as much as the promise permits at once.
fn is_full(history: &[Request], key: &Key<'_>) -> bool {
    let admitted = history.iter().filter(|request| request.decision == Decision::Admitted).count() as u64;
    admitted >= key.promise.room() && history.iter().any(|request| request.decision == Decision::Rejected)
}

//! Hypotheses that the promise is kept for another key: per replica, for all tenants together, or for a key
//! that never expires.

use super::{Case, Hypothesis, Key, replay};
use crate::{Decision, Promise, Request};
use saasbench_model::scenario::Algorithm;

/// The requests of each replica alone keep the promise.
pub(super) fn per_replica(case: &Case<'_>) -> Option<Hypothesis> {
    let replicas = case.answering();
    let alone = |key: &Key<'_>, replica: u16| -> Vec<Request> {
        key.requests.iter().filter(|request| request.replica == replica).copied().collect()
    };
    let kept =
        |key: &Key<'_>| replicas.iter().all(|replica| case.explains(key.promise, &alone(key, *replica)));
    (replicas.len() > 1 && case.broken().chain(case.kept()).all(kept)).then(|| Hypothesis::PerReplica {
        replicas: replicas.iter().map(|index| case.replica(*index)).collect(),
    })
}

/// Nothing was rejected where the promise was broken.
pub(super) fn not_enforced(case: &Case<'_>) -> Option<Hypothesis> {
    let open = |key: &Key<'_>| key.requests.iter().all(|request| request.decision != Decision::Rejected);
    case.broken().all(open).then(|| Hypothesis::NotEnforced { tenants: case.broken().map(tenant).collect() })
}

/// This many rejections without cause show that quota is not restored.
const LOST: usize = 3;

/// After the last admission everything is rejected, for longer than one window; until then the promise was
/// kept.
pub(super) fn no_expiry(case: &Case<'_>) -> Option<Hypothesis> {
    let never = |key: &Key<'_>| {
        let admitted = key.requests.iter().filter(|request| request.decision == Decision::Admitted);
        let Some(last) = admitted.max_by_key(|request| request.done) else { return false };
        let expired = last.done + key.promise.quota.window + key.promise.quota.window;
        let later = |request: &&Request| request.decision == Decision::Rejected && request.done > last.sent;
        let lost = key.requests.iter().filter(later).filter(|request| request.sent > expired);
        let before: Vec<Request> = key.requests.iter().filter(|request| !later(request)).copied().collect();
        lost.count() >= LOST && case.explains(key.promise, &before)
    };
    case.broken().all(never).then(|| Hypothesis::NoExpiry { tenants: case.broken().map(tenant).collect() })
}

/// The requests of several tenants together keep the promise: of all, or of those whose promise was broken.
pub(super) fn shared_key(case: &Case<'_>) -> Option<Hypothesis> {
    let all: Vec<&Key<'_>> = case.keys.iter().collect();
    let broken: Vec<&Key<'_>> = case.broken().collect();
    let groups = if broken.len() < all.len() { vec![all, broken] } else { vec![all] };
    let shared = groups.into_iter().find(|group| group.len() > 1 && share(case, group))?;
    Some(Hypothesis::SharedKey { tenants: shared.into_iter().map(tenant).collect() })
}

/// Each tenant's rejections are right given the admissions of all, and all together were admitted no more
/// than the largest quota.
fn share(case: &Case<'_>, group: &[&Key<'_>]) -> bool {
    let by_limit = |key: &&&Key<'_>| key.promise.quota.limit;
    let Some(largest) = group.iter().max_by_key(by_limit) else { return false };
    let Some(smallest) = group.iter().min_by_key(by_limit) else { return false };
    // A shared bucket fills at the rate of whichever tenant's request is judged, so at least as slowly as the
    // smallest.
    let bucket = matches!(largest.promise.algorithm, Algorithm::TokenBucket { .. });
    let held_against = |key: &Key<'_>| if bucket { smallest.promise } else { key.promise };
    let together = |rejected: Promise, admitted: Decision| -> Vec<Request> {
        let requests = group.iter().flat_map(|key| {
            key.requests.iter().filter_map(|request| match request.decision {
                Decision::Rejected => (held_against(key) == rejected).then_some(*request),
                Decision::Admitted => Some(Request { decision: admitted, ..*request }),
                Decision::Unknown => Some(*request),
            })
        });
        let mut requests: Vec<Request> = requests.collect();
        requests.sort_by_key(|request| (request.sent, request.id));
        requests
    };
    // All together were admitted more than a small quota, so only the rejections are tested against it.
    let rejected_rightly = |key: &&Key<'_>| {
        let promise = held_against(key);
        let together = together(promise, Decision::Unknown);
        match promise.algorithm {
            // No conforming counter of a small quota ever counts as much as all tenants together.
            Algorithm::SlidingCounter { .. } => replay::explains(case, promise, &together),
            _ => case.explains(promise, &together),
        }
    };
    let mut others = group.iter().filter(|key| held_against(key) != largest.promise);
    let all = together(largest.promise, Decision::Admitted);
    case.explains(largest.promise, &all) && others.all(rejected_rightly)
}

fn tenant(key: &Key<'_>) -> String {
    key.tenant.to_owned()
}

//! Several limits on one route: a rejection does not say which of them gave it.
//!
//! It is wrong only if none of them can have given it. A limit that cannot be judged excuses the others, and
//! how many rejections it excuses is stated.

use std::collections::BTreeMap;

use super::{HistoryCollector, context, proofs::Proofs};
use crate::verdict::Evidence;
use saasbench_limiter::{Decision, Judgement, OtherLimits, Promise, Request, Violation};
use saasbench_model::scenario::{Limit, TenantIndex};

/// The limits of a route that may have rejected a tenant's request in place of `limit`, itself included:
/// their indices, each with the index of the tenant's quota.
pub(in super::super) fn siblings(
    limits: &[Limit],
    limit: &Limit,
    tenant: TenantIndex,
) -> Vec<(usize, usize)> {
    let alike = |other: &Limit| {
        other.route == limit.route
            && (100..600).any(|status| other.rejected.contains(status) && limit.rejected.contains(status))
    };
    let key = |other: &Limit| other.quota.iter().position(|(index, _)| *index == tenant);
    limits
        .iter()
        .enumerate()
        .filter(|(_, other)| alike(other))
        .filter_map(|(index, other)| Some((index, key(other)?)))
        .collect()
}

/// How a limit with this many siblings, itself included, is judged.
pub(super) fn other_limits(limit: &Limit, siblings: usize) -> OtherLimits {
    match siblings {
        0 | 1 => OtherLimits::None,
        _ if limit.atomic => OtherLimits::Atomic,
        _ => OtherLimits::Chained,
    }
}

/// How many rejections of a tenant only limits that cannot be judged can have given.
pub(super) fn left_to_others(siblings: &[(usize, usize)], judgements: &[Vec<Judgement>]) -> u64 {
    let judgements = || siblings.iter().map(|(limit, key)| &judgements[*limit][*key]);
    let mut unexplained: BTreeMap<u64, usize> = BTreeMap::new();
    for judgement in judgements() {
        // A rejection that cannot be judged is never denied, too.
        for id in judgement.unjudged.iter().chain(&judgement.wrong_rejections) {
            *unexplained.entry(*id).or_default() += 1;
        }
    }
    let by_all = unexplained.into_iter().filter(|(_, limits)| *limits == siblings.len());
    let is_unjudged = |id: u64| judgements().any(|judgement| judgement.unjudged.binary_search(&id).is_ok());
    by_all.filter(|(id, _)| is_unjudged(*id)).count() as u64
}

impl HistoryCollector {
    /// Rejections of a tenant that none of its limits on the route can have given.
    pub(super) fn rejected_by_none(
        &self,
        proofs: &Proofs<'_>,
        siblings: &[(usize, usize)],
        judgements: &[Vec<Judgement>],
    ) -> Option<Evidence> {
        let mut denials: BTreeMap<u64, usize> = BTreeMap::new();
        for id in siblings.iter().flat_map(|(limit, key)| &judgements[*limit][*key].wrong_rejections) {
            *denials.entry(*id).or_default() += 1;
        }
        denials.retain(|_, limits| *limits == siblings.len());
        let (wrong, _) = denials.first_key_value()?;
        // Judged as if it were the only rejection by the only limit, each limit gives its own reason why it
        // cannot have rejected.
        let violations = siblings.iter().flat_map(|&(index, key)| {
            let limit = &proofs.run.scenario.limits[index];
            let history = &self.keys[index][key];
            let alone: Vec<Request> =
                history.iter().filter_map(|request| by_itself(request, *wrong, limit)).collect();
            let promise = Promise { quota: limit.quota[key].1, algorithm: limit.algorithm };
            let judged = saasbench_limiter::judge(&alone, promise, &context(proofs.run, limit, self.latest));
            judged.violations.into_iter().map(|violation| as_recorded(violation, history))
        });
        proofs.rejected_by_none(denials.len(), &violations.collect::<Vec<_>>())
    }
}

/// What a request is if `wrong` is the only rejection: another rejected one consumed nothing, or is unknown.
fn by_itself(request: &Request, wrong: u64, limit: &Limit) -> Option<Request> {
    match request.decision {
        Decision::Rejected if request.id != wrong && limit.atomic => None,
        Decision::Rejected if request.id != wrong => {
            Some(Request { decision: Decision::Unknown, ..*request })
        }
        _ => Some(*request),
    }
}

/// The violation with the decisions that the responses show.
fn as_recorded(mut violation: Violation, history: &[Request]) -> Violation {
    if let Violation::WrongRejection { against, .. } = &mut violation {
        for request in against {
            let at =
                history.binary_search_by_key(&(request.sent, request.id), |other| (other.sent, other.id));
            if let Ok(at) = at {
                *request = history[at];
            }
        }
    }
    violation
}

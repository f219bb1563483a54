//! Hypotheses of intermittent faults: what the faults account for is set aside, and the rest must keep the
//! promise.

use std::collections::BTreeSet;

use super::{Case, Hypothesis, Key, replay};
use crate::{Decision, HistoryContext, OtherLimits, Promise, Request, Violation, judge};
use saasbench_model::units::Nanos;

/// Sporadic means at most one in this many.
const SPORADIC: u64 = 10;
/// This many can show a pattern.
const SEVERAL: usize = 3;
/// How many of the longest spans without a rejection are tried.
const SPANS: usize = 3;

/// Without the wrong rejections nothing is broken, and they are few.
pub(super) fn sporadic_rejections(case: &Case<'_>) -> Option<Hypothesis> {
    let (mut rejected, mut of) = (Vec::new(), 0);
    for (key, judgement) in case.keys.iter().zip(&case.judgements) {
        let most = usize::try_from(judgement.admitted / (SPORADIC - 1)).unwrap_or(usize::MAX);
        if !judgement.violations.is_empty() {
            let wrong = causeless_rejections(case, key, most)?;
            rejected.extend(key.requests.iter().filter(|request| wrong.contains(&request.id)));
        }
        of += judgement.admitted;
    }
    // A replica whose clock is behind rejects without cause, too, and only that replica.
    let one_replica = rejected.iter().all(|request: &&Request| request.replica == rejected[0].replica);
    if rejected.len() >= 2 * SEVERAL && one_replica && replay::skewed_clocks(case).is_some() {
        return None;
    }
    let rejected = rejected.len() as u64;
    Some(Hypothesis::SporadicRejections { rejected, of: of + rejected })
}

/// The rejections that must be removed until the rest keeps the promise. `None` if there are more than
/// `most`, if rejections are not the only problem, or if they are not spread over time.
fn causeless_rejections(case: &Case<'_>, key: &Key<'_>, most: usize) -> Option<BTreeSet<u64>> {
    // Rejections that are wrong by themselves are removed at once, those that are wrong only in combination
    // with others one by one.
    let apart = HistoryContext { other_limits: OtherLimits::Atomic, ..case.context.clone() };
    let judgement = judge(key.requests, key.promise, &apart);
    if !judgement.violations.is_empty() {
        return None;
    }
    let by_themselves: BTreeSet<u64> = judgement.wrong_rejections.into_iter().collect();
    // Where windows are searched for, the judge may name another rejection than the wrong one. One between
    // admissions is the more likely one.
    let mut isolated = isolated_rejections(key);
    isolated.extend(&by_themselves);
    let wrong = without(case, key, by_themselves, most).or_else(|| {
        let wrong = without(case, key, isolated, most.saturating_mul(2))?;
        Some(least(case, key, wrong)).filter(|wrong| wrong.len() <= most)
    })?;
    is_sporadic(key, &wrong).then_some(wrong)
}

/// Adds to these, one by one, rejections that are still wrong without them, until nothing is.
fn without(case: &Case<'_>, key: &Key<'_>, mut wrong: BTreeSet<u64>, most: usize) -> Option<BTreeSet<u64>> {
    while wrong.len() <= most {
        let mut rest = key.requests.to_vec();
        rest.retain(|request| !wrong.contains(&request.id));
        if case.explains(key.promise, &rest) {
            return Some(wrong);
        }
        wrong.insert(next_causeless(case, &rest, key.promise)?);
    }
    None
}

/// Removes those that are not needed from the set.
fn least(case: &Case<'_>, key: &Key<'_>, mut wrong: BTreeSet<u64>) -> BTreeSet<u64> {
    for id in wrong.clone() {
        wrong.remove(&id);
        if without(case, key, wrong.clone(), wrong.len()).is_none() {
            wrong.insert(id);
        }
    }
    wrong
}

/// In the order in which they were probably decided.
fn in_order<'a>(key: &Key<'a>, counts: impl Fn(&Request) -> bool) -> Vec<&'a Request> {
    let mut order: Vec<&Request> = key.requests.iter().filter(|request| counts(request)).collect();
    order.sort_by_key(|request| (request.sent + request.done, request.id));
    order
}

/// Rejections directly between two admissions.
fn isolated_rejections(key: &Key<'_>) -> BTreeSet<u64> {
    let order = in_order(key, |_| true);
    let isolated = order.windows(3).filter(|three| {
        let admitted = |request: &Request| request.decision == Decision::Admitted;
        admitted(three[0]) && three[1].decision == Decision::Rejected && admitted(three[2])
    });
    isolated.map(|three| three[1].id).collect()
}

/// Whether they are spread over time.
fn is_sporadic(key: &Key<'_>, wrong: &BTreeSet<u64>) -> bool {
    let is_wrong = |request: &Request| wrong.contains(&request.id);
    let had_to = in_order(key, |request| request.decision == Decision::Admitted || is_wrong(request));
    let in_a_row = had_to.windows(2).filter(|pair| is_wrong(pair[0]) && is_wrong(pair[1])).count();
    let length = |requests: &[&Request]| match requests {
        [first, .., last] => last.sent - first.sent,
        _ => Nanos::ZERO,
    };
    let together = length(&in_order(key, is_wrong)) < Nanos(length(&had_to).0 / 4);
    in_a_row * 2 <= wrong.len() && !(together && wrong.len() > 2 * SEVERAL)
}

/// The rejection that is proven wrong or, for an over-admission, one that would have to be removed: the last
/// one before it, if none is named.
fn next_causeless(case: &Case<'_>, rest: &[Request], promise: Promise) -> Option<u64> {
    match first_violation(case, rest, promise)? {
        Violation::WrongRejection { request, .. } => Some(request.id),
        Violation::OverAdmission { requests, given, .. } => {
            let rejected = |request: &&Request| request.decision == Decision::Rejected;
            if let Some(rejection) = given.iter().rfind(rejected) {
                return Some(rejection.id);
            }
            let late = requests.iter().map(|request| request.sent).max()?;
            let before =
                rest.iter().filter(|request| request.decision == Decision::Rejected && request.done < late);
            before.max_by_key(|request| (request.done, request.id)).map(|request| request.id)
        }
    }
}

/// In one span nothing is rejected, and admissions within it do not count.
pub(super) fn fails_open(case: &Case<'_>) -> Option<Hypothesis> {
    let requests = || case.keys.iter().flat_map(|key| key.requests);
    let mut rejected: Vec<&Request> =
        requests().filter(|request| request.decision == Decision::Rejected).collect();
    rejected.sort_by_key(|request| (request.sent + request.done, request.id));
    // The span lies between two consecutive rejections.
    let mut spans: Vec<(usize, Nanos, Nanos)> = rejected
        .windows(2)
        .map(|pair| {
            let (from, to) = (pair[0].sent, pair[1].done);
            (requests().filter(|request| request.sent > from && request.done < to).count(), from, to)
        })
        .collect();
    spans.sort_by_key(|(inside, ..)| std::cmp::Reverse(*inside));
    let explains = |from: Nanos, to: Nanos| {
        case.broken().any(|key| inside(key, from, to) > key.promise.quota.limit)
            && case.broken().chain(case.kept()).all(|key| {
                let undecided: Vec<Request> = key
                    .requests
                    .iter()
                    .map(|request| {
                        let touches = request.done >= from && request.sent <= to;
                        match request.decision {
                            Decision::Admitted if touches => {
                                Request { decision: Decision::Unknown, ..*request }
                            }
                            _ => *request,
                        }
                    })
                    .collect();
                case.explains(key.promise, &undecided)
            })
    };
    let (_, from, to) = spans.into_iter().take(SPANS).find(|(_, from, to)| explains(*from, *to))?;
    Some(Hypothesis::FailsOpen { from, to })
}

/// Number of certain admissions in a span.
fn inside(key: &Key<'_>, from: Nanos, to: Nanos) -> u64 {
    let inside = key
        .requests
        .iter()
        .filter(|request| request.decision == Decision::Admitted && request.sent > from && request.done < to);
    inside.count() as u64
}

fn first_violation(case: &Case<'_>, requests: &[Request], promise: Promise) -> Option<Violation> {
    if case.work.get() > super::MOST_WORK {
        return None;
    }
    case.judge(requests, promise).violations.into_iter().next()
}

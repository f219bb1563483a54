//! Completes a proof: finds the other responses that it depends on.
//!
//! A judge names the surplus admissions, or a rejection and the requests that can have counted against it.
//! Often these are a proof by themselves; sometimes other responses are needed to know where a window
//! started. The set is complete if the judge still finds the violation when nothing but the set is known:
//! every other admission may then have been rejected or never have arrived, and every other rejection is left
//! out, because rejections take nothing (or may have been admitted, if they may have consumed quota of this
//! one of several limits). Both only give a conforming limiter more freedom.

use std::collections::HashSet;

use super::{Decision, HistoryContext, Promise, Request, Violation, judge};

/// The judge is called at most this often; the set is complete then, though it might not be minimal.
const MOST_QUESTIONS: usize = 300;

/// What was sent more than this many windows after a violation is not part of its proof.
const WINDOWS_BEHIND: i64 = 4;

/// The same violation with `given` filled in, if what the judge put there is not sufficient. `requests` is
/// the history that it was found in, sorted by `sent`.
pub fn completed(
    mut violation: Violation,
    requests: &[Request],
    promise: Promise,
    context: &HistoryContext,
) -> Violation {
    let core = core(&violation);
    let last = core.iter().map(|request| request.done.0).max().unwrap_or(0);
    let end = last.saturating_add(promise.quota.window.0.saturating_mul(WINDOWS_BEHIND));
    let end = requests.partition_point(|request| request.sent.0 <= end);
    let over_admission = matches!(violation, Violation::OverAdmission { .. });
    let proof = Proof { history: &requests[..end], promise, context, over_admission };
    let (Violation::OverAdmission { given, .. } | Violation::WrongRejection { given, .. }) = &mut violation;
    if !proof.holds(&core, given) {
        *given = proof.given(&core);
    }
    violation
}

/// The requests that a violation is about, sorted by `sent`.
pub(super) fn core(violation: &Violation) -> Vec<Request> {
    match violation {
        Violation::OverAdmission { requests, .. } => requests.clone(),
        Violation::WrongRejection { request, against, .. } => {
            let mut core = against.clone();
            core.insert(
                core.partition_point(|other| (other.sent, other.id) < (request.sent, request.id)),
                *request,
            );
            core
        }
    }
}

/// Tests whether a set of responses is a proof.
struct Proof<'a> {
    history: &'a [Request],
    promise: Promise,
    context: &'a HistoryContext,
    over_admission: bool,
}

impl Proof<'_> {
    /// A small set of further responses that makes the proof complete.
    fn given(&self, core: &[Request]) -> Vec<Request> {
        let about = core.first().map_or(0, |request| request.sent.0);
        let answered = |request: &&Request| request.decision != Decision::Unknown && !core.contains(request);
        let mut more: Vec<Request> = self.history.iter().filter(answered).copied().collect();
        more.sort_by_key(|request| (request.sent.0.abs_diff(about), request.id));
        // Tries the nearest responses first, doubling their number until they suffice.
        let mut count = 4;
        while count < more.len() && !self.holds(core, &more[..count]) {
            count *= 2;
        }
        more.truncate(count);
        let mut given = self.shrunk(core, more);
        given.sort_by_key(|request| (request.sent, request.id));
        given
    }

    /// Removes what is not needed: halves, quarters, …, single responses.
    fn shrunk(&self, core: &[Request], mut given: Vec<Request>) -> Vec<Request> {
        let (mut size, mut questions) = (given.len().div_ceil(2), 0);
        while size > 0 {
            let mut at = 0;
            while at < given.len() && questions < MOST_QUESTIONS {
                let mut fewer = given.clone();
                fewer.drain(at..(at + size).min(given.len()));
                questions += 1;
                if self.holds(core, &fewer) {
                    given = fewer;
                } else {
                    at += size;
                }
            }
            size /= 2;
        }
        given
    }

    fn holds(&self, core: &[Request], given: &[Request]) -> bool {
        let judgement = judge(&relaxed(self.history, core, given, self.context), self.promise, self.context);
        let alike = |violation: &Violation| {
            matches!(violation, Violation::OverAdmission { .. }) == self.over_admission
        };
        judgement.violations.iter().any(alike)
    }
}

/// The history if nothing but these responses is known.
pub(super) fn relaxed(
    history: &[Request],
    core: &[Request],
    given: &[Request],
    context: &HistoryContext,
) -> Vec<Request> {
    let known: HashSet<u64> = core.iter().chain(given).map(|request| request.id).collect();
    history
        .iter()
        .filter_map(|request| match request.decision {
            Decision::Unknown => Some(*request),
            _ if known.contains(&request.id) => Some(*request),
            decision if context.may_consume(decision) => {
                Some(Request { decision: Decision::Unknown, ..*request })
            }
            _ => None,
        })
        .collect()
}

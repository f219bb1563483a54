//! Which fault explains a broken limit? Compares the histories of all its keys with the known failure modes.
//!
//! A hypothesis explains a limit only if it explains every admission and every rejection of every tenant.
//! Most hypotheses are a conforming limiter of something else (another quota, one replica, all tenants
//! together), so the same judges can reject them: `quotas`, `keys`, `processes`, `intermittent`. Three need a replay of
//! their own, `replay`. A diagnosis is an explanation, not a proof.
//!
//! The simpler hypothesis is named first. Costs are bounded: only the first `MOST_REQUESTS` of each key are
//! judged, and no further hypothesis is tried once `MOST_WORK` requests have been judged in all.

#[cfg(test)]
mod fault_models;
mod hypothesis;
mod intermittent;
mod keys;
mod processes;
mod quotas;
mod replay;

#[cfg(test)]
mod tests;

use std::cell::Cell;

use super::{HistoryContext, Judgement, Promise, Request, Violation};
pub use crate::diagnose::hypothesis::{Diagnosis, Hypothesis};
use saasbench_model::units::Nanos;

/// Requests that are judged per key, at most.
const MOST_REQUESTS: usize = 20_000;
/// Requests that are judged in all before the search ends.
const MOST_WORK: usize = 5_000_000;
/// Requests that a hypothesis must explain before more are judged.
const SCREEN: usize = 256;

/// The history of one tenant, with its promise.
#[derive(Debug, Clone, Copy)]
pub struct Key<'a> {
    /// The tenant's id.
    pub tenant: &'a str,
    /// Sorted by `sent`.
    pub requests: &'a [Request],
    /// The promise to this tenant.
    pub promise: Promise,
}

/// The fault that explains a broken limit, over the histories of all its tenants. `None` if no known failure
/// mode does, if nothing is broken, or if rejections prove nothing here (the environment is shared, or the
/// route has several limits).
///
/// `replicas` are the names for the indices in the requests.
pub fn diagnose(keys: &[Key<'_>], replicas: &[String], context: &HistoryContext) -> Option<Diagnosis> {
    if !context.exclusive || context.has_other_limits() {
        return None;
    }
    let case = Case::new(keys, replicas, context);
    case.broken().next()?;
    type Test = fn(&Case<'_>) -> Option<Hypothesis>;
    let plain: [Test; 3] = [keys::per_replica, processes::per_process, keys::not_enforced];
    let simple: [Test; 7] = [
        quotas::off_by_one,
        // A client that keeps trying stays rejected, as with a key that never expires; but this single cause
        // explains all tenants.
        replay::counts_rejections,
        keys::no_expiry,
        quotas::other_window,
        quotas::other_algorithm,
        keys::shared_key,
        intermittent::sporadic_rejections,
    ];
    let free: [Test; 3] = [replay::race, intermittent::fails_open, replay::skewed_clocks];
    // Hypotheses with more freedom can explain what simpler ones do, so they are tried only if those fail.
    let mut explain: Vec<Hypothesis> = plain.into_iter().find_map(|test| test(&case)).into_iter().collect();
    if explain.is_empty() {
        explain.extend(simple.into_iter().filter_map(|test| test(&case)));
    }
    if explain.is_empty() {
        explain.extend(free.into_iter().find_map(|test| test(&case)));
    }
    Diagnosis::of(explain)
}

/// A broken limit to be explained.
#[derive(Debug)]
struct Case<'a> {
    /// Each shortened to [`MOST_REQUESTS`].
    keys: Vec<Key<'a>>,
    /// By the promise, one for each key.
    judgements: Vec<Judgement>,
    replicas: &'a [String],
    context: HistoryContext,
    /// Requests judged so far.
    work: Cell<usize>,
}

impl<'a> Case<'a> {
    fn new(keys: &[Key<'a>], replicas: &'a [String], context: &HistoryContext) -> Self {
        let mut context = context.clone();
        let mut cut = |key: &Key<'a>| {
            let (requests, until) = first(key.requests, MOST_REQUESTS);
            context.complete_until = context.complete_until.min(until);
            Key { requests, ..*key }
        };
        let keys: Vec<Key<'a>> = keys.iter().map(&mut cut).collect();
        let mut case = Self { keys, judgements: Vec::new(), replicas, context, work: Cell::new(0) };
        case.judgements = case.keys.iter().map(|key| case.judge(key.requests, key.promise)).collect();
        case
    }

    fn judge(&self, requests: &[Request], promise: Promise) -> Judgement {
        self.work.set(self.work.get() + requests.len());
        super::judge(requests, promise, &self.context)
    }

    /// The keys whose promise was broken.
    fn broken(&self) -> impl Iterator<Item = &Key<'a>> {
        let judged = self.keys.iter().zip(&self.judgements);
        judged.filter(|(_, judgement)| !judgement.violations.is_empty()).map(|(key, _)| key)
    }

    /// The keys whose promise was kept.
    fn kept(&self) -> impl Iterator<Item = &Key<'a>> {
        let judged = self.keys.iter().zip(&self.judgements);
        judged.filter(|(_, judgement)| judgement.violations.is_empty()).map(|(key, _)| key)
    }

    /// The case without the keys whose promise was kept.
    fn of_broken(&self) -> Self {
        let judged = self.keys.iter().zip(&self.judgements);
        let (keys, judgements) = judged
            .filter(|(_, judgement)| !judgement.violations.is_empty())
            .map(|(key, judgement)| (*key, judgement.clone()))
            .unzip();
        let context = self.context.clone();
        Self { keys, judgements, context, work: self.work.clone(), replicas: self.replicas }
    }

    /// Whether a conforming limiter of this promise explains the history. Most wrong promises fail early, so
    /// the first requests are judged first.
    fn explains(&self, promise: Promise, requests: &[Request]) -> bool {
        if self.work.get() > MOST_WORK {
            return false;
        }
        let mut length = SCREEN;
        while length < requests.len() {
            let (beginning, until) = first(requests, length);
            let complete_until = self.context.complete_until.min(until);
            self.work.set(self.work.get() + beginning.len());
            let context = HistoryContext { complete_until, ..self.context.clone() };
            if !super::judge(beginning, promise, &context).violations.is_empty() {
                return false;
            }
            length *= 8;
        }
        self.judge(requests, promise).violations.is_empty()
    }

    /// Whether conforming limiters of changed promises explain all keys.
    fn all_explained(&self, change: impl Fn(Promise) -> Promise) -> bool {
        self.broken().chain(self.kept()).all(|key| self.explains(change(key.promise), key.requests))
    }

    /// Whether there are too many admissions, and whether there are wrong rejections, by changed promises.
    fn found(&self, change: impl Fn(Promise) -> Promise) -> (bool, bool) {
        let (mut over, mut wrong) = (false, false);
        for key in &self.keys {
            for violation in self.judge(key.requests, change(key.promise)).violations {
                match violation {
                    Violation::OverAdmission { .. } => over = true,
                    Violation::WrongRejection { .. } => wrong = true,
                }
            }
        }
        (over, wrong)
    }

    /// Whether there are too many admissions by changed promises, judged by the admissions alone.
    fn over_admits(&self, change: impl Fn(Promise) -> Promise) -> bool {
        self.keys.iter().any(|key| {
            self.work.set(self.work.get() + key.requests.len());
            super::over_admits(key.requests, change(key.promise), &self.context)
        })
    }

    fn replica(&self, index: u16) -> String {
        self.replicas.get(usize::from(index)).cloned().unwrap_or_else(|| format!("#{index}"))
    }

    /// Indices of the replicas that responded.
    fn answering(&self) -> Vec<u16> {
        let requests = self.keys.iter().flat_map(|key| key.requests);
        let mut replicas: Vec<u16> = requests.map(|request| request.replica).collect();
        replicas.sort_unstable();
        replicas.dedup();
        replicas
    }
}

/// The first requests of a history, and the instant up to which they are complete.
fn first(requests: &[Request], most: usize) -> (&[Request], Nanos) {
    match requests.get(most) {
        Some(next) => (&requests[..most], next.sent),
        None => (requests, Nanos::MAX),
    }
}

//! Were the promised limits kept? One verdict per limit: [`saasbench_limiter`] judges the history of each
//! key, `reach` whether that history puts the limit to the test, and `proofs` turns a proof into words and a
//! certificate. `several` is about routes with several limits.

pub(super) mod proofs;
mod reach;
mod route;
mod several;
mod spread;
mod totals;

use self::proofs::Proofs;
use self::reach::Reach;
pub use self::route::limits as on_step;
pub(super) use self::several::siblings;
use self::several::{left_to_others, other_limits};
use self::totals::{Totals, reason};
use super::{
    parallel,
    verdict::{self, Claim, Evidence, Outcome, Verdict},
};
use saasbench_limiter::{
    Decision, HistoryContext, Judgement, OtherLimits, Promise, Request, Tolerance, Violation, certificate,
    diagnose::{Key, diagnose},
};
use saasbench_model::{
    scenario::{Limit, Scenario, TenantIndex},
    units::{Nanos, Quota},
};
use saasbench_record::{
    manifest::{Manifest, State},
    reader::RecordedRun,
    redis_samples,
    sample::{RequestOutcome, Sample},
};

/// Proofs that are completed per limit. Completing one takes many judgements, and of a thousand broken keys a
/// few are as informative as all.
const COMPLETED: usize = 16;

/// The histories of every key of every limit.
#[derive(Debug)]
pub struct HistoryCollector {
    /// Per limit, per entry of its `quota`.
    keys: Vec<Vec<Vec<Request>>>,
    /// Per step: the limits on its route, and for each tenant the entry of the `quota` that applies to it.
    routes: Vec<Vec<(usize, Vec<Option<usize>>)>>,
    latest: Nanos,
}

/// The history of a key that was judged.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// Index of the limit in the scenario.
    pub limit: usize,
    /// Index of the key among the limit's quotas.
    pub key: usize,
    /// Sorted by `sent`.
    pub requests: &'a [Request],
    /// Whether the promise was proven broken.
    pub is_broken: bool,
}

impl HistoryCollector {
    /// Empty histories for the scenario's limits.
    pub fn new(scenario: &Scenario) -> Self {
        Self {
            keys: scenario.limits.iter().map(|limit| vec![Vec::new(); limit.quota.len()]).collect(),
            routes: (0..scenario.steps.len()).map(|step| route::limits(scenario, step)).collect(),
            latest: Nanos::ZERO,
        }
    }

    /// Enters a sample into the histories that it belongs to. Calls `entered` with the indices of limit and
    /// `quota` entry for each history in which it was decided.
    pub fn add(
        &mut self,
        scenario: &Scenario,
        id: u64,
        sample: &Sample,
        mut entered: impl FnMut((usize, usize)),
    ) {
        self.latest = self.latest.max(sample.done);
        for (number, places) in self.routes.get(sample.step).into_iter().flatten() {
            let number = *number;
            let Some(limit) = scenario.limits.get(number) else { continue };
            let Some((decision, done)) = decision(limit, sample, scenario.service.timeout) else { continue };
            let Some(at) = places.get(sample.tenant).copied().flatten() else { continue };
            self.keys[number][at].push(Request {
                id,
                sent: sample.sent,
                done,
                decision,
                replica: sample.replica as u16,
                connection: sample.connection,
            });
            // A response that neither admits nor rejects promises nothing about the limit.
            if decision != Decision::Unknown {
                entered((number, at));
            }
        }
    }

    /// The history of an entry of a limit's `quota`, in the order of the samples.
    pub(super) fn key(&self, limit: usize, key: usize) -> &[Request] {
        &self.keys[limit][key]
    }

    /// The assumptions under which a limit's histories are judged.
    pub(super) fn context(&self, run: &RecordedRun, limit: &Limit) -> HistoryContext {
        context(run, limit, self.latest)
    }

    /// Judges every limit of the run, and passes each sorted history to `each`.
    pub fn judge(mut self, run: &RecordedRun, mut each: impl FnMut(&Judged<'_>)) -> Vec<Verdict> {
        for history in self.keys.iter_mut().flatten() {
            history.sort_by_key(|request| (request.sent, request.id));
        }
        let limits = &run.scenario.limits;
        let (judgements, reached): (Vec<Vec<Judgement>>, Vec<Vec<Reach>>) =
            limits.iter().zip(&self.keys).map(|(limit, keys)| self.judge_keys(run, limit, keys)).unzip();
        let mut verdicts = Vec::new();
        for (index, limit) in limits.iter().enumerate() {
            let mut evidence = Vec::new();
            let mut totals = Totals::new(spread::is_watched(&run.manifest.environment));
            let mut completed = 0;
            for (key, (tenant, quota)) in limit.quota.iter().enumerate() {
                let (judgement, history) = (&judgements[index][key], &self.keys[index][key]);
                let promise = Promise { quota: *quota, algorithm: limit.algorithm };
                let siblings = siblings(limits, limit, *tenant);
                let reach = reached[index][key];
                let tenant = run.scenario.tenants.get(*tenant).map_or("", |tenant| tenant.as_str());
                totals.add(tenant, *quota, judgement, reach);
                if let Reach::Tested { .. } = reach {
                    totals.went_over(spread::connections(history));
                }
                let proofs = Proofs { run, tenant, promise };
                let mut found = findings(&proofs, judgement, reach, |violation| {
                    completed += 1;
                    if completed > COMPLETED {
                        return violation;
                    }
                    let other_limits = other_limits(limit, siblings.len());
                    let context = HistoryContext { other_limits, ..context(run, limit, self.latest) };
                    certificate::completed(violation, history, promise, &context)
                });
                if siblings.first() == Some(&(index, key)) && siblings.len() > 1 {
                    found.extend(self.rejected_by_none(&proofs, &siblings, &judgements));
                    totals.add_unjudged(left_to_others(&siblings, &judgements));
                }
                let is_broken = found.iter().any(|finding| finding.outcome == Outcome::Fail);
                each(&Judged { limit: index, key, requests: history, is_broken });
                evidence.extend(found);
            }
            let mut verdict = verdict(limit, evidence, &totals);
            if let Some(broken) = verdict.evidence.iter_mut().find(|found| found.outcome == Outcome::Fail) {
                self.diagnose(run, index, broken);
            }
            verdicts.push(verdict.stated(&run.manifest.scenario, limit.stated_at));
        }
        verdicts
    }

    /// Attaches to the first finding the fault that explains all violations of a limit, where rejections can
    /// be attributed.
    fn diagnose(&self, run: &RecordedRun, index: usize, broken: &mut Evidence) {
        let limits = &run.scenario.limits;
        let Some((limit, histories)) = limits.get(index).zip(self.keys.get(index)) else { return };
        let context = context(run, limit, self.latest);
        let several = limit.quota.iter().any(|(tenant, _)| siblings(limits, limit, *tenant).len() > 1);
        if several || !context.exclusive {
            return;
        }
        let keys = limit.quota.iter().zip(histories).map(|((tenant, quota), requests)| Key {
            tenant: run.scenario.tenants.get(*tenant).map_or("", |tenant| tenant.as_str()),
            requests,
            promise: Promise { quota: *quota, algorithm: limit.algorithm },
        });
        let found = diagnose(&keys.collect::<Vec<_>>(), run.replica_names(), &context);
        let sentence = found
            .as_ref()
            .map_or("no known failure mode explains every violation", |diagnosis| &diagnosis.sentence);
        broken.details.insert(0, format!("diagnosis: {sentence}"));
        broken.diagnosis = found.map(|diagnosis| verdict::Diagnosis {
            hypothesis: diagnosis.hypothesis.name().to_owned(),
            parameters: diagnosis.hypothesis.parameters(),
            alternatives: diagnosis.others.iter().map(|other| other.name().to_owned()).collect(),
            sentence: diagnosis.sentence,
        });
    }

    /// Judges every key of a limit on its own.
    fn judge_keys(
        &self,
        run: &RecordedRun,
        limit: &Limit,
        keys: &[Vec<Request>],
    ) -> (Vec<Judgement>, Vec<Reach>) {
        let context = context(run, limit, self.latest);
        let judge = |((tenant, quota), history): &(&(TenantIndex, Quota), &Vec<Request>)| {
            let promise = Promise { quota: *quota, algorithm: limit.algorithm };
            let siblings = siblings(&run.scenario.limits, limit, *tenant).len();
            let other_limits = other_limits(limit, siblings);
            let context = HistoryContext { other_limits, ..context.clone() };
            let judgement = saasbench_limiter::judge(history, promise, &context);
            let reach = Reach::of(history, promise, &judgement, &context);
            (judgement, reach)
        };
        parallel::map(&limit.quota.iter().zip(keys).collect::<Vec<_>>(), judge).into_iter().unzip()
    }
}

fn verdict(limit: &Limit, mut evidence: Vec<Evidence>, totals: &Totals<'_>) -> Verdict {
    let subject = limit.subject();
    evidence.extend(totals.doubt().map(|why| {
        let expected = "a limit that is tested, and rejections that can be judged";
        Evidence::new(Outcome::Inconclusive, &subject, expected, why)
    }));
    let mut verdict =
        Verdict::from_evidence(Claim::Limit, subject, evidence, |outcome, evidence| match outcome {
            Outcome::Pass => totals.to_string(),
            _ => evidence[0].observed.clone(),
        });
    if let Some(first) = verdict.evidence.first_mut() {
        first.details.extend_from_slice(totals.untested());
    }
    verdict
}

/// The limiter's decision on a sample, and the latest instant of it; `None` if the request never reached the
/// limiter.
fn decision(limit: &Limit, sample: &Sample, service_timeout: Nanos) -> Option<(Decision, Nanos)> {
    match sample.outcome {
        RequestOutcome::Status(status) if limit.rejected.contains(status) => {
            Some((Decision::Rejected, sample.done))
        }
        RequestOutcome::Status(status) if limit.admitted.contains(status) => {
            Some((Decision::Admitted, sample.done))
        }
        // A failing service may have given up waiting for a store that counts the request later.
        RequestOutcome::Status(500..) | RequestOutcome::NoResponse(_) => {
            Some((Decision::Unknown, sample.done.max(sample.sent + service_timeout)))
        }
        // Another response is definite for the counters, but says nothing about the limiter.
        RequestOutcome::Status(_) => Some((Decision::Unknown, sample.done)),
        RequestOutcome::NotSent(_) | RequestOutcome::Dropped => None,
    }
}

fn context(run: &RecordedRun, limit: &Limit, latest: Nanos) -> HistoryContext {
    let Manifest { environment, state, .. } = &run.manifest;
    // Without a declared Redis, the limiter's state may live in the replicas.
    let memory_losses = if environment.redis.is_some() {
        redis_samples::losses(&run.observations.store)
    } else {
        let scrapes = run.scenario.metrics.iter().flat_map(|contract| {
            run.observations
                .scrapes
                .iter()
                .flat_map(move |scrapes| super::replicas::restarts(scrapes, contract))
        });
        let mut restarts: Vec<(Nanos, Nanos)> = scrapes.collect();
        restarts.sort();
        restarts
    };
    // A killed run lacks the requests in flight when its last segment was completed; those were sent at most
    // one timeout earlier.
    let complete_until = if *state == State::Running { latest - run.scenario.timeout } else { Nanos::MAX };
    HistoryContext {
        exclusive: environment.exclusive,
        fresh: environment.fresh,
        since: run.manifest.load.map_or(Nanos::ZERO, |load| load.from_ns),
        complete_until,
        memory_losses,
        tolerance: Tolerance { offset: environment.clock_offset_ns, drift: environment.clock_drift },
        resolution: limit.resolution,
        unix_zero: Nanos(run.manifest.started_unix_ns),
        other_limits: OtherLimits::None,
    }
}

/// The findings about one key. What was not put to the test is no Pass.
fn findings(
    proofs: &Proofs<'_>,
    judgement: &Judgement,
    reach: Reach,
    mut complete: impl FnMut(Violation) -> Violation,
) -> Vec<Evidence> {
    if !judgement.violations.is_empty() {
        let violations = judgement.violations.iter().cloned();
        return violations.map(|violation| proofs.broken(&complete(violation))).collect();
    }
    let Reach::Tested { excess } = reach else { return Vec::new() };
    let tenant = proofs.tenant;
    let observed = format!("{tenant}: {} admitted, {} rejected", judgement.admitted, judgement.rejected);
    let mut finding = Evidence::new(Outcome::Pass, tenant, proofs.promise.quota.to_string(), observed);
    for (count, why) in &judgement.unjudged_rejections {
        finding = finding.detail(format!("{count} rejections could not be judged: {}", reason(*why)));
    }
    if excess > 1 {
        finding = finding.detail(format!("fewer than {excess} too many at once would not have shown"));
    }
    vec![finding]
}

#[cfg(test)]
mod tests;

//! Were the promised limits kept? One verdict a limit: the history of each key is judged by [`super::limiter`], and what
//! is proven is put into words with tenant, window, counts and replicas.

use std::collections::BTreeMap;

use super::{
    limiter::{self, Circumstances, Decision, Judgement, Promise, Request, Tolerance, Unjudged, Violation},
    verdict::{Claim, Evidence, Outcome, Verdict},
};
use crate::{
    observe::store,
    record::{
        manifest::{Manifest, State},
        reader::RecordedRun,
        sample::{Outcome as SampleOutcome, Sample},
    },
    scenario::{Limit, Scenario},
    units::{Nanos, Quota},
};

/// Requests shown of a proof; the rest stand in the JSON.
const SHOWN: usize = 12;

/// The histories of every key of every limit.
#[derive(Debug)]
pub struct Histories {
    /// Per limit, per entry of its `quota`.
    keys: Vec<Vec<Vec<Request>>>,
    latest: Nanos,
}

impl Histories {
    /// Empty ones.
    pub fn new(scenario: &Scenario) -> Self {
        Self {
            keys: scenario.limits.iter().map(|limit| vec![Vec::new(); limit.quota.len()]).collect(),
            latest: Nanos::ZERO,
        }
    }

    /// Enters a sample into the histories that it belongs to.
    pub fn add(&mut self, scenario: &Scenario, id: u64, sample: &Sample) {
        self.latest = self.latest.max(sample.done);
        let Some(step) = scenario.steps.get(sample.step) else { return };
        let tenant = scenario.attributed_tenant(sample.tenant, sample.step);
        for (limit, keys) in scenario.limits.iter().zip(&mut self.keys) {
            if limit.route != step.route {
                continue;
            }
            let Some((decision, done)) = decision(limit, sample, scenario.service.timeout) else { continue };
            let of_tenant = |(index, _): &(usize, Quota)| {
                scenario.tenants.get(*index).is_some_and(|id| id.as_str() == tenant)
            };
            let Some(key) = limit.quota.iter().position(of_tenant).and_then(|at| keys.get_mut(at)) else {
                continue;
            };
            key.push(Request { id, sent: sample.sent, done, decision, replica: sample.replica as u16 });
        }
    }

    /// Judges every limit of the run.
    pub fn judge(mut self, run: &RecordedRun) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        for (limit, keys) in run.scenario.limits.iter().zip(&mut self.keys) {
            let circumstances = circumstances(run, limit, self.latest);
            let mut evidence = Vec::new();
            let mut judged = Totals::default();
            for ((tenant, quota), history) in limit.quota.iter().zip(keys) {
                let tenant = run.scenario.tenants.get(*tenant).map_or("", |tenant| tenant.as_str());
                history.sort_by_key(|request| (request.sent, request.id));
                let promise = Promise { quota: *quota, algorithm: limit.algorithm };
                let judgement = limiter::judge(history, promise, &circumstances);
                judged.add(&judgement, judgement.refused > 0 || used_up(history, *quota));
                evidence.extend(findings(run, tenant, *quota, &judgement));
            }
            let subject = format!("{} per tenant, {}", limit.route, limit.algorithm);
            evidence.extend(judged.doubt().map(|why| {
                let expected = "a limit that is put to the test, and refusals that can be judged";
                Evidence::new(Outcome::Inconclusive, &subject, expected, why)
            }));
            verdicts.push(Verdict::from_evidence(Claim::Limit, subject, evidence, |outcome, evidence| {
                match outcome {
                    Outcome::Pass => judged.to_string(),
                    _ => evidence[0].observed.clone(),
                }
            }));
        }
        verdicts
    }
}

/// What a sample tells of the limiter's decision, and the latest instant of it; `None` if it never got there.
fn decision(limit: &Limit, sample: &Sample, service_timeout: Nanos) -> Option<(Decision, Nanos)> {
    match sample.outcome {
        SampleOutcome::Status(status) if limit.refused.contains(status) => {
            Some((Decision::Refused, sample.done))
        }
        SampleOutcome::Status(status) if limit.admitted.contains(status) => {
            Some((Decision::Admitted, sample.done))
        }
        // Another answer is definite for the counters, but not for the limiter.
        SampleOutcome::Status(_) => Some((Decision::Unknown, sample.done)),
        SampleOutcome::Unknown(_) => {
            Some((Decision::Unknown, sample.done.max(sample.sent + service_timeout)))
        }
        SampleOutcome::NotSent(_) | SampleOutcome::Dropped => None,
    }
}

fn circumstances(run: &RecordedRun, limit: &Limit, latest: Nanos) -> Circumstances {
    let Manifest { environment, state, .. } = &run.manifest;
    // Where no Redis is declared, the limiter may live in the replicas.
    let memory_losses = if environment.redis.is_some() {
        store::restarts(&run.observations.store)
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
    // A killed run lacks the requests that were in flight when its last segment was completed; those were sent at most
    // one timeout before.
    let complete_until = if *state == State::Running { latest - run.scenario.timeout } else { Nanos::MAX };
    Circumstances {
        exclusive: environment.exclusive,
        fresh: environment.fresh,
        since: run.manifest.load.map_or(Nanos::ZERO, |load| load.from_ns),
        complete_until,
        memory_losses,
        tolerance: Tolerance { offset: environment.clock_offset_ns, drift: environment.clock_drift },
        resolution: limit.resolution,
        unix_zero: Nanos(run.manifest.started_unix_ns),
        other_limits: false,
    }
}

/// Whether as many requests as the quota permits were admitted within one window.
fn used_up(history: &[Request], quota: Quota) -> bool {
    let admitted: Vec<Nanos> = history
        .iter()
        .filter(|request| request.decision == Decision::Admitted)
        .map(|request| request.sent)
        .collect();
    let limit = usize::try_from(quota.limit).unwrap_or(usize::MAX);
    admitted.windows(limit.max(1)).any(|full| full[full.len() - 1] - full[0] < quota.window)
}

/// What all keys of a limit add up to.
#[derive(Debug, Default)]
struct Totals {
    admitted: u64,
    refused: u64,
    unknown: u64,
    unjudged: BTreeMap<&'static str, u64>,
    /// Some tenant used up its quota.
    tested: bool,
}

impl Totals {
    fn add(&mut self, judgement: &Judgement, tested: bool) {
        self.admitted += judgement.admitted;
        self.refused += judgement.refused;
        self.unknown += judgement.unknown;
        self.tested |= tested;
        for (count, why) in &judgement.unjudged_refusals {
            *self.unjudged.entry(reason(*why)).or_default() += count;
        }
    }

    fn unjudged(&self) -> u64 {
        self.unjudged.values().sum()
    }

    /// Why a history without a violation is no pass.
    fn doubt(&self) -> Option<String> {
        if self.admitted + self.refused == 0 {
            return Some("no request reached the limit".to_owned());
        }
        if !self.tested {
            let admitted = self.admitted;
            return Some(format!(
                "not put to the test: {admitted} admitted, and no tenant used up its quota"
            ));
        }
        if self.refused > 0 && self.unjudged() >= self.refused {
            let why: Vec<&str> = self.unjudged.keys().copied().collect();
            return Some(format!("none of {} refusals could be judged: {}", self.refused, why.join("; ")));
        }
        None
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} admitted, {} refused, each as promised", self.admitted, self.refused)?;
        if self.unjudged() > 0 {
            write!(f, " ({} refusals could not be judged)", self.unjudged())?;
        }
        if self.unknown > 0 {
            write!(f, "; {} without a decision", self.unknown)?;
        }
        Ok(())
    }
}

/// What one key's judgement says.
fn findings(run: &RecordedRun, tenant: &str, quota: Quota, judgement: &Judgement) -> Vec<Evidence> {
    if !judgement.violations.is_empty() {
        return judgement.violations.iter().map(|violation| broken(run, tenant, violation)).collect();
    }
    let observed = format!("{tenant}: {} admitted, {} refused", judgement.admitted, judgement.refused);
    let mut finding = Evidence::new(Outcome::Pass, tenant, quota.to_string(), observed);
    for (count, why) in &judgement.unjudged_refusals {
        finding = finding.detail(format!("{count} refusals could not be judged: {}", reason(*why)));
    }
    vec![finding]
}

fn reason(why: Unjudged) -> &'static str {
    match why {
        Unjudged::NotExclusive => {
            "others may use the service (`exclusive = true` says that the run is alone)"
        }
        Unjudged::UnknownStart => "what happened in the window before the run is not known",
        Unjudged::CutOff => "the run was cut off, and requests near its end are not in the record",
    }
}

/// A proven violation in words.
fn broken(run: &RecordedRun, tenant: &str, violation: &Violation) -> Evidence {
    match violation {
        Violation::OverAdmission { quota, from, to, allowed, requests, because } => {
            let promised = match allowed {
                0 => format!("which was full ({quota})"),
                _ => format!("{allowed} promised ({quota})"),
            };
            let observed = format!(
                "tenant {tenant}: {} admitted in the window {:.3} s – {:.3} s, {promised}; {}",
                requests.len(),
                from.as_secs_f64(),
                to.as_secs_f64(),
                by_replica(run, requests)
            );
            let mut finding =
                Evidence::new(Outcome::Fail, tenant, format!("at most {allowed}"), observed).detail(because);
            for request in requests.iter().take(SHOWN) {
                finding = finding.detail(line(run, request));
            }
            if requests.len() > SHOWN {
                finding = finding.detail(format!("… and {} more", requests.len() - SHOWN));
            }
            finding.samples = requests.iter().map(|request| request.id).collect();
            finding
        }
        Violation::WrongRefusal { quota, request, counted, of, because, .. } => {
            let observed = format!(
                "tenant {tenant}: {of} refusals are proven wrong; the first at {:.3} s by {}, when at most {counted} of {} \
                 admissions ({quota}) could count",
                request.done.as_secs_f64(),
                replica(run, request),
                quota.limit
            );
            let expected = format!("a refusal only after {} admissions", quota.limit);
            let mut finding = Evidence::new(Outcome::Fail, tenant, expected, observed)
                .detail(because)
                .detail(line(run, request));
            finding.samples = vec![request.id];
            finding
        }
    }
}

fn replica<'a>(run: &'a RecordedRun, request: &Request) -> &'a str {
    run.replica_names().get(usize::from(request.replica)).map_or("?", String::as_str)
}

/// `4 by a, 4 by b`.
fn by_replica(run: &RecordedRun, requests: &[Request]) -> String {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for request in requests {
        *counts.entry(replica(run, request)).or_default() += 1;
    }
    counts.iter().map(|(name, count)| format!("{count} by {name}")).collect::<Vec<_>>().join(", ")
}

/// One request of a proof.
fn line(run: &RecordedRun, request: &Request) -> String {
    let what = match request.decision {
        Decision::Admitted => "admitted",
        Decision::Refused => "refused",
        Decision::Unknown => "not answered",
    };
    format!(
        "sample {:>6}  {:>9.4} s – {:>9.4} s  {what} by {}",
        request.id,
        request.sent.as_secs_f64(),
        request.done.as_secs_f64(),
        replica(run, request)
    )
}

#[cfg(test)]
mod tests;

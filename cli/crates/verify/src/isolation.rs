//! Did anything of one tenant's reach another? Two sources: canaries, words that one tenant's users sent and
//! that came back in another's response; and foreign steps, which request what belongs to another tenant and
//! must be rejected.
//!
//! A Fail is a proof: a canary is in another tenant's response only if the service put it there, and the
//! statuses that count as a rejection are the scenario's own.

use std::collections::{BTreeMap, BTreeSet};

use super::verdict::{Claim, Evidence, Outcome, Verdict};
use saasbench_model::{
    scenario::{
        Scenario, StepIndex, TenantIndex,
        template::{Part, Variable},
    },
    units::{Nanos, TenantId},
};
use saasbench_record::{
    reader::RecordedRun,
    sample::{RequestOutcome, Sample},
};

/// Requests shown per proof; the JSON report has the numbers of all.
const SHOWN: usize = 5;

/// Subject of the findings about canaries.
pub const CANARIES: &str = "canaries";

/// Requests that prove one finding.
#[derive(Debug, Default)]
struct Proof {
    ids: Vec<u64>,
    replicas: BTreeMap<usize, u64>,
    /// The first few: number, when it was done, and by which replica.
    first: Vec<(u64, Nanos, usize)>,
}

/// Collects what a run shows about isolation.
#[derive(Debug, Default)]
pub struct IsolationCollector {
    /// Whether the scenario tests isolation at all.
    asked_for: bool,
    /// Responses to requests that contained a canary.
    asked: u64,
    /// Responses with the canary of the tenant that they were for.
    own: u64,
    /// Tenants that got responses, in a scenario with canaries.
    answered: BTreeSet<TenantIndex>,
    /// Responses with another tenant's canary: for which tenant, and whose canary.
    leaks: BTreeMap<(TenantIndex, TenantIndex), Proof>,
    /// Foreign requests that were rejected as the scenario states.
    rejected: u64,
    /// Foreign requests with any other response: by step, tenant and status.
    admitted: BTreeMap<(StepIndex, TenantIndex, u16), Proof>,
}

impl Proof {
    fn add(&mut self, id: u64, sample: &Sample) {
        self.ids.push(id);
        *self.replicas.entry(sample.replica).or_default() += 1;
        if self.first.len() < SHOWN {
            self.first.push((id, sample.done, sample.replica));
        }
    }

    /// A failed finding with the requests that prove it.
    fn finding(&self, run: &RecordedRun, subject: &str, expected: String, observed: &str) -> Evidence {
        let name = |index: usize| run.replica_names().get(index).map_or("?", String::as_str);
        let alone = self.replicas.len() == 1;
        let of = |(replica, count): (&usize, &u64)| match alone {
            true => format!("by replica {}", name(*replica)),
            false => format!("{count} by replica {}", name(*replica)),
        };
        let by: Vec<String> = self.replicas.iter().map(of).collect();
        let observed = format!("{observed}: {} ({})", answers(self.ids.len() as u64), by.join(", "));
        let mut finding = Evidence::new(Outcome::Fail, subject, expected, observed);
        for (id, done, replica) in &self.first {
            let line = format!("sample {id:>6}  {:>9.4} s  by {}", done.as_secs_f64(), name(*replica));
            finding = finding.detail(line);
        }
        if self.ids.len() > self.first.len() {
            finding = finding.detail(format!("… and {} more", self.ids.len() - self.first.len()));
        }
        finding.samples = self.ids.clone();
        finding
    }
}

impl IsolationCollector {
    /// No samples yet.
    pub fn new(scenario: &Scenario) -> Self {
        let asked_for = scenario.uses_canaries() || scenario.steps.iter().any(|step| step.foreign);
        Self { asked_for, ..Self::default() }
    }

    /// Enters a sample, if the scenario tests isolation.
    pub fn add(&mut self, scenario: &Scenario, id: u64, sample: &Sample) {
        if !self.asked_for {
            return;
        }
        let (Some(step), RequestOutcome::Status(status)) = (scenario.steps.get(sample.step), sample.outcome)
        else {
            return;
        };
        if step.foreign {
            if step.status.contains(status) {
                self.rejected += 1;
            } else {
                self.admitted.entry((sample.step, sample.tenant, status)).or_default().add(id, sample);
            }
        }
        let owner = scenario.canary_tenant(sample.tenant, sample.step);
        self.asked += u64::from(step.uses(&Variable::Canary));
        self.answered.insert(owner);
        match sample.canary {
            Some(tenant) if tenant == owner => self.own += 1,
            Some(tenant) => self.leaks.entry((owner, tenant)).or_default().add(id, sample),
            None => {}
        }
    }

    /// Judges isolation; `None` if the scenario does not test it.
    pub fn judge(&self, run: &RecordedRun) -> Option<Verdict> {
        let scenario = &run.scenario;
        let mut evidence = Vec::new();
        if scenario.steps.iter().any(|step| step.foreign) {
            evidence.extend(self.foreign(run));
        }
        if scenario.uses_canaries() {
            evidence.extend(self.canaries(run));
        }
        if evidence.is_empty() {
            return None;
        }
        Some(Verdict::from_evidence(Claim::Isolation, "between tenants", evidence, |outcome, evidence| {
            let telling = evidence.iter().filter(|finding| finding.outcome == outcome);
            let observed: Vec<&str> = telling.map(|finding| finding.observed.as_str()).collect();
            match outcome {
                // One breach is enough for the summary; the others are listed below it.
                Outcome::Fail => observed.first().copied().unwrap_or_default().to_owned(),
                _ => observed.join("; "),
            }
        }))
    }

    fn foreign(&self, run: &RecordedRun) -> Vec<Evidence> {
        const SUBJECT: &str = "cross-tenant requests";
        let broken = self.admitted.iter().filter_map(|(&(index, tenant, status), proof)| {
            let step = run.scenario.steps.get(index)?;
            let tenant = name(&run.scenario, tenant);
            let observed = if (200..300).contains(&status) {
                let what = belongings(&run.scenario, index);
                format!("{tenant} received {what} (status {status}, step {})", step.name)
            } else {
                format!("{tenant} got status {status} instead of {} (step {})", step.status, step.name)
            };
            Some(proof.finding(run, SUBJECT, format!("a rejection: status {}", step.status), &observed))
        });
        let broken: Vec<Evidence> = broken.collect();
        if !broken.is_empty() {
            return broken;
        }
        vec![match self.rejected {
            0 => {
                let observed = "not tested: no cross-tenant request got a response";
                Evidence::new(
                    Outcome::Inconclusive,
                    SUBJECT,
                    "cross-tenant requests with a response",
                    observed,
                )
            }
            n => Evidence::new(
                Outcome::Pass,
                SUBJECT,
                "a rejection of each",
                format!("{n} cross-tenant requests were rejected"),
            ),
        }]
    }

    fn canaries(&self, run: &RecordedRun) -> Vec<Evidence> {
        let leak = |(&(to, of), proof): (&(TenantIndex, TenantIndex), &Proof)| {
            let (to, of) = (name(&run.scenario, to), name(&run.scenario, of));
            let expected = format!("nothing of {of}'s in responses to {to}");
            proof.finding(run, CANARIES, expected, &format!("{to} received {of}'s canary"))
        };
        if !self.leaks.is_empty() {
            return self.leaks.iter().map(leak).collect();
        }
        let untested = if self.own == 0 {
            format!("not tested: {} to requests with a canary, and none was returned", answers(self.asked))
        } else if self.answered.len() < 2 {
            "not tested: only one tenant got responses, so its canaries could not reach another".to_owned()
        } else {
            let observed = format!("{} canaries returned, each to its own tenant", self.own);
            return vec![Evidence::new(Outcome::Pass, CANARIES, "each to its own tenant only", observed)];
        };
        let expected = "returned canaries, and more than one tenant";
        vec![Evidence::new(Outcome::Inconclusive, CANARIES, expected, untested)]
    }
}

fn name(scenario: &Scenario, tenant: TenantIndex) -> &str {
    scenario.tenants.get(tenant).map_or("?", TenantId::as_str)
}

fn answers(count: u64) -> String {
    if count == 1 { "1 response".to_owned() } else { format!("{count} responses") }
}

/// What a foreign step requests, in words. The saved value that it uses shows which tenant it belongs to.
fn belongings(scenario: &Scenario, step: StepIndex) -> String {
    let owned = scenario.steps.get(step).and_then(|step| {
        let journey = scenario.journeys.get(step.journey)?;
        let used = step.templates().flat_map(|template| &template.parts).filter_map(|part| match part {
            Part::Variable(Variable::Saved(slot)) => Some(*slot),
            _ => None,
        });
        let saver = |slot| {
            let steps =
                journey.start.iter().chain(&journey.steps).filter_map(|index| scenario.steps.get(*index));
            steps
                .filter(|step| step.save.iter().any(|save| save.slot == slot))
                .find_map(|step| Some((step.tenant.as_deref()?, slot)))
        };
        let (tenant, slot) = used.into_iter().find_map(saver)?;
        Some(format!("{tenant}'s {}", journey.saved.get(slot)?))
    });
    owned.unwrap_or_else(|| "what belongs to another tenant".to_owned())
}

#[cfg(test)]
mod tests;

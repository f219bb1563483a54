//! Did a noisy tenant's flood degrade other tenants? The victims' latency and goodput in two phases of the
//! load, one quiet and one with the flood, are compared by intervals that hold together with a probability of
//! 95 % (see [`super::statistics`]).
//!
//! Fail and Pass need the whole interval on one side of the bound. Latency fails only if it also fails from
//! the instant of sending and without the generator's stalls; otherwise the generator may be the reason.

use super::{
    generator::DROPS_ALLOWED,
    statistics::{Interval, jain, quantile_ranks, ratio_of_means, values_needed},
    verdict::{Claim, Evidence, Outcome, Verdict},
};
use crate::stall_attribution::StallAttribution;
use saasbench_model::{
    plan::time::{PlanInstant, PlanTime},
    scenario::{Neighbours, Scenario, TenantIndex},
    units::{Nanos, TenantId},
};
use saasbench_record::{
    manifest::{LoadPhase, State},
    reader::RecordedRun,
    sample::{RequestOutcome, Sample},
};

/// Probability that any of a run's comparisons is wrong.
const DOUBT: f64 = 0.05;
/// The compared quantiles.
const QUANTILES: [f64; 2] = [0.5, 0.95];
/// Slices per phase; their spread estimates how much goodput varies by itself.
const SLICES: usize = 16;
/// Good responses that a quiet phase needs for its goodput to be compared: means of fewer are far from
/// normal.
const GOOD_NEEDED: u64 = 30;

/// What one tenant sent and received in one phase.
#[derive(Debug, Clone, Default)]
struct Phase {
    /// Requests that were sent.
    sent: u64,
    /// Arrivals that found no idle user.
    dropped: u64,
    /// Good responses, by slice.
    good: [u64; SLICES],
    /// Latencies of a victim's good responses from intended, and from sent without the generator's stalls.
    latencies: [Vec<Nanos>; 2],
}

/// The phases of all tenants.
#[derive(Debug, Default)]
pub struct NoisyNeighbourCollector {
    /// The plan of the comparison, and when the load started.
    plan: Option<(Neighbours, Nanos)>,
    time: PlanTime,
    /// Quiet and flood phase, by tenant.
    tenants: Vec<[Phase; 2]>,
}

impl Phase {
    fn good(&self) -> u64 {
        self.good.iter().sum()
    }

    fn too_many_dropped(&self) -> bool {
        self.dropped as f64 > DROPS_ALLOWED * (self.sent + self.dropped) as f64
    }
}

impl NoisyNeighbourCollector {
    /// No samples yet. Collects nothing for a scenario without `[noisy_neighbour]`, or if the start of the
    /// load is unknown.
    pub fn new(run: &RecordedRun) -> Self {
        let plan = run.scenario.neighbours.clone().zip(run.manifest.load.map(|load| load.start_ns));
        let tenants = plan.as_ref().map_or(0, |_| run.scenario.tenants.len());
        Self { plan, time: run.manifest.plan_time(), tenants: vec![Default::default(); tenants] }
    }

    /// Enters a sample into the phase in which it was due; start steps are not compared.
    pub fn add(&mut self, scenario: &Scenario, sample: &Sample, attribution: StallAttribution) {
        let Some((plan, begin)) = &self.plan else { return };
        let due = self.time.to_plan_time(sample.intended) - PlanInstant(*begin);
        let phases = [plan.quiet, plan.flood];
        let Some(index) = phases.iter().position(|(from, to)| *from <= due && due < *to) else { return };
        let (from, to) = phases[index];
        let Some(phase) = self.tenants.get_mut(sample.tenant).map(|phases| &mut phases[index]) else {
            return;
        };
        if sample.iteration == 0 || sample.outcome.tells_nothing() {
            return;
        }
        match sample.outcome {
            RequestOutcome::Dropped => phase.dropped += 1,
            RequestOutcome::NotSent(_) => {}
            RequestOutcome::Status(_) | RequestOutcome::NoResponse(_) => phase.sent += 1,
        }
        if !is_good(scenario, sample) {
            return;
        }
        let slice = i128::from((due - from).0) * SLICES as i128 / i128::from((to - from).0);
        if let Some(count) = phase.good.get_mut(slice as usize) {
            *count += 1;
        }
        if plan.victims.contains(&sample.tenant) {
            let [intended, sent] = &mut phase.latencies;
            intended.push(sample.latency_intended());
            sent.push(attribution.from_sent);
        }
    }

    /// Judges the comparison; `None` for a scenario without one.
    pub fn judge(mut self, run: &RecordedRun) -> Option<Verdict> {
        let plan = run.scenario.neighbours.as_ref()?;
        let subject = format!("a flood by {}", names(run, &plan.noisy));
        let inconclusive = |why: String| Some(Verdict::inconclusive(Claim::NoisyNeighbour, &subject, why));
        let end = plan.quiet.1.max(plan.flood.1);
        let ended = |load: LoadPhase| self.time.to_plan_time(load.to_ns) - PlanInstant(load.start_ns);
        match run.manifest.load {
            None => {
                return inconclusive("the run was cut off: when its load started is not known".to_owned());
            }
            Some(load)
                if matches!(run.manifest.state, State::Interrupted | State::Aborted) && ended(load) < end =>
            {
                let ended = ended(load);
                return inconclusive(format!("the load ended after {ended}; the phases last to {end}"));
            }
            Some(_) => {}
        }
        let rates = [0, 1].map(|phase| self.noise(plan, phase));
        let noise = format!("{:.1}/s when quiet, {:.1}/s in the flood", rates[0], rates[1]);
        if rates[1] < 2.0 * rates[0] || rates[1] == 0.0 {
            let noisy = names(run, &plan.noisy);
            return inconclusive(format!(
                "not tested: {noisy} sent {noise}, and a flood is at least twice as much"
            ));
        }
        for latencies in self.tenants.iter_mut().flatten().flat_map(|phase| &mut phase.latencies) {
            latencies.sort_unstable();
        }
        let doubt = DOUBT / (plan.victims.len() * (QUANTILES.len() + 1)) as f64;
        let mut evidence = Vec::new();
        for &victim in &plan.victims {
            let Some(phases) = self.tenants.get(victim) else { continue };
            let name = name(run, victim);
            evidence.push(goodput(plan, name, phases, doubt));
            evidence.extend(QUANTILES.map(|q| latency(plan, name, phases, q, doubt)));
        }
        // The worst finding comes first and carries the details.
        evidence.sort_by_key(|finding| std::cmp::Reverse(finding.outcome));
        if let Some(first) = evidence.first_mut() {
            first.details.push(format!("{} sent {noise}", names(run, &plan.noisy)));
            first.details.extend(self.fairness(plan));
        }
        Some(Verdict::from_evidence(Claim::NoisyNeighbour, &subject, evidence, |outcome, evidence| {
            match (outcome, plan.victims.len()) {
                (Outcome::Pass, 1) => format!("{} unaffected: {noise}", names(run, &plan.victims)),
                (Outcome::Pass, victims) => format!("none of {victims} victims affected: {noise}"),
                _ => evidence[0].observed.clone(),
            }
        }))
    }

    /// Requests per second of the noisy tenants.
    fn noise(&self, plan: &Neighbours, phase: usize) -> f64 {
        let sent = plan.noisy.iter().filter_map(|tenant| Some(self.tenants.get(*tenant)?[phase].sent));
        sent.sum::<u64>() as f64 / seconds(plan, phase)
    }

    /// Jain's index of the share of goodput that each victim kept, and of all tenants' goodput.
    fn fairness(&self, plan: &Neighbours) -> Vec<String> {
        let left = plan.victims.iter().filter_map(|victim| {
            let [quiet, flood] = self.tenants.get(*victim)?;
            let before = quiet.good() as f64 / seconds(plan, 0);
            (before > 0.0).then(|| flood.good() as f64 / seconds(plan, 1) / before)
        });
        let loaded = || self.tenants.iter().filter(|phases| phases.iter().any(|phase| phase.sent > 0));
        let all = |phase: usize| loaded().map(|phases| phases[phase].good() as f64).collect::<Vec<f64>>();
        let lines = [
            ("of what is left of the victims' goodput", jain(&left.collect::<Vec<f64>>())),
            ("of all tenants' goodput when quiet", jain(&all(0))),
            ("of all tenants' goodput in the flood", jain(&all(1))),
        ];
        let shown =
            |(of, index): (&str, Option<f64>)| Some(format!("fairness {of}: {:.3} (Jain's index)", index?));
        lines.into_iter().filter_map(shown).collect()
    }
}

/// Whether a response was good: as its step expects, and not rejected by a limit.
pub(super) fn is_good(scenario: &Scenario, sample: &Sample) -> bool {
    let RequestOutcome::Status(status) = sample.outcome else { return false };
    let route = scenario.steps.get(sample.step).map(|step| step.route.as_str());
    let mut limits = scenario.limits.iter().filter(|limit| Some(limit.route.as_str()) == route);
    !sample.is_error() && status != 429 && !limits.any(|limit| limit.rejected.contains(status))
}

/// Compares one quantile of one victim between the phases.
fn latency(plan: &Neighbours, victim: &str, phases: &[Phase; 2], q: f64, doubt: f64) -> Evidence {
    // Two intervals with two ends each.
    let tail = doubt / 4.0;
    let p = format!("p{:.0}", q * 100.0);
    let expected = format!("{victim}'s {p} at most {} times as long, or {} longer", plan.slower, plan.grace);
    let intervals = |from: usize| {
        let [quiet, flood] = [0, 1].map(|phase: usize| interval(&phases[phase].latencies[from], q, tail));
        Some((quiet?, flood?))
    };
    let (Some((quiet, flood)), Some(sent)) = (intervals(0), intervals(1)) else {
        let [before, after] = [0, 1].map(|phase: usize| phases[phase].latencies[0].len());
        let needed = values_needed(q, tail);
        let observed = format!(
            "{victim}: {before} good responses when quiet and {after} in the flood; a {p} needs {needed} in each"
        );
        return Evidence::new(Outcome::Inconclusive, victim, expected, observed);
    };
    let outcome = weigh(plan, quiet, flood);
    let without_stalls = outcome == Outcome::Fail && weigh(plan, sent.0, sent.1) != Outcome::Fail;
    let factor = |above: Nanos, below: Nanos| above.0 as f64 / below.0.max(1) as f64;
    let times = match outcome {
        Outcome::Fail => format!("at least {:.1} times as long", factor(flood.low, quiet.high)),
        // A large factor on a tiny latency may still be negligible.
        Outcome::Pass if factor(flood.high, quiet.low) > plan.slower => {
            format!("at most {} longer", flood.high - quiet.low)
        }
        Outcome::Pass => format!("at most {:.1} times as long", factor(flood.high, quiet.low)),
        Outcome::Inconclusive => format!(
            "{:.1} to {:.1} times as long",
            factor(flood.low, quiet.high),
            factor(flood.high, quiet.low)
        ),
    };
    let doubt = if without_stalls {
        "; from sent and without stalls it is not proven, so the generator may be the cause"
    } else {
        ""
    };
    let observed = format!(
        "{victim}: {p} {times} ({} – {} when quiet, {} – {} in the flood){doubt}",
        quiet.low, quiet.high, flood.low, flood.high
    );
    let outcome = if without_stalls { Outcome::Inconclusive } else { outcome };
    Evidence::new(outcome, victim, expected, observed)
}

/// The values of `sorted` between which a quantile lies.
fn interval(sorted: &[Nanos], q: f64, tail: f64) -> Option<Interval<Nanos>> {
    let ranks = quantile_ranks(sorted.len() as u64, q, tail)?;
    let at = |rank: u64| sorted.get(usize::try_from(rank).ok()? - 1).copied();
    Some(Interval { low: at(ranks.low)?, high: at(ranks.high)? })
}

/// The outcome for a quantile, given both intervals: Fail or Pass only if no values within them contradict
/// it.
fn weigh(plan: &Neighbours, quiet: Interval<Nanos>, flood: Interval<Nanos>) -> Outcome {
    let allowed = |quiet: Nanos| Nanos((quiet.0 as f64 * plan.slower) as i64).max(quiet + plan.grace);
    if flood.low > allowed(quiet.high) {
        Outcome::Fail
    } else if flood.high <= allowed(quiet.low) {
        Outcome::Pass
    } else {
        Outcome::Inconclusive
    }
}

/// Compares one victim's goodput between the phases.
fn goodput(plan: &Neighbours, victim: &str, phases: &[Phase; 2], doubt: f64) -> Evidence {
    let [quiet, flood] = phases;
    let expected = format!("at least {:.0} % of {victim}'s goodput", plan.goodput * 100.0);
    let finding = |outcome, observed: String| {
        Evidence::new(outcome, victim, &expected, format!("{victim}: {observed}"))
    };
    if let Some(phase) = phases.iter().find(|phase| phase.too_many_dropped()) {
        let arrivals = phase.sent + phase.dropped;
        let why = "arrivals were dropped: the load was not as planned";
        return finding(Outcome::Inconclusive, format!("{} of {arrivals} {why}", phase.dropped));
    }
    if quiet.good() < GOOD_NEEDED {
        let why = format!("{} good responses when quiet; {GOOD_NEEDED} are needed", quiet.good());
        return finding(Outcome::Inconclusive, why);
    }
    // The slices of one phase may be longer than those of the other.
    let scale = seconds(plan, 0) / seconds(plan, 1);
    let Some(ratio) = ratio_of_means(&quiet.good, &flood.good, doubt / 2.0) else {
        return finding(Outcome::Inconclusive, "no goodput to compare".to_owned());
    };
    let left = Interval { low: ratio.low * scale, high: ratio.high * scale };
    let outcome = if left.high < plan.goodput {
        Outcome::Fail
    } else if left.low >= plan.goodput {
        Outcome::Pass
    } else {
        Outcome::Inconclusive
    };
    let [before, after] = [0, 1].map(|phase: usize| phases[phase].good() as f64 / seconds(plan, phase));
    let observed = format!(
        "{:.0} % – {:.0} % of the goodput is left ({before:.1}/s when quiet, {after:.1}/s in the flood)",
        left.low * 100.0,
        left.high * 100.0
    );
    finding(outcome, observed)
}

fn seconds(plan: &Neighbours, phase: usize) -> f64 {
    let (from, to) = if phase == 0 { plan.quiet } else { plan.flood };
    (to - from).as_secs_f64()
}

fn name(run: &RecordedRun, tenant: TenantIndex) -> &str {
    run.scenario.tenants.get(tenant).map_or("?", TenantId::as_str)
}

fn names(run: &RecordedRun, tenants: &[TenantIndex]) -> String {
    tenants.iter().map(|tenant| name(run, *tenant)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;

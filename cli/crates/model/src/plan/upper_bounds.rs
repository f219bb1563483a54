//! Upper bounds for the rest of a run: the most requests that its loads can send, whatever the service
//! responds.

use super::arrivals::Arrivals;
use crate::{
    scenario::{Load, LoadModel, Pause, Retry, Scenario, StepIndex, TenantIndex},
    units::Nanos,
};

/// The most requests (a dropped arrival counts as one) of these steps and, if given, this tenant; `None` if
/// unbounded: with users who do not pause between iterations, or who retry.
pub fn requests_at_most(
    scenario: &Scenario,
    tenant: Option<TenantIndex>,
    counts: impl Fn(StepIndex) -> bool,
) -> Option<u64> {
    let mut most = 0_u64;
    for (index, load) in scenario.loads.iter().enumerate() {
        if tenant.is_some_and(|tenant| !load.tenants.contains(&tenant)) {
            continue;
        }
        let journeys = load.journeys.iter().filter_map(|(journey, _)| scenario.journeys.get(*journey));
        let requests = |steps: &[StepIndex]| -> u64 {
            let counted = steps.iter().filter(|step| counts(**step));
            counted.filter_map(|step| scenario.steps.get(*step)).map(|step| step.turn.repeat.max(1)).sum()
        };
        // A user starts at most once before its first iteration, and once more for each iteration.
        let (mut starts, mut passes) = (0, 0);
        for journey in journeys {
            starts = starts.max(requests(&journey.start));
            passes = passes.max(requests(&journey.steps));
        }
        if starts + passes == 0 {
            continue;
        }
        if load.retry != Retry::Never {
            return None;
        }
        // A dropped arrival counts for the first step, whichever steps are asked for.
        let each = (starts + passes).max(1);
        let iterations = iterations(load, scenario.seed, index)?;
        let of_users = load.model.most_users().saturating_mul(starts);
        most = most.saturating_add(iterations.saturating_mul(each)).saturating_add(of_users);
    }
    Some(most)
}

/// The most iterations of a load.
fn iterations(load: &Load, seed: u64, index: usize) -> Option<u64> {
    let by_plan = match &load.model {
        LoadModel::Open { rate, spacing, .. } => {
            Some(Arrivals::new(rate, *spacing, seed, index).count() as u64)
        }
        LoadModel::Closed { users, pause, .. } => {
            let apart = match *pause {
                Pause::Uniform(least, _) => least,
                Pause::Pacing(pacing) => pacing,
                Pause::Exponential(_) => Nanos::ZERO,
            };
            (apart > Nanos::ZERO).then(|| {
                // A user who becomes active again in a later stage starts at once.
                let each = (load.duration.0 / apart.0).unsigned_abs() + users.len() as u64 + 1;
                each.saturating_mul(load.model.most_users())
            })
        }
    };
    match (by_plan, load.iterations) {
        (Some(by_plan), Some(stated)) => Some(by_plan.min(stated)),
        (by_plan, stated) => by_plan.or(stated),
    }
}

//! Finds the limits that apply to a request: once per step, because a run can have millions of requests.

use saasbench_model::{
    scenario::{Limit, Scenario, StepIndex, TenantIndex},
    units::Quota,
};

/// The limits on a step's route by their index, and for each tenant the entry of the `quota` that applies to
/// it.
pub fn limits(scenario: &Scenario, step: StepIndex) -> Vec<(usize, Vec<Option<usize>>)> {
    let on_route = |limit: &Limit| scenario.steps.get(step).is_some_and(|step| step.route == limit.route);
    let place = |limit: &Limit, tenant: TenantIndex| {
        let attributed = scenario.attributed_tenant(tenant, step);
        let is_its = |(index, _): &(TenantIndex, Quota)| {
            scenario.tenants.get(*index).is_some_and(|id| id.as_str() == attributed)
        };
        limit.quota.iter().position(is_its)
    };
    let limits = scenario.limits.iter().enumerate().filter(|(_, limit)| on_route(limit));
    limits
        .map(|(number, limit)| {
            (number, (0..scenario.tenants.len()).map(|tenant| place(limit, tenant)).collect())
        })
        .collect()
}

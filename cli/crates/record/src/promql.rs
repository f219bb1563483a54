//! The queries behind `[[expect]]` with `promql`. The observer sends them and the verifier looks up their
//! responses, so both use this module.

use super::{
    manifest::{Environment, LoadPhase},
    query::ApiRequest,
};
use saasbench_model::{
    scenario::{
        Scenario,
        promql::{At, Promql, Variables},
    },
    units::{Nanos, TenantId},
};

/// Step of `at = "every"` where no contract states a scrape interval.
const INTERVAL: Nanos = Nanos::from_secs(5);

/// The query for an expectation about a load whose warm-up ends at `warm`. `started` is the run's zero, since
/// the epoch.
pub fn question(
    promql: &Promql,
    scenario: &Scenario,
    environment: &Environment,
    load: LoadPhase,
    warm: Nanos,
    started: Nanos,
) -> ApiRequest {
    // If the warm-up is as long as the load, only its end is left to judge.
    let from = warm.min(load.to_ns);
    let tenants: Vec<&str> = scenario.tenants.iter().map(TenantId::as_str).collect();
    let instances: Vec<&str> = environment.replicas.iter().map(|replica| replica.instance.as_str()).collect();
    let variables = Variables { run: load.to_ns - from, tenants: &tenants, instances: &instances };
    let query = promql.filled(variables);
    let unix = |at: Nanos| (started + at).as_secs_f64();
    match promql.at {
        At::End => ApiRequest::Instant { query, time: unix(load.to_ns) },
        At::Every => {
            let step = scenario.metrics.as_ref().map_or(INTERVAL, |contract| contract.interval);
            ApiRequest::Range { query, start: unix(from), end: unix(load.to_ns), step: step.as_secs_f64() }
        }
    }
}

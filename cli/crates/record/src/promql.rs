//! What Prometheus is asked for the sake of `[[expect]]` with `promql`: the same for whoever asks and for whoever reads the
//! answers.

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

/// Between two instants of `at = "every"` where no contract names an interval of scrapes.
const INTERVAL: Nanos = Nanos::from_secs(5);

/// The question of a query about a load whose warm-up ends at `warm`. `started` is the run's zero, since the epoch.
pub fn question(
    promql: &Promql,
    scenario: &Scenario,
    environment: &Environment,
    load: LoadPhase,
    warm: Nanos,
    started: Nanos,
) -> ApiRequest {
    // A warm-up as long as the load leaves nothing to judge but its end.
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

//! The state of a run in progress, as every display draws it: plan, phase and latest samples.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use super::window::Window;
use saasbench_model::{
    scenario::{Load, Scenario},
    units::{Nanos, TenantId},
};

/// The phase of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Before the load: the service is scraped, and users start.
    Preparing,
    /// The load is running, and expectations exclude it still.
    #[serde(rename = "warm-up")]
    Warmup,
    /// The load is running.
    Load,
    /// The planned load is over; the last responses are awaited.
    Finishing,
    /// The service's counters settle; then whatever else the claims need is awaited.
    Settling,
    /// The verdicts are computed.
    Judging,
}

impl Phase {
    /// Its name for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Preparing => "getting ready",
            Self::Warmup => "warm-up",
            Self::Load => "load",
            Self::Finishing => "waiting for the last responses",
            Self::Settling => "waiting for the service to become idle",
            Self::Judging => "judging",
        }
    }
}

/// The plan of a run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Name of the scenario.
    pub scenario: String,
    /// Its tenants.
    pub tenants: Arc<[TenantId]>,
    /// For how long the load starts iterations.
    pub length: Nanos,
    /// Whether it may finish early: the last of its loads has a number of iterations.
    pub may_end_early: bool,
    /// Length of the warm-up, which is part of that.
    pub warmup: Nanos,
}

impl Plan {
    /// The plan of a scenario.
    pub fn of(scenario: &Scenario) -> Self {
        let end = |load: &Load| load.after + load.duration;
        let length = scenario.loads.iter().map(end).max().unwrap_or_default();
        Self {
            scenario: scenario.name.clone(),
            tenants: scenario.tenants.clone().into(),
            length,
            may_end_early: scenario.loads.iter().all(|load| load.iterations.is_some() || end(load) < length),
            warmup: scenario.warmup,
        }
    }
}

/// The state of a run at an instant.
#[derive(Debug)]
pub struct View {
    /// Its plan.
    pub plan: Plan,
    /// Its current phase.
    pub phase: Phase,
    /// For how long the load has been running.
    pub elapsed: Nanos,
    /// Requests in flight.
    pub in_flight: u32,
    /// Number and total length of the generator's stalls.
    pub stalls: (u64, Nanos),
    /// Its latest samples.
    pub window: Window,
    /// Whether the user has interrupted it.
    pub interrupted: bool,
}

impl View {
    /// A run that is being prepared.
    pub fn new(plan: Plan) -> Self {
        let window = Window::new(plan.tenants.len(), Nanos::ZERO);
        Self {
            plan,
            phase: Phase::Preparing,
            elapsed: Nanos::ZERO,
            in_flight: 0,
            stalls: (0, Nanos::ZERO),
            window,
            interrupted: false,
        }
    }

    /// Whether requests are being sent.
    pub fn is_loading(&self) -> bool {
        matches!(self.phase, Phase::Warmup | Phase::Load | Phase::Finishing)
    }

    /// The phase of the load this long after its start.
    pub fn phase_of_load(&self, elapsed: Nanos) -> Phase {
        match elapsed {
            elapsed if elapsed < self.plan.warmup => Phase::Warmup,
            elapsed if elapsed < self.plan.length => Phase::Load,
            _ => Phase::Finishing,
        }
    }
}

//! Settings of a search: from the command line, then the scenario's `[capacity]`, then defaults.

use std::time::Duration;

use crate::{
    args::CapacityArgs,
    exit::{Exit, Failure},
};
use saasbench_model::{
    scenario::{
        Load, LoadModel, Scenario,
        capacity::By,
        expectation::Measure,
        overrides::{OverrideError, Overrides},
    },
    units::Nanos,
};
use saasbench_report::capacity::level;

/// Users that must be present at once are started within this time.
const AT_ONCE: Nanos = Nanos::from_millis(1);

/// Settings of a search.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    pub(super) by: By,
    pub(super) from: f64,
    pub(super) most: f64,
    pub(super) step: Nanos,
    pub(super) settle: Duration,
    /// `None` for the environment's own number.
    pub(super) replicas: Vec<Option<usize>>,
    pub(super) precision: f64,
    budget: Duration,
    /// The time within which all users are started, if a load starts them one by one: the level must be
    /// reached before it is judged.
    spawn_within: Option<Nanos>,
}

impl Settings {
    /// Combines command line, scenario and defaults.
    ///
    /// # Errors
    /// When they contradict each other, or the scenario's loads cannot be overridden.
    pub(super) fn new(args: &CapacityArgs, scenario: &Scenario) -> Result<Self, Failure> {
        Self::check_replicas(args)?;
        let given = &scenario.capacity;
        let has_rate = scenario.loads.iter().any(|load| !is_closed(load));
        let by = args.by.map(By::from).or(given.by).unwrap_or(if has_rate { By::Rate } else { By::Users });
        let (from, most) = match by {
            By::Rate => (100.0, 100_000.0),
            // Each load needs at least one.
            By::Users => (closed(scenario).count().max(1) as f64, 10_000.0),
        };
        let whole = |level: f64| if by == By::Users { level.round() } else { level };
        let from = whole(args.start.or(given.start).unwrap_or(from));
        let most = whole(args.max.or(given.max).unwrap_or(f64::max(most, from)));
        if most < from {
            let (most, from) = (level(by, most), level(by, from));
            let message = format!("the highest level, {most}, is below the first, {from}");
            return Err(Failure::new(Exit::Usage, message).hint("give a greater --max, or a lower --start"));
        }
        if let Some(least) = args.at_least.filter(|least| *least > most) {
            let (least, most) = (level(by, least), level(by, most));
            let message =
                format!("at least {least} cannot be found: the highest level that may be tried is {most}");
            return Err(
                Failure::new(Exit::Usage, message).hint("give a greater --max, or a lower --at-least")
            );
        }
        let replicas: Vec<usize> = match args.replicas.as_slice() {
            [] if args.place.targets.is_empty() => given.replicas.clone(),
            given => given.iter().map(|count| usize::from(*count)).collect(),
        };
        let replicas: Vec<Option<usize>> =
            if replicas.is_empty() { vec![None] } else { replicas.into_iter().map(Some).collect() };
        let span = |given: Option<Duration>, stated: Option<Nanos>, usual| {
            given.or(stated.map(Nanos::to_duration)).unwrap_or(Duration::from_secs(usual))
        };
        let settings = Self {
            by,
            from,
            most,
            step: Nanos::from(span(args.step_duration, given.step_duration, 10)),
            settle: span(args.settle, given.settle, 2),
            replicas,
            precision: args.precision.or(given.precision).unwrap_or(0.05),
            budget: span(args.budget, given.budget, 300),
            spawn_within: closed(scenario).any(is_spawned).then_some(scenario.warmup.max(AT_ONCE)),
        };
        let first = settings.overrides(from, scenario.warmup + settings.step);
        first.apply(&mut scenario.clone()).map_err(unfit)?;
        Ok(settings)
    }

    /// The time budget for each number of replicas.
    pub(super) fn budget_of_each(&self) -> Duration {
        self.budget / u32::try_from(self.replicas.len()).unwrap_or(u32::MAX).max(1)
    }

    /// The number of replicas that `--at-least` applies to, if there are several: the greatest.
    pub(super) fn gated(&self) -> Option<usize> {
        self.replicas.iter().flatten().copied().max().filter(|_| self.replicas.len() > 1)
    }

    /// The overrides of the scenario's loads for a step at a level.
    pub(super) fn overrides(&self, level: f64, duration: Nanos) -> Overrides {
        let duration = Some(duration);
        match self.by {
            By::Rate => Overrides { rate: Some(level), duration, ..Overrides::default() },
            By::Users => {
                let spawn = self.spawn_within.map(|length| level / length.as_secs_f64());
                Overrides { users: Some(level as u64), spawn, duration, ..Overrides::default() }
            }
        }
    }
}

/// The objectives, as written in the scenario.
pub(super) fn objectives(scenario: &Scenario, by: By) -> Vec<String> {
    let mut all: Vec<String> =
        scenario.expectations.iter().map(|expectation| expectation.that.clone()).collect();
    all.extend(scenario.limits.iter().map(|limit| format!("limit on {}", limit.route)));
    if !scenario.expectations.iter().any(|expectation| expectation.measure == Measure::ErrorRatio) {
        all.push("error_ratio == 0".to_owned());
    }
    if by == By::Rate {
        all.push("it keeps up".to_owned());
    }
    all
}

/// Closed loads.
fn closed(scenario: &Scenario) -> impl Iterator<Item = &Load> {
    scenario.loads.iter().filter(|load| is_closed(load) && load.model.most_users() > 0)
}

fn is_closed(load: &Load) -> bool {
    matches!(load.model, LoadModel::Closed { .. })
}

fn is_spawned(load: &Load) -> bool {
    matches!(load.model, LoadModel::Closed { spawn: Some(_), .. })
}

/// The failure for loads that a search cannot override.
pub(super) fn unfit(error: OverrideError) -> Failure {
    let hint = match error {
        OverrideError::NoRate => "raise their number: --by users",
        OverrideError::NoUsers => "raise the rate: --by rate",
        OverrideError::TooFew { .. } => "begin with more of them: a greater --start",
        OverrideError::OnlyWarmup { .. } => "let steps last longer: a longer --step-duration",
    };
    Failure::new(Exit::Usage, format!("the capacity cannot be found so: {error}")).hint(hint)
}

/// Whether no expectation bounds a latency.
pub(super) fn bounds_no_latency(scenario: &Scenario) -> bool {
    let is_latency =
        |measure: &Measure| matches!(measure, Measure::Quantile { .. } | Measure::Max(_) | Measure::Mean(_));
    !scenario.expectations.iter().any(|expectation| is_latency(&expectation.measure))
}

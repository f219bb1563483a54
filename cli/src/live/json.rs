//! The objects of `--progress json`: one per line, each with `v` (the version) and `type`.
//!
//! Readers rely on docs/terminal.md and docs/schema/progress-1.json: keys may be added, and never change
//! their meaning within a version.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    view::{Phase, View},
    window::{Second, Tenant, Totals},
};
use saasbench_model::{scenario::Scenario, units::Nanos};
use saasbench_record::manifest::Environment;
use saasbench_verify::verdict::Outcome;

/// Incremented when a reader of the old objects would be misled.
pub const VERSION: u32 = 1;

/// One line of standard error with `--progress json`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Line {
    /// Version of this format; incremented when readers have to change.
    v: u32,
    #[serde(flatten)]
    object: Object,
}

/// The object in a line. Instants are nanoseconds on the run's clock.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Object {
    /// The start of the run: what runs, where, and where it is recorded.
    Begin(Begin),
    /// A phase has started.
    Phase {
        /// When it started.
        at_ns: Nanos,
        /// The phase.
        phase: Phase,
    },
    /// Totals so far and changes since the previous object, for all tenants and for each.
    Progress(Box<Progress>),
    /// An action of the user or of the run itself, such as a pause.
    Event {
        /// When it happened.
        at_ns: Nanos,
        /// Description of the event.
        text: String,
    },
    /// An informational message.
    Note(Text),
    /// A problem that does not end the run.
    Warning(Text),
    /// The end of the run; the last line.
    End(End),
}

/// What runs, where, and where it is recorded.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Begin {
    /// Name of the scenario.
    scenario: String,
    /// The scenario's description.
    about: Option<String>,
    /// Name of the environment.
    environment: String,
    /// Replicas of the service, in the environment's order.
    replicas: Vec<Replica>,
    /// Tenants, in the scenario's order.
    tenants: Vec<String>,
    /// Planned duration of the load, warm-up included, in nanoseconds.
    planned_ns: Nanos,
    /// Duration of the warm-up, in nanoseconds.
    warmup_ns: Nanos,
    /// Faults injected into the service.
    faults: Vec<String>,
    /// Directory of the recorded run.
    run: String,
}

/// A replica of the service.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Replica {
    /// Name of the replica.
    name: String,
    /// Base URL of the replica.
    url: String,
}

/// The progress of a run.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Progress {
    /// When these values were read.
    at_ns: Nanos,
    /// The current phase.
    phase: Phase,
    /// Time since the start of the load, in nanoseconds.
    load_ns: Nanos,
    /// Planned duration of the load, in nanoseconds.
    planned_ns: Nanos,
    /// Number of requests in flight.
    in_flight: u32,
    /// Stalls of the generator so far.
    stalls: Stalls,
    /// Totals of all tenants so far.
    total: Counts,
    /// Changes of all tenants since the previous object; `null` in the first.
    interval: Option<Interval>,
    /// One entry per tenant, in the scenario's order.
    tenants: Vec<OfTenant>,
}

/// Stalls of the generator so far.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Stalls {
    /// Number of stalls.
    count: u64,
    /// Sum of their durations, in nanoseconds.
    total_ns: Nanos,
}

/// Numbers of requests by outcome, named as in the report.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Counts {
    /// All requests: responses, `unknown` and `not_sent`, without dropped arrivals.
    requests: u64,
    /// Number of responses by HTTP status.
    statuses: BTreeMap<u16, u64>,
    /// Requests that were sent and got no complete response.
    unknown: u64,
    /// Requests that were sent once more on a new connection; each counts once in `requests`.
    resent: u64,
    /// Requests that could not be sent.
    not_sent: u64,
    /// Arrivals of an open load that were dropped because no user was idle.
    dropped: u64,
    /// Errors, including dropped arrivals.
    errors: u64,
}

/// Changes of all tenants since the previous object.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Interval {
    #[serde(flatten)]
    added: Added,
    /// Length of the interval, in nanoseconds.
    lasted_ns: Nanos,
}

/// Changes since the previous object.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Added {
    #[serde(flatten)]
    counts: Counts,
    /// Median latency in nanoseconds, from the instant at which each request was due; `null` without a
    /// response.
    p50_ns: Option<Nanos>,
    /// 90th percentile of the same latency.
    p90_ns: Option<Nanos>,
    /// 99th percentile of the same latency.
    p99_ns: Option<Nanos>,
}

/// The progress of one tenant.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OfTenant {
    /// Id of the tenant.
    tenant: String,
    /// Totals so far.
    total: Counts,
    /// Changes since the previous object.
    interval: Added,
}

/// A message.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Text {
    /// The message.
    pub text: String,
}

/// How the run ended.
#[derive(Debug, Serialize, JsonSchema)]
pub struct End {
    /// Outcome of the run, including the comparison with baselines; `null` if the run was not judged.
    pub outcome: Option<Outcome>,
    /// Exit code of the process.
    pub exit: u8,
    /// Directory of the recorded run.
    pub run: Option<String>,
    /// Why the run failed.
    pub error: Option<String>,
    /// What the user can do about the error.
    pub hint: Option<String>,
}

/// Formats an object as a line.
pub fn line(object: Object) -> String {
    let line = Line { v: VERSION, object };
    serde_json::to_string(&line).map(|line| line + "\n").unwrap_or_default()
}

/// The object for the start of a run: what runs where, and where it is recorded.
pub fn begin(scenario: &Scenario, environment: &Environment, run: &str) -> String {
    let plan = super::view::Plan::of(scenario);
    let replicas = environment.replicas.iter();
    let replicas = replicas.map(|replica| Replica { name: replica.name.clone(), url: replica.url.clone() });
    line(Object::Begin(Begin {
        scenario: scenario.name.clone(),
        about: scenario.about.clone(),
        environment: environment.name.clone(),
        replicas: replicas.collect(),
        tenants: scenario.tenants.iter().map(ToString::to_string).collect(),
        planned_ns: plan.length,
        warmup_ns: plan.warmup,
        faults: environment.faults.clone(),
        run: run.to_owned(),
    }))
}

/// The object for the start of a phase.
pub fn phase(view: &View, at: Nanos) -> String {
    line(Object::Phase { at_ns: at, phase: view.phase })
}

/// The object for a change by the user or by the run itself.
pub fn event(at: Nanos, text: &str) -> String {
    line(Object::Event { at_ns: at, text: text.to_owned() })
}

/// The object for an observer's message.
pub fn note(text: &str) -> String {
    line(Object::Note(Text { text: text.to_owned() }))
}

/// The object with totals and the changes of the last interval, for all and by tenant.
pub fn progress(view: &View, at: Nanos) -> String {
    let named = view.plan.tenants.iter().zip(&view.window.tenants);
    let (count, total_ns) = view.stalls;
    line(Object::Progress(Box::new(Progress {
        at_ns: at,
        phase: view.phase,
        load_ns: view.elapsed,
        planned_ns: view.plan.length,
        in_flight: view.in_flight,
        stalls: Stalls { count, total_ns },
        total: counts(&view.window.total),
        interval: view.window.seconds.back().map(interval),
        tenants: named.map(|(name, tenant)| of_tenant(name.to_string(), tenant)).collect(),
    })))
}

fn of_tenant(tenant: String, of: &Tenant) -> OfTenant {
    let [p50_ns, p90_ns, p99_ns] = [0.5, 0.9, 0.99].map(|q| of.last_quantile(q));
    let interval = Added { counts: counts(&of.added), p50_ns, p90_ns, p99_ns };
    OfTenant { tenant, total: counts(&of.total), interval }
}

fn interval(second: &Second) -> Interval {
    let [p50_ns, p90_ns, p99_ns] =
        [0, 1, 2].map(|index| second.quantiles.and_then(|quantiles| quantiles.get(index).copied()));
    let added = Added { counts: counts(&second.added), p50_ns, p90_ns, p99_ns };
    Interval { added, lasted_ns: second.lasted }
}

fn counts(totals: &Totals) -> Counts {
    let outcomes = &totals.outcomes;
    Counts {
        requests: totals.requests(),
        statuses: outcomes.statuses.clone(),
        unknown: outcomes.unknown,
        resent: outcomes.resent,
        not_sent: outcomes.not_sent,
        dropped: outcomes.dropped,
        errors: totals.errors + outcomes.dropped,
    }
}

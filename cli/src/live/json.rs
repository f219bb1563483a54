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

/// A line of standard error.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Line {
    /// The version.
    v: u32,
    #[serde(flatten)]
    object: Object,
}

/// What a line tells. Instants are nanoseconds on the run's clock.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Object {
    /// What is about to run, where, and where it will be recorded.
    Begin(Begin),
    /// A phase has started.
    Phase {
        /// When.
        at_ns: Nanos,
        /// Which.
        phase: Phase,
    },
    /// Totals, and what the last interval added, for all and by tenant.
    Progress(Box<Progress>),
    /// Something that the user or the run itself did.
    Event {
        /// When.
        at_ns: Nanos,
        /// What.
        text: String,
    },
    /// A remark.
    Note(Text),
    /// Something that went wrong, though the run goes on.
    Warning(Text),
    /// How it ended: the last line.
    End(End),
}

/// What is about to run.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Begin {
    /// Name of the scenario.
    scenario: String,
    /// Its one sentence.
    about: Option<String>,
    /// The environment's name.
    environment: String,
    /// Its replicas.
    replicas: Vec<Replica>,
    /// Tenants, in the scenario's order.
    tenants: Vec<String>,
    /// How long the load is to go on.
    planned_ns: Nanos,
    /// How much of it is warm-up.
    warmup_ns: Nanos,
    /// Faults injected into the service.
    faults: Vec<String>,
    /// The run's directory.
    run: String,
}

/// A replica of the service.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Replica {
    /// Its name.
    name: String,
    /// Where it is.
    url: String,
}

/// How far a run is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Progress {
    /// When.
    at_ns: Nanos,
    /// What the run is at.
    phase: Phase,
    /// How long the load has gone on.
    load_ns: Nanos,
    /// How long it is to go on.
    planned_ns: Nanos,
    /// Requests under way.
    in_flight: u32,
    /// When the generator stood still.
    stalls: Stalls,
    /// Totals so far.
    total: Counts,
    /// What came since the object before; `null` in the first.
    interval: Option<Interval>,
    /// By tenant, in the scenario's order.
    tenants: Vec<OfTenant>,
}

/// How often, and how long together, the generator stood still.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Stalls {
    /// How often.
    count: u64,
    /// How long together.
    total_ns: Nanos,
}

/// Counts by the names of the report.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Counts {
    /// Requests.
    requests: u64,
    /// Answers by status.
    statuses: BTreeMap<u16, u64>,
    /// Sent and not answered.
    unknown: u64,
    /// Not sent.
    not_sent: u64,
    /// Arrivals for which there was no user.
    dropped: u64,
    /// Errors, dropped arrivals among them.
    errors: u64,
}

/// What came since the object before, of all tenants.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Interval {
    #[serde(flatten)]
    added: Added,
    /// How long it was.
    lasted_ns: Nanos,
}

/// What was added.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Added {
    #[serde(flatten)]
    counts: Counts,
    /// Median of the latency from the instant that requests were due; `null` without an answer.
    p50_ns: Option<Nanos>,
    /// The same at 0.9.
    p90_ns: Option<Nanos>,
    /// The same at 0.99.
    p99_ns: Option<Nanos>,
}

/// One tenant's part.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OfTenant {
    /// Its id.
    tenant: String,
    /// Totals so far.
    total: Counts,
    /// What came since the object before.
    interval: Added,
}

/// A text.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Text {
    /// The text.
    pub text: String,
}

/// How a run ended.
#[derive(Debug, Serialize, JsonSchema)]
pub struct End {
    /// What it came to, its baselines among it; `null` for a run that was not judged.
    pub outcome: Option<Outcome>,
    /// The exit code.
    pub exit: u8,
    /// The run's directory.
    pub run: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// What the user can do about it.
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
        not_sent: outcomes.not_sent,
        dropped: outcomes.dropped,
        errors: totals.errors + outcomes.dropped,
    }
}

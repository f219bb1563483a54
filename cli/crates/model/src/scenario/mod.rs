//! A scenario, validated: every name resolved to an index, every number in its unit. `file` mirrors the TOML
//! as written, `resolve` turns it into this and collects every problem, `problem` renders them.
//!
//! Indices ([`TenantIndex`], [`JourneyIndex`], [`StepIndex`]) point into the vectors of [`Scenario`].

mod alert;
mod algorithm;
pub mod capacity;
pub mod expectation;
pub mod feeder;
pub mod file;
pub mod http;
pub mod journey;
mod load;
mod metrics;
pub mod notation;
pub mod overrides;
pub mod problem;
pub mod promql;
pub mod resolve;
pub mod response;
pub mod schema;
pub mod template;
#[cfg(any(test, feature = "testing"))]
#[expect(clippy::panic, reason = "made for tests alone")]
pub mod testing;

pub use alert::{Alert, AlertPromise};
pub use algorithm::{Algorithm, Anchor, Estimate, Refill};
pub use feeder::Feeder;
pub use journey::{Journey, Save, Step};
pub use load::{Load, LoadModel, Pause, Retry, Routing, Spacing, Stage};
pub use metrics::{DurationUnit, MetricsContract, Preset, SeriesKey, Statuses, is_status_class};

use std::collections::BTreeSet;

use crate::units::{Nanos, Quota, TenantId};
use expectation::Expectation;
use promql::Promql;
use template::{Part, Variable};

/// Index into [`Scenario::tenants`].
pub type TenantIndex = usize;
/// Index into [`Scenario::journeys`].
pub type JourneyIndex = usize;
/// Index into [`Scenario::steps`]: steps of all journeys, start steps included, in the order of the file.
pub type StepIndex = usize;

/// A validated scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// `name`: part of the recorded run's name; `[A-Za-z0-9._-]+`.
    pub name: String,
    /// `description`: one sentence for reports.
    pub about: Option<String>,
    /// `seed`: every random choice derives from it; default 1.
    pub seed: u64,
    /// `timeout`: the longest a request may take, connect included; default 10 s.
    pub timeout: Nanos,
    /// `warmup`: what is due in this first part of the load is recorded, and counts for limits and metrics,
    /// but not for `[[expect]]` and tables of latency; default zero.
    pub warmup: Nanos,
    /// `[[tenant]]`, in order, patterns and files expanded; ids unique.
    pub tenants: Vec<TenantId>,
    /// `[[feeder]]`.
    pub feeders: Vec<Feeder>,
    /// `[[journey]]`.
    pub journeys: Vec<Journey>,
    /// Every step of every journey.
    pub steps: Vec<Step>,
    /// `[[load]]`.
    pub loads: Vec<Load>,
    /// `[[limit]]`.
    pub limits: Vec<Limit>,
    /// `[[expect]]`.
    pub expectations: Vec<Expectation>,
    /// `[[alert]]`: what the service's monitoring promises.
    pub alerts: Vec<Alert>,
    /// `[[expect]]` with `promql`.
    pub promql: Vec<Promql>,
    /// `[noisy_neighbour]`: the tenant whose flood must not degrade others.
    pub neighbours: Option<Neighbours>,
    /// `[http]`: how requests are sent.
    pub http: http::Http,
    /// `[service]`: what the service under test declares about itself.
    pub service: Service,
    /// `[metrics]`: how requests map to the service's series; `None` with `enabled = false`.
    pub metrics: Option<MetricsContract>,
    /// `[embedded]`: how the embedded environment is started.
    pub embedded: Embedded,
    /// `[capacity]`: how its capacity is searched.
    pub capacity: capacity::Capacity,
}

impl Scenario {
    /// The tenant that the service attributes a request to: the step's `tenant`, or the user's own.
    pub fn attributed_tenant(&self, user_tenant: TenantIndex, step: StepIndex) -> &str {
        let stated = self.steps.get(step).and_then(|step| step.tenant.as_deref());
        stated.or_else(|| self.tenants.get(user_tenant).map(TenantId::as_str)).unwrap_or_default()
    }

    /// The tenant whose canary a step sends, and who alone may receive it: the attributed tenant if it is one
    /// of the scenario's, otherwise the user's own.
    pub fn canary_tenant(&self, user_tenant: TenantIndex, step: StepIndex) -> TenantIndex {
        let stated = self.steps.get(step).and_then(|step| step.tenant.as_deref());
        stated
            .and_then(|stated| self.tenants.iter().position(|id| id.as_str() == stated))
            .unwrap_or(user_tenant)
    }

    /// Names of all secrets, `${env:NAME}`, in templates and in feeders.
    pub fn secrets(&self) -> BTreeSet<&str> {
        let parts = self.steps.iter().flat_map(Step::templates).flat_map(|template| &template.parts);
        let in_templates = parts.filter_map(|part| match part {
            Part::Variable(Variable::Secret(name)) => Some(name.as_str()),
            Part::Variable(_) | Part::Text(_) => None,
        });
        in_templates.chain(self.feeders.iter().flat_map(Feeder::secrets)).collect()
    }

    /// Whether the embedded environment needs a Prometheus.
    pub fn embeds_prometheus(&self) -> bool {
        let needed = !(self.alerts.is_empty() && self.promql.is_empty());
        self.embedded.prometheus.unwrap_or(needed)
    }

    /// Whether any step sends `${canary}`; then every response is searched for canaries.
    pub fn uses_canaries(&self) -> bool {
        self.steps.iter().any(|step| step.uses(&Variable::Canary))
    }
}

/// A set of HTTP statuses, written `200`, `"2xx"` or `[200, 429]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusSet(pub Vec<StatusPattern>);

/// One member of a [`StatusSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusPattern {
    /// Exactly this status, 100–599.
    Exact(u16),
    /// Every status of a class: `2` is 200–299.
    Class(u8),
}

impl StatusSet {
    /// Every 2xx.
    pub fn success() -> Self {
        Self(vec![StatusPattern::Class(2)])
    }

    /// Whether `status` is in the set.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|pattern| match *pattern {
            StatusPattern::Exact(exact) => exact == status,
            StatusPattern::Class(class) => u16::from(class) == status / 100,
        })
    }
}

impl std::fmt::Display for StatusSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, pattern) in self.0.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { " or " })?;
            match pattern {
                StatusPattern::Exact(status) => write!(f, "{status}")?,
                StatusPattern::Class(class) => write!(f, "{class}xx")?,
            }
        }
        Ok(())
    }
}

/// A promised limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// `METHOD /path` of at least one step.
    pub route: String,
    /// What shares one quota.
    pub per: LimitKey,
    /// How the service counts.
    pub algorithm: Algorithm,
    /// The quota of each tenant that has one.
    pub quota: Vec<(TenantIndex, Quota)>,
    /// Statuses of an admission; default 2xx.
    pub admitted: StatusSet,
    /// Statuses of a rejection; default 429.
    pub rejected: StatusSet,
    /// Time resolution of the limiter's clock; default 1 ms.
    pub resolution: Nanos,
    /// Whether a request that another limit of the route rejects consumes nothing of this one; default false.
    pub atomic: bool,
    /// Byte offset of its definition in the scenario's text.
    pub stated_at: usize,
}

/// What shares one quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitKey {
    /// `per = "tenant"`.
    Tenant,
}

impl Limit {
    /// The subject of claims about it.
    pub fn subject(&self) -> String {
        format!("{} per tenant, {}", self.route, self.algorithm)
    }
}

/// The noisy neighbour promise: a tenant floods, and others must not be degraded beyond these bounds between
/// two phases of the load.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbours {
    /// The tenants that flood.
    pub noisy: Vec<TenantIndex>,
    /// The tenants that must not be degraded; never empty.
    pub victims: Vec<TenantIndex>,
    /// The phase without the flood, from the start of the load phase.
    pub quiet: (Nanos, Nanos),
    /// The phase with the flood.
    pub flood: (Nanos, Nanos),
    /// By which factor the victims' latency may rise during the flood; default 1.5.
    pub slower: f64,
    /// The share of the victims' goodput that must remain during the flood; default 0.9.
    pub goodput: f64,
    /// An increase of latency that is always allowed; default 5 ms.
    pub grace: Nanos,
    /// Byte offset of its definition in the scenario's text.
    pub stated_at: usize,
}

/// What the service under test declares about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// `timeout`: a request without a response has no effect later than this after it was sent; default 30 s.
    pub timeout: Nanos,
}

/// How the embedded environment is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedded {
    /// Replicas of the reference server; default 2.
    pub replicas: usize,
    /// Text and file name of its `tenants.jsonl`; `None`: the server's own.
    pub tenants: Option<(String, String)>,
    /// Whether to embed a Prometheus, too; `None`: only if the scenario needs one.
    pub prometheus: Option<bool>,
}

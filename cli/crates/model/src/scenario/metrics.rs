//! The metrics contract: how requests map to the service's series.
//!
//! Claims take every name from here, never from the reference server's crate, so that renaming a metric there
//! is noticed. `presets` has the contracts of well-known libraries; `mapping` finds the series of a request
//! and the requests of a series.

mod mapping;
mod presets;

pub use mapping::{SeriesKey, is_status_class};
pub use presets::Preset;

use crate::units::Nanos;

/// How requests map to the service's series.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricsContract {
    /// Path of the exposition on each replica; default `/metrics`.
    pub path: String,
    /// Time between scrapes during the run; default 5 s.
    pub interval: Nanos,
    /// How far apart two scrapes after the load must be so that, if they are equal, every request has been
    /// counted; default 1 s.
    pub settle: Nanos,
    /// Counter of requests, which may be a histogram's `_count`; default `http_requests_total`.
    pub requests: String,
    /// Histogram of durations; default `http_request_duration_seconds`; `""` in the file means none.
    pub duration: Option<String>,
    /// Histogram of durations of all requests, with finer buckets and no labels; default
    /// `http_request_duration_highr_seconds`; `""` means none.
    pub duration_all: Option<String>,
    /// Counter of requests per tenant; default `tenant_requests_total`; `""` means none.
    pub tenant_requests: Option<String>,
    /// Histogram of durations per tenant; default `tenant_request_duration_seconds`; `""` means none.
    pub tenant_duration: Option<String>,
    /// Gauge of requests in progress; default `http_requests_inprogress`; `""` means none.
    pub in_progress: Option<String>,
    /// Summary or histogram of request body sizes in bytes; default `http_request_size_bytes`; `""` means
    /// none.
    pub request_size: Option<String>,
    /// Summary or histogram of response body sizes in bytes; default `http_response_size_bytes`; `""` means
    /// none.
    pub response_size: Option<String>,
    /// Label with the path template; default `handler`; `""` means none.
    pub route_label: Option<String>,
    /// Label with the method; default `method`; `""` means none.
    pub method_label: Option<String>,
    /// Label with the status; default `status`; `""` means none.
    pub status_label: Option<String>,
    /// Label with the tenant; default `tenant`; `""` means none.
    pub tenant_label: Option<String>,
    /// Notation of statuses; default exact.
    pub statuses: Statuses,
    /// Unit of durations; default seconds.
    pub duration_unit: DurationUnit,
    /// Each step's route, as `METHOD /path`, with the value of its route label: the path, unless `routes`
    /// states another.
    pub routes: Vec<(String, String)>,
    /// Paths of routes outside the load: default `/metrics`, `/healthz`, `/readyz`.
    pub ignore: Vec<String>,
    /// Paths of routes that belong to no tenant, and have no series per tenant: default `/`.
    pub tenantless: Vec<String>,
    /// Whether the server's clock stops before the last byte is sent (default true): only then does a
    /// client's latency bound the server's duration.
    pub clock_stops_before_response: bool,
    /// The client overhead that is allowed: network, and queues before the handler. `None`: not stated; then
    /// 25 ms apply, for replicas on this machine only.
    pub unseen: Option<Nanos>,
    /// The longest that a scrape may take; default 1 s.
    pub scrape_within: Nanos,
    /// The longest exposition that is read, in bytes; default 64 MiB.
    pub body_size_limit: u64,
}

/// Notation of the status label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statuses {
    /// `404`: `"exact"`.
    Exact,
    /// `4xx`: `"grouped"`.
    Grouped,
}

/// Unit of durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DurationUnit {
    /// Prometheus's base unit: `"s"`.
    Seconds,
    /// Used by some libraries: `"ms"`.
    Milliseconds,
}

impl DurationUnit {
    /// The unit in seconds.
    pub const fn seconds(self) -> f64 {
        match self {
            Self::Seconds => 1.0,
            Self::Milliseconds => 1e-3,
        }
    }
}

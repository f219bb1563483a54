//! The metrics contract: how a request of the ledger maps to the service's series. Checks take every name
//! from here, never from the server crate: a rename there must be noticed. `presets` has the contracts of
//! well-known libraries, `mapping` finds the series of a request and the requests of a series.

mod mapping;
mod presets;

pub use mapping::{SeriesKey, is_status_class};
pub use presets::Preset;

use crate::units::Nanos;

/// How a request of the ledger maps to the service's series.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricsContract {
    /// Path of the exposition on each replica; default `/metrics`.
    pub path: String,
    /// Time between scrapes during the run; default 5 s.
    pub interval: Nanos,
    /// How far apart two scrapes after the load must be to show, if they are equal, that every request has
    /// been counted; default 1 s.
    pub settle: Nanos,
    /// Counter of requests, which may be a histogram's `_count`; default `http_requests_total`.
    pub requests: String,
    /// Histogram of durations; default `http_request_duration_seconds`; `""` in the file means there is none.
    pub duration: Option<String>,
    /// Histogram of durations of all requests, with finer buckets and no labels; default
    /// `http_request_duration_highr_seconds`; `""` means none.
    pub duration_all: Option<String>,
    /// Counter of requests per tenant; default `tenant_requests_total`; `""` means none.
    pub tenant_requests: Option<String>,
    /// Histogram of durations per tenant; default `tenant_request_duration_seconds`; `""` means none.
    pub tenant_duration: Option<String>,
    /// Gauge of requests being answered; default `http_requests_inprogress`; `""` means none.
    pub in_progress: Option<String>,
    /// Summary or histogram of the bytes of request bodies; default `http_request_size_bytes`; `""` means
    /// none.
    pub request_size: Option<String>,
    /// Summary or histogram of the bytes of response bodies; default `http_response_size_bytes`; `""` means
    /// none.
    pub response_size: Option<String>,
    /// Label that holds the path template; default `handler`; `""` means that series do not differ by it.
    pub route_label: Option<String>,
    /// Label that holds the method; default `method`; `""` means none.
    pub method_label: Option<String>,
    /// Label that holds the status; default `status`; `""` means none.
    pub status_label: Option<String>,
    /// Label that holds the tenant; default `tenant`; `""` means none.
    pub tenant_label: Option<String>,
    /// How statuses are written; default exact.
    pub statuses: Statuses,
    /// What durations are counted in; default seconds.
    pub duration_unit: DurationUnit,
    /// Each route of a step, as `METHOD /path`, with what the route label says of its requests: the path,
    /// unless `routes` says otherwise.
    pub routes: Vec<(String, String)>,
    /// Routes whose requests are not the load's (paths): default `/metrics`, `/healthz`, `/readyz`.
    pub ignore: Vec<String>,
    /// Paths of routes that belong to no tenant, and have no series per tenant: default `/`.
    pub tenantless: Vec<String>,
    /// Whether the server's duration ends before the last byte is sent (default true): only then may a
    /// client's latency bound the server's.
    pub clock_stops_before_answer: bool,
    /// The most that a client's latency may typically lie above the server's duration: network, and queues
    /// before the handler. `None`: it is not stated, and 25 ms apply to replicas on this machine alone.
    pub unseen: Option<Nanos>,
    /// The longest that a scrape may take; default 1 s.
    pub scrape_within: Nanos,
}

/// How the status label is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statuses {
    /// `404`: `"exact"`.
    Exact,
    /// `4xx`: `"grouped"`.
    Grouped,
}

/// What durations are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DurationUnit {
    /// Prometheus's base unit: `"s"`.
    Seconds,
    /// As some libraries still write them: `"ms"`.
    Milliseconds,
}

impl DurationUnit {
    /// How many seconds one is.
    pub const fn seconds(self) -> f64 {
        match self {
            Self::Seconds => 1.0,
            Self::Milliseconds => 1e-3,
        }
    }
}

//! Contracts of well-known libraries with default settings. Each states the source of its names, the notation
//! of statuses, where the clock stops, and the label of a path that no route matches.

use super::{DurationUnit, MetricsContract, Statuses};
use crate::units::Nanos;

/// A named contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// The reference server's.
    Tenancy,
    /// prometheus-fastapi-instrumentator.
    FastapiInstrumentator,
    /// OpenTelemetry's semantic conventions for HTTP servers, by way of a Prometheus exporter.
    OtelHttpServer,
    /// Micrometer, as configured by Spring Boot.
    Micrometer,
    /// The crate axum-prometheus.
    AxumPrometheus,
}

impl Preset {
    /// All of them; the first is the default.
    pub const ALL: [Self; 5] = [
        Self::Tenancy,
        Self::FastapiInstrumentator,
        Self::OtelHttpServer,
        Self::Micrometer,
        Self::AxumPrometheus,
    ];

    /// The name in a scenario.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tenancy => "tenancy",
            Self::FastapiInstrumentator => "fastapi-instrumentator",
            Self::OtelHttpServer => "otel-http-server",
            Self::Micrometer => "micrometer",
            Self::AxumPrometheus => "axum-prometheus",
        }
    }

    /// Its contract.
    pub fn contract(self) -> MetricsContract {
        match self {
            Self::Tenancy => tenancy(),
            Self::FastapiInstrumentator => fastapi_instrumentator(),
            Self::OtelHttpServer => otel_http_server(),
            Self::Micrometer => micrometer(),
            Self::AxumPrometheus => axum_prometheus(),
        }
    }
}

fn some(name: &str) -> Option<String> {
    Some(name.to_owned())
}

fn all(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

/// The reference server: names are the FastAPI instrumentation's, with exact statuses, a gauge by route and
/// series by tenant. Its clock stops before the last byte is sent. A path that no route matches is `none`.
fn tenancy() -> MetricsContract {
    MetricsContract {
        path: "/metrics".to_owned(),
        interval: Nanos::from_secs(5),
        settle: Nanos::from_secs(1),
        requests: "http_requests_total".to_owned(),
        duration: some("http_request_duration_seconds"),
        duration_all: some("http_request_duration_highr_seconds"),
        tenant_requests: some("tenant_requests_total"),
        tenant_duration: some("tenant_request_duration_seconds"),
        in_progress: some("http_requests_inprogress"),
        request_size: some("http_request_size_bytes"),
        response_size: some("http_response_size_bytes"),
        route_label: some("handler"),
        method_label: some("method"),
        status_label: some("status"),
        tenant_label: some("tenant"),
        statuses: Statuses::Exact,
        duration_unit: DurationUnit::Seconds,
        routes: Vec::new(),
        ignore: all(&["/metrics", "/healthz", "/readyz"]),
        tenantless: all(&["/"]),
        clock_stops_before_response: true,
        unseen: None,
        scrape_within: Nanos::from_secs(1),
        body_size_limit: 64 << 20,
    }
}

/// prometheus-fastapi-instrumentator 8.1.0, `Instrumentator().instrument(app).expose(app)` (its
/// `metrics.default` and `middleware.py`). Statuses are grouped unless `should_group_status_codes=False`. The
/// duration is taken when the application's coroutine has returned, and by then the response was sent. Sizes
/// are the `Content-Length` of requests and responses, 0 where there is none. The gauge is off by default,
/// and has no labels unless `inprogress_labels=True`. A path that no route matches is `none`.
fn fastapi_instrumentator() -> MetricsContract {
    MetricsContract {
        tenant_requests: None,
        tenant_duration: None,
        in_progress: None,
        // A response without a length counts as zero, so it cannot be compared with what clients received.
        request_size: None,
        response_size: None,
        statuses: Statuses::Grouped,
        ignore: all(&["/metrics"]),
        clock_stops_before_response: false,
        ..tenancy()
    }
}

/// OpenTelemetry's `http.server.request.duration` (semantic conventions 1.23 and later, stable) as Prometheus
/// exporters write it: dots become `_`, the unit a suffix. The only counter is the histogram's `_count`.
/// Methods are those of RFC 9110 and PATCH; any other is `_OTHER`. Where the clock stops depends on the
/// instrumentation; otelhttp for Go (0.5x–0.6x) reads it when the handler has returned, when a large body has
/// already been sent. `http.route` is left out if no route matches. Gauge and sizes are not stable yet, and
/// the gauge has no route, so it includes scrapes.
fn otel_http_server() -> MetricsContract {
    MetricsContract {
        requests: "http_server_request_duration_seconds_count".to_owned(),
        duration: some("http_server_request_duration_seconds"),
        duration_all: None,
        tenant_requests: None,
        tenant_duration: None,
        in_progress: None,
        request_size: None,
        response_size: None,
        route_label: some("http_route"),
        method_label: some("http_request_method"),
        status_label: some("http_response_status_code"),
        ignore: all(&["/metrics", "/healthz", "/readyz"]),
        clock_stops_before_response: false,
        ..tenancy()
    }
}

/// Micrometer's `http.server.requests` as configured by Spring Boot 3 (Spring Framework 6.2,
/// `DefaultServerRequestObservationConvention` and `ServerHttpObservationFilter`). Buckets exist only with
/// `management.metrics.distribution.percentiles-histogram.http.server.requests=true`. The observation stops
/// when the filter chain has returned, when Spring MVC has already flushed the body. A path that no
/// controller matches is `/**` (of static resources), or `NOT_FOUND`, `REDIRECTION` and `UNKNOWN`; an empty
/// pattern is `root`. The long task timer `http_server_requests_active_seconds` counts each scrape itself,
/// with the route `UNKNOWN`.
fn micrometer() -> MetricsContract {
    MetricsContract {
        path: "/actuator/prometheus".to_owned(),
        requests: "http_server_requests_seconds_count".to_owned(),
        duration: some("http_server_requests_seconds"),
        route_label: some("uri"),
        method_label: some("method"),
        status_label: some("status"),
        ignore: all(&["/actuator/prometheus", "/actuator/health", "/actuator/health/**"]),
        ..otel_http_server()
    }
}

/// axum-prometheus 0.8 (`Traffic::on_response` in its `lib.rs`), with metrics-exporter-prometheus. The clock
/// stops when the head of the response is ready, so a streamed body is not included. A path that no route
/// matches is labelled with the raw path. Sizes of responses are off by default
/// (`axum_http_response_body_size`).
fn axum_prometheus() -> MetricsContract {
    MetricsContract {
        requests: "axum_http_requests_total".to_owned(),
        duration: some("axum_http_requests_duration_seconds"),
        in_progress: some("axum_http_requests_pending"),
        route_label: some("endpoint"),
        method_label: some("method"),
        status_label: some("status"),
        clock_stops_before_response: true,
        ..otel_http_server()
    }
}

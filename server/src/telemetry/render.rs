//! Renders the exposition of `/metrics`: the metrics, their help and the order of their series. Series that
//! were never used are left out. Every scrape renders, so a thousand tenants have to stay cheap.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use saasbench_exposition::entry::MetricType;
use saasbench_exposition::writer::Writer;

use super::{
    ByStatus, Method, MethodSeries, Route, RouteSeries, SizeSummary, Status, Telemetry, TenantRouteSeries,
};
use crate::store::Operation;

/// The label of a handler, and its series.
type Handler<'a> = (&'a str, &'a RouteSeries);

impl Telemetry {
    /// The exposition at this moment, in the text format 0.0.4.
    pub(crate) fn render(&self) -> String {
        let unexpected = self.unexpected_handlers();
        let routes = Route::ALL.iter().map(|route| route.label()).zip(&self.routes);
        let unexpected = unexpected.iter().map(|(label, series)| (label.as_str(), series));
        let handlers: Vec<Handler<'_>> = routes.chain(unexpected).collect();
        let mut out = Writer::default();
        write_requests(&mut out, &handlers);
        write_sizes(&mut out, &handlers);
        self.write_durations(&mut out, &handlers);
        write_in_progress(&mut out, &handlers);
        self.write_tenants(&mut out);
        self.write_process(&mut out);
        out.finish()
    }

    fn write_durations(&self, out: &mut Writer, handlers: &[Handler<'_>]) {
        let name = "http_request_duration_seconds";
        out.metric(
            name,
            MetricType::Histogram,
            "From the request's head to its response, by handler and method.",
        );
        for (handler, method, series) in used(handlers) {
            if !series.duration.is_empty() {
                series.duration.write(out, name, &[("handler", handler), ("method", method.label())]);
            }
        }
        let name = "http_request_duration_highr_seconds";
        out.metric(
            name,
            MetricType::Histogram,
            "From the request's head to its response, all requests, fine buckets.",
        );
        self.fine.write(out, name, &[]);
    }

    fn write_tenants(&self, out: &mut Writer) {
        let name = "tenant_requests_total";
        out.metric(name, MetricType::Counter, "Responses, by tenant, handler, method and exact status.");
        for (tenant, route, series) in self.tenant_routes() {
            for (method, requests) in Method::ALL.iter().zip(&series.methods) {
                for (status, count) in counted(requests) {
                    let labels = [
                        ("tenant", tenant),
                        ("handler", route.label()),
                        ("method", method.label()),
                        ("status", status),
                    ];
                    out.sample(name, "", labels, count);
                }
            }
        }
        let name = "tenant_request_duration_seconds";
        out.metric(
            name,
            MetricType::Histogram,
            "From the request's head to its response, by tenant and handler.",
        );
        for (tenant, route, series) in self.tenant_routes() {
            series.duration.write(out, name, &[("tenant", tenant), ("handler", route.label())]);
        }
    }

    fn write_process(&self, out: &mut Writer) {
        let name = "tenancy_store_errors_total";
        out.metric(name, MetricType::Counter, "Failed operations of the store.");
        for (operation, count) in Operation::ALL.iter().zip(&self.store_errors) {
            out.sample(name, "", [("operation", operation.label())], count.load(Relaxed) as f64);
        }
        let name = "process_start_time_seconds";
        out.metric(name, MetricType::Gauge, "When this replica started, in seconds since the epoch.");
        out.sample(name, "", [], self.started.as_secs_f64());
    }

    /// The series by tenant and route that have been used.
    fn tenant_routes(&self) -> impl Iterator<Item = (&str, Route, &TenantRouteSeries)> {
        self.tenants.iter().flat_map(|tenant| {
            let routes = Route::TENANT_ROUTES.iter().zip(&tenant.routes);
            let used = routes.filter(|(_, series)| !series.duration.is_empty());
            used.map(|(route, series)| (tenant.id.as_str(), *route, series))
        })
    }
}

fn write_requests(out: &mut Writer, handlers: &[Handler<'_>]) {
    let name = "http_requests_total";
    out.metric(name, MetricType::Counter, "Responses, by handler, method and exact status.");
    for (handler, method, series) in used(handlers) {
        for (status, count) in counted(&series.requests) {
            let labels = [("handler", handler), ("method", method.label()), ("status", status)];
            out.sample(name, "", labels, count);
        }
    }
}

fn write_sizes(out: &mut Writer, handlers: &[Handler<'_>]) {
    let request: fn(&RouteSeries) -> &SizeSummary = |series| &series.request_size;
    let response: fn(&RouteSeries) -> &SizeSummary = |series| &series.response_size;
    let metrics = [
        ("http_request_size_bytes", "Bytes of request bodies that were read, by handler.", request),
        ("http_response_size_bytes", "Bytes of response bodies, by handler.", response),
    ];
    for (name, help, sizes) in metrics {
        out.metric(name, MetricType::Summary, help);
        for (handler, series) in handlers {
            let labels = [("handler", *handler)];
            let sizes = sizes(series);
            let count = sizes.count.load(Relaxed);
            if count > 0 {
                out.summary(name, &labels, sizes.sum.load(Relaxed) as f64, count);
            }
        }
    }
}

fn write_in_progress(out: &mut Writer, handlers: &[Handler<'_>]) {
    let name = "http_requests_inprogress";
    out.metric(name, MetricType::Gauge, "Requests in progress, except those for metrics.");
    for (handler, method, series) in used(handlers).filter(|(handler, ..)| *handler != Route::Metrics.label())
    {
        let labels = [("handler", handler), ("method", method.label())];
        out.sample(name, "", labels, series.in_progress.load(Relaxed) as f64);
    }
}

/// The series by handler and method that have been used.
fn used<'a>(handlers: &'a [Handler<'a>]) -> impl Iterator<Item = (&'a str, Method, &'a MethodSeries)> {
    handlers.iter().flat_map(|(handler, series)| {
        let used = Method::ALL
            .iter()
            .zip(&series.methods)
            .filter(|(_, series)| series.in_progress.load(Relaxed) != 0 || !series.duration.is_empty());
        used.map(|(method, series)| (*handler, *method, series))
    })
}

/// The labels of the statuses that have occurred, with their counts.
fn counted(requests: &ByStatus) -> impl Iterator<Item = (&'static str, f64)> {
    let count = |count: &AtomicU64| count.load(Relaxed);
    let pairs = Status::ALL.iter().zip(requests).map(move |(status, total)| (status.label(), count(total)));
    pairs.filter(|(_, count)| *count > 0).map(|(status, count)| (status, count as f64))
}

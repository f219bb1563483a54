//! The metrics of one replica. Every series exists from the start as an atomic at a fixed index, so recording
//! takes no lock and no lookup; [`render`](Telemetry::render) writes those that have been used.

mod histogram;
mod labels;
mod render;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use self::histogram::{COARSE, FINE, Histogram};
pub(crate) use self::labels::{Method, Route, Status};
use crate::store::Operation;
use crate::tenants::{Tenants, UNKNOWN_TENANT};

/// All metrics of a replica.
#[derive(Debug)]
pub(crate) struct Telemetry {
    /// Since the Unix epoch.
    started: Duration,
    /// By [`Route`].
    routes: Vec<RouteSeries>,
    /// By the label `handler`, where a fault replaces the route's.
    unexpected_handlers: Mutex<BTreeMap<String, RouteSeries>>,
    fine: Histogram,
    /// In the order of the tenants; the last is for unknown ones.
    tenants: Vec<TenantSeries>,
    /// By [`Operation`].
    store_errors: [AtomicU64; Operation::ALL.len()],
}

#[derive(Debug)]
struct RouteSeries {
    /// By [`Method`].
    methods: Vec<MethodSeries>,
    request_size: SizeSummary,
    response_size: SizeSummary,
}

#[derive(Debug)]
struct MethodSeries {
    requests: ByStatus,
    duration: Histogram,
    in_progress: AtomicI64,
}

#[derive(Debug)]
struct TenantSeries {
    id: String,
    /// By [`Route::TENANT_ROUTES`].
    routes: [TenantRouteSeries; Route::TENANT_ROUTES.len()],
}

#[derive(Debug)]
struct TenantRouteSeries {
    /// By [`Method`].
    methods: Vec<ByStatus>,
    duration: Histogram,
}

/// By [`Status`].
type ByStatus = [AtomicU64; Status::ALL.len()];

/// A summary without quantiles.
#[derive(Debug, Default)]
struct SizeSummary {
    sum: AtomicU64,
    count: AtomicU64,
}

impl SizeSummary {
    fn observe(&self, bytes: u64) {
        self.sum.fetch_add(bytes, Relaxed);
        self.count.fetch_add(1, Relaxed);
    }
}

/// A completed request, as it is counted.
#[derive(Debug)]
pub(crate) struct RequestRecord {
    pub(crate) route: Route,
    pub(crate) method: Method,
    pub(crate) status: Status,
    /// The tenant's position; `None` if it is unknown or undetermined.
    pub(crate) tenant: Option<usize>,
    pub(crate) request_bytes: u64,
    pub(crate) response_bytes: u64,
    pub(crate) duration: Duration,
    /// The label `handler` in place of the route's; only a fault sets it.
    pub(crate) handler_override: Option<String>,
}

/// Counts a request in the in-progress gauge until dropped: however a request ends, it leaves the gauge.
#[derive(Debug)]
pub(crate) struct InProgress<'a>(&'a AtomicI64);

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Telemetry {
    /// All series at zero; the start time is now.
    pub(crate) fn new(tenants: &Tenants) -> Self {
        let ids = tenants.ids().chain([UNKNOWN_TENANT]);
        Self {
            started: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            routes: Route::ALL.iter().map(|_| RouteSeries::new()).collect(),
            unexpected_handlers: Mutex::default(),
            fine: Histogram::new(FINE),
            tenants: ids.map(TenantSeries::new).collect(),
            store_errors: Default::default(),
        }
    }

    /// Adds a request to the in-progress gauge. `None` for `/metrics`, which the gauge excludes: a scrape
    /// would count itself.
    pub(crate) fn start_request(&self, route: Route, method: Method) -> Option<InProgress<'_>> {
        if route == Route::Metrics {
            return None;
        }
        let gauge = &self.routes[route as usize].methods[method as usize].in_progress;
        gauge.fetch_add(1, Relaxed);
        Some(InProgress(gauge))
    }

    /// Counts a completed request in all its series.
    pub(crate) fn record(&self, request: &RequestRecord) {
        let &RequestRecord { route, method, status, tenant, duration, .. } = request;
        match &request.handler_override {
            None => self.routes[route as usize].observe(request),
            Some(label) => {
                self.unexpected_handlers()
                    .entry(label.clone())
                    .or_insert_with(RouteSeries::new)
                    .observe(request);
            }
        }
        self.fine.observe(duration);
        if let Some(index) = route.tenant_index() {
            let unknown = self.tenants.len() - 1;
            let series = &self.tenants[tenant.unwrap_or(unknown)].routes[index];
            series.methods[method as usize][status as usize].fetch_add(1, Relaxed);
            series.duration.observe(duration);
        }
    }

    /// Resets all counters, for a fault; the gauges stay.
    pub(crate) fn reset(&self) {
        for series in &self.routes {
            series.clear();
        }
        self.unexpected_handlers().clear();
        self.fine.clear();
        for series in self.tenants.iter().flat_map(|tenant| &tenant.routes) {
            series.methods.iter().flatten().for_each(|count| count.store(0, Relaxed));
            series.duration.clear();
        }
        self.store_errors.iter().for_each(|count| count.store(0, Relaxed));
    }

    /// The number of known tenants.
    pub(crate) fn tenant_count(&self) -> usize {
        self.tenants.len() - 1
    }

    /// Nothing panics while the lock is held; even then the counts would be usable.
    fn unexpected_handlers(&self) -> MutexGuard<'_, BTreeMap<String, RouteSeries>> {
        self.unexpected_handlers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a failed operation of the store.
    pub(crate) fn store_failed(&self, operation: Operation) {
        self.store_errors[operation as usize].fetch_add(1, Relaxed);
    }
}

impl RouteSeries {
    fn new() -> Self {
        let method = |_: &Method| MethodSeries {
            requests: Default::default(),
            duration: Histogram::new(COARSE),
            in_progress: AtomicI64::new(0),
        };
        Self {
            methods: Method::ALL.iter().map(method).collect(),
            request_size: SizeSummary::default(),
            response_size: SizeSummary::default(),
        }
    }

    fn observe(&self, request: &RequestRecord) {
        self.request_size.observe(request.request_bytes);
        self.response_size.observe(request.response_bytes);
        let series = &self.methods[request.method as usize];
        series.requests[request.status as usize].fetch_add(1, Relaxed);
        series.duration.observe(request.duration);
    }

    fn clear(&self) {
        for sizes in [&self.request_size, &self.response_size] {
            sizes.sum.store(0, Relaxed);
            sizes.count.store(0, Relaxed);
        }
        for series in &self.methods {
            series.requests.iter().for_each(|count| count.store(0, Relaxed));
            series.duration.clear();
        }
    }
}

impl TenantSeries {
    fn new(id: &str) -> Self {
        let routes = Route::TENANT_ROUTES.map(|_| TenantRouteSeries {
            methods: Method::ALL.iter().map(|_| ByStatus::default()).collect(),
            duration: Histogram::new(FINE),
        });
        Self { id: id.to_owned(), routes }
    }
}

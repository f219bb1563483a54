//! What one replica counts about its requests. Every series exists from the start as an atomic behind a plain index, so
//! recording takes no lock and no lookup; [`page`](Telemetry::page) writes those that have been used.

mod histogram;
mod labels;
mod page;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use self::histogram::{COARSE, FINE, Histogram};
pub(crate) use self::labels::{Route, Status, UNKNOWN, Verb};
use crate::store::Operation;
use crate::tenants::Tenants;

/// All metrics of a replica.
#[derive(Debug)]
pub(crate) struct Telemetry {
    started: Duration,
    /// By [`Route`].
    routes: Vec<RouteSeries>,
    /// By the label `handler`, where a fault has another than the route's.
    strays: Mutex<BTreeMap<String, RouteSeries>>,
    fine: Histogram,
    /// By tenant, in the tenants' order; the last is for unknown ones.
    tenants: Vec<TenantSeries>,
    /// By [`Operation`].
    store_errors: [AtomicU64; Operation::ALL.len()],
}

#[derive(Debug)]
struct RouteSeries {
    /// By [`Verb`].
    verbs: Vec<VerbSeries>,
    request_size: Sizes,
    response_size: Sizes,
}

#[derive(Debug)]
struct VerbSeries {
    requests: ByStatus,
    duration: Histogram,
    in_progress: AtomicI64,
}

#[derive(Debug)]
struct TenantSeries {
    id: String,
    /// By [`Route::OF_TENANTS`].
    routes: [TenantRouteSeries; Route::OF_TENANTS.len()],
}

#[derive(Debug)]
struct TenantRouteSeries {
    /// By [`Verb`].
    verbs: Vec<ByStatus>,
    duration: Histogram,
}

/// By [`Status`].
type ByStatus = [AtomicU64; Status::ALL.len()];

/// A summary without quantiles.
#[derive(Debug, Default)]
struct Sizes {
    sum: AtomicU64,
    count: AtomicU64,
}

impl Sizes {
    fn observe(&self, bytes: u64) {
        self.sum.fetch_add(bytes, Relaxed);
        self.count.fetch_add(1, Relaxed);
    }
}

/// A request that has been answered, as it is counted.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) route: Route,
    pub(crate) verb: Verb,
    pub(crate) status: Status,
    /// The tenant's position; `None` if it is unknown or could not be reported.
    pub(crate) tenant: Option<usize>,
    pub(crate) request_bytes: u64,
    pub(crate) response_bytes: u64,
    pub(crate) duration: Duration,
    /// The label `handler` in place of the route's; only a fault has one.
    pub(crate) stray: Option<String>,
}

/// Keeps a request in the gauge until dropped: however a request ends, it leaves the gauge.
#[derive(Debug)]
pub(crate) struct InProgress<'a>(&'a AtomicI64);

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Telemetry {
    /// All series at zero, for a replica that starts now.
    pub(crate) fn new(tenants: &Tenants) -> Self {
        let ids = tenants.ids().chain([UNKNOWN]);
        Self {
            started: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            routes: Route::ALL.iter().map(|_| RouteSeries::new()).collect(),
            strays: Mutex::default(),
            fine: Histogram::new(FINE),
            tenants: ids.map(TenantSeries::new).collect(),
            store_errors: Default::default(),
        }
    }

    /// Counts a request as started. A scrape is not in its own way: `/metrics` does not appear in the gauge.
    pub(crate) fn begin(&self, route: Route, verb: Verb) -> Option<InProgress<'_>> {
        if route == Route::Metrics {
            return None;
        }
        let gauge = &self.routes[route as usize].verbs[verb as usize].in_progress;
        gauge.fetch_add(1, Relaxed);
        Some(InProgress(gauge))
    }

    /// Counts a request as answered, in all its series.
    pub(crate) fn record(&self, exchange: &Exchange) {
        let &Exchange { route, verb, status, tenant, duration, .. } = exchange;
        match &exchange.stray {
            None => self.routes[route as usize].observe(exchange),
            Some(label) => {
                self.strays().entry(label.clone()).or_insert_with(RouteSeries::new).observe(exchange);
            }
        }
        self.fine.observe(duration);
        if let Some(index) = route.tenant_index() {
            let unknown = self.tenants.len() - 1;
            let series = &self.tenants[tenant.unwrap_or(unknown)].routes[index];
            series.verbs[verb as usize][status as usize].fetch_add(1, Relaxed);
            series.duration.observe(duration);
        }
    }

    /// All counters at zero again, for a fault; the gauges stay.
    pub(crate) fn clear(&self) {
        for series in &self.routes {
            series.clear();
        }
        self.strays().clear();
        self.fine.clear();
        for series in self.tenants.iter().flat_map(|tenant| &tenant.routes) {
            series.verbs.iter().flatten().for_each(|count| count.store(0, Relaxed));
            series.duration.clear();
        }
        self.store_errors.iter().for_each(|count| count.store(0, Relaxed));
    }

    /// How many tenants are known.
    pub(crate) fn tenants(&self) -> usize {
        self.tenants.len() - 1
    }

    /// A panic cannot happen while the lock is held; if it did, the counts would still be counts.
    fn strays(&self) -> MutexGuard<'_, BTreeMap<String, RouteSeries>> {
        self.strays.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a conversation with the store that failed.
    pub(crate) fn store_failed(&self, operation: Operation) {
        self.store_errors[operation as usize].fetch_add(1, Relaxed);
    }
}

impl RouteSeries {
    fn new() -> Self {
        let verb = |_: &Verb| VerbSeries {
            requests: Default::default(),
            duration: Histogram::new(COARSE),
            in_progress: AtomicI64::new(0),
        };
        Self {
            verbs: Verb::ALL.iter().map(verb).collect(),
            request_size: Sizes::default(),
            response_size: Sizes::default(),
        }
    }

    fn observe(&self, exchange: &Exchange) {
        self.request_size.observe(exchange.request_bytes);
        self.response_size.observe(exchange.response_bytes);
        let series = &self.verbs[exchange.verb as usize];
        series.requests[exchange.status as usize].fetch_add(1, Relaxed);
        series.duration.observe(exchange.duration);
    }

    fn clear(&self) {
        for sizes in [&self.request_size, &self.response_size] {
            sizes.sum.store(0, Relaxed);
            sizes.count.store(0, Relaxed);
        }
        for series in &self.verbs {
            series.requests.iter().for_each(|count| count.store(0, Relaxed));
            series.duration.clear();
        }
    }
}

impl TenantSeries {
    fn new(id: &str) -> Self {
        let routes = Route::OF_TENANTS.map(|_| TenantRouteSeries {
            verbs: Verb::ALL.iter().map(|_| ByStatus::default()).collect(),
            duration: Histogram::new(FINE),
        });
        Self { id: id.to_owned(), routes }
    }
}

//! How a faulty replica measures its requests: what it loses, counts twice, or counts as something else. What its page
//! of metrics makes of that is reported in `page`. Scrapes are no requests here: they are counted as they should be.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use hyper::Uri;
use tokio::time::Instant;

use super::Fault;
use super::faulty::Faulty;
use crate::telemetry::{Exchange, InProgress, Route, Status, Telemetry};

/// What one replica remembers for these faults.
#[derive(Debug, Default)]
pub(super) struct Miscounting {
    /// Requests answered.
    answered: AtomicU32,
    /// Requests of the tenant that came first.
    of_first: AtomicU32,
    /// When the first request was answered.
    began: OnceLock<Instant>,
    cleared: AtomicBool,
    /// The page that is shown again, and since when.
    pub(super) page: Mutex<Option<(Instant, String)>>,
}

impl Faulty {
    /// `duration-excludes-wait`: before the clock of a request starts.
    pub(crate) async fn queue(&self, route: Route) {
        let wait = self.find(|fault| match fault {
            Fault::DurationExcludesWait { wait } => Some(*wait),
            _ => None,
        });
        if let Some(wait) = wait.filter(|_| route != Route::Metrics) {
            tokio::time::sleep(wait).await;
        }
    }

    /// `handler-raw-path`: the label in place of the route's.
    pub(crate) fn raw_handler(&self, route: Route, uri: &Uri) -> Option<String> {
        let raw = self.has(Fault::HandlerRawPath) && route != Route::Metrics;
        raw.then(|| uri.path_and_query().map_or_else(|| uri.path().to_owned(), ToString::to_string))
    }

    /// In place of [`Telemetry::record`], and of leaving the gauge.
    pub(crate) fn record(
        &self,
        telemetry: &Telemetry,
        mut exchange: Exchange,
        in_progress: Option<InProgress<'_>>,
    ) {
        if exchange.route == Route::Metrics {
            return telemetry.record(&exchange);
        }
        let number = self.miscounting.answered.fetch_add(1, Relaxed).wrapping_add(1);
        let due = |every: Option<u32>| every.is_some_and(|every| number.is_multiple_of(every));
        // Health checks come long before the load does.
        if exchange.route.tenant_index().is_some() && self.clears() {
            telemetry.clear();
        }
        if due(self.find(|fault| match fault {
            Fault::GaugeStuck { every } => Some(*every),
            _ => None,
        })) {
            std::mem::forget(in_progress);
        }
        if due(self.find(|fault| match fault {
            Fault::CountLost { every } => Some(*every),
            _ => None,
        })) {
            return;
        }
        self.mislabel(telemetry, &mut exchange);
        telemetry.record(&exchange);
        if due(self.find(|fault| match fault {
            Fault::CountDouble { every } => Some(*every),
            _ => None,
        })) {
            telemetry.record(&exchange);
        }
    }

    /// `status-mislabelled`, `tenant-mislabelled`, `duration-in-ms`.
    fn mislabel(&self, telemetry: &Telemetry, exchange: &mut Exchange) {
        if self.has(Fault::StatusMislabelled) && exchange.status == Status::TooManyRequests {
            exchange.status = Status::Ok;
        }
        if self.has(Fault::DurationInMs) {
            exchange.duration = exchange.duration.saturating_mul(1000);
        }
        let every = self.find(|fault| match fault {
            Fault::TenantMislabelled { every } => Some(*every),
            _ => None,
        });
        if let (Some(every), Some(tenant)) = (every, exchange.tenant)
            && *self.process.first_tenant.get_or_init(|| tenant) == tenant
        {
            let number = self.miscounting.of_first.fetch_add(1, Relaxed).wrapping_add(1);
            if number.is_multiple_of(every) {
                exchange.tenant = Some(tenant + 1).filter(|next| *next < telemetry.tenants());
            }
        }
    }

    /// `counter-reset`: whether it is due now; it is so once.
    fn clears(&self) -> bool {
        let after = self.find(|fault| match fault {
            Fault::CounterReset { after } => Some(*after),
            _ => None,
        });
        let elapsed = || self.miscounting.began.get_or_init(Instant::now).elapsed();
        after.is_some_and(|after: Duration| elapsed() >= after)
            && !self.miscounting.cleared.swap(true, Relaxed)
    }
}

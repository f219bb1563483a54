//! Faults of the request metrics: requests that are lost, counted twice or counted as something else.
//! Requests for `/metrics` are always counted correctly. The faults of the exposition itself are in
//! `exposition`.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use hyper::Uri;
use tokio::time::Instant;

use super::Fault;
use super::injector::FaultInjector;
use crate::telemetry::{InProgress, RequestRecord, Route, Status, Telemetry};

impl FaultInjector {
    /// `duration-excludes-wait`: waits before the clock of a request starts.
    pub(crate) async fn queue(&self, route: Route) {
        let wait = self.find(|fault| match fault {
            Fault::DurationExcludesWait { wait } => Some(*wait),
            _ => None,
        });
        if let Some(wait) = wait.filter(|_| route != Route::Metrics) {
            tokio::time::sleep(wait).await;
        }
    }

    /// `handler-raw-path`: the label `handler` in place of the route's.
    pub(crate) fn raw_handler(&self, route: Route, uri: &Uri) -> Option<String> {
        let raw = self.has(Fault::HandlerRawPath) && route != Route::Metrics;
        raw.then(|| uri.path_and_query().map_or_else(|| uri.path().to_owned(), ToString::to_string))
    }

    /// Replaces [`Telemetry::record`] and leaving the in-progress gauge.
    pub(crate) fn record(
        &self,
        telemetry: &Telemetry,
        mut request: RequestRecord,
        in_progress: Option<InProgress<'_>>,
    ) {
        if request.route == Route::Metrics {
            return telemetry.record(&request);
        }
        let number = self.metric_state.completed.fetch_add(1, Relaxed).wrapping_add(1);
        let due = |every: Option<u32>| every.is_some_and(|every| number.is_multiple_of(every));
        // Health checks come long before the load: its time must not start with them.
        if request.route.tenant_index().is_some() && self.reset_is_due() {
            telemetry.reset();
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
        self.mislabel(telemetry, &mut request);
        telemetry.record(&request);
        if due(self.find(|fault| match fault {
            Fault::CountDouble { every } => Some(*every),
            _ => None,
        })) {
            telemetry.record(&request);
        }
    }

    /// `status-mislabelled`, `tenant-mislabelled`, `duration-in-ms`.
    fn mislabel(&self, telemetry: &Telemetry, request: &mut RequestRecord) {
        if self.has(Fault::StatusMislabelled) && request.status == Status::TooManyRequests {
            request.status = Status::Ok;
        }
        if self.has(Fault::DurationInMs) {
            request.duration = request.duration.saturating_mul(1000);
        }
        let every = self.find(|fault| match fault {
            Fault::TenantMislabelled { every } => Some(*every),
            _ => None,
        });
        if let (Some(every), Some(tenant)) = (every, request.tenant)
            && *self.process.first_tenant.get_or_init(|| tenant) == tenant
        {
            let number = self.metric_state.of_first_tenant.fetch_add(1, Relaxed).wrapping_add(1);
            if number.is_multiple_of(every) {
                request.tenant = Some(tenant + 1).filter(|next| *next < telemetry.tenant_count());
            }
        }
    }

    /// `counter-reset`: whether it is due now, which is once.
    fn reset_is_due(&self) -> bool {
        let after = self.find(|fault| match fault {
            Fault::CounterReset { after } => Some(*after),
            _ => None,
        });
        let elapsed = || self.metric_state.first_completed.get_or_init(Instant::now).elapsed();
        after.is_some_and(|after: Duration| elapsed() >= after)
            && !self.metric_state.was_reset.swap(true, Relaxed)
    }
}

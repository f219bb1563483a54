//! What the routes of one replica share: its tenants, its store, its metrics and its faults.

use std::sync::Arc;
use std::time::Duration;

use crate::error::ApiError;
use crate::faults::{FaultInjector, Faults};
use crate::store::{Operation, Store, StoreError};
use crate::telemetry::Telemetry;
use crate::tenants::Tenants;

/// The settings of a replica.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// How long a session is valid, from its creation; use does not extend it. Default: one hour.
    pub session_ttl: Duration,
    /// How long a shutdown waits for requests in flight. Default: ten seconds.
    pub grace: Duration,
    /// How long the head of a request may take, from its first byte; the first one on a connection, from the
    /// connection's start. Default: ten seconds.
    pub head_timeout: Duration,
    /// The number of this replica, from 0. Only faults depend on it.
    pub replica: u32,
    /// Deliberate defects. Default: none.
    pub faults: Faults,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            session_ttl: Duration::from_secs(3600),
            grace: Duration::from_secs(10),
            head_timeout: Duration::from_secs(10),
            replica: 0,
            faults: Faults::default(),
        }
    }
}

/// The state that the routes share. Clones are the same state.
#[derive(Debug, Clone)]
pub(crate) struct AppState(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    tenants: Tenants,
    store: Store,
    telemetry: Telemetry,
    config: Config,
    /// `None` in a conforming replica.
    fault_injector: Option<FaultInjector>,
}

impl AppState {
    pub(crate) fn new(tenants: Tenants, store: Store, config: Config) -> Self {
        let telemetry = Telemetry::new(&tenants);
        let fault_injector = FaultInjector::new(&config.faults, config.replica);
        let tenants = config.faults.apply_config_faults(tenants, config.replica);
        Self(Arc::new(Inner { tenants, store, telemetry, config, fault_injector }))
    }

    pub(crate) fn tenants(&self) -> &Tenants {
        &self.0.tenants
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.0.telemetry
    }

    /// `None` in a conforming replica.
    pub(crate) fn fault_injector(&self) -> Option<&FaultInjector> {
        self.0.fault_injector.as_ref()
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    /// Counts a failed operation of the store, and turns its error into the response.
    pub(crate) fn store_result<T>(
        &self,
        operation: Operation,
        result: Result<T, StoreError>,
    ) -> Result<T, ApiError> {
        result.map_err(|_| {
            self.telemetry().store_failed(operation);
            ApiError::StoreUnavailable
        })
    }
}

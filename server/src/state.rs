//! What the routes of one replica share: its tenants, its store, its metrics and its faults.

use std::sync::Arc;
use std::time::Duration;

use crate::error::ApiError;
use crate::faults::{Faults, Faulty};
use crate::store::{Operation, Store, StoreError};
use crate::telemetry::Telemetry;
use crate::tenants::Tenants;

/// The settings of a replica.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// How long a session is valid, from its creation; use does not prolong it. One hour unless set.
    pub session_ttl: Duration,
    /// How long a shutdown waits for requests in flight. Ten seconds unless set.
    pub grace: Duration,
    /// Which of the service's replicas this is, counted from 0. Only faults tell replicas apart.
    pub replica: u32,
    /// Deliberate defects; none unless set.
    pub faults: Faults,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            session_ttl: Duration::from_secs(3600),
            grace: Duration::from_secs(10),
            replica: 0,
            faults: Faults::default(),
        }
    }
}

/// The state of a replica's router. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct AppState(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    tenants: Tenants,
    store: Store,
    telemetry: Telemetry,
    config: Config,
    /// `None` in a conforming replica.
    faulty: Option<Faulty>,
}

impl AppState {
    pub(crate) fn new(tenants: Tenants, store: Store, config: Config) -> Self {
        let telemetry = Telemetry::new(&tenants);
        let faulty = Faulty::new(&config.faults, config.replica);
        let tenants = config.faults.distort(tenants, config.replica);
        Self(Arc::new(Parts { tenants, store, telemetry, config, faulty }))
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

    /// The faults at work; `None` in a conforming replica.
    pub(crate) fn faulty(&self) -> Option<&Faulty> {
        self.0.faulty.as_ref()
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    /// The result of an operation of the store, its failures counted.
    pub(crate) fn checked<T>(
        &self,
        operation: Operation,
        result: Result<T, StoreError>,
    ) -> Result<T, ApiError> {
        result.map_err(|_| {
            self.telemetry().store_failed(operation);
            ApiError::StoreAway
        })
    }
}

//! One replica: its tenants, its share of the store, its metrics. Every request passes through [`App::respond`], which
//! measures it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Body;
use hyper::{Request, Response};
use tokio::time::Instant;

use crate::error::ApiError;
use crate::faults::{Faults, Faulty};
use crate::routes::{self, Seen};
use crate::store::{Operation, Store, StoreError};
use crate::telemetry::{Exchange, Route, Telemetry, Verb};
use crate::tenants::Tenants;

/// What can be set about a replica.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// How long a session is good for, from its creation on; use does not prolong it. One hour unless set.
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

/// One replica. Clones are the same replica; a second `App` with a clone of the [`Store`] is a second one.
#[derive(Debug, Clone)]
pub struct App(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    tenants: Tenants,
    store: Store,
    telemetry: Telemetry,
    config: Config,
    /// `None` in an honest replica.
    faulty: Option<Faulty>,
}

impl App {
    /// A replica with the default [`Config`]; its metrics start at zero, its start time is now.
    #[must_use]
    pub fn new(tenants: Tenants, store: Store) -> Self {
        Self::with_config(tenants, store, Config::default())
    }

    /// A replica that is set up otherwise.
    #[must_use]
    pub fn with_config(tenants: Tenants, store: Store, config: Config) -> Self {
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

    /// The faults at work; `None` in an honest replica.
    pub(crate) fn faulty(&self) -> Option<&Faulty> {
        self.0.faulty.as_ref()
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    /// What the store answered, its failures counted.
    pub(crate) fn checked<T>(
        &self,
        operation: Operation,
        answer: Result<T, StoreError>,
    ) -> Result<T, ApiError> {
        answer.map_err(|_| {
            self.telemetry().store_failed(operation);
            ApiError::StoreAway
        })
    }

    /// Answers a request and counts it. The counting is done before the answer is handed to the connection: no client
    /// ever holds an answer that `/metrics` does not know. A request whose connection breaks before it is answered is
    /// dropped here: it leaves the in-progress gauge and is not counted.
    ///
    /// Usable without a socket, with a body of any kind (such as `Full<Bytes>`); only the path, the method, the headers
    /// and the body of `request` matter. It never fails: a body that errs is answered with 400, one that takes longer than
    /// ten seconds with 408, a store that is away with 503. It needs a tokio runtime with time, and follows a paused clock.
    pub async fn respond<B: Body<Data = Bytes>>(&self, request: Request<B>) -> Response<Full<Bytes>> {
        let route = Route::of(request.uri().path());
        if let Some(faulty) = self.faulty() {
            faulty.queue(route).await;
        }
        let started = Instant::now();
        let stray = self.faulty().and_then(|faulty| faulty.raw_handler(route, request.uri()));
        let verb = Verb::of(request.method());
        let in_progress = self.telemetry().begin(route, verb);
        let mut seen = Seen::default();
        let answer = routes::answer(self, route, verb, request, &mut seen).await;
        let exchange = Exchange {
            route,
            verb,
            status: answer.status,
            tenant: seen.tenant,
            request_bytes: seen.body_bytes,
            response_bytes: answer.body.len(),
            duration: started.elapsed(),
            stray,
        };
        match self.faulty() {
            None => {
                self.telemetry().record(&exchange);
                drop(in_progress);
            }
            Some(faulty) => faulty.record(self.telemetry(), exchange, in_progress),
        }
        answer.into_response()
    }
}

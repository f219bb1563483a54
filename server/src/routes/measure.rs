//! The middleware that measures: a layer around each handler and the fallback, so that the `handler` label of a request
//! is the route that matched, known from its first instant.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::HttpBody as _;
use axum::extract::Request;
use axum::response::Response;
use tokio::time::Instant;
use tower::{Layer, Service};

use crate::state::AppState;
use crate::telemetry::{Exchange, Route, Status, Verb};

/// The layer: whose requests are measured, and as which route's.
#[derive(Debug, Clone)]
pub(super) struct MeasureLayer {
    pub(super) state: AppState,
    pub(super) route: Route,
}

/// What is learnt about a request on the way, for its metrics.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Observed {
    /// The tenant's position, as soon as header or body name a known one.
    pub(super) tenant: Option<usize>,
    /// Bytes of the body that were read.
    pub(super) body_bytes: u64,
}

/// Where an extractor leaves what it observes: in the request's extensions, so that it is there for failed requests,
/// too.
#[derive(Debug, Clone, Default)]
pub(super) struct Observation(Arc<Mutex<Observed>>);

impl Observation {
    pub(super) fn update(&self, change: impl FnOnce(&mut Observed)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn get(&self) -> Observed {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Layer<S> for MeasureLayer {
    type Service = Measure<S>;

    fn layer(&self, inner: S) -> Measure<S> {
        Measure { layer: self.clone(), inner }
    }
}

/// The service that [`MeasureLayer`] makes of another.
#[derive(Debug, Clone)]
pub(super) struct Measure<S> {
    layer: MeasureLayer,
    inner: S,
}

impl<S> Service<Request> for Measure<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    /// Counts a request and its response, before the response is handed to the connection.
    fn call(&mut self, mut request: Request) -> Self::Future {
        let MeasureLayer { state, route } = self.layer.clone();
        let stray = state.faulty().and_then(|faulty| faulty.raw_handler(route, request.uri()));
        let verb = Verb::of(request.method());
        let observation = Observation::default();
        request.extensions_mut().insert(observation.clone());
        let response = self.inner.call(request);
        Box::pin(async move {
            if let Some(faulty) = state.faulty() {
                faulty.queue(route).await;
            }
            let started = Instant::now();
            let in_progress = state.telemetry().begin(route, verb);
            let response = response.await?;
            let Observed { tenant, body_bytes } = observation.get();
            let exchange = Exchange {
                route,
                verb,
                status: Status::of(response.status()),
                tenant,
                request_bytes: body_bytes,
                response_bytes: response.body().size_hint().lower(),
                duration: started.elapsed(),
                stray,
            };
            match state.faulty() {
                None => {
                    state.telemetry().record(&exchange);
                    drop(in_progress);
                }
                Some(faulty) => faulty.record(state.telemetry(), exchange, in_progress),
            }
            Ok(response)
        })
    }
}

//! The middleware that measures: around each route and the fallback, so that the `handler` label of a request is the
//! route that matched, known from its first instant.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::HttpBody as _;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;

use crate::state::AppState;
use crate::telemetry::{Exchange, Route, Status, Verb};

/// Whose requests are measured, and as which route's.
#[derive(Debug, Clone)]
pub(super) struct Measured {
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

/// Counts a request and its response, before the response is handed to the connection.
pub(super) async fn measure(
    State(Measured { state, route }): State<Measured>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(faulty) = state.faulty() {
        faulty.queue(route).await;
    }
    let started = Instant::now();
    let stray = state.faulty().and_then(|faulty| faulty.raw_handler(route, request.uri()));
    let verb = Verb::of(request.method());
    let in_progress = state.telemetry().begin(route, verb);
    let observation = Observation::default();
    request.extensions_mut().insert(observation.clone());
    let response = next.run(request).await;
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
    response
}

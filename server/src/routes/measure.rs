//! The middleware that counts requests: a layer around each handler and the fallback, so that the `handler`
//! label is the matched route, known from the start of the request.

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
use crate::telemetry::{Method, RequestRecord, Route, Status};

/// Measures the requests of one route.
#[derive(Debug, Clone)]
pub(super) struct MeasureLayer {
    pub(super) state: AppState,
    pub(super) route: Route,
}

/// What the handlers learn about a request, for its metrics.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RequestAttributes {
    /// The position of the tenant that header or body name; `None` while none is known.
    pub(super) tenant: Option<usize>,
    /// Bytes of the body that were read.
    pub(super) body_bytes: u64,
}

/// The attributes of a request, in its extensions, so that they are available for failed requests, too.
#[derive(Debug, Clone, Default)]
pub(super) struct AttributesHandle(Arc<Mutex<RequestAttributes>>);

impl AttributesHandle {
    pub(super) fn update(&self, change: impl FnOnce(&mut RequestAttributes)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn get(&self) -> RequestAttributes {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Layer<S> for MeasureLayer {
    type Service = Measure<S>;

    fn layer(&self, inner: S) -> Measure<S> {
        Measure { layer: self.clone(), inner }
    }
}

/// A service wrapped by [`MeasureLayer`].
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
        let handler_override =
            state.fault_injector().and_then(|injector| injector.raw_handler(route, request.uri()));
        let method = Method::of(request.method());
        let attributes = AttributesHandle::default();
        request.extensions_mut().insert(attributes.clone());
        let response = self.inner.call(request);
        Box::pin(async move {
            if let Some(injector) = state.fault_injector() {
                injector.queue(route).await;
            }
            let started = Instant::now();
            let in_progress = state.telemetry().start_request(route, method);
            let response = response.await?;
            let RequestAttributes { tenant, body_bytes } = attributes.get();
            let record = RequestRecord {
                route,
                method,
                status: Status::of(response.status()),
                tenant,
                request_bytes: body_bytes,
                response_bytes: response.body().size_hint().lower(),
                duration: started.elapsed(),
                handler_override,
            };
            match state.fault_injector() {
                None => {
                    state.telemetry().record(&record);
                    drop(in_progress);
                }
                Some(injector) => injector.record(state.telemetry(), record, in_progress),
            }
            Ok(response)
        })
    }
}

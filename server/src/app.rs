//! One replica: its router over its state, usable with or without a socket.

use axum::http::{Request, Response};
use axum::{BoxError, Router};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Collected, Full};
use hyper::body::Body;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;

use crate::routes;
use crate::state::{AppState, Config};
use crate::store::Store;
use crate::tenants::Tenants;

/// One replica. Clones share its state; a second `App` over a clone of the [`Store`] is a second replica.
#[derive(Debug, Clone)]
pub struct App {
    state: AppState,
    service: TowerToHyperService<Router>,
}

impl App {
    /// A replica with the default [`Config`]; its metrics start at zero, its start time is now.
    #[must_use]
    pub fn new(tenants: Tenants, store: Store) -> Self {
        Self::with_config(tenants, store, Config::default())
    }

    /// As [`new`](Self::new), with the given settings.
    #[must_use]
    pub fn with_config(tenants: Tenants, store: Store, config: Config) -> Self {
        let state = AppState::new(tenants, store, config);
        let service = TowerToHyperService::new(routes::router(&state));
        Self { state, service }
    }

    pub(crate) fn config(&self) -> &Config {
        self.state.config()
    }

    /// The router, as a connection serves it.
    pub(crate) fn service(&self) -> TowerToHyperService<Router> {
        self.service.clone()
    }

    /// Responds to a request, and counts it before the response is returned: no client has a response that
    /// `/metrics` does not include. If the future is dropped (the connection broke) the request leaves the
    /// in-progress gauge and is not counted.
    ///
    /// Works without a socket and with any body (such as `Full<Bytes>`); only the method, path, headers and
    /// body of `request` matter. It never fails: a body that fails results in a 400, one that takes longer
    /// than ten seconds in a 408, an unavailable store in a 503. It needs a tokio runtime with time, and
    /// follows a paused clock.
    pub async fn respond<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (head, body) = match self.service.call(request).await {
            Ok(response) => response.into_parts(),
            Err(never) => match never {},
        };
        // The body of a response is complete from the start: collecting it neither waits nor fails.
        let body = body.collect().await.map_or_else(|_| Bytes::new(), Collected::to_bytes);
        Response::from_parts(head, Full::new(body))
    }
}

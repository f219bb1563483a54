//! The router. [`measure`] wraps each route and the fallback; the routes that act for a tenant extract a
//! [`tenant_request`], whose [`fields`] are validated.

mod chat;
mod fields;
mod info;
mod measure;
mod session;
mod tenant_request;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter};

use self::measure::MeasureLayer;
use crate::error::ApiError;
use crate::state::AppState;
use crate::telemetry::{Method, Route};

/// All routes of a replica. Paths are matched exactly; each has one method, and any other, HEAD included, is
/// a 405.
pub(crate) fn router(state: &AppState) -> Router {
    let measured = |route| MeasureLayer { state: state.clone(), route };
    Router::new()
        .route(Route::Root.label(), get(&measured(Route::Root), info::root))
        .route(Route::Session.label(), post(&measured(Route::Session), session::post))
        .route(Route::Chat.label(), post(&measured(Route::Chat), chat::post))
        .route(Route::Metrics.label(), get(&measured(Route::Metrics), info::metrics))
        .route(Route::Healthz.label(), get(&measured(Route::Healthz), info::healthz))
        .route(Route::Readyz.label(), get(&measured(Route::Readyz), info::readyz))
        .fallback((async || ApiError::NotFound).layer(measured(Route::None)))
        .with_state(state.clone())
}

fn get<T: 'static>(measured: &MeasureLayer, handler: impl Handler<T, AppState>) -> MethodRouter<AppState> {
    let not_allowed = (async || ApiError::MethodNotAllowed(Method::Get)).layer(measured.clone());
    MethodRouter::new()
        .on(MethodFilter::GET, handler.layer(measured.clone()))
        // By default a GET route serves HEAD, too.
        .on(MethodFilter::HEAD, not_allowed.clone())
        .fallback(not_allowed)
}

fn post<T: 'static>(measured: &MeasureLayer, handler: impl Handler<T, AppState>) -> MethodRouter<AppState> {
    let not_allowed = (async || ApiError::MethodNotAllowed(Method::Post)).layer(measured.clone());
    MethodRouter::new().on(MethodFilter::POST, handler.layer(measured.clone())).fallback(not_allowed)
}

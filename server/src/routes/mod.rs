//! The routes: from a request to its response. [`measure`] is around each of them, and around the fallback;
//! [`TenantRequest`] reads the body of those that act for a tenant, and [`fields`] checks it.

mod chat;
mod fields;
mod measure;
mod pages;
mod session;
mod tenant_request;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter};

use self::measure::MeasureLayer;
use crate::error::ApiError;
use crate::state::AppState;
use crate::telemetry::{Route, Verb};

/// All routes of a replica. Paths are matched exactly; each has one method, and every other, HEAD included, is a 405.
pub(crate) fn router(state: &AppState) -> Router {
    let measured = |route| MeasureLayer { state: state.clone(), route };
    Router::new()
        .route(Route::Root.label(), get(&measured(Route::Root), pages::root))
        .route(Route::Session.label(), post(&measured(Route::Session), session::post))
        .route(Route::Chat.label(), post(&measured(Route::Chat), chat::post))
        .route(Route::Metrics.label(), get(&measured(Route::Metrics), pages::metrics))
        .route(Route::Healthz.label(), get(&measured(Route::Healthz), pages::healthz))
        .route(Route::Readyz.label(), get(&measured(Route::Readyz), pages::readyz))
        .fallback((async || ApiError::NotFound).layer(measured(Route::None)))
        .with_state(state.clone())
}

fn get<T: 'static>(measured: &MeasureLayer, handler: impl Handler<T, AppState>) -> MethodRouter<AppState> {
    let not_allowed = (async || ApiError::MethodNotAllowed(Verb::Get)).layer(measured.clone());
    MethodRouter::new()
        .on(MethodFilter::GET, handler.layer(measured.clone()))
        // Left to itself a route of GET serves HEAD, too.
        .on(MethodFilter::HEAD, not_allowed.clone())
        .fallback(not_allowed)
}

fn post<T: 'static>(measured: &MeasureLayer, handler: impl Handler<T, AppState>) -> MethodRouter<AppState> {
    let not_allowed = (async || ApiError::MethodNotAllowed(Verb::Post)).layer(measured.clone());
    MethodRouter::new().on(MethodFilter::POST, handler.layer(measured.clone())).fallback(not_allowed)
}

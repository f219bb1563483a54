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

use self::measure::Measured;
use crate::error::ApiError;
use crate::state::AppState;
use crate::telemetry::{Route, Verb};

/// All routes of a replica. Paths are matched exactly; each has one method, and every other, HEAD included, is a 405.
pub(crate) fn router(state: &AppState) -> Router {
    let unmatched = async || ApiError::NotFound;
    Router::new()
        .route(Route::Root.label(), get(state, Route::Root, pages::root))
        .route(Route::Session.label(), post(state, Route::Session, session::post))
        .route(Route::Chat.label(), post(state, Route::Chat, chat::post))
        .route(Route::Metrics.label(), get(state, Route::Metrics, pages::metrics))
        .route(Route::Healthz.label(), get(state, Route::Healthz, pages::healthz))
        .route(Route::Readyz.label(), get(state, Route::Readyz, pages::readyz))
        .fallback(unmatched.layer(Measured { state: state.clone(), route: Route::None }))
        .with_state(state.clone())
}

fn get<T: 'static>(
    state: &AppState,
    route: Route,
    handler: impl Handler<T, AppState>,
) -> MethodRouter<AppState> {
    let other =
        (async || ApiError::MethodNotAllowed(Verb::Get)).layer(Measured { state: state.clone(), route });
    let handler = handler.layer(Measured { state: state.clone(), route });
    // Left to itself a route of GET serves HEAD, too.
    MethodRouter::new().on(MethodFilter::GET, handler).on(MethodFilter::HEAD, other.clone()).fallback(other)
}

fn post<T: 'static>(
    state: &AppState,
    route: Route,
    handler: impl Handler<T, AppState>,
) -> MethodRouter<AppState> {
    let other =
        (async || ApiError::MethodNotAllowed(Verb::Post)).layer(Measured { state: state.clone(), route });
    MethodRouter::new()
        .on(MethodFilter::POST, handler.layer(Measured { state: state.clone(), route }))
        .fallback(other)
}

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
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter};

use self::measure::{Measured, measure};
use crate::error::ApiError;
use crate::state::AppState;
use crate::telemetry::{Route, Verb};

/// All routes of a replica. Paths are matched exactly; each has one method, and every other, HEAD included, is a 405.
pub(crate) fn router(state: &AppState) -> Router {
    let measured = |route| from_fn_with_state(Measured { state: state.clone(), route }, measure);
    let at = |route: Route, methods: MethodRouter<AppState>| methods.layer(measured(route));
    Router::new()
        .route(Route::Root.label(), at(Route::Root, get(pages::root)))
        .route(Route::Session.label(), at(Route::Session, post(session::post)))
        .route(Route::Chat.label(), at(Route::Chat, post(chat::post)))
        .route(Route::Metrics.label(), at(Route::Metrics, get(pages::metrics)))
        .route(Route::Healthz.label(), at(Route::Healthz, get(pages::healthz)))
        .route(Route::Readyz.label(), at(Route::Readyz, get(pages::readyz)))
        .fallback((async || ApiError::NotFound).layer(measured(Route::None)))
        .with_state(state.clone())
}

fn get<T: 'static>(handler: impl Handler<T, AppState>) -> MethodRouter<AppState> {
    // Left to itself a route of GET serves HEAD, too.
    let only_get = async || ApiError::MethodNotAllowed(Verb::Get);
    MethodRouter::new().on(MethodFilter::GET, handler).on(MethodFilter::HEAD, only_get).fallback(only_get)
}

fn post<T: 'static>(handler: impl Handler<T, AppState>) -> MethodRouter<AppState> {
    MethodRouter::new()
        .on(MethodFilter::POST, handler)
        .fallback(async || ApiError::MethodNotAllowed(Verb::Post))
}

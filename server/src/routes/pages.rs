//! The routes that take no input: the front page, health, readiness and metrics.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use axum::response::Response;
use saasbench_exposition::writer::CONTENT_TYPE as METRICS_TYPE;
use serde_json::json;

use crate::error::ApiError;
use crate::response;
use crate::state::AppState;
use crate::store::Operation;

/// `GET /`: who is served here.
pub(super) async fn root(State(app): State<AppState>) -> Response {
    let tenants: Vec<_> = app.tenants().ids().collect();
    response::json(StatusCode::OK, &json!({ "ok": true, "tenants": tenants }))
}

/// `GET /healthz`: the process answers.
pub(super) async fn healthz() -> Response {
    response::json(StatusCode::OK, &json!({ "ok": true }))
}

/// `GET /readyz`: the store answers, too.
pub(super) async fn readyz(State(app): State<AppState>) -> Result<Response, ApiError> {
    app.checked(Operation::Ping, app.store().ping().await)?;
    Ok(response::json(StatusCode::OK, &json!({ "ok": true, "store": app.store().describe() })))
}

/// `GET /metrics`; this request itself is counted after its page is made.
pub(super) async fn metrics(State(app): State<AppState>) -> ([(HeaderName, &'static str); 1], String) {
    let page = match app.faulty() {
        None => app.telemetry().page(),
        Some(faulty) => faulty.page(app.telemetry()).await,
    };
    ([(CONTENT_TYPE, METRICS_TYPE)], page)
}

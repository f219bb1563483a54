//! The routes without input: `/`, `/healthz`, `/readyz` and `/metrics`.

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

/// `GET /`: the tenants.
pub(super) async fn root(State(app): State<AppState>) -> Response {
    let tenants: Vec<_> = app.tenants().ids().collect();
    response::json(StatusCode::OK, &json!({ "ok": true, "tenants": tenants }))
}

/// `GET /healthz`: the process responds.
pub(super) async fn healthz() -> Response {
    response::json(StatusCode::OK, &json!({ "ok": true }))
}

/// `GET /readyz`: the store responds, too.
pub(super) async fn readyz(State(app): State<AppState>) -> Result<Response, ApiError> {
    app.store_result(Operation::Ping, app.store().ping().await)?;
    Ok(response::json(StatusCode::OK, &json!({ "ok": true, "store": app.store().describe() })))
}

/// `GET /metrics`. This request itself is counted after its exposition is rendered.
pub(super) async fn metrics(State(app): State<AppState>) -> ([(HeaderName, &'static str); 1], String) {
    let exposition = match app.fault_injector() {
        None => app.telemetry().render(),
        Some(injector) => injector.render(app.telemetry()).await,
    };
    ([(CONTENT_TYPE, METRICS_TYPE)], exposition)
}

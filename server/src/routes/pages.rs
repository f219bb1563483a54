//! The routes that take no input: the front page, health, readiness and metrics.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::json;

use super::Answer;
use crate::app::App;
use crate::error::ApiError;
use crate::store::Operation;
use crate::telemetry::{CONTENT_TYPE as METRICS_TYPE, Status};

/// `GET /`: who is served here.
pub(super) fn root(app: &App) -> Answer {
    let tenants: Vec<_> = app.tenants().ids().collect();
    Answer::json(Status::Ok, &json!({ "ok": true, "tenants": tenants }))
}

/// `GET /healthz`: the process answers.
pub(super) fn healthz() -> Answer {
    Answer::json(Status::Ok, &json!({ "ok": true }))
}

/// `GET /readyz`: the store answers, too.
pub(super) async fn readyz(app: &App) -> Result<Answer, ApiError> {
    app.checked(Operation::Ping, app.store().ping().await)?;
    Ok(Answer::json(Status::Ok, &json!({ "ok": true, "store": app.store().describe() })))
}

/// `GET /metrics`; this request itself is counted after its page is made.
pub(super) async fn metrics(app: &App) -> Answer {
    let page = match app.faulty() {
        None => app.telemetry().page(),
        Some(faulty) => faulty.page(app.telemetry()).await,
    };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(METRICS_TYPE));
    Answer { status: Status::Ok, headers, body: Bytes::from(page) }
}

//! `POST /session`: a new session for a tenant.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use super::fields::{TENANT, find_tenant};
use super::tenant_request::TenantRequest;
use crate::error::ApiError;
use crate::response::json;
use crate::sessions;
use crate::state::AppState;
use crate::store::Operation;

#[derive(Serialize)]
struct SessionResponse<'a> {
    session_id: &'a str,
    tenant: TenantInfo<'a>,
}

#[derive(Serialize)]
struct TenantInfo<'a> {
    id: &'a str,
    name: &'a str,
    welcome: &'a str,
}

pub(super) async fn post(State(app): State<AppState>, request: TenantRequest) -> Result<Response, ApiError> {
    let tenant_id = request.fields(&app)?.tenant_id.or_header(TENANT, &request.headers.tenant)?;
    let tenant = find_tenant(app.tenants(), &tenant_id)?;

    let session_id = sessions::new_id(&tenant.id).map_err(|_| ApiError::EntropyUnavailable)?;
    let key = sessions::key(&tenant.id, &session_id);
    let lifetime = app.config().session_ttl;
    let lifetime =
        app.fault_injector().map_or(Some(lifetime), |injector| injector.session_lifetime(lifetime));
    let created = app.store().create_session(key, lifetime).await;
    app.store_result(Operation::CreateSession, created)?;

    let tenant = TenantInfo { id: &tenant.id, name: &tenant.name, welcome: &tenant.welcome };
    Ok(json(StatusCode::OK, &SessionResponse { session_id: &session_id, tenant }))
}

//! `POST /chat`: a message to the tenant's mock model. The checks come in the order body, tenant, session,
//! limit. The store checks session and limit in one atomic step, so that only a valid request consumes quota.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Serialize;

use super::fields::{SESSION, TENANT, find_tenant};
use super::tenant_request::TenantRequest;
use crate::error::{ApiError, rate_limited};
use crate::faults::FaultInjector;
use crate::response::json_with;
use crate::sessions;
use crate::state::AppState;
use crate::store::Operation;

#[derive(Serialize)]
struct ChatResponse<'a> {
    tenant_id: &'a str,
    session_id: &'a str,
    reply: &'a str,
    model: &'a str,
    /// Always true: no model is behind it.
    mock: bool,
}

pub(super) async fn post(State(app): State<AppState>, request: TenantRequest) -> Result<Response, ApiError> {
    let fields = request.fields(&app)?;
    let tenant_id = fields.tenant_id.or_header(TENANT, &request.headers.tenant)?;
    let session_id = fields.session_id.or_header(SESSION, &request.headers.session)?;
    let message = fields.message.required("message")?;

    let tenant = find_tenant(app.tenants(), &tenant_id)?;
    let owner = sessions::tenant_of(&session_id).ok_or(ApiError::UnknownSession)?;
    if owner != tenant.id && !app.fault_injector().is_some_and(FaultInjector::accepts_cross_tenant_sessions) {
        return Err(cross_tenant_error(&app, &owner, &session_id).await?);
    }
    let session = sessions::key(&owner, &session_id);
    let decided = match app.fault_injector() {
        None => app.store().decide(&session, &tenant.limits).await,
        // Boxed, so that it does not enlarge the future of every chat.
        Some(injector) => Box::pin(injector.decide(app.store(), &session, &tenant.limits)).await,
    };
    let decision = app.store_result(Operation::Chat, decided)?.ok_or(ApiError::UnknownSession)?;
    if !decision.admitted() {
        return Ok(rate_limited(&decision, &tenant.limits));
    }

    let mut reply = tenant.reply_style.reply(&tenant.welcome, &message);
    if let Some(injector) = app.fault_injector() {
        reply = injector.leak(&tenant.id, reply);
    }
    let body = ChatResponse {
        tenant_id: &tenant.id,
        session_id: &session_id,
        reply: &reply,
        model: &tenant.model,
        mock: true,
    };
    let mut headers = HeaderMap::with_capacity(8);
    decision.write_headers(&tenant.limits, &mut headers);
    Ok(json_with(StatusCode::OK, headers, &body))
}

/// A session of another tenant is forbidden if it exists and unknown if it does not. This is a separate
/// operation of the store: in a cluster the other tenant's key may be on another node, where the chat script
/// cannot read it.
async fn cross_tenant_error(app: &AppState, owner: &str, session_id: &str) -> Result<ApiError, ApiError> {
    if app.tenants().get(owner).is_none() {
        return Ok(ApiError::UnknownSession);
    }
    let found = app.store().has_session(&sessions::key(owner, session_id)).await;
    let exists = app.store_result(Operation::FindSession, found)?;
    Ok(if exists { ApiError::CrossTenantSession } else { ApiError::UnknownSession })
}

//! `POST /chat`: a message to the tenant's mock model. The checks come in the order body, tenant, session, limit; session
//! and limit are one step of the store, so that only a request that may chat consumes quota.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Serialize;

use super::fields::{SESSION, TENANT, find_tenant};
use super::tenant_request::TenantRequest;
use crate::error::{ApiError, rate_limited};
use crate::faults::Faulty;
use crate::response::json_with;
use crate::sessions;
use crate::state::AppState;
use crate::store::Operation;

#[derive(Serialize)]
struct Reply<'a> {
    tenant_id: &'a str,
    session_id: &'a str,
    reply: &'a str,
    model: &'a str,
    /// No model was asked: the reply is made up here.
    mock: bool,
}

pub(super) async fn post(State(app): State<AppState>, request: TenantRequest) -> Result<Response, ApiError> {
    let fields = request.fields(&app)?;
    let tenant_id = fields.tenant_id.or_header(TENANT, &request.headers.tenant)?;
    let session_id = fields.session_id.or_header(SESSION, &request.headers.session)?;
    let message = fields.message.required("message")?;

    let tenant = find_tenant(app.tenants(), &tenant_id)?;
    let owner = sessions::tenant_of(&session_id).ok_or(ApiError::UnknownSession)?;
    if owner != tenant.id && !app.faulty().is_some_and(Faulty::accepts_foreign_sessions) {
        return Err(foreign(&app, &owner, &session_id).await?);
    }
    let session = sessions::key(&owner, &session_id);
    let decided = match app.faulty() {
        None => app.store().decide(&session, &tenant.limits).await,
        // Boxed, or the future of every chat would be larger by it.
        Some(faulty) => Box::pin(faulty.decide(app.store(), &session, &tenant.limits)).await,
    };
    let decision = app.checked(Operation::Chat, decided)?.ok_or(ApiError::UnknownSession)?;
    if !decision.admitted() {
        return Ok(rate_limited(&decision, &tenant.limits));
    }

    let mut reply = tenant.flavour.reply(&tenant.welcome, &message);
    if let Some(faulty) = app.faulty() {
        reply = faulty.leak(&tenant.id, reply);
    }
    let reply = Reply {
        tenant_id: &tenant.id,
        session_id: &session_id,
        reply: &reply,
        model: &tenant.model,
        mock: true,
    };
    let mut headers = HeaderMap::with_capacity(8);
    decision.write_headers(&tenant.limits, &mut headers);
    Ok(json_with(StatusCode::OK, headers, &reply))
}

/// A session of another tenant is forbidden if it exists and unknown if it does not. That is a question of its own to
/// the store: in a cluster the other tenant's key lies elsewhere, out of the chat script's reach.
async fn foreign(app: &AppState, owner: &str, session_id: &str) -> Result<ApiError, ApiError> {
    if app.tenants().get(owner).is_none() {
        return Ok(ApiError::UnknownSession);
    }
    let found = app.store().has_session(&sessions::key(owner, session_id)).await;
    let exists = app.checked(Operation::FindSession, found)?;
    Ok(if exists { ApiError::ForeignSession } else { ApiError::UnknownSession })
}

//! `POST /session`: a new session for a tenant.

use bytes::Bytes;
use hyper::Request;
use hyper::body::Body as HttpBody;
use serde::Serialize;

use super::fields::{Body, TENANT, find_tenant, note_tenant};
use super::{Answer, Seen, body};
use crate::app::App;
use crate::error::ApiError;
use crate::sessions;
use crate::store::Operation;
use crate::telemetry::Status;

#[derive(Serialize)]
struct Reply<'a> {
    session_id: &'a str,
    tenant: TenantReply<'a>,
}

#[derive(Serialize)]
struct TenantReply<'a> {
    id: &'a str,
    name: &'a str,
    welcome: &'a str,
}

pub(super) async fn post<B: HttpBody<Data = Bytes>>(
    app: &App,
    mut request: Request<B>,
    seen: &mut Seen,
) -> Result<Answer, ApiError> {
    let headers = std::mem::take(request.headers_mut());
    note_tenant(None, &headers, app.tenants(), seen);
    let bytes = body::read(request, seen).await?;
    let fields = Body::parse(&bytes)?;
    note_tenant(Some(&fields), &headers, app.tenants(), seen);
    let tenant = find_tenant(app.tenants(), &fields.tenant_id.or_header(TENANT, &headers)?)?;

    let session_id = sessions::new_id(&tenant.id).map_err(|_| ApiError::NoRandomness)?;
    let key = sessions::key(&tenant.id, &session_id);
    let lifetime = app.config().session_ttl;
    let lifetime = app.faulty().map_or(Some(lifetime), |faulty| faulty.session_lifetime(lifetime));
    let created = app.store().create_session(key, lifetime).await;
    app.checked(Operation::CreateSession, created)?;

    let tenant = TenantReply { id: &tenant.id, name: &tenant.name, welcome: &tenant.welcome };
    Ok(Answer::json(Status::Ok, &Reply { session_id: &session_id, tenant }))
}

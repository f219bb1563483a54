//! The extractor of the routes that act for a tenant: headers and the complete body. At most 64 KiB of a body
//! are held in memory, whatever length it declares, and reading it takes at most ten seconds.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{FromRequest, Request};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;

use super::fields::{Fields, HeaderFields, named_tenant};
use super::measure::AttributesHandle;
use crate::error::ApiError;
use crate::state::AppState;

/// The largest body that is accepted.
const MAX_BODY: u64 = 64 * 1024;

/// How much more of a body that is too large is read and discarded: a client that is still sending when the
/// connection is closed would get a reset instead of the 413.
const MAX_DISCARDED: u64 = 1024 * 1024;

/// For the complete body to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A request that acts for a tenant.
#[derive(Debug)]
pub(super) struct TenantRequest {
    pub(super) headers: HeaderFields,
    body: Bytes,
    attributes: AttributesHandle,
}

impl FromRequest<AppState> for TenantRequest {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ApiError> {
        let headers = HeaderFields::of(request.headers());
        let attributes = request.extensions().get::<AttributesHandle>().cloned().unwrap_or_default();
        attributes.update(|known| known.tenant = named_tenant(None, &headers, state.tenants()));
        let body = read(request.into_body(), &attributes).await?;
        Ok(Self { headers, body, attributes })
    }
}

impl TenantRequest {
    /// The fields of the body. The tenant that they name is recorded for the metrics.
    pub(super) fn fields(&self, state: &AppState) -> Result<Fields<'_>, ApiError> {
        let fields = Fields::parse(&self.body)?;
        let tenant = named_tenant(Some(&fields), &self.headers, state.tenants());
        self.attributes.update(|known| known.tenant = tenant);
        Ok(fields)
    }
}

async fn read(body: Body, attributes: &AttributesHandle) -> Result<Bytes, ApiError> {
    if body.size_hint().lower() > MAX_BODY + MAX_DISCARDED {
        return Err(ApiError::BodyTooLarge);
    }
    tokio::time::timeout(BODY_TIMEOUT, collect(body, attributes)).await.map_err(|_| ApiError::BodyTimeout)?
}

async fn collect(mut body: Body, attributes: &AttributesHandle) -> Result<Bytes, ApiError> {
    // Nearly every body is one frame, which is not copied.
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    let mut total: u64 = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| ApiError::IncompleteBody)?.into_data() else { continue };
        total += data.len() as u64;
        attributes.update(|known| known.body_bytes += data.len() as u64);
        if total > MAX_BODY + MAX_DISCARDED {
            break;
        } else if total > MAX_BODY {
            rest.clear();
        } else if first.is_empty() {
            first = data;
        } else {
            rest.extend_from_slice(&data);
        }
    }
    if total > MAX_BODY {
        return Err(ApiError::BodyTooLarge);
    }
    if rest.is_empty() {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&rest);
    Ok(whole.freeze())
}

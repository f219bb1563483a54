//! The extractor of the routes that act for a tenant: a request's headers and its whole body. Never more than 64 KiB of
//! the body is kept in memory, whatever it declares, and reading it never takes longer than ten seconds.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{FromRequest, Request};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;

use super::fields::{Fields, HeaderFields, named_tenant};
use super::measure::Observation;
use crate::error::ApiError;
use crate::state::AppState;

/// The largest body that is accepted.
const LARGEST: u64 = 64 * 1024;

/// How much more of a body that is too large is read and thrown away: a client that is still sending when the
/// connection is closed loses the 413 to a reset.
const DISCARDED: u64 = 1024 * 1024;

/// For the whole body to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A request that acts for a tenant.
#[derive(Debug)]
pub(super) struct TenantRequest {
    pub(super) headers: HeaderFields,
    body: Bytes,
    observation: Observation,
}

impl FromRequest<AppState> for TenantRequest {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ApiError> {
        let headers = HeaderFields::of(request.headers());
        let observation = request.extensions().get::<Observation>().cloned().unwrap_or_default();
        observation.update(|observed| observed.tenant = named_tenant(None, &headers, state.tenants()));
        let body = read(request.into_body(), &observation).await?;
        Ok(Self { headers, body, observation })
    }
}

impl TenantRequest {
    /// The fields of the body; the tenant that they name is noted for the metrics.
    pub(super) fn fields(&self, state: &AppState) -> Result<Fields<'_>, ApiError> {
        let fields = Fields::parse(&self.body)?;
        let tenant = named_tenant(Some(&fields), &self.headers, state.tenants());
        self.observation.update(|observed| observed.tenant = tenant);
        Ok(fields)
    }
}

async fn read(body: Body, observation: &Observation) -> Result<Bytes, ApiError> {
    if body.size_hint().lower() > LARGEST + DISCARDED {
        return Err(ApiError::BodyTooLarge);
    }
    tokio::time::timeout(BODY_TIMEOUT, collect(body, observation)).await.map_err(|_| ApiError::SlowBody)?
}

async fn collect(mut body: Body, observation: &Observation) -> Result<Bytes, ApiError> {
    // Nearly every body is one frame, which is passed on as it came.
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    let mut total: u64 = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| ApiError::BrokenBody)?.into_data() else { continue };
        total += data.len() as u64;
        observation.update(|observed| observed.body_bytes += data.len() as u64);
        if total > LARGEST + DISCARDED {
            break;
        } else if total > LARGEST {
            rest.clear();
        } else if first.is_empty() {
            first = data;
        } else {
            rest.extend_from_slice(&data);
        }
    }
    if total > LARGEST {
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

//! Reading a request's body: never more than 64 KiB of it into memory, whatever it declares, and never for longer than
//! ten seconds.

use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::body::Body;
use hyper::header::EXPECT;

use super::Seen;
use crate::error::ApiError;

/// The largest body that is accepted.
const LARGEST: u64 = 64 * 1024;

/// Of a body that is too large this much more is read and thrown away: a client that is still sending when the
/// connection is closed loses the 413 to a reset.
const DISCARDED: u64 = 1024 * 1024;

/// For the whole body to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads the body.
pub(super) async fn read<B: Body<Data = Bytes>>(
    request: Request<B>,
    seen: &mut Seen,
) -> Result<Bytes, ApiError> {
    let waits_for_consent = request.headers().contains_key(EXPECT);
    let declared = request.body().size_hint().lower();
    if declared > LARGEST && (waits_for_consent || declared > LARGEST + DISCARDED) {
        return Err(ApiError::BodyTooLarge);
    }
    tokio::time::timeout(PATIENCE, collect(request.into_body(), seen))
        .await
        .map_err(|_| ApiError::SlowBody)?
}

async fn collect<B: Body<Data = Bytes>>(body: B, seen: &mut Seen) -> Result<Bytes, ApiError> {
    let mut body = pin!(body);
    // Nearly every body is one frame, which is passed on as it came.
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    let mut total: u64 = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| ApiError::BrokenBody)?.into_data() else { continue };
        total += data.len() as u64;
        seen.body_bytes += data.len();
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

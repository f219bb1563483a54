//! The error responses of the API. Bodies are `{"detail": …}`, except for a rejection by the rate limit,
//! which is `{"error": …}` as in other servers with this API.

use axum::http::StatusCode;
use axum::http::header::{ALLOW, HeaderMap, HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::limiter::{Decision, KeyedLimit};
use crate::response::{json, json_with};
use crate::telemetry::Method;

/// An error response, other than a rejection by the rate limit.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// 400: a header and the body have different values for a field.
    FieldMismatch { header: &'static str, field: &'static str },
    /// 400: the body is incomplete or wrongly framed.
    IncompleteBody,
    /// 403: the session exists, and belongs to another tenant.
    CrossTenantSession,
    /// 404.
    UnknownTenant,
    /// 404.
    UnknownSession,
    /// 404: no such path.
    NotFound,
    /// 405, with the method that the path has.
    MethodNotAllowed(Method),
    /// 408: the body did not arrive in time.
    BodyTimeout,
    /// 413.
    BodyTooLarge,
    /// 422; the field is `body` where the error is not in a single field.
    Invalid { field: &'static str, problem: String },
    /// 500: the operating system has no random numbers available.
    EntropyUnavailable,
    /// 503: the store did not respond. Whether a limit counted the request is unknown.
    StoreUnavailable,
}

impl ApiError {
    const fn status(&self) -> StatusCode {
        match self {
            Self::FieldMismatch { .. } | Self::IncompleteBody => StatusCode::BAD_REQUEST,
            Self::CrossTenantSession => StatusCode::FORBIDDEN,
            Self::UnknownTenant | Self::UnknownSession | Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::EntropyUnavailable => StatusCode::INTERNAL_SERVER_ERROR,
            Self::StoreUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::FieldMismatch { header, field } => {
                return format!("Header {header} and body field {field} disagree");
            }
            Self::Invalid { field, problem } => return format!("{field}: {problem}"),
            Self::IncompleteBody => "Request body could not be read",
            Self::CrossTenantSession => "Session does not belong to tenant",
            Self::UnknownTenant => "Unknown tenant_id",
            Self::UnknownSession => "Unknown session_id",
            Self::NotFound => "Not Found",
            Self::MethodNotAllowed(_) => "Method Not Allowed",
            Self::BodyTimeout => "Request body did not arrive within 10 seconds",
            Self::BodyTooLarge => "Request body is larger than 64 KiB",
            Self::EntropyUnavailable => "Internal Server Error",
            Self::StoreUnavailable => "Store unavailable, try again",
        }
        .to_owned()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = json(self.status(), &json!({ "detail": self.detail() }));
        match self {
            Self::MethodNotAllowed(method) => {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static(method.label()));
            }
            Self::StoreUnavailable => {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

/// 429: the response to a request that the rate limit rejected.
pub(crate) fn rate_limited(decision: &Decision, limits: &[KeyedLimit]) -> Response {
    let limit = decision.tightest(limits).map_or_else(String::new, |(keyed, _)| keyed.limit.to_string());
    let mut headers = HeaderMap::with_capacity(8);
    decision.write_headers(limits, &mut headers);
    let body = json!({ "error": format!("Rate limit exceeded: {limit}") });
    json_with(StatusCode::TOO_MANY_REQUESTS, headers, &body)
}

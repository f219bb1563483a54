//! Everything a client can do wrong, or that can go wrong for it, and the answer it gets. Bodies are
//! `{"detail": …}`, except a refusal by the rate limit: `{"error": …}`, as the contract's other servers say it.

use axum::http::StatusCode;
use axum::http::header::{ALLOW, HeaderMap, HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::limiter::{Decision, KeyedLimit};
use crate::response::{json, json_with};
use crate::telemetry::Verb;

/// Why a request is not answered with 200.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// 400: the header says one thing and the body another.
    Disagreement { header: &'static str, field: &'static str },
    /// 400: the body broke off or was framed wrongly.
    BrokenBody,
    /// 403.
    ForeignSession,
    /// 404.
    UnknownTenant,
    /// 404.
    UnknownSession,
    /// 404: no such path.
    NotFound,
    /// 405; the method that the path does answer.
    MethodNotAllowed(Verb),
    /// 408: the body did not arrive in time.
    SlowBody,
    /// 413.
    BodyTooLarge,
    /// 422; `body` where no single field is to blame.
    Invalid { field: &'static str, problem: String },
    /// 500: the operating system has no random numbers to give.
    NoRandomness,
    /// 503: the store did not answer. Whether a limit counted the request is unknown.
    StoreAway,
}

impl ApiError {
    const fn status(&self) -> StatusCode {
        match self {
            Self::Disagreement { .. } | Self::BrokenBody => StatusCode::BAD_REQUEST,
            Self::ForeignSession => StatusCode::FORBIDDEN,
            Self::UnknownTenant | Self::UnknownSession | Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NoRandomness => StatusCode::INTERNAL_SERVER_ERROR,
            Self::StoreAway => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Disagreement { header, field } => {
                return format!("Header {header} and body field {field} disagree");
            }
            Self::Invalid { field, problem } => return format!("{field}: {problem}"),
            Self::BrokenBody => "Request body could not be read",
            Self::ForeignSession => "Session does not belong to tenant",
            Self::UnknownTenant => "Unknown tenant_id",
            Self::UnknownSession => "Unknown session_id",
            Self::NotFound => "Not Found",
            Self::MethodNotAllowed(_) => "Method Not Allowed",
            Self::SlowBody => "Request body did not arrive within 10 seconds",
            Self::BodyTooLarge => "Request body is larger than 64 KiB",
            Self::NoRandomness => "Internal Server Error",
            Self::StoreAway => "Store unavailable, try again",
        }
        .to_owned()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = json(self.status(), &json!({ "detail": self.detail() }));
        match self {
            Self::MethodNotAllowed(verb) => {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static(verb.label()));
            }
            Self::StoreAway => {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

/// The answer to a request that the rate limit refused.
pub(crate) fn rate_limited(decision: &Decision, limits: &[KeyedLimit]) -> Response {
    let limit = decision.tightest(limits).map_or_else(String::new, |(keyed, _)| keyed.limit.to_string());
    let mut headers = HeaderMap::with_capacity(8);
    decision.write_headers(limits, &mut headers);
    let body = json!({ "error": format!("Rate limit exceeded: {limit}") });
    json_with(StatusCode::TOO_MANY_REQUESTS, headers, &body)
}

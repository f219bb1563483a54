//! Responses whose body is JSON.

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;

/// A JSON response without further headers.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    json_with(status, HeaderMap::new(), body)
}

/// A JSON response with additional headers.
pub(crate) fn json_with(status: StatusCode, mut headers: HeaderMap, body: &impl Serialize) -> Response {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    new(status, headers, to_bytes(body))
}

/// A response; the content type has to be among its headers.
pub(crate) fn new(status: StatusCode, headers: HeaderMap, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// All bodies are structs of strings and numbers, which always serialise.
fn to_bytes(body: &impl Serialize) -> Bytes {
    let mut bytes = Vec::with_capacity(256);
    match serde_json::to_writer(&mut bytes, body) {
        Ok(()) => Bytes::from(bytes),
        Err(_) => Bytes::from_static(b"{}"),
    }
}

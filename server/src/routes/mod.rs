//! The routes: from a request to its [`Answer`]. Reading and checking a body is [`fields`]' job; measuring is done
//! around all of this, by [`App`].

mod body;
mod chat;
mod fields;
mod pages;
mod session;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Body;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Request, Response};
use serde::Serialize;

use crate::app::App;
use crate::error::ApiError;
use crate::telemetry::{Route, Status, Verb};

/// What is learnt about a request on the way, for its metrics: kept apart from the result because it is known for
/// failed requests, too.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The tenant's position, as soon as a known one is told by header or body.
    pub(crate) tenant: Option<usize>,
    /// Bytes of the body that were read.
    pub(crate) body_bytes: usize,
}

/// An answer before it becomes HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: Status,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// An answer whose body is JSON already.
    pub(crate) fn new(status: Status, mut headers: HeaderMap, body: Bytes) -> Self {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self { status, headers, body }
    }

    /// A JSON answer without further headers.
    pub(crate) fn json(status: Status, body: &impl Serialize) -> Self {
        Self::new(status, HeaderMap::new(), to_json(body))
    }

    pub(crate) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status.code();
        *response.headers_mut() = self.headers;
        response
    }
}

/// Our bodies are structs of strings and numbers, which always serialise.
fn to_json(body: &impl Serialize) -> Bytes {
    let mut bytes = Vec::with_capacity(256);
    match serde_json::to_writer(&mut bytes, body) {
        Ok(()) => Bytes::from(bytes),
        Err(_) => Bytes::from_static(b"{}"),
    }
}

/// Answers a request.
pub(crate) async fn answer<B: Body<Data = Bytes>>(
    app: &App,
    route: Route,
    verb: Verb,
    request: Request<B>,
    seen: &mut Seen,
) -> Answer {
    let outcome = match route.verb() {
        None => Err(ApiError::NotFound),
        Some(expected) if expected != verb => Err(ApiError::MethodNotAllowed(expected)),
        Some(_) => match route {
            Route::Session => session::post(app, request, seen).await,
            Route::Chat => chat::post(app, request, seen).await,
            Route::Root => Ok(pages::root(app)),
            Route::Metrics => Ok(pages::metrics(app).await),
            Route::Readyz => pages::readyz(app).await,
            Route::Healthz | Route::None => Ok(pages::healthz()),
        },
    };
    outcome.unwrap_or_else(|error| error.answer())
}

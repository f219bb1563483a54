//! Requests to a replica without a socket, so that the clock can be paused.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use serde_json::{Value, json};
use tenancy::{App, Config, Store, Tenants};

/// Replicas over one store, with the faults in `text`.
pub(crate) fn replicas(count: u32, tenants: &Tenants, store: &Store, text: &str) -> Vec<App> {
    let faults: tenancy::Faults = text.parse().unwrap();
    let config = |replica| Config { replica, faults: faults.clone(), ..Config::default() };
    (0..count).map(|replica| App::with_config(tenants.clone(), store.clone(), config(replica))).collect()
}

/// Status, headers and JSON body of a response.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) body: Value,
}

pub(crate) async fn post(app: &App, path: &str, body: &Value) -> Response {
    let request = Request::post(path).body(Full::new(Bytes::from(body.to_string()))).unwrap();
    let (head, body) = app.respond(request).await.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Response {
        status: head.status.as_u16(),
        headers: head.headers,
        body: serde_json::from_slice(&bytes).unwrap(),
    }
}

/// The exposition of `/metrics`.
pub(crate) async fn scrape(app: &App) -> String {
    let request = Request::get("/metrics").body(Full::new(Bytes::new())).unwrap();
    let body = app.respond(request).await.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

impl Response {
    /// The text of a header; empty if it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) async fn session(app: &App, tenant: &str) -> String {
    let response = post(app, "/session", &json!({ "tenant_id": tenant })).await;
    response.body["session_id"].as_str().unwrap().to_owned()
}

pub(crate) async fn chat(app: &App, tenant: &str, session: &str) -> Response {
    let body = json!({ "tenant_id": tenant, "session_id": session, "message": tenant });
    post(app, "/chat", &body).await
}

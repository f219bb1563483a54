//! A replica asked without a socket, so that a paused clock can be used.

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

/// Status, headers and JSON of an answer.
pub(crate) struct Reported {
    pub(crate) status: u16,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) body: Value,
}

pub(crate) async fn post(app: &App, path: &str, body: &Value) -> Reported {
    let request = Request::post(path).body(Full::new(Bytes::from(body.to_string()))).unwrap();
    let (head, body) = app.respond(request).await.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Reported {
        status: head.status.as_u16(),
        headers: head.headers,
        body: serde_json::from_slice(&bytes).unwrap(),
    }
}

/// The page of `/metrics`.
pub(crate) async fn page(app: &App) -> String {
    let request = Request::get("/metrics").body(Full::new(Bytes::new())).unwrap();
    let body = app.respond(request).await.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

impl Reported {
    /// A header's text; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) async fn session(app: &App, tenant: &str) -> String {
    let reported = post(app, "/session", &json!({ "tenant_id": tenant })).await;
    reported.body["session_id"].as_str().unwrap().to_owned()
}

pub(crate) async fn chat(app: &App, tenant: &str, session: &str) -> Reported {
    let body = json!({ "tenant_id": tenant, "session_id": session, "message": tenant });
    post(app, "/chat", &body).await
}

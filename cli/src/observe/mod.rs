//! Observes a service from outside: fetches its metrics and records them as they were. It knows nothing of
//! the load, and judges nothing.
//!
//! `scrape` scrapes the replicas, `prometheus` queries Prometheus (`rules` for recording rules, `alerts` for
//! alerts), and `store` samples the limiter's Redis; all write into the recorded run, and log to
//! `observer_log`. `http_body` reads responses up to a bound, and `http_error` describes why there is none. For
//! `saasbench metrics`, `fetch` gets one exposition, `inspection` lints it, and `guess` proposes a metrics
//! contract.

use std::path::Path;

use rustls::ClientConfig;
use tokio_util::sync::CancellationToken;

use saasbench_engine::connect::{endpoint::Endpoint, target::Place};

pub mod alerts;
pub mod fetch;
pub mod guess;
pub mod http_body;
pub mod http_error;
pub mod inspection;
pub mod observer_log;
pub mod pages;
pub mod prometheus;
pub mod rules;
pub mod scrape;
pub mod store;

/// How much longer than until it is given up something may take.
const MOMENT: std::time::Duration = std::time::Duration::from_millis(100);

/// Waits for `work`, which is abandoned a moment after `give_up`: `None` then.
pub async fn until<T>(give_up: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = async { give_up.cancelled().await; tokio::time::sleep(MOMENT).await } => None,
    }
}

/// The HTTP client for everything that is not load: it connects directly to the address (or to the given unix
/// socket), uses no proxy, speaks HTTP/1.1, and uses the trust of `tls`.
///
/// # Errors
/// When it cannot be set up.
pub fn http_client(tls: &ClientConfig, socket: Option<&Path>) -> reqwest::Result<reqwest::Client> {
    client_builder(tls, socket).build()
}

/// The same for one replica: its name leads to the address that the load uses, if there is only one.
///
/// # Errors
/// When it cannot be set up.
pub fn replica_client(tls: &ClientConfig, endpoint: &Endpoint) -> reqwest::Result<reqwest::Client> {
    replica_client_builder(tls, endpoint).build()
}

/// The same, with a connection of its own for each request.
///
/// # Errors
/// The same.
pub fn replica_client_afresh(tls: &ClientConfig, endpoint: &Endpoint) -> reqwest::Result<reqwest::Client> {
    replica_client_builder(tls, endpoint).pool_max_idle_per_host(0).build()
}

fn replica_client_builder(tls: &ClientConfig, endpoint: &Endpoint) -> reqwest::ClientBuilder {
    let builder = client_builder(tls, endpoint.target().socket());
    match (&endpoint.target().place, endpoint.address()) {
        (Place::Tcp { host, .. }, Some(address)) => builder.resolve(host, address),
        _ => builder,
    }
}

fn client_builder(tls: &ClientConfig, socket: Option<&Path>) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_backend_preconfigured(tls.clone());
    match socket {
        Some(path) => builder.unix_socket(path),
        None => builder,
    }
}

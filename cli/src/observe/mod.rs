//! What the service's metrics said, fetched and recorded as it was: it knows nothing of the load, and judges nothing.
//!
//! `scrape` asks the replicas, `prometheus` asks Prometheus (`promql` for expectations, `rules` for what rules recorded), `store` watches
//! the limiter's Redis; all write raw answers into the recorded run, and `snapshot` reads them back, of each page what
//! `page` keeps. `exposition` parses the text formats, `fetch` gets one page, and
//! `quantile` estimates quantiles the way Prometheus does.

use std::path::Path;

use rustls::ClientConfig;

pub mod alerts;
pub mod fetch;
pub mod guess;
pub mod inspection;
pub mod observer_log;
pub mod prometheus;
pub mod rules;
pub mod scrape;
pub mod store;

/// The HTTP client for everything that is not load: it goes straight to the address (or to the unix socket that is given), and
/// nowhere else, speaks HTTP/1.1, and trusts whom `tls` says.
///
/// # Errors
/// When it cannot be set up.
pub fn http_client(tls: &ClientConfig, socket: Option<&Path>) -> reqwest::Result<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_backend_preconfigured(tls.clone());
    match socket {
        Some(path) => builder.unix_socket(path),
        None => builder,
    }
    .build()
}

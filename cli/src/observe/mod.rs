//! What the service's metrics said, fetched and recorded as it was: it knows nothing of the load, and judges nothing.
//!
//! `scrape` asks the replicas, `prometheus` asks Prometheus, `store` watches the limiter's Redis for restarts; all
//! write raw answers into the recorded run, and `snapshot` reads them back. `exposition` parses the text format and
//! `quantile` estimates quantiles the way Prometheus does.

pub mod exposition;
pub mod prometheus;
pub mod quantile;
pub mod scrape;
pub mod snapshot;
pub mod store;

/// The HTTP client for everything that is not load: it goes straight to the address, and nowhere else.
///
/// # Errors
/// When the TLS backend cannot be set up.
pub fn http_client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()
}

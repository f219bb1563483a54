//! Fetches the expositions of a replica.

use std::{fmt::Debug, future::Future, pin::Pin, sync::Arc, time::Duration};

use super::{http_body, http_error::describe};
use saasbench_engine::connect::endpoint::{Endpoint, Endpoints};
use saasbench_model::redact;

/// A scrape that takes longer has failed.
pub(super) const SCRAPE_TIMEOUT: Duration = Duration::from_secs(5);

/// The text of an exposition, or why there is none.
pub type Page<'a> = Pin<Box<dyn Future<Output = Result<String, String>> + Send + 'a>>;

/// Fetches the expositions of a replica; tests replace it to need no socket.
pub trait Pages: Debug + Send + Sync {
    /// Fetches the exposition at `path`.
    fn get<'a>(&'a self, path: &'a str) -> Page<'a>;

    /// The same over a connection of its own, which may lead to another process.
    fn get_afresh<'a>(&'a self, path: &'a str) -> Page<'a>;
}

/// Fetches expositions over HTTP.
#[derive(Debug)]
pub struct HttpPages {
    /// The client that reaches it.
    pub http: reqwest::Client,
    /// The same, with a connection for each request.
    pub afresh: reqwest::Client,
    /// Everything before the path.
    pub base_url: String,
    /// The longest exposition that is read, in bytes.
    pub body_size_limit: u64,
}

impl HttpPages {
    fn fetch<'a>(&'a self, http: &'a reqwest::Client, path: &'a str) -> Page<'a> {
        Box::pin(async move {
            let url = format!("{}{path}", self.base_url);
            let request = http
                .get(&url)
                .header("accept", "text/plain;version=0.0.4;q=1,*/*;q=0.1")
                .timeout(SCRAPE_TIMEOUT);
            let answer = request.send().await.map_err(|error| describe(&error.without_url()))?;
            if !answer.status().is_success() {
                return Err(format!("{} responded {}", redact::url(&url), answer.status().as_u16()));
            }
            let body = http_body::read(answer, self.body_size_limit).await;
            Ok(http_body::into_text(body.map_err(|error| error.to_string())?))
        })
    }
}

impl Pages for HttpPages {
    fn get<'a>(&'a self, path: &'a str) -> Page<'a> {
        self.fetch(&self.http, path)
    }

    fn get_afresh<'a>(&'a self, path: &'a str) -> Page<'a> {
        self.fetch(&self.afresh, path)
    }
}

/// Fetches expositions of a replica whose name is looked up for every connection: as long as it has one
/// address, they are of the process that is loaded.
#[derive(Debug)]
pub struct PagesOfName {
    /// Fetches them from whatever address the name has.
    pub pages: HttpPages,
    /// Knows the addresses of the load's connections.
    pub endpoints: Arc<Endpoints>,
    /// Index of the replica.
    pub index: usize,
}

impl PagesOfName {
    /// The page, if the name has one address.
    fn of_one_address<'a>(&'a self, page: Page<'a>) -> Page<'a> {
        Box::pin(async move {
            let page = page.await;
            let addresses = self.endpoints.replicas().get(self.index).map(Endpoint::looked_up);
            let addresses = addresses.unwrap_or_default();
            let of_one_family = addresses.iter().filter(|address| address.is_ipv4()).count();
            if of_one_family > 1 || addresses.len() - of_one_family > 1 {
                return Err(format!(
                    "its name has {} addresses, and which of them this is of is unknown; with `dns = \"per-run\"` each is a replica of its own",
                    addresses.len()
                ));
            }
            page
        })
    }
}

impl Pages for PagesOfName {
    fn get<'a>(&'a self, path: &'a str) -> Page<'a> {
        self.of_one_address(self.pages.get(path))
    }

    fn get_afresh<'a>(&'a self, path: &'a str) -> Page<'a> {
        self.of_one_address(self.pages.get_afresh(path))
    }
}

//! A small Prometheus in this process, for machines that have none: what it scrapes goes into an embedded store, rules of the
//! usual files are evaluated over it, and it answers the part of Prometheus's HTTP API that is asked of one here. So
//! expectations in PromQL, alerts and dashboards take the same way on the embedded environment as on any other.
//!
//! `store` keeps samples, `query` evaluates PromQL over them, `trust` says which expressions it may evaluate (a test holds those to
//! a real Prometheus), `quantile` replaces what it gets wrong, `rules` evaluates rule groups, `scraper` feeds it, `api` answers. It judges nothing, and exact
//! checks do not rest on it: they read the replicas' own pages.

pub mod api;
mod quantile;
pub mod query;
pub mod rules;
pub mod scraper;
pub mod store;
pub mod trust;

use std::{net::SocketAddr, sync::Arc, thread::JoinHandle, time::Duration};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use rules::{Book, RuleError};
use scraper::Target;
use store::Store;

/// What an embedded Prometheus is to do.
#[derive(Debug, Clone)]
pub struct Config {
    /// What it scrapes.
    pub targets: Vec<Target>,
    /// How often; rule groups without an interval of their own are evaluated as often.
    pub interval: Duration,
    /// Name and text of each rule file.
    pub rules: Vec<(String, String)>,
}

/// Why an embedded Prometheus cannot run.
#[derive(Debug, thiserror::Error)]
pub enum TsdbError {
    /// A rule file is not one.
    #[error(transparent)]
    Rules(#[from] RuleError),
    /// The store cannot be set up, or written to.
    #[error("the embedded store of samples: {0}")]
    Store(String),
    /// Its socket or its thread failed.
    #[error("the embedded Prometheus cannot be started: {0}")]
    Listen(#[from] std::io::Error),
}

/// An embedded Prometheus that is ready to serve.
#[derive(Debug)]
pub struct Prometheus {
    listener: std::net::TcpListener,
    url: String,
    config: Config,
    book: Arc<Book>,
    store: Arc<Store>,
}

impl Prometheus {
    /// Reads the rules and takes a free port of the loopback address.
    ///
    /// # Errors
    /// When a rule file is wrong, or the store or the socket cannot be set up.
    pub fn new(config: Config) -> Result<Self, TsdbError> {
        let book = Arc::new(Book::read(&config.rules, config.interval)?);
        let store = Arc::new(Store::new()?);
        let listener = std::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        Ok(Self { listener, url, config, book, store })
    }

    /// What stands before `/api/v1`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Does so on a thread of its own, which ends with `graceful_stop`: what it evaluates is in nobody's way.
    ///
    /// # Errors
    /// The system's, when it gives no thread.
    pub fn spawn(self, http: reqwest::Client, stop: CancellationToken) -> Result<JoinHandle<()>, TsdbError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("prometheus".to_owned());
        Ok(thread.spawn(move || {
            // Whoever asks a Prometheus that is not there is told so.
            let _ = runtime.block_on(self.serve(http, stop));
        })?)
    }

    /// Scrapes, evaluates rules and answers until `stop`.
    ///
    /// # Errors
    /// The socket's.
    pub async fn serve(self, http: reqwest::Client, stop: CancellationToken) -> Result<(), TsdbError> {
        let Self { listener, config, book, store, .. } = self;
        let listener = TcpListener::from_std(listener)?;
        let mut tasks = tokio::task::JoinSet::new();
        for target in config.targets {
            let (store, http, interval) = (Arc::clone(&store), http.clone(), config.interval);
            tasks.spawn(async move { scraper::scrape(&target, &http, interval, &store).await });
        }
        for group in 0..book.groups() {
            let (store, book) = (Arc::clone(&store), Arc::clone(&book));
            let scrapes = config.interval;
            tasks.spawn(async move { rules::evaluate(&book, group, &store, scrapes).await });
        }
        tasks.spawn(async move { api::answer(listener, store, book).await });
        stop.cancelled().await;
        tasks.shutdown().await;
        Ok(())
    }
}

//! A small Prometheus in this process, for machines without one: it scrapes into an in-memory store,
//! evaluates ordinary rule files, and serves the part of Prometheus's HTTP API that saasbench uses. So
//! expectations in PromQL, alerts and dashboards work the same way in the embedded environment as in any
//! other.
//!
//! The crate `saasbench-promql` stores the samples and evaluates PromQL over them (a test compares it with a
//! real Prometheus); `scraper` feeds it, `rules` evaluates rule groups, `api` serves HTTP, and `json` formats
//! responses. Nothing is judged here, and exact checks do not depend on it: they read the replicas' own
//! expositions.

pub mod api;
pub mod json;
pub mod rules;
pub mod scraper;

use std::{net::SocketAddr, sync::Arc, thread::JoinHandle, time::Duration};

use saasbench_promql::Store;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use rules::{RuleError, RuleManager};
use scraper::Target;

/// How long samples are kept: Prometheus's default, 15 days, in milliseconds.
const RETENTION: i64 = 15 * 24 * 3_600_000;

/// Configuration of an embedded Prometheus.
#[derive(Debug, Clone)]
pub struct Config {
    /// Scrape targets.
    pub targets: Vec<Target>,
    /// Scrape interval, and the default evaluation interval of rule groups.
    pub interval: Duration,
    /// Name and text of each rule file.
    pub rules: Vec<(String, String)>,
}

/// Why an embedded Prometheus cannot run.
#[derive(Debug, thiserror::Error)]
pub enum TsdbError {
    /// A rule file is invalid.
    #[error(transparent)]
    Rules(#[from] RuleError),
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
    rules: Arc<RuleManager>,
    store: Arc<Store>,
}

impl Prometheus {
    /// Parses the rules and binds a free port of the loopback address.
    ///
    /// # Errors
    /// When a rule file is invalid, or the socket cannot be set up.
    pub fn new(config: Config) -> Result<Self, TsdbError> {
        let rules = Arc::new(RuleManager::read(&config.rules, config.interval)?);
        let store = Arc::new(Store::new(RETENTION));
        let listener = std::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        Ok(Self { listener, url, config, rules, store })
    }

    /// The URL up to `/api/v1`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Serves on a separate thread, which ends with `graceful_stop`, so that evaluations do not delay other
    /// tasks.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn spawn(self, http: reqwest::Client, stop: CancellationToken) -> Result<JoinHandle<()>, TsdbError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("prometheus".to_owned());
        Ok(thread.spawn(move || {
            // Clients of a Prometheus that has ended see a refused connection.
            let _ = runtime.block_on(self.serve(http, stop));
        })?)
    }

    /// Scrapes, evaluates rules and serves requests until `stop`.
    ///
    /// # Errors
    /// Any error of the socket.
    pub async fn serve(self, http: reqwest::Client, stop: CancellationToken) -> Result<(), TsdbError> {
        let Self { listener, config, rules, store, .. } = self;
        let listener = TcpListener::from_std(listener)?;
        let mut tasks = tokio::task::JoinSet::new();
        for target in config.targets {
            let (store, http, interval) = (Arc::clone(&store), http.clone(), config.interval);
            tasks.spawn(async move { scraper::scrape(&target, &http, interval, &store).await });
        }
        for group in 0..rules.groups() {
            let (store, rules) = (Arc::clone(&store), Arc::clone(&rules));
            let scrapes = config.interval;
            tasks.spawn(async move { rules::evaluate(&rules, group, &store, scrapes).await });
        }
        tasks.spawn(async move { api::serve(listener, store, rules).await });
        stop.cancelled().await;
        tasks.shutdown().await;
        Ok(())
    }
}

//! A small Prometheus in this process, for machines that have none: what it scrapes goes into a store in memory, rules
//! of the usual files are evaluated over it, and it answers the part of Prometheus's HTTP API that is asked of one here.
//! So expectations in PromQL, alerts and dashboards take the same way on the embedded environment as on any other.
//!
//! The crate `saasbench-promql` keeps the samples and evaluates PromQL over them (a test compares it with a real
//! Prometheus); `scraper` feeds it, `rules` evaluates rule groups, `api` serves HTTP, and `json` shapes its responses.
//! It judges nothing, and exact checks do not rest on it: they read the replicas' own expositions.

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
    /// Reads the rules and takes a free port of the loopback address.
    ///
    /// # Errors
    /// When a rule file is wrong, or the socket cannot be set up.
    pub fn new(config: Config) -> Result<Self, TsdbError> {
        let rules = Arc::new(RuleManager::read(&config.rules, config.interval)?);
        let store = Arc::new(Store::new(RETENTION));
        let listener = std::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        Ok(Self { listener, url, config, rules, store })
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
            // A client of a Prometheus that has ended sees a refused connection.
            let _ = runtime.block_on(self.serve(http, stop));
        })?)
    }

    /// Scrapes, evaluates rules and answers until `stop`.
    ///
    /// # Errors
    /// The socket's.
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

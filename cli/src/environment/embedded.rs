//! The embedded environment: replicas of the reference server in this process, on free loopback ports, over
//! one in-memory store, and a Prometheus if the scenario needs one. They run on threads of their own, so that
//! they interfere with the load no more than separate processes would.

use std::{net::SocketAddr, thread::JoinHandle, time::Duration};

use tenancy::{App, Config, Faults, Store, Tenants};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Connected, EnvironmentError, RunningEnvironment, external::replica_name, rules::RULES};
use crate::environment::connect;
use crate::{
    observe::{http_client, prometheus::client::Client},
    tsdb::{Config as Observed, Prometheus, TsdbError, scraper::Target},
};
use saasbench_engine::connect::tls::{self, Trust};
use saasbench_model::{scenario::Scenario, units::Nanos};
use saasbench_record::manifest::{Environment, Replica};

/// Clocks of one process agree up to the resolution of the limiter's.
const CLOCK_OFFSET: Nanos = Nanos::from_millis(1);

/// Scrape interval of the embedded Prometheus: short, because a run waits for the last scrape.
const SCRAPE_INTERVAL: Duration = Duration::from_secs(1);

/// Replicas that run in this process until they are stopped.
#[derive(Debug)]
pub struct Servers {
    stop: CancellationToken,
    threads: Vec<JoinHandle<()>>,
}

impl Servers {
    /// Stops them and waits for their end; requests in flight still get their responses.
    pub fn stop(self) {
        self.stop.cancel();
        for thread in self.threads {
            // A server that panicked has already failed the run's claims.
            let _ = thread.join();
        }
    }
}

/// The tenants of the scenario's `[embedded]`, which include all tenants of the scenario.
///
/// # Errors
/// When the file is wrong, or lacks a tenant of the scenario.
pub(super) fn tenants(scenario: &Scenario) -> Result<Tenants, EnvironmentError> {
    let tenants = match &scenario.embedded.tenants {
        Some((text, name)) => parse_tenants(text, name)?,
        None => Tenants::builtin(),
    };
    let unknown: Vec<String> = scenario
        .tenants
        .iter()
        .filter(|id| !tenants.ids().any(|known| known == id.as_str()))
        .map(ToString::to_string)
        .collect();
    if !unknown.is_empty() {
        return Err(EnvironmentError::UnknownTenants(unknown));
    }
    Ok(tenants)
}

/// Checks the text of the tenants file `name`.
///
/// # Errors
/// When it is not valid.
pub fn check_tenants(text: &str, name: &str) -> Result<(), EnvironmentError> {
    parse_tenants(text, name).map(drop)
}

fn parse_tenants(text: &str, name: &str) -> Result<Tenants, EnvironmentError> {
    Tenants::parse(text, name).map_err(|error| EnvironmentError::Usage {
        message: format!("the tenants file is not valid\n{error}"),
        hint: r#"a line needs an id and limits: {"id": "acme", "limits": {"chat_per_10s": 8}}"#.to_owned(),
    })
}

/// Starts the replicas that the scenario asks for, with these faults.
///
/// # Errors
/// When its tenants file is wrong, lacks a tenant of the scenario, or a socket cannot be bound.
pub async fn start(scenario: &Scenario, faults: &Faults) -> Result<RunningEnvironment, EnvironmentError> {
    let failed = |error: &dyn std::fmt::Display| EnvironmentError::Embedded(error.to_string());
    let known = tenants(scenario)?;

    let mut listeners = Vec::new();
    let mut replicas = Vec::new();
    for index in 0..scenario.embedded.replicas {
        let listener =
            std::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).map_err(|e| failed(&e))?;
        listener.set_nonblocking(true).map_err(|error| failed(&error))?;
        let address = listener.local_addr().map_err(|error| failed(&error))?;
        replicas.push(Replica {
            name: replica_name(index),
            url: format!("http://{address}"),
            instance: address.to_string(),
            address: None,
        });
        listeners.push(listener);
    }

    let observer = scenario.embeds_prometheus().then(|| prometheus(scenario, &replicas)).transpose();
    let observer = observer.map_err(|error| failed(&error))?;
    let prometheus_url = observer.as_ref().map(|observer| observer.url().to_owned());
    let tls = tls::config(Trust::None).map_err(|error| failed(&error))?;
    let http = http_client(&tls, None).map_err(|error| failed(&error))?;

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("embedded")
        .enable_all()
        .build()
        .map_err(|error| failed(&error))?;
    let stop = CancellationToken::new();
    let (stopped, at_work) = (stop.clone(), faults.clone());
    let watching = observer.map(|observer| observer.spawn(http.clone(), stop.clone())).transpose();
    let watching = watching.map_err(|error| failed(&error))?;
    let thread = std::thread::Builder::new()
        .name("embedded".to_owned())
        .spawn(move || runtime.block_on(serve(listeners, known, at_work, stopped)))
        .map_err(|error| failed(&error))?;

    let servers = Servers { stop, threads: std::iter::once(thread).chain(watching).collect() };
    let connections = match connect::replicas(&replicas, &scenario.http, scenario.timeout).await {
        Ok(connections) => connections,
        Err(error) => {
            servers.stop();
            return Err(error);
        }
    };
    let environment = Environment {
        name: "embedded".to_owned(),
        replicas,
        prometheus: prometheus_url.clone(),
        redis: None,
        exclusive: true,
        fresh: true,
        clock_offset_ns: CLOCK_OFFSET,
        clock_drift: 0.0,
        faults: faults.iter().map(|fault| fault.to_string()).collect(),
        insecure: scenario.http.insecure,
        http2: Vec::new(),
        metrics: None,
        programs: Default::default(),
    };
    let prometheus = prometheus_url.map(|url| Client::new(http, &url));
    Ok(RunningEnvironment::Embedded {
        connected: Connected { environment, connections, prometheus },
        servers,
    })
}

/// The Prometheus that scrapes the replicas, with the shipped rules.
fn prometheus(scenario: &Scenario, replicas: &[Replica]) -> Result<Prometheus, TsdbError> {
    let path = scenario.metrics.as_ref().map_or("/metrics", |contract| contract.path.as_str());
    let target = |replica: &Replica| Target {
        job: "api".to_owned(),
        instance: replica.instance.clone(),
        url: format!("{}{path}", replica.url),
    };
    let rules = RULES.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    Prometheus::new(Observed {
        targets: replicas.iter().map(target).collect(),
        interval: SCRAPE_INTERVAL,
        rules,
    })
}

/// Serves every listener as a replica of its own over one store, until `stop`.
async fn serve(
    listeners: Vec<std::net::TcpListener>,
    tenants: Tenants,
    faults: Faults,
    stop: CancellationToken,
) {
    let store = Store::memory();
    let mut servers = tokio::task::JoinSet::new();
    for (replica, listener) in (0..).zip(listeners) {
        let config = Config { replica, faults: faults.clone(), ..Config::default() };
        let app = App::with_config(tenants.clone(), store.clone(), config);
        let stop = stop.clone();
        servers.spawn(async move {
            let listener = TcpListener::from_std(listener)?;
            tenancy::serve(listener, app, async move { stop.cancelled().await }).await
        });
    }
    servers.join_all().await;
}

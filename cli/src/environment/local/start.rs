//! Starts the stack, one service after the other: each is ready before the next is started, so that
//! Prometheus finds all of them up at its first scrape.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    LocalError, Role, Stack, Wanted,
    config::{self, Addresses},
    data::Data,
    ports::{Port, Ports},
    programs::{self, ALERTMANAGER, PROMETHEUS, Program, REDIS, REDIS_EXPORTER},
};
use crate::environment::local::child_service::{ChildService, Launch, Probe};
use crate::{
    environment::{
        Connected, EnvironmentError, RunningEnvironment,
        access::{Access, PrometheusConfig},
        connect, embedded,
        external::{CLOCK_DRIFT, replica_name},
    },
    observe::http_client,
};
use saasbench_engine::connect::tls::{self, Trust};
use saasbench_model::{scenario::Scenario, units::Nanos};
use saasbench_record::manifest::{Environment, Replica};

/// The name of this environment: `saasbench.toml` cannot use it for another one.
pub const LOCAL: &str = "local";
/// For a stack of one run, which waits for a scrape before and after its load.
const SCRAPE_INTERVAL: Duration = Duration::from_secs(1);
/// The services share one clock, and read it to the millisecond.
const CLOCK_OFFSET: Nanos = Nanos::from_millis(1);

/// Starts the stack that the scenario's `[embedded]` asks for, for this run alone: nothing else knows its
/// ports, and it starts empty. `faults` are written as `NAME=VALUE`.
///
/// # Errors
/// When the scenario's tenants are not served, or a service does not start.
pub async fn for_scenario(
    scenario: &Scenario,
    faults: Vec<String>,
) -> Result<RunningEnvironment, EnvironmentError> {
    embedded::tenants(scenario)?;
    let wanted = Wanted {
        replicas: scenario.embedded.replicas,
        tenants: scenario.embedded.tenants.as_ref().map(|(text, _)| text.clone()),
        faults: faults.clone(),
        scrape_interval: SCRAPE_INTERVAL,
        data: None,
        webhook: None,
        port_base: None,
    };
    let stack = start(wanted).await?;
    let replicas: Vec<Replica> = stack
        .replicas()
        .map(|(name, url)| {
            let instance = url.trim_start_matches("http://").to_owned();
            Replica { name: name.to_owned(), url: url.to_owned(), instance, address: None }
        })
        .collect();
    let [prometheus_url, redis_url] =
        [Role::Prometheus, Role::Redis].map(|role| stack.url(&role).map(str::to_owned));
    let access = prometheus_url
        .clone()
        .map(|url| Access::new(PrometheusConfig { url, ..PrometheusConfig::default() }, LOCAL, &|_| None));
    let connections = connect::replicas(&replicas, &scenario.http, scenario.timeout).await?;
    let prometheus = connect::prometheus(access.transpose()?.as_ref(), &scenario.http).await?;
    let environment = Environment {
        name: LOCAL.to_owned(),
        http2: connections.by_http2(&replicas),
        replicas,
        prometheus: prometheus_url,
        redis: redis_url,
        exclusive: true,
        fresh: true,
        clock_offset_ns: CLOCK_OFFSET,
        // The limiter counts by the wall clock, which NTP slews; the run's clock is not slewed.
        clock_drift: CLOCK_DRIFT,
        faults,
        insecure: scenario.http.insecure,
        metrics: None,
        programs: stack.versions.clone(),
    };
    Ok(RunningEnvironment::Local { connected: Connected { environment, connections, prometheus }, stack })
}

/// Starts a stack.
///
/// # Errors
/// When a program is missing, a port is taken, or a service does not start; nothing is left running then.
pub async fn start(wanted: Wanted) -> Result<Stack, LocalError> {
    let installed = Installed::find(wanted.webhook.is_some())?;
    let plan = Plan::new(&wanted, &installed)?;
    let mut data = Data::new(wanted.data.as_deref())?;
    let self_metrics = SocketAddr::from(([127, 0, 0, 1], plan.self_metrics.number));
    let started = start_services(&wanted, &installed, plan, data.path()).await;
    if matches!(started, Err(LocalError::Ended(_) | LocalError::NotReady { .. })) {
        data.keep();
    }
    let (services, metrics_port) = started?;
    Ok(Stack {
        services,
        self_metrics,
        metrics_listener: Some(metrics_port.into_listener()),
        versions: installed.versions(),
        absent: installed.absent(),
        scrape_interval: wanted.scrape_interval,
        data,
    })
}

/// Where the programs are.
#[derive(Debug)]
struct Installed {
    redis: PathBuf,
    redis_exporter: PathBuf,
    prometheus: PathBuf,
    alertmanager: Option<PathBuf>,
}

impl Installed {
    /// Finds them, or reports all that are missing.
    fn find(needs_alertmanager: bool) -> Result<Self, LocalError> {
        let alertmanager = ALERTMANAGER.find();
        if let (Some(redis), Some(redis_exporter), Some(prometheus)) =
            (REDIS.find(), REDIS_EXPORTER.find(), PROMETHEUS.find())
            && (alertmanager.is_some() || !needs_alertmanager)
        {
            return Ok(Self { redis, redis_exporter, prometheus, alertmanager });
        }
        let needed: [&'static Program; 4] = [&REDIS, &REDIS_EXPORTER, &PROMETHEUS, &ALERTMANAGER];
        let needed = needed.into_iter().take(if needs_alertmanager { 4 } else { 3 });
        Err(LocalError::Missing(needed.filter(|program| program.find().is_none()).collect()))
    }

    fn absent(&self) -> Vec<&'static Program> {
        if self.alertmanager.is_none() { vec![&ALERTMANAGER] } else { Vec::new() }
    }

    fn versions(&self) -> BTreeMap<String, String> {
        let found = [
            (Role::Redis, Some(&self.redis)),
            (Role::RedisExporter, Some(&self.redis_exporter)),
            (Role::Prometheus, Some(&self.prometheus)),
            (Role::Alertmanager, self.alertmanager.as_ref()),
        ];
        let found = found.into_iter().filter_map(|(role, file)| Some((role, file?)));
        found.map(|(role, file)| (role.to_string(), programs::version(file))).collect()
    }
}

/// The port of each service.
#[derive(Debug)]
struct Plan {
    replicas: Vec<(String, Port)>,
    redis: Port,
    redis_exporter: Port,
    prometheus: Port,
    alertmanager: Option<Port>,
    self_metrics: Port,
}

impl Plan {
    fn new(wanted: &Wanted, installed: &Installed) -> Result<Self, LocalError> {
        let mut ports = Ports::new(wanted.port_base, wanted.replicas + 5)?;
        let replicas = (0..wanted.replicas).map(|index| {
            let name = replica_name(index);
            let port = ports.take(&format!("replica {name}"))?;
            Ok((name, port))
        });
        let replicas = replicas.collect::<Result<_, LocalError>>()?;
        let mut take = |role: &str| ports.take(role);
        Ok(Self {
            replicas,
            redis: take("redis")?,
            redis_exporter: take("redis-exporter")?,
            prometheus: take("prometheus")?,
            // Its port is reserved even where it is absent, so that the others stay when it is installed.
            alertmanager: Some(take("alertmanager")?).filter(|_| installed.alertmanager.is_some()),
            self_metrics: take("the generator's metrics")?,
        })
    }
}

/// Starts all of them in `dir`. Returns also the port of the generator's metrics, which stayed reserved
/// meanwhile.
async fn start_services(
    wanted: &Wanted,
    installed: &Installed,
    plan: Plan,
    dir: &Path,
) -> Result<(Vec<ChildService>, Port), LocalError> {
    let tls = tls::config(Trust::None).map_err(std::io::Error::other);
    let http = tls.and_then(|tls| http_client(&tls, None).map_err(std::io::Error::other));
    let http = http.map_err(LocalError::system("cannot set up an HTTP client"))?;
    write_files(wanted, &plan, dir)
        .map_err(LocalError::system(format!("cannot write into {}", dir.display())))?;

    let redis = redis(&installed.redis, plan.redis.release());
    let store = redis.url.clone();
    let mut services = vec![ChildService::start(redis, dir, &http).await?];
    let this = std::env::current_exe().map_err(LocalError::system("cannot find this program"))?;
    for (index, (name, port)) in plan.replicas.into_iter().enumerate() {
        let mut launch = replica(&this, &name, index, port.release(), &store);
        launch.arguments.extend(wanted.faults.iter().flat_map(|fault| ["--fault".into(), fault.into()]));
        if wanted.tenants.is_some() {
            launch.arguments.extend(["--tenants".into(), TENANTS.into()]);
        }
        services.push(ChildService::start(launch, dir, &http).await?);
    }
    let exporter = redis_exporter(&installed.redis_exporter, plan.redis_exporter.release(), &store);
    services.push(ChildService::start(exporter, dir, &http).await?);
    if let Some((program, port)) = installed.alertmanager.as_ref().zip(plan.alertmanager) {
        services.push(ChildService::start(alertmanager(program, port.release()), dir, &http).await?);
    }
    let prometheus = prometheus(&installed.prometheus, plan.prometheus.release());
    services.push(ChildService::start(prometheus, dir, &http).await?);
    Ok((services, plan.self_metrics))
}

const TENANTS: &str = "tenants.jsonl";
const RULES: &str = "rules";
const PROMETHEUS_CONFIG: &str = "prometheus.yml";
const ALERTMANAGER_CONFIG: &str = "alertmanager.yml";

/// Writes all files that the services read; they run in `dir`.
fn write_files(wanted: &Wanted, plan: &Plan, dir: &Path) -> std::io::Result<()> {
    let alertmanager = plan.alertmanager.as_ref().map(Port::address);
    let addresses = Addresses {
        replicas: &plan.replicas.iter().map(|(_, port)| port.address()).collect::<Vec<_>>(),
        redis_exporter: &plan.redis_exporter.address(),
        prometheus: &plan.prometheus.address(),
        alertmanager: alertmanager.as_deref(),
        self_metrics: &plan.self_metrics.address(),
    };
    let rules = dir.join(RULES);
    config::write_rules(&rules)?;
    let prometheus = config::prometheus(&addresses, wanted.scrape_interval, &rules);
    fs::write(dir.join(PROMETHEUS_CONFIG), prometheus)?;
    fs::write(dir.join(ALERTMANAGER_CONFIG), config::alertmanager(wanted.webhook.as_deref()))?;
    match &wanted.tenants {
        Some(tenants) => fs::write(dir.join(TENANTS), tenants),
        None => Ok(()),
    }
}

/// A Redis without persistence: it starts empty.
fn redis(program: &Path, port: u16) -> Launch<'_> {
    let port = port.to_string();
    let arguments = ["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no"];
    Launch {
        role: Role::Redis,
        url: format!("redis://127.0.0.1:{port}/0"),
        program,
        arguments: arguments.map(OsString::from).to_vec(),
        probe: Probe::Redis,
    }
}

/// A replica is this program, too: `saasbench serve` is `tenancy-server`, so both always have the same
/// version.
fn replica<'a>(program: &'a Path, name: &str, index: usize, port: u16, store: &str) -> Launch<'a> {
    let (address, index) = (format!("127.0.0.1:{port}"), index.to_string());
    let arguments = ["serve", "--listen", &address, "--store", store, "--replica-index", &index];
    Launch {
        role: Role::Replica(name.to_owned()),
        url: format!("http://{address}"),
        program,
        arguments: arguments.map(OsString::from).to_vec(),
        probe: Probe::Http { path: "/readyz", says: "" },
    }
}

fn redis_exporter<'a>(program: &'a Path, port: u16, store: &str) -> Launch<'a> {
    let address = format!("127.0.0.1:{port}");
    let arguments = ["-redis.addr", store, "-web.listen-address", &address];
    Launch {
        role: Role::RedisExporter,
        url: format!("http://{address}"),
        program,
        arguments: arguments.map(OsString::from).to_vec(),
        probe: Probe::Http { path: "/metrics", says: "redis_up 1" },
    }
}

/// Without a cluster address it looks for no other Alertmanagers.
fn alertmanager(program: &Path, port: u16) -> Launch<'_> {
    let address = format!("127.0.0.1:{port}");
    let arguments = [
        format!("--config.file={ALERTMANAGER_CONFIG}"),
        "--storage.path=alertmanager".to_owned(),
        format!("--web.listen-address={address}"),
        "--cluster.listen-address=".to_owned(),
    ];
    Launch {
        role: Role::Alertmanager,
        url: format!("http://{address}"),
        program,
        arguments: arguments.map(OsString::from).to_vec(),
        probe: Probe::Http { path: "/-/ready", says: "" },
    }
}

fn prometheus(program: &Path, port: u16) -> Launch<'_> {
    let address = format!("127.0.0.1:{port}");
    let arguments = [
        format!("--config.file={PROMETHEUS_CONFIG}"),
        "--storage.tsdb.path=prometheus".to_owned(),
        format!("--web.listen-address={address}"),
    ];
    Launch {
        role: Role::Prometheus,
        url: format!("http://{address}"),
        program,
        arguments: arguments.map(OsString::from).to_vec(),
        probe: Probe::Http { path: "/-/ready", says: "" },
    }
}

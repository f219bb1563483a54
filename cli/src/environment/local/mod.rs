//! The local environment: the real stack as processes of this machine, without containers. Redis, replicas of
//! the reference server over it, the Redis exporter, Prometheus with the shipped rules and, where it is
//! installed, Alertmanager.
//!
//! `start` starts them in order: `programs` finds what is installed, `ports` finds free ports, `config`
//! writes the files that the services read, `child_service` is one process, and `data` is the directory with
//! their logs and data. Nothing outlives this process, however it ends.

pub mod child_service;
mod config;
pub mod data;
mod ports;
pub mod programs;
mod start;

use std::{
    collections::BTreeMap,
    fmt, io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    time::Duration,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep},
};

use self::{data::Data, programs::Program};
use child_service::ChildService;
pub use start::{LOCAL, for_scenario, start};

/// How long services may take to end after SIGTERM.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// The options of a stack.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Replicas of the reference server.
    pub replicas: usize,
    /// Text of their `tenants.jsonl`; `None`: the one that the server ships.
    pub tenants: Option<String>,
    /// Their faults, as `NAME=VALUE`.
    pub faults: Vec<String>,
    /// How often Prometheus scrapes and evaluates its rules.
    pub scrape_interval: Duration,
    /// The directory for logs and data, which is kept; `None`: a temporary one that is removed with the
    /// stack.
    pub data: Option<PathBuf>,
    /// Where Alertmanager sends its notifications; `None`: nowhere.
    pub webhook: Option<String>,
    /// The first of consecutive ports; `None`: any that are free.
    pub port_base: Option<u16>,
}

/// A running stack. Dropping it kills its processes; [`Stack::stop`] lets them end by themselves.
#[derive(Debug)]
pub struct Stack {
    /// In the order of their start.
    services: Vec<ChildService>,
    /// The address at which Prometheus scrapes the generator's metrics.
    pub self_metrics: SocketAddr,
    /// A listener at that address, which reserves it until the metrics are served.
    pub metrics_listener: Option<TcpListener>,
    /// Version of each program, by its name.
    pub versions: BTreeMap<String, String>,
    /// Optional programs that are not installed.
    pub absent: Vec<&'static Program>,
    /// How often Prometheus scrapes.
    pub scrape_interval: Duration,
    // Dropped last: the services write to it.
    data: Data,
}

impl Stack {
    /// Its services, in the order of their start.
    pub fn services(&self) -> &[ChildService] {
        &self.services
    }

    /// The directory with logs and data.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// Name and URL of each replica, in order.
    pub fn replicas(&self) -> impl Iterator<Item = (&str, &str)> {
        self.services.iter().filter_map(|service| match &service.role {
            Role::Replica(name) => Some((name.as_str(), service.url.as_str())),
            _ => None,
        })
    }

    /// URL of the only service in this role.
    pub fn url(&self, role: &Role) -> Option<&str> {
        self.services.iter().find(|service| service.role == *role).map(|service| service.url.as_str())
    }

    /// Waits until a service ends by itself.
    ///
    /// # Errors
    /// When the operating system does not signal processes that end.
    pub async fn wait_for_exit(&mut self) -> io::Result<ServiceExit> {
        let mut children = signal(SignalKind::child())?;
        loop {
            if let Some(exit) = self.first_exit() {
                return Ok(exit);
            }
            children.recv().await;
        }
    }

    /// The exit of the first service that has ended, if one has; the logs are kept from then on.
    pub fn first_exit(&mut self) -> Option<ServiceExit> {
        let exit = self.services.iter_mut().find_map(ChildService::exit)?;
        self.data.keep();
        Some(exit)
    }

    /// Sends SIGTERM to all services, waits for them, and removes what is not kept.
    pub async fn stop(mut self) {
        for service in self.services.iter().rev() {
            service.terminate();
        }
        let asked = Instant::now();
        while self.services.iter_mut().any(ChildService::is_alive) && asked.elapsed() < SHUTDOWN_TIMEOUT {
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The role of a service in the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Holds limits and sessions.
    Redis,
    /// A replica of the service, by its name.
    Replica(String),
    /// Serves Redis's metrics.
    RedisExporter,
    /// Sends notifications.
    Alertmanager,
    /// Scrapes metrics and evaluates rules.
    Prometheus,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redis => f.write_str("redis"),
            Self::Replica(name) => write!(f, "replica {name}"),
            Self::RedisExporter => f.write_str("redis-exporter"),
            Self::Alertmanager => f.write_str("alertmanager"),
            Self::Prometheus => f.write_str("prometheus"),
        }
    }
}

/// How a service ended, and the end of its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceExit {
    /// The service.
    pub role: Role,
    /// Its exit status in words.
    pub status: String,
    /// The end of its log; empty where it wrote nothing.
    pub tail: String,
    /// Its log file.
    pub log: PathBuf,
}

impl fmt::Display for ServiceExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { role, status, tail, log } = self;
        write!(f, "{role} has ended ({status})")?;
        match tail.as_str() {
            "" => write!(f, " and wrote nothing"),
            tail => write!(f, "; the end of {}:\n{tail}", log.display()),
        }
    }
}

/// Why the stack is not running.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Some programs are not in the PATH.
    #[error("the local environment needs programs that are not in the PATH: {}", programs::names(.0))]
    Missing(Vec<&'static Program>),
    /// A requested port is not available.
    #[error("port {port} for {role} is not available: {cause}")]
    Port {
        /// The port.
        port: u16,
        /// The service that needs it.
        role: String,
        /// What the operating system says.
        cause: io::Error,
    },
    /// There are not enough ports after the first one.
    #[error("{needed} ports from {base} on go beyond 65535")]
    PortBase {
        /// The first port.
        base: u16,
        /// The number of ports that are needed.
        needed: usize,
    },
    /// No ports are free.
    #[error("no port is free on 127.0.0.1")]
    NoPort,
    /// The data directory holds other files.
    #[error("there are other files in {}", .0.display())]
    Foreign(PathBuf),
    /// Another running stack uses the data directory.
    #[error("another stack uses {}", .0.display())]
    Occupied(PathBuf),
    /// A service ended before it was ready.
    #[error("{0}")]
    Ended(ServiceExit),
    /// A service was not ready in time.
    #[error("{role} was not ready within {within:?}; the end of {}:\n{tail}", .log.display())]
    NotReady {
        /// The service.
        role: Role,
        /// How long it had.
        within: Duration,
        /// The end of its log.
        tail: String,
        /// Its log file.
        log: PathBuf,
    },
    /// A file or a process could not be created.
    #[error("{what}: {cause}")]
    System {
        /// The action that failed.
        what: String,
        /// What the operating system says.
        cause: io::Error,
    },
}

impl LocalError {
    /// Wraps an error of the operating system; `what` says which action failed.
    pub(crate) fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |cause| Self::System { what, cause }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing(missing) => Some(programs::how_to_install(missing)),
            Self::Port { .. } => Some(
                "stop what listens there, or choose other ports with `--port-base`; without it free ports are found"
                    .to_owned(),
            ),
            Self::PortBase { .. } => Some("choose a lower `--port-base`".to_owned()),
            Self::NoPort => Some("stop some of the programs that listen on its ports".to_owned()),
            Self::Foreign(_) => Some(
                "name an empty directory for `--data`, or one that an earlier `saasbench up --data` has left"
                    .to_owned(),
            ),
            Self::Occupied(_) => Some("end that one, or name another directory for `--data`".to_owned()),
            Self::Ended(_) | Self::NotReady { .. } => {
                Some("the logs of all services are kept in the same directory".to_owned())
            }
            Self::System { .. } => None,
        }
    }
}

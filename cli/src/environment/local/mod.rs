//! The local environment: the real stack as processes of this machine, without containers. Redis, replicas of the reference
//! server over it, the Redis exporter, Prometheus with the shipped rules and, where it is installed, Alertmanager.
//!
//! `programs` finds what is installed, `ports` free ports; `config` writes what the parts read, `part` is one process, and
//! `data` the directory that all of it lives in. Nothing outlives this process, however it ends.

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
use crate::environment::local::child_service::Part;
pub use start::{LOCAL, for_scenario, start};

/// How long parts may take to end once they are asked to.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// What a stack is to be like.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Replicas of the reference server.
    pub replicas: usize,
    /// Text of their `tenants.jsonl`; `None`: the one that the server ships.
    pub tenants: Option<String>,
    /// Faults that they are to have, as `NAME=VALUE`.
    pub faults: Vec<String>,
    /// How often Prometheus scrapes and evaluates its rules.
    pub scrape_interval: Duration,
    /// A directory to keep everything in; `None`: a temporary one that goes with the stack.
    pub data: Option<PathBuf>,
    /// Where Alertmanager sends its notifications; `None`: nowhere.
    pub webhook: Option<String>,
    /// The first of a row of ports; `None`: any that are free.
    pub port_base: Option<u16>,
}

/// A stack that is up. Dropping it ends its processes at once; [`Stack::stop`] lets them end by themselves.
#[derive(Debug)]
pub struct Stack {
    /// In the order of their start.
    parts: Vec<Part>,
    /// Where the run's own metrics are expected: Prometheus scrapes it.
    pub self_metrics: SocketAddr,
    /// Holds that address for whoever is to serve them.
    pub own_metrics_listener: Option<TcpListener>,
    /// Version of each program, by its name.
    pub versions: BTreeMap<String, String>,
    /// Programs that would belong to it, and are not installed.
    pub absent: Vec<&'static Program>,
    /// How often Prometheus scrapes.
    pub scrape_interval: Duration,
    // Dropped last: what the parts write to.
    data: Data,
}

impl Stack {
    /// Its parts, in the order of their start.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The directory with logs and data.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// Name and URL of each replica, in order.
    pub fn replicas(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parts.iter().filter_map(|part| match &part.role {
            Role::Replica(name) => Some((name.as_str(), part.url.as_str())),
            _ => None,
        })
    }

    /// URL of the only part in this role.
    pub fn url(&self, role: &Role) -> Option<&str> {
        self.parts.iter().find(|part| part.role == *role).map(|part| part.url.as_str())
    }

    /// Waits until a part ends that was not asked to.
    ///
    /// # Errors
    /// When the operating system does not tell of processes that end.
    pub async fn death(&mut self) -> io::Result<ServiceExit> {
        let mut children = signal(SignalKind::child())?;
        loop {
            if let Some(death) = self.dead() {
                return Ok(death);
            }
            children.recv().await;
        }
    }

    /// The first part that has ended, if one has; its log is kept from then on.
    pub fn dead(&mut self) -> Option<ServiceExit> {
        let death = self.parts.iter_mut().find_map(Part::death)?;
        self.data.keep();
        Some(death)
    }

    /// Asks all parts to end, waits for them, and removes what is not to be kept.
    pub async fn stop(mut self) {
        for part in self.parts.iter().rev() {
            part.terminate();
        }
        let asked = Instant::now();
        while self.parts.iter_mut().any(Part::is_alive) && asked.elapsed() < SHUTDOWN_TIMEOUT {
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// What a part is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Limits and sessions.
    Redis,
    /// A replica of the service, by its name.
    Replica(String),
    /// Redis's metrics.
    RedisExporter,
    /// Notifications.
    Alertmanager,
    /// Metrics and rules.
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

/// How a part ended, and the last that it wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceExit {
    /// Which.
    pub role: Role,
    /// Its exit status in words.
    pub status: String,
    /// The end of its log; empty where it wrote nothing.
    pub tail: String,
    /// Where all of its log is.
    pub log: PathBuf,
}

impl fmt::Display for ServiceExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { role, status, tail, log } = self;
        write!(f, "{role} has ended ({status})")?;
        match tail.as_str() {
            "" => write!(f, " and wrote nothing"),
            tail => write!(f, "; the last of {}:\n{tail}", log.display()),
        }
    }
}

/// Why the stack is not up.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Programs that are not in the PATH.
    #[error("the local environment needs programs that are not in the PATH: {}", programs::names(.0))]
    Missing(Vec<&'static Program>),
    /// A port that is asked for and cannot be had.
    #[error("port {port} for {role} cannot be had: {cause}")]
    Port {
        /// Which.
        port: u16,
        /// For what.
        role: String,
        /// What the operating system says.
        cause: io::Error,
    },
    /// So many ports do not follow the first one.
    #[error("{needed} ports from {base} on go beyond 65535")]
    PortBase {
        /// The first.
        base: u16,
        /// How many are needed.
        needed: usize,
    },
    /// No ports are free.
    #[error("no port is free on 127.0.0.1")]
    NoPort,
    /// A data directory that somebody else uses.
    #[error("there are other files in {}", .0.display())]
    Foreign(PathBuf),
    /// A data directory that a running stack uses.
    #[error("another stack lives in {}", .0.display())]
    Occupied(PathBuf),
    /// A part ended before it was ready.
    #[error("{0}")]
    Ended(ServiceExit),
    /// A part did not become ready in time.
    #[error("{role} was not ready within {within:?}; the last of {}:\n{tail}", .log.display())]
    NotReady {
        /// Which.
        role: Role,
        /// How long it was waited for.
        within: Duration,
        /// The end of its log.
        tail: String,
        /// Where all of its log is.
        log: PathBuf,
    },
    /// A file or a process that cannot be made.
    #[error("{what}: {cause}")]
    System {
        /// What was tried.
        what: String,
        /// What the operating system says.
        cause: io::Error,
    },
}

impl LocalError {
    /// Wraps what the operating system says of `what`.
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
            Self::NoPort => Some("stop what listens on so many ports".to_owned()),
            Self::Foreign(_) => Some(
                "name an empty directory for `--data`, or one that an earlier `saasbench up --data` has left"
                    .to_owned(),
            ),
            Self::Occupied(_) => Some("end that one, or name another directory for `--data`".to_owned()),
            Self::Ended(_) | Self::NotReady { .. } => {
                Some("its log and those of the other parts are kept beside that one".to_owned())
            }
            Self::System { .. } => None,
        }
    }
}

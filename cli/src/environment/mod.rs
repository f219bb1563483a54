//! Where runs take place: starts or finds the service and what observes it, and stops what was started.
//!
//! `embedded` starts the reference server in this process; `local` starts the whole stack as processes of
//! this machine; `external` takes addresses of what runs already, from the command line or from
//! `saasbench.toml` (read by `config`). `access` holds the credentials and options for Prometheus; `connect`
//! makes the first connections, so that what cannot be reached is reported before the load. All three return
//! a [`RunningEnvironment`], which `commands` runs sessions on.

pub mod access;
mod addresses;
pub mod config;
pub mod connect;
pub mod embedded;
pub mod external;
pub mod local;
mod option_duration;
pub mod rules;

use std::net::TcpListener;

use crate::{
    exit::{Exit, Failure},
    observe::prometheus::client::Client,
};
use saasbench_record::manifest;

/// A service that runs, and what observes it.
#[derive(Debug)]
pub enum RunningEnvironment {
    /// The reference server, in this process.
    Embedded {
        /// How it is reached.
        connected: Connected,
        /// Its servers.
        servers: embedded::Servers,
    },
    /// The whole stack, as processes of this machine that were started for this run.
    Local {
        /// How it is reached.
        connected: Connected,
        /// Its processes.
        stack: local::Stack,
    },
    /// A service that ran before.
    External {
        /// How it is reached.
        connected: Connected,
        /// URL of the limiter's Redis, if it was given; with its password, so never recorded.
        redis_url: Option<String>,
    },
}

/// How an environment is reached.
#[derive(Debug)]
pub struct Connected {
    /// Its endpoints and what it declares, as the recorded run keeps it.
    pub environment: manifest::Environment,
    /// How its replicas are connected to.
    pub connections: connect::Connections,
    /// Client of its Prometheus; with its password, so never recorded.
    pub prometheus: Option<Client>,
}

impl RunningEnvironment {
    fn connected(&self) -> &Connected {
        match self {
            Self::Embedded { connected, .. }
            | Self::Local { connected, .. }
            | Self::External { connected, .. } => connected,
        }
    }

    /// Its endpoints and what it declares, as the recorded run keeps it.
    pub fn environment(&self) -> &manifest::Environment {
        &self.connected().environment
    }

    /// A run was made on it: for the next one its limits and sessions are not empty any more.
    pub fn set_used(&mut self) {
        let (Self::Embedded { connected, .. }
        | Self::Local { connected, .. }
        | Self::External { connected, .. }) = self;
        connected.environment.fresh = false;
    }

    /// How its replicas are connected to.
    pub fn connections(&self) -> &connect::Connections {
        &self.connected().connections
    }

    /// Client of its Prometheus, if it has one.
    pub fn prometheus(&self) -> Option<&Client> {
        self.connected().prometheus.as_ref()
    }

    /// URL of the limiter's Redis, if it is known.
    pub fn redis_url(&self) -> Option<&str> {
        match self {
            Self::Embedded { .. } => None,
            Self::Local { stack, .. } => stack.url(&local::Role::Redis),
            Self::External { redis_url, .. } => redis_url.as_deref(),
        }
    }

    /// The listener at the address where its Prometheus scrapes the generator's metrics, once.
    pub fn take_metrics_listener(&mut self) -> Option<TcpListener> {
        match self {
            Self::Local { stack, .. } => stack.metrics_listener.take(),
            Self::Embedded { .. } | Self::External { .. } => None,
        }
    }

    /// Whether the service runs in this process.
    pub fn is_embedded(&self) -> bool {
        matches!(self, Self::Embedded { .. })
    }

    /// Whether the service was started for the run, and shares this machine with the generator.
    pub fn shares_machine(&self) -> bool {
        !matches!(self, Self::External { .. })
    }

    /// Stops what was started for runs; returns the exit of a process that had ended by itself.
    pub async fn stop(self) -> Option<local::ServiceExit> {
        match self {
            Self::Embedded { servers, .. } => {
                // Waiting for their threads must not hold up this thread's tasks.
                let _ = tokio::task::spawn_blocking(move || servers.stop()).await;
                None
            }
            Self::Local { mut stack, .. } => {
                let exit = stack.first_exit();
                stack.stop().await;
                exit
            }
            Self::External { .. } => None,
        }
    }
}

/// Why an environment cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// A part of it does not respond.
    #[error("{} does not respond: {}", .what, .reason)]
    Unreachable {
        /// The part, with its URL.
        what: String,
        /// The reason.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// A part of it responds, but cannot be queried.
    #[error("{} cannot be queried: {}", .what, .reason)]
    NotQueryable {
        /// The part, with its URL.
        what: String,
        /// The reason.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// The embedded servers could not be started.
    #[error("the embedded environment could not be started: {0}")]
    Embedded(String),
    /// The local stack could not be started.
    #[error(transparent)]
    Local(#[from] local::LocalError),
    /// The servers of the embedded or local environment do not serve these tenants of the scenario.
    #[error("the reference server does not know the tenants {}", .0.join(", "))]
    UnknownTenants(Vec<String>),
    /// Something in the command line or in `saasbench.toml` is wrong.
    #[error("{message}")]
    Usage {
        /// The mistake.
        message: String,
        /// What to do.
        hint: String,
    },
}

impl EnvironmentError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { hint, .. } | Self::NotQueryable { hint, .. } | Self::Usage { hint, .. } => {
                Some(hint.clone())
            }
            Self::Embedded(_) => None,
            Self::Local(error) => error.hint(),
            Self::UnknownTenants(_) => Some(
                "name a file with a line for each of them: [embedded] tenants = \"tenants.jsonl\"".to_owned(),
            ),
        }
    }
}

impl From<&EnvironmentError> for Failure {
    fn from(error: &EnvironmentError) -> Self {
        let exit = match error {
            EnvironmentError::Unreachable { .. }
            | EnvironmentError::NotQueryable { .. }
            | EnvironmentError::Embedded(_)
            | EnvironmentError::Local(_) => Exit::Unreachable,
            EnvironmentError::UnknownTenants(_) | EnvironmentError::Usage { .. } => Exit::Usage,
        };
        Self { hint: error.hint(), ..Self::new(exit, error.to_string()) }
    }
}

//! Brings a stack up and hands back its endpoints: `embedded` starts the reference server in-process, `external` takes
//! addresses of what runs already, from the command line or from `saasbench.toml` (`config`); `local` starts the whole
//! stack as processes of this machine. `access` is how Prometheus is asked; `reach` tries what there is.

pub mod access;
pub mod config;
pub mod connect;
pub mod embedded;
pub mod external;
pub mod local;
pub mod rules;

use crate::{
    exit::{Exit, Failure},
    observe::prometheus::client::Client,
};
use saasbench_record::manifest;

/// A stack that is up.
#[derive(Debug)]
pub struct RunningEnvironment {
    /// Its endpoints and what it declares, as the recorded run keeps it.
    pub environment: manifest::Environment,
    /// How its replicas are connected to.
    pub reached: connect::Reached,
    /// How Prometheus is asked; with its password, so never recorded.
    pub prometheus: Option<Client>,
    /// Where the limiter's Redis can be watched; with its password, so never recorded.
    pub store_url: Option<String>,
    /// Listens where its Prometheus looks for the run's own metrics.
    pub self_metrics: Option<std::net::TcpListener>,
    /// The in-process servers, if they are ours.
    pub embedded: Option<embedded::Servers>,
    /// The processes of this stack, if they are ours.
    pub local: Option<local::Stack>,
}

/// Why an environment is not there.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// Nothing answers.
    #[error("{} does not answer: {}", .what, .reason)]
    Unreachable {
        /// Which part, with its URL.
        what: String,
        /// Why.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// Something answers, but not what is asked of it.
    #[error("{} cannot be asked: {}", .what, .reason)]
    Unanswered {
        /// Which part, with its URL.
        what: String,
        /// Why.
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
    /// A scenario's tenant that the servers of the embedded or local environment do not serve.
    #[error("the reference server does not know the tenants {}", .0.join(", "))]
    UnknownTenants(Vec<String>),
    /// Something in the command line or in `saasbench.toml` is wrong.
    #[error("{message}")]
    Usage {
        /// What.
        message: String,
        /// What to do.
        hint: String,
    },
}

impl EnvironmentError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { hint, .. } | Self::Unanswered { hint, .. } | Self::Usage { hint, .. } => {
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
            | EnvironmentError::Unanswered { .. }
            | EnvironmentError::Embedded(_)
            | EnvironmentError::Local(_) => Exit::Unreachable,
            EnvironmentError::UnknownTenants(_) | EnvironmentError::Usage { .. } => Exit::Usage,
        };
        Self { hint: error.hint(), ..Self::new(exit, error.to_string()) }
    }
}

//! The program behind its arguments: loads the tenants, connects the store, binds, prints a banner and serves
//! until a signal.

use std::future::Future;
use std::io::{self, Write as _};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::App;
use crate::args::{Args, StoreChoice};
use crate::calibration::{self, Calibration};
use crate::faults::Faults;
use crate::health;
use crate::serve::serve;
use crate::shutdown::ShutdownSignals;
use crate::state::Config;
use crate::store::{Store, StoreError};
use crate::tenants::{Tenants, TenantsError};

/// Why the server did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The tenants file is invalid; all its problems, one per line.
    #[error("the tenants file is not valid\n{0}")]
    Tenants(TenantsError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(StoreError),
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {cause}")]
    Bind {
        /// As given.
        address: String,
        /// The error of the operating system.
        cause: io::Error,
    },
    /// The server that a health check is for is not ready.
    #[error("{address} is not ready: {cause}")]
    NotReady {
        /// As given.
        address: String,
        /// Why it is not.
        cause: io::Error,
    },
    /// An error of the operating system (sockets, threads).
    #[error("the server cannot continue: {0}")]
    System(#[from] io::Error),
}

impl RunError {
    /// What the user can do about it, where there is something.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Tenants(_) => {
                Some(r#"a line needs an id and limits: {"id": "acme", "limits": {"chat_per_10s": 8}}"#)
            }
            Self::Store(StoreError::Url { .. }) => {
                Some("a store is `memory` or redis://[:password@]host[:port][/db]")
            }
            Self::Store(_) => Some(
                "is redis-server running there? `--store memory` needs none, but is not shared between processes",
            ),
            Self::Bind { cause, .. } => Some(match cause.kind() {
                io::ErrorKind::AddrInUse => {
                    "another program listens there: stop it or choose another `--listen`"
                }
                io::ErrorKind::PermissionDenied => "ports below 1024 need privileges: choose a higher one",
                _ => "`--listen` takes an address of this machine and a port, such as 127.0.0.1:8005",
            }),
            Self::NotReady { .. } | Self::System(_) => None,
        }
    }

    /// The exit code of the program: 2 for invalid input, 4 for something that is unavailable (address,
    /// Redis, server), 5 for an error of the operating system.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Tenants(_) | Self::Store(StoreError::Url { .. }) => 2,
            // Not an address at all, as opposed to one that is not available.
            Self::Bind { cause, .. } if cause.kind() == io::ErrorKind::InvalidInput => 2,
            Self::Store(_) | Self::Bind { .. } | Self::NotReady { .. } => 4,
            Self::System(_) => 5,
        }
    }
}

/// Runs the server until one of the [`ShutdownSignals`]. Writes a banner to standard error once it listens.
///
/// # Errors
///
/// See [`RunError`]; no replica is left running.
pub async fn run(args: Args) -> Result<(), RunError> {
    let mut signals = ShutdownSignals::listen();
    run_until(args, async move { signals.next().await }).await
}

/// As [`run`], until `stopped` completes instead of a signal.
///
/// # Errors
///
/// See [`RunError`].
pub async fn run_until(args: Args, stopped: impl Future<Output = ()>) -> Result<(), RunError> {
    if args.calibration.calibration {
        return calibrate(&args, stopped).await;
    }
    if args.healthcheck {
        return check_health(&args.listen);
    }
    let tenants = match &args.tenants {
        Some(path) => Tenants::read(path).map_err(RunError::Tenants)?,
        None => Tenants::builtin(),
    };
    let store = match &args.store {
        StoreChoice::Memory => Store::memory(),
        StoreChoice::Redis(url) => Store::connect_redis(url).await.map_err(RunError::Store)?,
    };
    let listeners = bind(&args.listen).await?;
    let faults: Faults = args.faults.iter().copied().collect();
    let (store_name, count) = (store.describe(), tenants.len());
    let faults_note = if faults.is_empty() { String::new() } else { format!("; FAULTS: {faults}") };
    write_banner(&listeners, &format!("store {store_name}, {count} tenants{faults_note}"))?;

    let (session_ttl, head_timeout) = (args.session_ttl, args.head_timeout);
    let config = Config { session_ttl, head_timeout, faults, ..Config::default() };
    let (stop, stopping) = watch::channel(());
    let mut replicas = JoinSet::new();
    for (replica, listener) in (args.replica_index..).zip(listeners) {
        let mut stopping = stopping.clone();
        let config = Config { replica, ..config.clone() };
        let app = App::with_config(tenants.clone(), store.clone(), config);
        replicas.spawn(serve(listener, app, async move {
            // The sender sends nothing: that it was dropped is the signal.
            let _ = stopping.changed().await;
        }));
    }
    stopped.await;
    drop(stop);
    while let Some(ended) = replicas.join_next().await {
        ended.map_err(io::Error::other)??;
    }
    Ok(())
}

fn check_health(addresses: &[String]) -> Result<(), RunError> {
    for address in addresses {
        let not_ready = |cause| RunError::NotReady { address: address.clone(), cause };
        health::check_ready(address).map_err(not_ready)?;
    }
    Ok(())
}

/// Serves known latencies: one service on all addresses.
async fn calibrate(args: &Args, stopped: impl Future<Output = ()>) -> Result<(), RunError> {
    let listeners = bind(&args.listen).await?;
    write_banner(&listeners, &args.calibration.to_string())?;
    let service = Calibration::new(&args.calibration);
    let mut servers = JoinSet::new();
    for listener in listeners {
        servers.spawn(calibration::serve(listener, service.clone(), std::future::pending()));
    }
    stopped.await;
    Ok(())
}

async fn bind(addresses: &[String]) -> Result<Vec<TcpListener>, RunError> {
    let mut listeners = Vec::new();
    for address in addresses {
        let bound = TcpListener::bind(address).await;
        listeners.push(bound.map_err(|cause| RunError::Bind { address: address.clone(), cause })?);
    }
    Ok(listeners)
}

/// Writes one line per replica, from which scripts can read the port that `:0` became.
fn write_banner(listeners: &[TcpListener], about: &str) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    let version = env!("CARGO_PKG_VERSION");
    for listener in listeners {
        let address = listener.local_addr()?;
        // A closed standard error does not prevent serving.
        let _ = writeln!(stderr, "tenancy {version} listening on http://{address} ({about})");
    }
    Ok(())
}

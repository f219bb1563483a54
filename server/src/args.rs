//! The command line of the server, shared by `tenancy-server` and by whoever embeds it as a subcommand.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;

use crate::calibration::CalibrationArgs;
use crate::faults::Fault;

/// Serve the reference multi-tenant API: sessions, mock chat and rate limits per tenant.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Address to listen on; given more than once, each is a replica of its own over the same store
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "TENANCY_LISTEN",
        default_value = "127.0.0.1:8005",
        value_delimiter = ',',
        value_parser = NonEmptyStringValueParser::new(),
        hide_env_values = true
    )]
    pub listen: Vec<String>,

    /// Tenants, one JSON object a line [default: the built-in acme, globex and initech]
    #[arg(long, value_name = "FILE", env = "TENANCY_TENANTS", hide_env_values = true)]
    pub tenants: Option<PathBuf>,

    /// Where sessions and limits live: `memory`, or `redis://[:password@]host[:port][/db]` to share them between processes
    #[arg(
        long,
        value_name = "STORE",
        env = "RATE_LIMIT_STORAGE_URI",
        default_value = "memory",
        value_parser = parse_store,
        hide_env_values = true
    )]
    pub store: StoreChoice,

    /// How long a session is good for, from its creation on
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = parse_ttl)]
    pub session_ttl: Duration,

    /// Be wrong on purpose, to see who notices; may be given more than once (docs/server.md lists the faults)
    #[arg(long = "fault", value_name = "NAME[=VALUE]")]
    pub faults: Vec<Fault>,

    /// Number of the first replica of this process, for the faults that tell replicas apart
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=9999))]
    pub replica_index: u32,

    /// Threads that serve. One is right for a replica on a core of its own; scale by replicas first
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: u16,

    /// Ask whoever listens on these addresses whether they are ready, in place of listening; ends with 4 unless all are
    #[arg(long, conflicts_with = "calibration")]
    pub healthcheck: bool,

    /// A service of known latency in place of the API
    #[command(flatten)]
    pub calibration: CalibrationArgs,
}

/// Which store to use.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreChoice {
    /// This process's memory.
    Memory,
    /// Redis, by its URL (which may hold a password).
    Redis(String),
}

/// Without the URL: it may hold a password.
impl fmt::Debug for StoreChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "Memory",
            Self::Redis(_) => "Redis(…)",
        })
    }
}

/// `memory://` is what other servers of the contract call it. Whether anything else is a good URL is left to the store to
/// say: an error from here would be printed together with the value, and so with its password.
fn parse_store(text: &str) -> Result<StoreChoice, Infallible> {
    Ok(match text {
        "memory" | "memory://" => StoreChoice::Memory,
        url => StoreChoice::Redis(url.to_owned()),
    })
}

fn parse_ttl(text: &str) -> Result<Duration, String> {
    let ttl = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if ttl < Duration::from_secs(1) || ttl > Duration::from_secs(366 * 24 * 3600) {
        return Err("expected between 1s and 1 year, such as `30m` or `1h`".to_owned());
    }
    Ok(ttl)
}

impl Args {
    /// The runtime that these arguments ask for.
    ///
    /// # Errors
    ///
    /// The operating system refuses threads or an event queue.
    pub fn runtime(&self) -> std::io::Result<tokio::runtime::Runtime> {
        let mut builder = match self.threads {
            // Without the machinery that moves tasks between threads, each request is cheaper.
            0 | 1 => tokio::runtime::Builder::new_current_thread(),
            threads => {
                let mut builder = tokio::runtime::Builder::new_multi_thread();
                builder.worker_threads(usize::from(threads));
                builder
            }
        };
        builder.enable_all().build()
    }
}

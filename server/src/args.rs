//! The command line of the server, shared by `tenancy-server` and the programs that embed it as a subcommand.

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
    /// Address to listen on; each one given is a replica of its own over the same store
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

    /// Tenants, one JSON object per line [default: the built-in acme, globex and initech]
    #[arg(long, value_name = "FILE", env = "TENANCY_TENANTS", hide_env_values = true)]
    pub tenants: Option<PathBuf>,

    /// Where sessions and limits are stored: `memory`, or `redis://[:password@]host[:port][/db]` to share
    /// them between processes
    #[arg(
        long,
        value_name = "STORE",
        env = "RATE_LIMIT_STORAGE_URI",
        default_value = "memory",
        value_parser = parse_store,
        hide_env_values = true
    )]
    pub store: StoreChoice,

    /// How long a session is valid, from its creation
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = parse_ttl)]
    pub session_ttl: Duration,

    /// How long the head of a request may take; a connection that sends none, or only a part, is closed then
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_head_timeout)]
    pub head_timeout: Duration,

    /// Inject a fault, to see the claim that detects it; repeat it for more (docs/server.md lists the faults)
    #[arg(long = "fault", value_name = "NAME[=VALUE]")]
    pub faults: Vec<Fault>,

    /// Number of the first replica of this process, for faults that depend on it
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=9999))]
    pub replica_index: u32,

    /// Threads that serve. One suits a replica on a core of its own; add replicas before threads
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: u16,

    /// Check whether the servers at these addresses are ready instead of serving; exits with 4 if one is not
    #[arg(long, conflicts_with = "calibration")]
    pub healthcheck: bool,

    /// A service of known latency instead of the API
    #[command(flatten)]
    pub calibration: CalibrationArgs,
}

/// Which store to use.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreChoice {
    /// The memory of this process.
    Memory,
    /// Redis, by its URL, which may contain a password.
    Redis(String),
}

/// Leaves the URL out: it may contain a password.
impl fmt::Debug for StoreChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "Memory",
            Self::Redis(_) => "Redis(…)",
        })
    }
}

/// Other servers with this API spell it `memory://`. Any other value is validated by the store: clap prints
/// an error from here together with the value, and so with its password.
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

fn parse_head_timeout(text: &str) -> Result<Duration, String> {
    let limit = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if limit < Duration::from_millis(100) || limit > Duration::from_secs(3600) {
        return Err("expected between 100ms and 1h, such as `10s`".to_owned());
    }
    Ok(limit)
}

impl Args {
    /// The runtime for these arguments.
    ///
    /// # Errors
    ///
    /// The operating system provides no threads or no event queue.
    pub fn runtime(&self) -> std::io::Result<tokio::runtime::Runtime> {
        let mut builder = match self.threads {
            // Without work stealing, each request is cheaper.
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

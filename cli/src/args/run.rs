//! Arguments of `run`, and the target and session flags that it shares with `stress` and `capacity`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::{BaselineArgs, DisplayArgs, EXIT_CODES, OverrideArgs, PublishArgs, ReportArgs};

const EXAMPLES: &str = "Examples:
  saasbench run scenarios/flood.toml
  saasbench run scenarios/flood.toml --target http://127.0.0.1:8005 --target http://127.0.0.1:8006
  saasbench run scenarios/stress-50.toml --env local --users 200 --spawn-rate 20/s --run-time 1m";

/// Arguments of `run`.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub struct RunArgs {
    /// The scenario to run
    #[arg(value_name = "SCENARIO")]
    pub scenario: PathBuf,

    /// The service under load
    #[command(flatten)]
    pub place: TargetArgs,

    /// Changes of its loads
    #[command(flatten)]
    pub overrides: OverrideArgs,

    /// Record, display and report
    #[command(flatten, next_help_heading = "Output")]
    pub session: SessionArgs,
}

/// The flags that every command with a run shares: where its record and report go, its display, and its
/// baselines.
#[derive(Debug, Args)]
pub struct SessionArgs {
    /// Directory for recorded runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,

    /// Threads that send requests [default: one per core, or one per two cores where saasbench starts the
    /// service]
    #[arg(long, value_name = "N")]
    pub workers: Option<std::num::NonZero<usize>>,

    /// The display
    #[command(flatten)]
    pub display: DisplayArgs,

    /// Report files
    #[command(flatten)]
    pub report: ReportArgs,

    /// Baselines
    #[command(flatten)]
    pub baseline: BaselineArgs,

    /// Metrics and annotations about the run
    #[command(flatten)]
    pub publish: PublishArgs,
}

/// The service that a run loads: the embedded one by default.
#[derive(Debug, Default, Args)]
#[command(group = ArgGroup::new("elsewhere").args(["targets", "env"]))]
pub struct TargetArgs {
    /// Load this replica of a service instead of the embedded one; repeat it for every replica
    #[arg(long = "target", value_name = "URL", conflicts_with = "env")]
    pub targets: Vec<String>,

    /// Compare the run with this Prometheus's samples, too
    #[arg(long, value_name = "URL", requires = "targets")]
    pub prometheus: Option<String>,

    /// Send this header to Prometheus, `NAME: VALUE`, a secret as `${env:NAME}`; repeat it for more
    #[arg(long = "prometheus-header", value_name = "HEADER", requires = "prometheus")]
    pub prometheus_headers: Vec<String>,

    /// Monitor the limiter's Redis: its restarts, keys, evictions and memory
    #[arg(long, value_name = "URL", requires = "targets")]
    pub redis: Option<String>,

    /// The targets get no other traffic during the run: only then can rejections and surplus counts be called
    /// wrong
    #[arg(long, requires = "targets")]
    pub exclusive: bool,

    /// The targets' limits and sessions are empty when the run starts
    #[arg(long, requires = "targets")]
    pub fresh: bool,

    /// Load an environment of the configuration file, or `local`: the stack of `saasbench up`, started for
    /// this run
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,

    /// Accept any certificate of an https:// target, whatever its name and signer
    #[arg(long, requires = "elsewhere", conflicts_with = "ca_file")]
    pub insecure: bool,

    /// Trust the authorities in this PEM file instead of the system's
    #[arg(long, value_name = "FILE", requires = "elsewhere")]
    pub ca_file: Option<String>,

    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "saasbench.toml")]
    pub config: PathBuf,

    /// Inject a fault into the embedded or local service, to see the claim that detects it; repeat it for
    /// more (`saasbench faults` lists them)
    #[arg(long = "fault", value_name = "NAME[=VALUE]", conflicts_with = "targets")]
    pub faults: Vec<tenancy::Fault>,
}

//! Arguments of `run`, and those that say where a run takes place.

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

    /// Where it runs
    #[command(flatten)]
    pub place: TargetArgs,

    /// What is changed of its loads
    #[command(flatten)]
    pub overrides: OverrideArgs,

    /// How it goes
    #[command(flatten, next_help_heading = "Record and report")]
    pub session: SessionArgs,
}

/// How a run goes, whatever it does and wherever: where its record and its report go, what is seen of it meanwhile, and what it
/// is held against.
#[derive(Debug, Args)]
pub struct SessionArgs {
    /// Where recorded runs go
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,

    /// Threads that send requests (by default as many as there are cores, or half as many where saasbench starts the service)
    #[arg(long, value_name = "N")]
    pub workers: Option<std::num::NonZero<usize>>,

    /// What it says on its way
    #[command(flatten)]
    pub display: DisplayArgs,

    /// How the report goes out
    #[command(flatten)]
    pub report: ReportArgs,

    /// What it is held against
    #[command(flatten)]
    pub baseline: BaselineArgs,

    /// Who else is told
    #[command(flatten)]
    pub publish: PublishArgs,
}

/// Where a run takes place: on the embedded service unless it is told otherwise.
#[derive(Debug, Default, Args)]
#[command(group = ArgGroup::new("elsewhere").args(["targets", "env"]))]
pub struct TargetArgs {
    /// Run against this replica of a service instead of the embedded one; repeat it for every replica
    #[arg(long = "target", value_name = "URL", conflicts_with = "env")]
    pub targets: Vec<String>,

    /// Hold the run against this Prometheus, too
    #[arg(long, value_name = "URL", requires = "targets")]
    pub prometheus: Option<String>,

    /// Send this header to Prometheus, `NAME: VALUE`, a secret as `${env:NAME}`; repeat it for more
    #[arg(long = "prometheus-header", value_name = "HEADER", requires = "prometheus")]
    pub prometheus_headers: Vec<String>,

    /// Watch the limiter's Redis: its restarts, keys, evictions and memory
    #[arg(long, value_name = "URL", requires = "targets")]
    pub redis: Option<String>,

    /// Nobody else uses the targets while the run goes: only then can rejections and surplus counts be called wrong
    #[arg(long, requires = "targets")]
    pub exclusive: bool,

    /// The targets' limits and sessions are empty when the run starts
    #[arg(long, requires = "targets")]
    pub fresh: bool,

    /// Run against an environment of the configuration file, or against `local`: the stack of `saasbench up`, started for
    /// this run
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,

    /// Accept any certificate of an https:// target, whoever has signed it and for whatever name
    #[arg(long, requires = "elsewhere", conflicts_with = "ca_file")]
    pub insecure: bool,

    /// Trust the authorities in this PEM file, in place of the system's
    #[arg(long, value_name = "FILE", requires = "elsewhere")]
    pub ca_file: Option<String>,

    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "saasbench.toml")]
    pub config: PathBuf,

    /// Make the embedded or local service lie on purpose, to see the claim that catches it; may be given more than once
    /// (`saasbench faults` lists the faults)
    #[arg(long = "fault", value_name = "NAME[=VALUE]", conflicts_with = "targets")]
    pub faults: Vec<tenancy::Fault>,
}

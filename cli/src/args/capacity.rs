//! Arguments of `capacity`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};

use super::TargetArgs;
use saasbench_model::scenario::capacity::{By, precision};

const EXAMPLES: &str = "Examples:
  saasbench capacity scenarios/capacity.toml
  saasbench capacity shop.toml --target http://127.0.0.1:8080 --start 200 --step-duration 5s --at-least 2500/s

The command line wins over the scenario's [capacity].

Exit codes:
  0    the capacity was found (with --at-least: it is certainly that high)
  1    the objectives certainly break at the lowest level (with --at-least: it is certainly lower)
  2    the command line or the scenario is wrong
  3    only a bound was found: the generator's limit, the budget, the highest level, or an uncertain end
  4    the environment could not be reached or started
  5    saasbench itself could not go on (disk full, a defect)
  130  interrupted; what is known by then is reported";

/// What a search raises, as `--by` is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ByArg {
    /// Iterations per second, of all open loads together
    Rate,
    /// Users, of all closed loads together
    Users,
}

impl From<ByArg> for By {
    fn from(by: ByArg) -> Self {
        match by {
            ByArg::Rate => Self::Rate,
            ByArg::Users => Self::Users,
        }
    }
}

/// Arguments of `capacity`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CapacityArgs {
    /// The scenario whose loads are raised until its expectations no longer hold
    #[arg(value_name = "SCENARIO")]
    pub scenario: PathBuf,

    /// The quantity to raise [default: rate, or users where no load has a rate]
    #[arg(long, value_enum)]
    pub by: Option<ByArg>,

    /// The first and lowest level: iterations per second, or users, of all loads together [default: 100/s, or
    /// one user for each load]
    #[arg(long, value_name = "N", value_parser = level)]
    pub start: Option<f64>,

    /// The highest level to try [default: 100000/s, or 10000 users]
    #[arg(long, value_name = "N", value_parser = level)]
    pub max: Option<f64>,

    /// Duration of a step after the scenario's warm-up; longer where quantiles need more samples [default:
    /// 10s]
    #[arg(long, value_name = "DURATION", value_parser = positive)]
    pub step_duration: Option<Duration>,

    /// Pause after a step that broke the objectives [default: 2s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub settle: Option<Duration>,

    /// Find the capacity of each of these numbers of replicas, where saasbench starts the service: 1,2,4
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = clap::value_parser!(u8).range(1..=64), conflicts_with = "targets")]
    pub replicas: Vec<u8>,

    /// Largest relative width of the capacity's interval [default: 5%]
    #[arg(long, value_name = "PERCENT", value_parser = precision)]
    pub precision: Option<f64>,

    /// Longest duration of the search, over all numbers of replicas [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = positive)]
    pub budget: Option<Duration>,

    /// Pass if the capacity is certainly at least this, fail if it is certainly less
    #[arg(long, value_name = "N", value_parser = level)]
    pub at_least: Option<f64>,

    /// The service under load
    #[command(flatten)]
    pub place: TargetArgs,

    /// Directory for the recorded runs of the steps
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,

    /// Write the report as JSON, too (`-` for standard output, in place of the text)
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Threads that send requests [default: one per core, or one per two cores where saasbench starts the
    /// service]
    #[arg(long, value_name = "N")]
    pub workers: Option<std::num::NonZero<usize>>,

    /// Show no progress
    #[arg(short, long)]
    pub quiet: bool,
}

/// `2500/s`, or a number of users.
fn level(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("/s").unwrap_or(text).parse::<f64>().ok();
    number
        .filter(|level| (1.0..=1e7).contains(level))
        .ok_or_else(|| "a level is a number from 1 on, such as 100, or 100/s".to_owned())
}

fn positive(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration.is_zero() { Err("it has to be longer than zero".to_owned()) } else { Ok(duration) }
}

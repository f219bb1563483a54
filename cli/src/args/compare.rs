//! Arguments of `compare`, and the baseline flags of other commands.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};

use saasbench_model::units::Nanos;
use saasbench_verify::compare::{Clock, Terms};

const EXIT_CODES: &str = "Exit codes:
  0  nothing regressed
  1  something regressed
  2  the command line or a recorded run is wrong, or the runs cannot be compared
  3  the comparison is inconclusive
  5  saasbench itself could not go on

Example:
  saasbench compare runs/20261121T091500Z-flood runs/20261121T101500Z-flood";

/// Arguments of `compare`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct CompareArgs {
    /// Recorded runs, named as for `saasbench show`: the baselines, then the new run. Five baselines or more
    /// show how much runs vary by themselves
    #[arg(value_name = "RUN", required = true, num_args = 1..)]
    pub runs: Vec<PathBuf>,

    /// One more baseline; repeat it for more
    #[arg(long = "baseline", value_name = "RUN")]
    pub baselines: Vec<PathBuf>,

    /// What counts as a change
    #[command(flatten)]
    pub terms: TermsArgs,

    /// Write the comparison as JSON, too (`-` for standard output, in place of the text)
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write the comparison as Markdown, too (`-` for standard output, in place of the text)
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub markdown: Option<PathBuf>,
}

/// The instant from which latency is measured: the values of `--clock`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClockArg {
    /// The time that a request was due: waiting counts.
    Intended,
    /// The time that it was sent.
    Sent,
}

impl From<ClockArg> for Clock {
    fn from(clock: ClockArg) -> Self {
        match clock {
            ClockArg::Intended => Self::Intended,
            ClockArg::Sent => Self::Sent,
        }
    }
}

/// What counts as a change.
#[derive(Debug, Args)]
#[command(next_help_heading = "Comparison")]
pub struct TermsArgs {
    /// Measure latency from the time a request was due (`intended`), or from when it was sent (`sent`)
    #[arg(long, value_name = "CLOCK", value_enum, default_value = "intended")]
    pub clock: ClockArg,

    /// Allowed change of a median and of throughput; 1.5 times this for p90, twice for p99
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "5%")]
    pub tolerance: f64,

    /// Change of latency that is always allowed
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "100us")]
    pub floor: Duration,

    /// Allowed change of the share of errors, in percentage points
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "0.5%")]
    pub error_tolerance: f64,

    /// Probability that a comparison reports a change that is not there
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "5%")]
    pub doubt: f64,

    /// Compare runs of different scenarios as far as they have tenants and steps in common
    #[arg(long)]
    pub force: bool,
}

/// Recorded runs that a run is compared with once it has been judged.
#[derive(Debug, Args)]
#[command(next_help_heading = "Baselines")]
pub struct BaselineArgs {
    /// Compare the run with this recorded one, as `saasbench compare` does: a regression fails it. Repeat it
    /// for more
    #[arg(long = "baseline", value_name = "RUN")]
    pub baselines: Vec<PathBuf>,

    /// Allowed change of a median and of throughput; 1.5 times this for p90, twice for p99
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "5%", requires = "baselines")]
    pub tolerance: f64,
}

impl TermsArgs {
    /// The terms of the comparison.
    pub fn terms(&self) -> Terms {
        Terms {
            clock: self.clock.into(),
            tolerance: self.tolerance,
            floor_ns: Nanos::from(self.floor),
            error_tolerance: self.error_tolerance,
            error_probability: self.doubt,
            force: self.force,
        }
    }
}

/// A share greater than 0 and less than 100 %.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>().ok();
    let share = number.map(|percent| percent / 100.0).filter(|share| *share > 0.0 && *share < 1.0);
    share.ok_or_else(|| "expected a percentage above 0 and below 100, such as `5%`".to_owned())
}

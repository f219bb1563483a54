//! Arguments of `compare`, and those with which any run can be held against others.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};

use saasbench_model::units::Nanos;
use saasbench_verify::compare::{Clock, Terms};

const EXIT_CODES: &str = "Exit codes:
  0  nothing got worse
  1  something got worse
  2  the command line or a recorded run is wrong, or the runs cannot be compared
  3  whether something got worse cannot be said
  5  saasbench itself could not go on

Example:
  saasbench compare runs/20261121T091500Z-flood runs/20261121T101500Z-flood";

/// Arguments of `compare`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct CompareArgs {
    /// Recorded runs, named as for `saasbench show`: the baselines, and last the new run. With five baselines or more it is known how far
    /// runs differ by themselves
    #[arg(value_name = "RUN", required = true, num_args = 1..)]
    pub runs: Vec<PathBuf>,

    /// One more baseline; may be given more than once
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

/// From which instant latency is compared, as `--clock` is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClockArg {
    /// The instant that a request was due: waiting counts.
    Intended,
    /// The instant that it was sent.
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
    /// Compare latency from the instant that requests were due (`intended`), or from that of sending (`sent`)
    #[arg(long, value_name = "CLOCK", value_enum, default_value = "intended")]
    pub clock: ClockArg,

    /// How far a median, and what is served, may change: p90 by one and a half times as much, p99 by twice as much
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "5%")]
    pub tolerance: f64,

    /// By how much latency may change in any case
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "100us")]
    pub floor: Duration,

    /// By how many points the share of errors may change
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "0.5%")]
    pub error_tolerance: f64,

    /// How often a comparison may be wrong: something said of runs that is not so
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "5%")]
    pub doubt: f64,

    /// Compare runs of different scenarios as far as they have tenants and steps in common
    #[arg(long)]
    pub force: bool,
}

/// Runs that a run is held against once it has been judged.
#[derive(Debug, Args)]
#[command(next_help_heading = "Comparison")]
pub struct BaselineArgs {
    /// Compare the run with this recorded one, as `saasbench compare` does: what got worse fails it. May be given more than once
    #[arg(long = "baseline", value_name = "RUN")]
    pub baselines: Vec<PathBuf>,

    /// How far a median, and what is served, may change: p90 by one and a half times as much, p99 by twice as much
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "5%", requires = "baselines")]
    pub tolerance: f64,
}

impl TermsArgs {
    /// What is asked of the comparison.
    pub fn terms(&self) -> Terms {
        Terms {
            clock: self.clock.into(),
            tolerance: self.tolerance,
            floor_ns: Nanos::from(self.floor),
            error_tolerance: self.error_tolerance,
            doubt: self.doubt,
            force: self.force,
        }
    }
}

/// A share of more than 0 and less than 100 %.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>().ok();
    let share = number.map(|percent| percent / 100.0).filter(|share| *share > 0.0 && *share < 1.0);
    share.ok_or_else(|| "expected a percentage above 0 and below 100, such as `5%`".to_owned())
}

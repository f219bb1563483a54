//! Arguments of `list` and `show`.

use std::path::PathBuf;

use clap::Args;

use super::{JsonArgs, ReportArgs};

const LIST_EXAMPLES: &str = "Examples:
  saasbench list
  saasbench list --out nightly --json - | jq -r '.runs[] | select(.outcome == \"fail\").run'";

/// Arguments of `list`.
#[derive(Debug, Args)]
#[command(after_help = LIST_EXAMPLES)]
pub struct ListArgs {
    /// Directory of recorded runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,

    /// Report files
    #[command(flatten)]
    pub report: JsonArgs,
}

const SHOW_EXAMPLES: &str = "Examples:
  saasbench show latest
  saasbench show 20261121T0209
  saasbench show flood --json - | jq .summary.total
  saasbench show latest --path";

/// Arguments of `show`.
#[derive(Debug, Args)]
#[command(after_help = SHOW_EXAMPLES)]
pub struct ShowArgs {
    /// A recorded run: its directory, the start of its name, `latest`, or the name of a scenario for its
    /// latest run; or a search for the capacity
    #[arg(value_name = "RUN")]
    pub run: PathBuf,

    /// Directory of recorded runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,

    /// Print the run's directory only
    #[arg(long)]
    pub path: bool,

    /// Report files
    #[command(flatten)]
    pub report: ReportArgs,
}

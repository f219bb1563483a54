//! The command line of `saasbench report`.

use std::path::PathBuf;

use clap::Args;

const AFTER: &str = "Example:
  saasbench report runs/20261121T101500Z-flood
  saasbench report --out - runs/20261121T101500Z-flood > flood.html

Exit codes:
  0  every report was written, whatever its verdict
  2  a recorded run could not be read
  5  a report could not be written";

/// Arguments of `report`.
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub struct PageArgs {
    /// Recorded runs, named as for `saasbench show`; each gets its own report.html, and a search for the
    /// capacity its capacity.html
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,

    /// Write the report of the only run here instead (`-` for standard output)
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

//! Arguments of `schema`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Arguments of `schema`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  saasbench schema scenario --out scenario-1.json

With `#:schema ./scenario-1.json` in the first line of a scenario, editors complete and check it.")]
pub struct SchemaArgs {
    /// The document to describe
    #[arg(value_enum)]
    pub of: SchemaOf,

    /// Write it to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// The documents with a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// What `run` and `verify` write with --json
    Report,
    /// What `run` and `validate` read
    Scenario,
    /// Each line of what `run` writes with --progress json
    Progress,
    /// What `compare` writes with --json, and `run --baseline` as comparison.json
    Comparison,
    /// What `capacity` writes with --json, and as capacity.json
    Capacity,
}

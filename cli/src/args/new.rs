//! Arguments of `new`.

use std::path::PathBuf;

use clap::Args;

const EXAMPLES: &str = "Examples:
  saasbench new checkout
  saasbench new petstore --from openapi.json
  saasbench new - --from openapi.yaml > draft.toml";

/// Arguments of `new`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct NewArgs {
    /// The scenario's name: NAME.toml is written, or standard output with `-`
    #[arg(value_name = "NAME")]
    pub name: PathBuf,

    /// Derive its journeys from this OpenAPI description (3.0 or 3.1; JSON or YAML; `-` for standard input)
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,

    /// Overwrite an existing file
    #[arg(long)]
    pub force: bool,
}

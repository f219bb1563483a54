//! How much a command says on its way, and how.

use clap::{Args, ValueEnum};

/// How much a command says on its way, and how.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct DisplayArgs {
    /// Show no progress
    #[arg(short, long, conflicts_with_all = ["verbose", "progress"])]
    pub quiet: bool,

    /// Say more: each phase with its instant, and what is waited for
    #[arg(short, long)]
    pub verbose: bool,

    /// How progress is shown on standard error: redrawn on a terminal and a line every 5 s elsewhere, or as this says
    /// (`json` is for programs: an object a line, and nothing else)
    #[arg(long, value_name = "HOW", default_value = "auto", hide_default_value = true)]
    pub progress: ProgressForm,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ProgressForm {
    /// A block that is redrawn on a terminal, lines elsewhere
    #[default]
    Auto,
    /// A line every 5 s
    Plain,
    /// A JSON object a line, at least one a second
    Json,
    /// Nothing between beginning and end
    None,
}

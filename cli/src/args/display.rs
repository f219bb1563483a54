//! How much a command says on its way, and how.

use clap::{ArgAction, Args, ValueEnum};

/// How much a command says on its way, and how.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct DisplayArgs {
    /// Show no progress
    #[arg(short, long, conflicts_with_all = ["verbose", "progress", "ui"])]
    pub quiet: bool,

    /// Say more: what is planned, where it goes, each phase with its instant, looks at metrics that fail or take long, connections; twice (`-vv`):
    /// each look
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,

    /// How progress is shown on standard error: redrawn on a terminal and a line every 5 s elsewhere, or as this says
    /// (`json` is for programs: an object a line, and nothing else)
    #[arg(long, value_name = "HOW", default_value = "auto", hide_default_value = true)]
    pub progress: ProgressForm,

    /// What the run looks like on a terminal: a few calm lines, or `full`: all of it, with charts, and with keys that pause the load or
    /// change its pace
    #[arg(
        long,
        value_name = "UI",
        default_value = "calm",
        hide_default_value = true,
        conflicts_with = "progress"
    )]
    pub ui: Ui,
}

/// What a run looks like on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Ui {
    /// A few lines
    #[default]
    Calm,
    /// The whole terminal
    Full,
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

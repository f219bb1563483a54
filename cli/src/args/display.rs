//! Flags of the display and of its verbosity.

use clap::{ArgAction, Args, ValueEnum};

/// The display of a run, and its verbosity.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct DisplayArgs {
    /// Show no progress
    #[arg(short, long, conflicts_with_all = ["verbose", "progress", "ui"])]
    pub quiet: bool,

    /// Print more: the plan, the targets, each phase with its time, scrapes that fail or are slow, and
    /// connections; twice (`-vv`): each scrape
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,

    /// How progress is shown on standard error: redrawn on a terminal and a line every 5 s elsewhere, or as
    /// given here (`json` is for programs: one object per line, and nothing else)
    #[arg(long, value_name = "HOW", default_value = "auto", hide_default_value = true)]
    pub progress: ProgressForm,

    /// The display on a terminal: a few lines, or `full`: the whole terminal, with charts, and keys that
    /// pause the load or change its rate
    #[arg(
        long,
        value_name = "UI",
        default_value = "calm",
        hide_default_value = true,
        conflicts_with = "progress"
    )]
    pub ui: Ui,
}

/// The display of a terminal.
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
    /// A JSON object per line, at least one a second
    Json,
    /// Nothing between start and end
    None,
}

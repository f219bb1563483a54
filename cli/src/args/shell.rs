//! Arguments of `completions` and `man`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

const COMPLETIONS_EXAMPLES: &str = "Examples:
  saasbench completions bash > ~/.local/share/bash-completion/completions/saasbench
  saasbench completions zsh > \"${fpath[1]}/_saasbench\"
  saasbench completions fish > ~/.config/fish/completions/saasbench.fish";

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

const MAN_EXAMPLES: &str = "Examples:
  saasbench man | man -l -
  saasbench man ~/.local/share/man/man1";

/// Arguments of `man`.
#[derive(Debug, Args)]
#[command(after_help = MAN_EXAMPLES)]
pub struct ManArgs {
    /// Write a page for every command into this directory, created if necessary [default: the main page, on
    /// standard output]
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

//! What the user sees. `terminal` turns a finished report into text, `metrics` pages of metrics; `progress` shows a run while
//! it goes, `failure` says why a command could not do its work; `output` knows where all that goes; `self_metrics` is the page
//! that Prometheus scrapes of a run, or that is pushed to it, `grafana` marks the run there, `comparison` shows one with
//! others, `stack` tells where the parts of a local stack are, and `shelf` lists recorded runs. `html` is the page of a run, made
//! from its `timeline`, too; `beside` is what gates have to know of a run beyond its verdicts.

pub mod capacity;
pub mod comparison;
pub mod distribution;
pub mod gate;
pub mod github;
pub mod html;
pub mod junit;
pub mod markdown;
pub mod spans;
pub mod terminal;
pub mod timeline;

/// Styles of the terminal texts; stripped where colours are off.
pub mod style {
    use anstyle::{AnsiColor, Style};

    /// What is as it should be.
    pub const GOOD: Style = AnsiColor::Green.on_default();
    /// What is not.
    pub const BAD: Style = AnsiColor::Red.on_default().bold();
    /// What cannot be known.
    pub const UNSURE: Style = AnsiColor::Yellow.on_default();
    /// What matters most.
    pub const STRONG: Style = Style::new().bold();
    /// What matters least.
    pub const FAINT: Style = Style::new().dimmed();
    /// What the user can do.
    pub const HINT: Style = AnsiColor::Cyan.on_default().bold();

    /// `text` in a style.
    pub fn paint(style: Style, text: impl std::fmt::Display) -> String {
        format!("{style}{text}{style:#}")
    }
}

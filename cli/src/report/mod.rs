//! What the user sees. `terminal` turns a finished report into text, `metrics` pages of metrics; `progress` shows a run while
//! it goes, `failure` says why a command could not do its work; `output` knows where all that goes; `own_metrics` is the page
//! that Prometheus scrapes of a run, or that is pushed to it, `grafana` marks the run there, `comparison` shows one with
//! others, `stack` tells where the parts of a local stack are, and `shelf` lists recorded runs. `html` is the page of a run, made
//! from its `timeline`, too; `beside` is what gates have to know of a run beyond its verdicts.

pub mod beside;
pub mod capacity;
pub mod comparison;
pub mod dashboards;
pub mod details;
pub mod distribution;
pub mod failure;
pub mod files;
pub mod github;
pub mod grafana;
pub mod html;
pub mod junit;
pub mod markdown;
pub mod metrics;
pub mod output;
pub mod own_metrics;
pub mod progress;
pub mod shelf;
pub mod stack;
pub mod terminal;
pub mod timeline;

/// Styles of the terminal texts; stripped where colours are off.
pub(crate) mod style {
    use anstyle::{AnsiColor, Style};

    pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
    pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
    pub(crate) const UNSURE: Style = AnsiColor::Yellow.on_default();
    pub(crate) const STRONG: Style = Style::new().bold();
    pub(crate) const FAINT: Style = Style::new().dimmed();
    pub(crate) const HINT: Style = AnsiColor::Cyan.on_default().bold();

    /// `text` in a style.
    pub(crate) fn paint(style: Style, text: impl std::fmt::Display) -> String {
        format!("{style}{text}{style:#}")
    }
}

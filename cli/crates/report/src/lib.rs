//! Renders a judged run: for terminals ([`terminal`], [`comparison`], [`capacity`], [`distribution`]), for
//! browsers ([`html`], drawn from a [`timeline`]) and for CI systems ([`junit`], [`github`], [`markdown`]).
//!
//! Input comes from two other crates: `saasbench-record` reads a recorded run, `saasbench-verify` judges it and
//! compares it with baselines. Everything here returns text; writing files and printing are up to the binary,
//! as are the live views, which share [`spans`] and [`style`].
//!
//! ```no_run
//! use saasbench_record::reader::RecordedRun;
//! use saasbench_report::{html, terminal, timeline};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let run = RecordedRun::open("runs/20261121T101500Z-flood".as_ref())?;
//! let (report, timeline) = timeline::judge(&run, |_sample| {})?;
//! print!("{}", terminal::render(&report));
//! std::fs::write(html::FILE, html::render(&report, &run, &timeline))?;
//! # Ok(())
//! # }
//! ```

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

/// Styles of terminal text. The output stream strips them where colours are off.
pub mod style {
    use anstyle::{AnsiColor, Style};
    use saasbench_model::safe_text::own;

    /// A pass.
    pub const GOOD: Style = AnsiColor::Green.on_default();
    /// A failure.
    pub const BAD: Style = AnsiColor::Red.on_default().bold();
    /// Inconclusive.
    pub const UNSURE: Style = AnsiColor::Yellow.on_default();
    /// Headings and key figures.
    pub const STRONG: Style = Style::new().bold();
    /// Secondary text.
    pub const FAINT: Style = Style::new().dimmed();
    /// The hint below an error message.
    pub const HINT: Style = AnsiColor::Cyan.on_default().bold();

    /// `text` in a style, reset at its end. The style is marked as the program's own; that of a text is not, and
    /// so is not printed.
    pub fn paint(style: Style, text: impl std::fmt::Display) -> String {
        format!("{}{text}{}", own(&style.to_string()), own(&format!("{style:#}")))
    }
}

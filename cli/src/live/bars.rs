//! The default display of a terminal, drawn by indicatif: the rows of `status_block`, redrawn in place, with
//! notes above. It is drawn on the display's own thread, never by a worker of the engine.

use std::io::{self, IsTerminal as _};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::status_block::{Bar, Row};
use crate::safe_output;

/// Maximum frames per second: a frame replaces one row, and several rows change at once.
const FRAMES: u8 = 100;
/// Positions of the overall bar.
const POSITIONS: u64 = 10_000;
/// A bar's full, growing and empty columns.
const COLUMNS: &str = "█▉▊▋▌▍▎▏░";
/// The narrowest terminal on which rows are readable.
const NARROWEST: usize = 24;

/// The rows on the terminal.
#[derive(Debug)]
pub(super) struct Bars {
    multi: MultiProgress,
    rows: Vec<(ProgressBar, Row)>,
    coloured: bool,
}

/// Whether standard error can redraw rows in place: it is a terminal that moves its cursor and is wide
/// enough.
pub(super) fn can_redraw(columns: usize) -> bool {
    io::stderr().is_terminal() && moves_cursor(std::env::var("TERM").ok().as_deref()) && columns >= NARROWEST
}

/// Whether a terminal of this `TERM` understands cursor escapes.
fn moves_cursor(term: Option<&str>) -> bool {
    !matches!(term, None | Some("" | "dumb"))
}

impl Bars {
    /// No rows yet.
    pub(super) fn on_stderr(coloured: bool) -> Self {
        Self::new(ProgressDrawTarget::stderr_with_hz(FRAMES), coloured)
    }

    fn new(target: ProgressDrawTarget, coloured: bool) -> Self {
        Self { multi: MultiProgress::with_draw_target(target), rows: Vec::new(), coloured }
    }

    /// Replaces the rows; unchanged ones are not redrawn.
    pub(super) fn draw(&mut self, rows: Vec<Row>) {
        for (bar, _) in self.rows.drain(rows.len().min(self.rows.len())..) {
            bar.finish_and_clear();
            self.multi.remove(&bar);
        }
        for (index, row) in rows.into_iter().enumerate() {
            match self.rows.get_mut(index) {
                Some((_, drawn)) if *drawn == row => {}
                Some((bar, drawn)) => {
                    show(bar, drawn, &row, self.coloured);
                    *drawn = row;
                }
                None => {
                    let bar =
                        self.multi.add(ProgressBar::new(POSITIONS).with_style(style(None, self.coloured)));
                    show(&bar, &Row::default(), &row, self.coloured);
                    self.rows.push((bar, row));
                }
            }
        }
    }

    /// Prints a text above the rows. Errors of standard error are ignored: they must not stop a run.
    pub(super) fn print(&self, text: &str) {
        let _ = self.multi.println(shown(text, self.coloured));
    }

    /// Removes the rows from the terminal; the next drawing puts them below what was written meanwhile.
    pub(super) fn clear(&mut self) {
        let _ = self.multi.clear();
        self.rows.iter_mut().for_each(|(_, drawn)| drawn.text.clear());
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        let _ = self.multi.clear();
        // Dropping a bar would redraw the others.
        self.multi.set_draw_target(ProgressDrawTarget::hidden());
    }
}

fn show(bar: &ProgressBar, drawn: &Row, row: &Row, coloured: bool) {
    let width = |row: &Row| row.bar.as_ref().map(|bar| bar.width);
    if width(drawn) != width(row) {
        bar.set_style(style(row.bar.as_ref(), coloured));
    }
    if let Some(Bar { share, .. }) = row.bar {
        bar.set_position((share.clamp(0.0, 1.0) * POSITIONS as f64) as u64);
    }
    bar.set_message(shown(&row.text, coloured));
}

fn style(bar: Option<&Bar>, coloured: bool) -> ProgressStyle {
    let template = match bar {
        None => "{msg}".to_owned(),
        Some(bar) => format!("{{bar:{}{}}} {{msg}}", bar.width, if coloured { "./dim" } else { "" }),
    };
    // The templates are constants, and `the_bar_grows` shows that they are valid.
    ProgressStyle::with_template(&template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars(COLUMNS)
}

fn shown(text: &str, coloured: bool) -> String {
    let text = safe_output::text(text);
    if coloured { text } else { anstream::adapter::strip_str(&text).to_string() }
}

#[cfg(test)]
pub(super) mod tests {
    use indicatif::InMemoryTerm;

    use super::*;
    use saasbench_report::style::{FAINT, paint};

    /// Bars on a simulated terminal of `width` columns, and that terminal.
    pub(in crate::live) fn in_memory(width: usize) -> (Bars, InMemoryTerm) {
        let term = InMemoryTerm::new(24, u16::try_from(width).unwrap());
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(term.clone()), FRAMES);
        (Bars::new(target, false), term)
    }

    fn rows(texts: &[&str]) -> Vec<Row> {
        texts.iter().map(|text| Row { bar: None, text: (*text).to_owned() }).collect()
    }

    #[test]
    fn rows_are_redrawn_in_place() {
        let (mut bars, term) = in_memory(80);
        bars.draw(rows(&["one", "two"]));
        assert_eq!(term.contents(), "one\ntwo");
        bars.draw(rows(&["one", "three"]));
        assert_eq!(term.contents(), "one\nthree");
        bars.draw(rows(&["four"]));
        assert_eq!(term.contents(), "four");
        drop(bars);
        assert_eq!(term.contents(), "");
    }

    #[test]
    fn notes_stay_above_the_rows() {
        let (mut bars, term) = in_memory(80);
        bars.draw(rows(&["one", "two"]));
        bars.print(&paint(FAINT, "note"));
        assert_eq!(term.contents(), "note\none\ntwo");
        drop(bars);
        assert_eq!(term.contents(), "note");
    }

    #[test]
    fn cleared_rows_come_back_with_the_next_drawing() {
        let (mut bars, term) = in_memory(80);
        bars.draw(rows(&["one", "two"]));
        bars.clear();
        assert_eq!(term.contents(), "");
        bars.draw(rows(&["one", "two"]));
        assert_eq!(term.contents(), "one\ntwo");
    }

    #[test]
    fn the_bar_grows() {
        let (mut bars, term) = in_memory(80);
        let mut drawn = Vec::new();
        for share in [0.0, 0.5, 1.0, 2.0] {
            bars.draw(vec![Row { bar: Some(Bar { width: 4, share }), text: "load".to_owned() }]);
            drawn.push(term.contents());
        }
        assert_eq!(drawn, ["░░░░ load", "██▏░ load", "████ load", "████ load"]);
        // With colours, the template has a style.
        style(Some(&Bar { width: 4, share: 0.5 }), true);
        assert!(ProgressStyle::with_template("{bar:4./dim} {msg}").is_ok());
    }

    #[test]
    fn a_dumb_terminal_gets_lines() {
        for term in [None, Some(""), Some("dumb")] {
            assert!(!moves_cursor(term), "{term:?}");
        }
        assert!(moves_cursor(Some("xterm")));
    }
}

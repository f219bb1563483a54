//! A block of lines at the end of what a terminal shows, written over itself again and again.

use std::io::{self, Write as _};

use unicode_width::UnicodeWidthStr as _;

/// The block as it stands on the terminal.
#[derive(Debug, Default)]
pub struct Canvas {
    /// How wide each of its lines is.
    drawn: Vec<usize>,
    coloured: bool,
}

impl Canvas {
    /// Nothing yet.
    pub fn new(coloured: bool) -> Self {
        Self { drawn: Vec::new(), coloured }
    }

    /// Writes the block anew, on a terminal that is `width` columns wide by now. A standard error that is gone is no reason
    /// to stop a run.
    pub fn draw(&mut self, lines: &[String], width: usize) {
        let _ = io::stderr().lock().write_all(self.frame(lines, width).as_bytes());
    }

    /// Writes a text in place of the block, which follows below it at the next drawing.
    pub fn above(&mut self, text: &str, width: usize) {
        let text = format!("{}{}\n", self.frame(&[], width), self.shown(text));
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// Leaves the block as it stands: something else may have been written below it by now.
    pub fn leave(&mut self) {
        self.drawn.clear();
    }

    /// What it takes to replace the block: up to its first line, each new line to the end of its own, nothing below. A line
    /// that was wider than the terminal is now takes several rows.
    fn frame(&mut self, lines: &[String], width: usize) -> String {
        let rows: usize = self.drawn.iter().map(|drawn| drawn.div_ceil(width.max(1)).max(1)).sum();
        let mut text = if rows > 0 { format!("\r\x1b[{rows}A") } else { String::new() };
        for line in lines {
            text.push_str(&self.shown(line));
            text.push_str("\x1b[K\n");
        }
        text.push_str("\x1b[J");
        self.drawn =
            lines.iter().map(|line| anstream::adapter::strip_str(line).to_string().width()).collect();
        text
    }

    fn shown(&self, text: &str) -> String {
        if self.coloured { text.to_owned() } else { anstream::adapter::strip_str(text).to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_block_is_written_over_itself() {
        let mut canvas = Canvas::new(false);
        assert_eq!(canvas.frame(&lines(&["one", "two"]), 80), "one\x1b[K\ntwo\x1b[K\n\x1b[J");
        assert_eq!(canvas.frame(&lines(&["three"]), 80), "\r\x1b[2Athree\x1b[K\n\x1b[J");
        assert_eq!(canvas.frame(&[], 80), "\r\x1b[1A\x1b[J");
        assert_eq!(canvas.frame(&[], 80), "\x1b[J");
    }

    #[test]
    fn a_block_that_was_left_is_not_written_over() {
        let mut canvas = Canvas::new(false);
        canvas.frame(&lines(&["one", "two"]), 80);
        canvas.leave();
        assert_eq!(canvas.frame(&lines(&["three"]), 80), "three\x1b[K\n\x1b[J");
    }

    #[test]
    fn lines_that_a_narrower_terminal_wraps_take_several_rows() {
        let mut canvas = Canvas::new(true);
        canvas.frame(&lines(&["\x1b[1mtwenty columns here!\x1b[0m", ""]), 20);
        assert_eq!(canvas.frame(&[], 8), "\r\x1b[4A\x1b[J");
    }

    #[test]
    fn without_colours_only_the_cursor_moves() {
        let mut canvas = Canvas::new(false);
        assert_eq!(canvas.frame(&lines(&["\x1b[1mbold\x1b[0m"]), 80), "bold\x1b[K\n\x1b[J");
    }
}

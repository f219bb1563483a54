//! Lines that fit a terminal's width: text is cut and padded by displayed columns, not by characters.

use anstyle::Style;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::style::paint;

/// Eighths of a block, from below.
const UP: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Eighths of a block, from the left.
const ACROSS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// A line being composed.
#[derive(Debug)]
pub struct Spans {
    text: String,
    left: usize,
}

impl Spans {
    /// An empty line of at most `width` columns.
    pub fn new(width: usize) -> Self {
        Self { text: String::new(), left: width }
    }

    /// Unused columns.
    pub fn left(&self) -> usize {
        self.left
    }

    /// Appends `text`, cut to the unused columns.
    pub fn add(&mut self, style: Style, text: impl AsRef<str>) -> &mut Self {
        let text = cut(text.as_ref(), self.left);
        self.left -= text.width();
        if !text.is_empty() {
            self.text.push_str(&if style == Style::new() { text } else { paint(style, text) });
        }
        self
    }

    /// The composed line.
    pub fn finish(self) -> String {
        self.text
    }
}

/// `text` in at most `width` columns; `…` marks a cut.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for character in text.chars() {
        used += character.width().unwrap_or_default();
        if used >= width {
            break;
        }
        kept.push(character);
    }
    if width > 0 { kept + "…" } else { kept }
}

/// `text` in exactly `width` columns, cut or padded with trailing blanks.
pub fn pad(text: &str, width: usize) -> String {
    let text = cut(text, width);
    let blanks = width - text.width();
    text + &" ".repeat(blanks)
}

/// The last `width` values, one column each, scaled from 0 to their maximum; leading blanks where there are
/// fewer.
pub fn sparkline(values: impl DoubleEndedIterator<Item = f64> + ExactSizeIterator, width: usize) -> String {
    let mut last: Vec<f64> = values.rev().take(width).collect();
    last.reverse();
    let most = last.iter().copied().fold(0.0, f64::max);
    let bar = |value: &f64| match value {
        _ if most <= 0.0 => UP[0],
        value => UP[((value / most * 8.0).ceil() as usize).clamp(1, 8) - 1],
    };
    " ".repeat(width - last.len()) + &last.iter().map(bar).collect::<String>()
}

/// A bar of `share` (0 to 1) of `width` columns, in eighths of a column, without trailing blanks. A positive
/// share is never empty.
pub fn bar(share: f64, width: usize) -> String {
    let eighths = (share.clamp(0.0, 1.0) * width as f64 * 8.0).round() as usize;
    let eighths = if share > 0.0 { eighths.max(width.min(1)) } else { 0 };
    let mut text = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        text.push(ACROSS[eighths % 8 - 1]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_by_their_width_on_the_terminal() {
        assert_eq!(cut("tenant", 6), "tenant");
        assert_eq!(cut("tenants", 6), "tenan…");
        // Each of these takes two columns.
        assert_eq!(cut("東京支社", 8), "東京支社");
        assert_eq!(cut("東京支社", 7), "東京支…");
        assert_eq!(cut("東京支社", 6), "東京…");
        assert_eq!(cut("a", 0), "");
        assert_eq!(pad("東京支社", 6), "東京… ");
        let mut line = Spans::new(8);
        line.add(Style::new(), "one ").add(Style::new().bold(), "two three").add(Style::new(), "four");
        assert_eq!(anstream::adapter::strip_str(&line.finish()).to_string(), "one two…");
    }

    #[test]
    fn sparklines_and_bars() {
        assert_eq!(sparkline([0.0, 1.0, 4.0, 8.0].into_iter(), 6), "  ▁▁▄█");
        assert_eq!(sparkline([9.0, 0.0, 0.0].into_iter(), 2), "▁▁");
        assert_eq!(bar(0.5, 3), "█▌");
        assert_eq!(bar(1e-9, 10), "▏");
        assert_eq!(bar(0.0, 10), "");
        assert_eq!(bar(2.0, 3), "███");
        assert_eq!(bar(2.0, 0), "");
    }
}

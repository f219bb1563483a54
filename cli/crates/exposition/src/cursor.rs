//! A position in one line, and the tokens that can be read from there: names, labels, numbers. It knows the
//! characters of the formats; `reader` knows their lines.

use std::collections::HashSet;

use memchr::{memchr, memchr2};

use super::{
    entry::{Escaped, FEW_LABELS, Label, UnixMillis},
    format::Format,
};

/// Why a line does not match its format; the cursor has the place.
pub(super) type Misfit = String;

/// Timestamps beyond this (the year 73,000) are not exact to a millisecond when written in seconds.
const LAST_EXACT_MILLIS: f64 = (1_u64 << 51) as f64;

/// A position in a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    line: &'a str,
    /// Byte offset of the position.
    pub(super) at: usize,
    pub(super) format: Format,
    /// Whether a text may have escapes that stand for nothing. Prometheus reads them in OpenMetrics.
    has_any_escape: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(line: &'a str, format: Format) -> Self {
        Self { line, at: 0, format, has_any_escape: format.is_open_metrics() }
    }

    /// A cursor on a series that has been read before, in whatever format.
    pub(super) fn of_series(series: &'a str) -> Self {
        // This format permits blanks and quoted names.
        Self { has_any_escape: true, ..Self::new(series, Format::Text100) }
    }

    /// The position as a column, from 1, in characters.
    pub(super) fn column(&self) -> usize {
        self.line.get(..self.at).map_or(1, |before| before.chars().count() + 1)
    }

    pub(super) fn rest(&self) -> &'a str {
        self.line.get(self.at..).unwrap_or_default()
    }

    pub(super) fn since(&self, start: usize) -> &'a str {
        self.between(start, self.at)
    }

    pub(super) fn between(&self, start: usize, end: usize) -> &'a str {
        self.line.get(start..end).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.line.as_bytes().get(self.at).copied()
    }

    pub(super) fn eat(&mut self, expected: u8) -> bool {
        let found = self.peek() == Some(expected);
        self.at += usize::from(found);
        found
    }

    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    /// Skips blanks if the format permits any number of them.
    pub(super) fn skip_blanks(&mut self) {
        while !self.format.is_open_metrics() && matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    /// The text up to the next blank.
    fn word(&mut self) -> &'a str {
        let start = self.at;
        let bytes = self.rest().as_bytes();
        self.at += if self.format.is_open_metrics() {
            memchr(b' ', bytes).unwrap_or(bytes.len())
        } else {
            memchr2(b' ', b'\t', bytes).unwrap_or(bytes.len())
        };
        self.since(start)
    }

    /// An unquoted name; empty if none starts here.
    pub(super) fn bare_name(&mut self, may_have_colons: bool) -> &'a str {
        let start = self.at;
        let is_letter =
            |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || (byte == b':' && may_have_colons);
        while self.peek().is_some_and(is_letter) {
            self.at += 1;
        }
        self.since(start)
    }

    /// A metric's name, quoted or not.
    pub(super) fn metric_name(&mut self) -> Result<Escaped<'a>, Misfit> {
        if self.peek() == Some(b'"') {
            return self.quoted_name();
        }
        let start = self.at;
        let name = self.bare_name(true);
        match name.bytes().next() {
            None => Err("expected a metric name".to_owned()),
            Some(first) if first.is_ascii_digit() => {
                self.at = start;
                Err("a metric name does not begin with a digit".to_owned())
            }
            Some(_) => Ok(Escaped(name)),
        }
    }

    /// A quoted name, of any characters.
    pub(super) fn quoted_name(&mut self) -> Result<Escaped<'a>, Misfit> {
        if self.format == Format::Text004 {
            return Err("the text format 0.0.4 knows no names in quotes".to_owned());
        }
        let start = self.at;
        self.at += 1;
        let name = self.until_quote("name")?;
        if name.0.is_empty() {
            self.at = start;
            return Err("a name is not empty".to_owned());
        }
        Ok(name)
    }

    /// The text before the closing quote, which is consumed, too.
    fn until_quote(&mut self, what: &str) -> Result<Escaped<'a>, Misfit> {
        let start = self.at;
        loop {
            let Some(ahead) = memchr2(b'"', b'\\', self.rest().as_bytes()) else {
                self.at = self.line.len();
                return Err(format!("the {what} does not end on its line"));
            };
            self.at += ahead;
            if self.peek() == Some(b'"') {
                let text = self.since(start);
                self.at += 1;
                return Ok(Escaped(text));
            }
            self.at += 1;
            let is_known = matches!(self.peek(), Some(b'n' | b'\\' | b'"'));
            if !is_known && (!self.has_any_escape || self.peek().is_none()) {
                return Err(format!("a {what} knows the escapes \\\\, \\\" and \\n"));
            }
            // An unknown escape may stand before a character of several bytes.
            self.at += self.rest().chars().next().map_or(0, char::len_utf8);
        }
    }

    /// The labels after `{`, up to and including `}`. Among them, or alone, may be the metric's quoted name, if
    /// the series has none yet: it is returned.
    pub(super) fn labels(
        &mut self,
        is_named: bool,
        labels: &mut Vec<Label<'a>>,
    ) -> Result<Option<Escaped<'a>>, Misfit> {
        let (mut metric, mut names) = (None, Names::default());
        loop {
            self.skip_blanks();
            if self.peek() == Some(b'}') && self.may_end(labels.is_empty() && metric.is_none()) {
                self.at += 1;
                return Ok(metric);
            }
            let start = self.at;
            let name = self.label_name()?;
            let is_quoted = self.since(start).starts_with('"');
            self.skip_blanks();
            if self.eat(b'=') {
                self.label(name, labels, &mut names)?;
            } else if is_quoted && !is_named && metric.is_none() {
                metric = Some(name);
            } else {
                return Err(format!("expected `=` after the label {}", name.written()));
            }
            self.skip_blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(metric);
                }
                _ => return Err("expected `,` or `}` after a label".to_owned()),
            }
        }
    }

    /// OpenMetrics permits no comma after the last label.
    fn may_end(&self, is_empty: bool) -> bool {
        is_empty || !self.format.is_open_metrics()
    }

    fn label_name(&mut self) -> Result<Escaped<'a>, Misfit> {
        let start = self.at;
        let is_quoted = self.peek() == Some(b'"');
        let name = if is_quoted { self.quoted_name()?.written() } else { self.bare_name(false) };
        if !is_quoted && (name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit())) {
            self.at = start;
            return Err("expected a label name or `}`".to_owned());
        }
        if name == "__name__" {
            self.at = start;
            return Err("`__name__` is the metric's name: it stands before the labels".to_owned());
        }
        Ok(Escaped(name))
    }

    /// The value after `name=`.
    fn label(
        &mut self,
        name: Escaped<'a>,
        labels: &mut Vec<Label<'a>>,
        names: &mut Names<'a>,
    ) -> Result<(), Misfit> {
        self.skip_blanks();
        if !self.eat(b'"') {
            return Err("expected a label value in double quotes".to_owned());
        }
        let value = self.until_quote("label value")?;
        if names.has(name, labels) {
            return Err(format!("the label {} stands here a second time", name.written()));
        }
        labels.push(Label { name, value });
        Ok(())
    }

    /// A float, as parsed by Go's `ParseFloat` for Prometheus.
    pub(super) fn value(&mut self) -> Result<f64, Misfit> {
        let start = self.at;
        let word = self.word();
        float(word).ok_or_else(|| {
            self.at = start;
            if word.ends_with('\r') {
                "the line ends with a carriage return: lines end with a newline alone".to_owned()
            } else {
                format!("`{word}` is not a value")
            }
        })
    }

    /// A timestamp: whole milliseconds, or seconds in OpenMetrics.
    pub(super) fn timestamp(&mut self) -> Result<UnixMillis, Misfit> {
        let start = self.at;
        let word = self.word();
        let (read, unit) = if self.format.is_open_metrics() {
            let millis = float(word).map(|seconds| (seconds * 1e3).round());
            let exact = millis.filter(|millis| millis.abs() <= LAST_EXACT_MILLIS);
            (exact.map(|millis| millis as i64), "seconds")
        } else {
            // Prometheus accepts digits only: with a sign the whole scrape would fail.
            let is_plain = word.bytes().all(|byte| byte.is_ascii_digit());
            (word.parse().ok().filter(|_| is_plain), "milliseconds")
        };
        read.map(UnixMillis).ok_or_else(|| {
            self.at = start;
            format!("`{word}` is not a timestamp in {unit}")
        })
    }
}

/// Parses what Go's `ParseFloat` accepts as Prometheus calls it: no hexadecimal digits, no underscores,
/// nothing out of range.
pub(super) fn float(word: &str) -> Option<f64> {
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    let first = unsigned.bytes().next()?;
    if first.is_ascii_digit() || first == b'.' {
        // Rust parses numbers that are too large as infinity.
        return word.parse().ok().filter(|value: &f64| value.is_finite());
    }
    let is = |name: &str| unsigned.eq_ignore_ascii_case(name);
    if is("inf") || is("infinity") {
        Some(if word.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY })
    } else {
        word.eq_ignore_ascii_case("nan").then_some(f64::NAN)
    }
}

/// The names of a series' labels, once there are many of them.
#[derive(Debug, Default)]
struct Names<'a>(HashSet<Escaped<'a>>);

impl<'a> Names<'a> {
    /// Whether `labels`, which were read before, have one of this name.
    fn has(&mut self, name: Escaped<'a>, labels: &[Label<'a>]) -> bool {
        if labels.len() <= FEW_LABELS {
            return labels.iter().any(|label| label.name == name);
        }
        if self.0.is_empty() {
            self.0.extend(labels.iter().map(|label| label.name));
        }
        !self.0.insert(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_parsed_like_go() {
        let good =
            [("1", 1.0), ("1.", 1.0), (".5", 0.5), ("+5", 5.0), ("-1e3", -1e3), ("inf", f64::INFINITY)];
        for (word, value) in good {
            assert_eq!(float(word), Some(value), "{word}");
        }
        assert_eq!(float("-Infinity"), Some(f64::NEG_INFINITY));
        assert!(float("nan").is_some_and(f64::is_nan));
        for word in
            ["", "+", "-", ".", "+nan", "1e999", "0x10", "0x1p3", "1_0", "1\r", "one", "é", "1é", "infin"]
        {
            assert_eq!(float(word), None, "{word}");
        }
    }
}

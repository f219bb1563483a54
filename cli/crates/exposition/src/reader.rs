//! Parses an exposition line by line without copying: every entry borrows from the text, and its labels from
//! a reused buffer. A line that does not match the format is an error, and the next call continues after it.

use memchr::memchr;

use super::{
    ExpositionError,
    cursor::{Cursor, Misfit},
    entry::{Entry, Escaped, Exemplar, Label, Line, MetricType, Sample},
    format::Format,
};

/// Parses a text.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a str,
    format: Format,
    /// Number of lines read.
    lines: usize,
    has_ended: bool,
    is_over: bool,
    labels: Vec<Label<'a>>,
    exemplar_labels: Vec<Label<'a>>,
}

impl<'a> Reader<'a> {
    /// Parses `text` in `format`.
    pub fn new(text: &'a str, format: Format) -> Self {
        Self {
            rest: text,
            format,
            lines: 0,
            has_ended: false,
            is_over: false,
            labels: Vec::new(),
            exemplar_labels: Vec::new(),
        }
    }

    /// Whether the whole text matches a format.
    pub fn reads(text: &'a str, format: Format) -> bool {
        let mut reader = Self::new(text, format);
        while let Some(line) = reader.next() {
            if line.is_err() {
                return false;
            }
        }
        true
    }

    /// The next line, or what is wrong with it; `None` after the last.
    ///
    /// A missing end of the text (the last newline, `# EOF`) is reported once, after all lines.
    #[expect(
        clippy::should_implement_trait,
        reason = "what it returns borrows from the reader: no iterator can"
    )]
    pub fn next(&mut self) -> Option<Result<Line<'a, '_>, ExpositionError>> {
        if self.rest.is_empty() || self.is_over {
            return self.missing_end().map(Err);
        }
        let (line, rest) = match memchr(b'\n', self.rest.as_bytes()) {
            Some(end) => (&self.rest[..end], &self.rest[end + 1..]),
            None => {
                self.is_over = true;
                (self.rest, self.rest)
            }
        };
        self.rest = rest;
        self.lines += 1;
        let number = self.lines;
        let mut cursor = Cursor::new(line, self.format);
        let entry = self.entry(&mut cursor);
        Some(match entry {
            Ok(entry) => Ok(Line { number, entry }),
            Err(message) => Err(ExpositionError { line: number, column: cursor.column(), message }),
        })
    }

    /// What is missing after the last line, once.
    fn missing_end(&mut self) -> Option<ExpositionError> {
        let cut = std::mem::take(&mut self.is_over);
        let last = std::mem::take(&mut self.rest);
        let is_open_metrics = self.format.is_open_metrics();
        let message = if is_open_metrics && !self.has_ended {
            self.has_ended = true;
            "the text ends without `# EOF`: it may have been cut off"
        } else if cut && !is_open_metrics {
            "the text ends without a newline: it may have been cut off"
        } else {
            return None;
        };
        let (line, column) = if cut { (self.lines, last.chars().count() + 1) } else { (self.lines + 1, 1) };
        Some(ExpositionError { line, column, message: message.to_owned() })
    }

    fn entry(&mut self, cursor: &mut Cursor<'a>) -> Result<Entry<'a, '_>, Misfit> {
        let is_open_metrics = self.format.is_open_metrics();
        if is_open_metrics && self.has_ended {
            return Err("more behind `# EOF`".to_owned());
        }
        cursor.skip_blanks();
        match cursor.peek() {
            Some(b'#') => {
                let entry = comment(cursor)?;
                self.has_ended |= entry == Entry::End;
                Ok(entry)
            }
            None if !is_open_metrics => Ok(Entry::Nothing),
            None => Err("OpenMetrics has no empty lines".to_owned()),
            Some(_) if cursor.at > 0 => {
                cursor.at = 0;
                Err("a blank before the metric name: Prometheus takes it for a part of the name".to_owned())
            }
            Some(_) => self.sample(cursor),
        }
    }

    fn sample(&mut self, cursor: &mut Cursor<'a>) -> Result<Entry<'a, '_>, Misfit> {
        self.labels.clear();
        self.exemplar_labels.clear();
        let mut name = match cursor.peek() {
            Some(b'{') => None,
            _ => Some(cursor.metric_name()?),
        };
        let mut series_end = cursor.at;
        cursor.skip_blanks();
        if cursor.eat(b'{') {
            let in_braces = cursor.labels(name.is_some(), &mut self.labels)?;
            name = name.or(in_braces);
            series_end = cursor.at;
        } else if self.format.is_open_metrics() || cursor.at > series_end {
            // There must be a blank between the name and its value.
        } else {
            return Err("expected a blank and a value after the name".to_owned());
        }
        let name =
            name.ok_or_else(|| "expected a metric name, before the braces or first in them".to_owned())?;
        let series = cursor.between(0, series_end);
        blank(cursor, "a value")?;
        let value = cursor.value()?;
        cursor.skip_blanks();
        let mut timestamp = None;
        if cursor.peek().is_some() && !cursor.rest().starts_with(" # ") {
            blank(cursor, "a timestamp")?;
            timestamp = Some(cursor.timestamp()?);
            cursor.skip_blanks();
        }
        let mut exemplar = None;
        if self.format.is_open_metrics() && cursor.eat_word(" # ") {
            exemplar = Some(exemplar_of(cursor, &mut self.exemplar_labels)?);
        }
        if cursor.peek().is_some() {
            return Err("more behind the value than a timestamp".to_owned());
        }
        let exemplar =
            exemplar.map(|(value, timestamp)| Exemplar { labels: &self.exemplar_labels, value, timestamp });
        Ok(Entry::Sample(Sample { name, labels: &self.labels, series, value, timestamp, exemplar }))
    }
}

/// One blank in OpenMetrics, any number of them in the other formats.
fn blank(cursor: &mut Cursor<'_>, before: &str) -> Result<(), Misfit> {
    if cursor.format.is_open_metrics() && !cursor.eat(b' ') {
        return Err(format!("expected one blank and {before}"));
    }
    cursor.skip_blanks();
    Ok(())
}

/// The exemplar after ` # ` of a sample. OpenMetrics has them on counters and buckets alone; Prometheus reads them
/// on any series since 2.43, and Micrometer writes them on `_count`.
fn exemplar_of<'a>(
    cursor: &mut Cursor<'a>,
    labels: &mut Vec<Label<'a>>,
) -> Result<(f64, Option<super::entry::UnixMillis>), Misfit> {
    if !cursor.eat(b'{') {
        return Err("expected the exemplar's labels in braces".to_owned());
    }
    cursor.labels(true, labels)?;
    blank(cursor, "the exemplar's value")?;
    let value = cursor.value()?;
    if cursor.peek().is_none() {
        return Ok((value, None));
    }
    blank(cursor, "the exemplar's timestamp")?;
    Ok((value, Some(cursor.timestamp()?)))
}

/// A line that starts with `#`.
fn comment<'a, 'r>(cursor: &mut Cursor<'a>) -> Result<Entry<'a, 'r>, Misfit> {
    let is_open_metrics = cursor.format.is_open_metrics();
    if is_open_metrics && cursor.rest() == "# EOF" {
        return Ok(Entry::End);
    }
    cursor.eat(b'#');
    cursor.skip_blanks();
    if is_open_metrics && !cursor.eat(b' ') {
        return Err("OpenMetrics has no comments but HELP, TYPE, UNIT and EOF, each behind `# `".to_owned());
    }
    let keyword = cursor.bare_name(false);
    let has_metric = matches!(cursor.peek(), Some(b' ' | b'\t')) && {
        cursor.at += 1;
        cursor.skip_blanks();
        cursor.peek().is_some() || is_open_metrics
    };
    match keyword {
        "HELP" if has_metric => help(cursor),
        "TYPE" if has_metric => kind(cursor),
        "UNIT" if has_metric && is_open_metrics => unit(cursor),
        _ if is_open_metrics => {
            cursor.at = "# ".len();
            Err("OpenMetrics has no comments but HELP, TYPE, UNIT and EOF".to_owned())
        }
        _ => Ok(Entry::Nothing),
    }
}

fn help<'a, 'r>(cursor: &mut Cursor<'a>) -> Result<Entry<'a, 'r>, Misfit> {
    let name = cursor.metric_name()?;
    let is_empty = cursor.peek().is_none();
    if is_empty && !cursor.format.is_open_metrics() {
        return Ok(Entry::Help { name, text: Escaped("") });
    }
    behind_name(cursor, "the help text")?;
    let text = Escaped(cursor.rest());
    Ok(Entry::Help { name, text })
}

fn kind<'a, 'r>(cursor: &mut Cursor<'a>) -> Result<Entry<'a, 'r>, Misfit> {
    let name = cursor.metric_name()?;
    behind_name(cursor, "a metric type")?;
    // Blanks are not skipped: Prometheus takes them for a part of the word.
    let word = cursor.rest();
    match MetricType::named(word, cursor.format.is_open_metrics()) {
        Some(kind) => Ok(Entry::Type { name, kind }),
        None => Err(format!("`{word}` is not a metric type")),
    }
}

fn unit<'a, 'r>(cursor: &mut Cursor<'a>) -> Result<Entry<'a, 'r>, Misfit> {
    let name = cursor.metric_name()?;
    behind_name(cursor, "a unit")?;
    let unit = cursor.rest();
    let stem = name.written().strip_suffix(unit);
    if unit.is_empty() || stem.is_some_and(|stem| stem.ends_with('_')) {
        Ok(Entry::Unit { name, unit })
    } else {
        Err(format!("the unit `{unit}` is not the end of the name {}", name.written()))
    }
}

/// The single blank after the name in a HELP, TYPE or UNIT line.
fn behind_name(cursor: &mut Cursor<'_>, expected: &str) -> Result<(), Misfit> {
    if cursor.eat(b' ') || (!cursor.format.is_open_metrics() && cursor.eat(b'\t')) {
        return Ok(());
    }
    Err(format!("expected a blank and {expected}"))
}

impl Format {
    /// The format of a text: OpenMetrics ends with `# EOF`; the others cannot be distinguished before a
    /// quoted name, so the result is 1.0.0, which includes 0.0.4.
    ///
    /// In the text formats `# EOF` is an ordinary comment: a text that only they can parse is theirs
    /// nevertheless.
    pub fn of_text(text: &str) -> Self {
        let body = text.strip_suffix('\n').unwrap_or(text);
        let ends_so = body == "# EOF" || body.ends_with("\n# EOF");
        if ends_so && (Reader::reads(text, Self::OpenMetrics) || !Reader::reads(text, Self::Text100)) {
            Self::OpenMetrics
        } else {
            Self::Text100
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::entry::{Entry, UnixMillis},
        *,
    };

    /// Every error of a text.
    fn errors(text: &str, format: Format) -> Vec<String> {
        let (mut reader, mut errors) = (Reader::new(text, format), Vec::new());
        while let Some(line) = reader.next() {
            errors.extend(line.err().map(|error| error.to_string()));
        }
        errors
    }

    #[test]
    fn reads_open_metrics() {
        let text = "# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# HELP a_seconds \n\
                    a_seconds_total{b=\"\\\"\"} 1 1.5 # {trace=\"x\"} 0.5 -2\n# EOF";
        let mut reader = Reader::new(text, Format::of_text(text));
        let mut lines = 0;
        while let Some(line) = reader.next() {
            let line = line.unwrap();
            lines += 1;
            if let Entry::Sample(sample) = line.entry {
                let exemplar = sample.exemplar.unwrap();
                assert_eq!((line.number, sample.name.written()), (4, "a_seconds_total"));
                assert_eq!((sample.series, sample.value), ("a_seconds_total{b=\"\\\"\"}", 1.0));
                assert_eq!(sample.labels[0].value.decode(), "\"");
                assert_eq!(sample.timestamp, Some(UnixMillis(1500)));
                assert_eq!(exemplar.labels[0].name.written(), "trace");
                assert_eq!((exemplar.value, exemplar.timestamp), (0.5, Some(UnixMillis(-2000))));
            }
        }
        assert_eq!(lines, 5);
    }

    /// As the parser of Prometheus 3 does (`model/textparse`).
    #[test]
    fn reads_what_prometheus_reads_beyond_open_metrics() {
        let table = [
            ("a_count{b=\"1\"} 5 # {c=\"x\"} 1.0 1700000000.0", "a_count", "1"),
            ("a 5 # {} 1", "a", ""),
            ("a{b=\"\\d\\é\"} 1", "a", "\\d\\é"),
            ("{b=\"1\",\"a.c\"} 1", "a.c", "1"),
            ("{\"b.d\"=\"1\",\"a.c\",e=\"2\"} 1", "a.c", "1"),
            ("{\"a.c\",\"b.d\"=\"1\"} 1", "a.c", "1"),
            ("a{\"b.d\"=\"1\"} 1", "a", "1"),
        ];
        for (text, name, value) in table {
            let mut reader = Reader::new(text, Format::OpenMetrics);
            let Some(Ok(Line { entry: Entry::Sample(sample), .. })) = reader.next() else { panic!("{text}") };
            assert_eq!(sample.name.decode(), name, "{text}");
            assert_eq!(
                sample.labels.first().map_or("".into(), |label| label.value.decode()),
                value,
                "{text}"
            );
        }
    }

    #[test]
    fn says_where_a_text_is_not_open_metrics() {
        let comments = "OpenMetrics has no comments but HELP, TYPE, UNIT and EOF";
        let table = [
            ("a 1\n", "line 2, column 1: the text ends without `# EOF`: it may have been cut off".to_owned()),
            ("a 1", "line 1, column 4: the text ends without `# EOF`: it may have been cut off".to_owned()),
            ("\n# EOF\n", "line 1, column 1: OpenMetrics has no empty lines".to_owned()),
            ("# EOF\na 1\n", "line 2, column 1: more behind `# EOF`".to_owned()),
            ("# hello\n# EOF\n", format!("line 1, column 3: {comments}")),
            ("#hello\n# EOF\n", format!("line 1, column 2: {comments}, each behind `# `")),
            ("a  1\n# EOF\n", "line 1, column 3: `` is not a value".to_owned()),
            ("a{b=\"1\"}1\n# EOF\n", "line 1, column 9: expected one blank and a value".to_owned()),
            ("a{b=\"1\",} 1\n# EOF\n", "line 1, column 9: expected a label name or `}`".to_owned()),
            ("a 1 NaN\n# EOF\n", "line 1, column 5: `NaN` is not a timestamp in seconds".to_owned()),
            ("a 1 2 3\n# EOF\n", "line 1, column 6: more behind the value than a timestamp".to_owned()),
            (
                "a{b=\"\\\n# EOF\n",
                "line 1, column 7: a label value knows the escapes \\\\, \\\" and \\n".to_owned(),
            ),
            (
                "a_total 1 # x\n# EOF\n",
                "line 1, column 13: expected the exemplar's labels in braces".to_owned(),
            ),
            (
                "a_total 1 # {}\n# EOF\n",
                "line 1, column 15: expected one blank and the exemplar's value".to_owned(),
            ),
            ("# TYPE a untyped\n# EOF\n", "line 1, column 10: `untyped` is not a metric type".to_owned()),
            ("# HELP a\n# EOF\n", "line 1, column 9: expected a blank and the help text".to_owned()),
            (
                "# UNIT a seconds\n# EOF\n",
                "line 1, column 10: the unit `seconds` is not the end of the name a".to_owned(),
            ),
        ];
        for (text, message) in table {
            assert_eq!(errors(text, Format::OpenMetrics), [message], "{text:?}");
        }
    }

    #[test]
    fn continues_after_a_line_that_is_wrong() {
        let text = "a one\nb 1\nc{\nd 1\n{\"e f\"} 1\n{\"g\",\"é\"=\"1\"} 1";
        let unnamed = "the text format 0.0.4 knows no names in quotes";
        assert_eq!(
            errors(text, Format::Text004),
            [
                "line 1, column 3: `one` is not a value".to_owned(),
                "line 3, column 3: expected a label name or `}`".to_owned(),
                format!("line 5, column 2: {unnamed}"),
                format!("line 6, column 2: {unnamed}"),
                "line 6, column 16: the text ends without a newline: it may have been cut off".to_owned(),
            ]
        );
        assert_eq!(errors(text, Format::Text100).len(), 3);
        let nameless = "{} 1\n{a=\"1\"} 1\n{\"\"} 1\n{\"a\",\"b\"} 1\na{\"b\"} 1\n{a=\"1\",\"b\",\"c\"} 1\n";
        assert_eq!(
            errors(nameless, Format::Text100),
            [
                "line 1, column 3: expected a metric name, before the braces or first in them",
                "line 2, column 8: expected a metric name, before the braces or first in them",
                "line 3, column 2: a name is not empty",
                "line 4, column 9: expected `=` after the label b",
                "line 5, column 6: expected `=` after the label b",
                "line 6, column 15: expected `=` after the label c",
            ]
        );
    }
}

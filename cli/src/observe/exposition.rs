//! A strict parser of the Prometheus text format 0.0.4.
//!
//! Strict, because a verifier that skips what it cannot read calls silence agreement: whatever does not fit the format
//! is an error with its line and column, and so is a series that stands there twice.

use std::collections::{BTreeMap, HashSet};

/// Labels of a series, sorted by name, `__name__` left out.
pub type Labels = BTreeMap<String, String>;

/// One line of an exposition.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Metric name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Its value; may be `NaN` or infinite.
    pub value: f64,
}

/// A parsed exposition.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exposition {
    /// Every series, in the order of the text.
    pub series: Vec<Series>,
    /// The declared type of each metric family.
    pub types: BTreeMap<String, String>,
}

impl Exposition {
    /// The series of one name.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Series> {
        self.series.iter().filter(move |series| series.name == name)
    }
}

/// Where and why a text is not in the format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct ExpositionError {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

/// Parses a whole exposition.
///
/// # Errors
/// At the first place that does not fit the format.
pub fn parse(text: &str) -> Result<Exposition, ExpositionError> {
    let mut exposition = Exposition::default();
    let mut seen = HashSet::new();
    for (number, line) in text.lines().enumerate() {
        let mut cursor = Cursor { line, at: 0 };
        let fail = |cursor: &Cursor<'_>, message: String| ExpositionError {
            line: number + 1,
            column: line.get(..cursor.at).map_or(1, |before| before.chars().count() + 1),
            message,
        };
        cursor.skip_blanks();
        if cursor.rest().is_empty() {
            continue;
        }
        if cursor.rest().starts_with('#') {
            comment(&mut cursor, &mut exposition.types).map_err(|message| fail(&cursor, message))?;
            continue;
        }
        let series = series(&mut cursor).map_err(|message| fail(&cursor, message))?;
        if !seen.insert((series.name.clone(), series.labels.clone())) {
            cursor.at = 0;
            return Err(fail(&cursor, format!("the series {} stands here a second time", show(&series))));
        }
        exposition.series.push(series);
    }
    if !text.is_empty() && !text.ends_with('\n') {
        let last = text.lines().last().unwrap_or_default();
        return Err(ExpositionError {
            line: text.lines().count(),
            column: last.chars().count() + 1,
            message: "the text ends without a newline: it may have been cut off".to_owned(),
        });
    }
    Ok(exposition)
}

/// `name{a="b"}`.
pub fn show(series: &Series) -> String {
    show_labels(&series.name, &series.labels)
}

/// `name{a="b"}`, or the name alone where there is no label.
pub fn show_labels(name: &str, labels: &Labels) -> String {
    if labels.is_empty() {
        return name.to_owned();
    }
    let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value:?}")).collect();
    format!("{name}{{{}}}", labels.join(","))
}

/// A place in a line.
struct Cursor<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        self.line.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let taken = rest.find(|c| !keep(c)).map_or(rest, |end| &rest[..end]);
        self.at += taken.len();
        taken
    }

    fn eat(&mut self, expected: char) -> bool {
        let found = self.rest().starts_with(expected);
        self.at += if found { expected.len_utf8() } else { 0 };
        found
    }
}

/// `# TYPE name type`, `# HELP …` or any other comment.
fn comment(cursor: &mut Cursor<'_>, types: &mut BTreeMap<String, String>) -> Result<(), String> {
    cursor.eat('#');
    cursor.skip_blanks();
    if cursor.take_while(|c| c != ' ' && c != '\t') != "TYPE" {
        return Ok(());
    }
    cursor.skip_blanks();
    let name = metric_name(cursor)?.to_owned();
    cursor.skip_blanks();
    let kind = cursor.rest().trim_end().to_owned();
    if !["counter", "gauge", "histogram", "summary", "untyped"].contains(&kind.as_str()) {
        return Err(format!("`{kind}` is not a metric type"));
    }
    if types.insert(name.clone(), kind).is_some() {
        return Err(format!("a second TYPE line for {name}"));
    }
    Ok(())
}

fn series(cursor: &mut Cursor<'_>) -> Result<Series, String> {
    let name = metric_name(cursor)?.to_owned();
    let end_of_name = cursor.at;
    cursor.skip_blanks();
    let braces = cursor.eat('{');
    let labels = if braces { labels(cursor)? } else { Labels::new() };
    cursor.skip_blanks();
    if cursor.at == end_of_name {
        return Err("expected a blank and a value after the name".to_owned());
    }
    let value = value(cursor)?;
    cursor.skip_blanks();
    let timestamp = cursor.take_while(|c| c != ' ' && c != '\t');
    if !timestamp.is_empty() && timestamp.parse::<i64>().is_err() {
        cursor.at -= timestamp.len();
        return Err(format!("`{timestamp}` is not a timestamp in milliseconds"));
    }
    cursor.skip_blanks();
    if !cursor.rest().is_empty() {
        return Err("more behind the value than a timestamp".to_owned());
    }
    Ok(Series { name, labels, value })
}

fn metric_name<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, String> {
    let name = cursor.take_while(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
    match name.chars().next() {
        None => Err("expected a metric name".to_owned()),
        Some(first) if first.is_ascii_digit() => {
            cursor.at -= name.len();
            Err("a metric name does not begin with a digit".to_owned())
        }
        Some(_) => Ok(name),
    }
}

/// The labels after `{`, up to and with `}`.
fn labels(cursor: &mut Cursor<'_>) -> Result<Labels, String> {
    let mut labels = Labels::new();
    loop {
        cursor.skip_blanks();
        if cursor.eat('}') {
            return Ok(labels);
        }
        let name = cursor.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err("expected a label name or `}`".to_owned());
        }
        cursor.skip_blanks();
        if !cursor.eat('=') {
            return Err(format!("expected `=` after the label {name}"));
        }
        cursor.skip_blanks();
        let value = label_value(cursor)?;
        if labels.insert(name.to_owned(), value).is_some() {
            return Err(format!("the label {name} stands here a second time"));
        }
        cursor.skip_blanks();
        if !cursor.eat(',') && !cursor.rest().starts_with('}') {
            return Err("expected `,` or `}` after a label".to_owned());
        }
    }
}

fn label_value(cursor: &mut Cursor<'_>) -> Result<String, String> {
    if !cursor.eat('"') {
        return Err("expected a label value in double quotes".to_owned());
    }
    let mut value = String::new();
    loop {
        value.push_str(cursor.take_while(|c| c != '"' && c != '\\'));
        if cursor.eat('"') {
            return Ok(value);
        }
        if !cursor.eat('\\') {
            return Err("the label value does not end on its line".to_owned());
        }
        let escaped = cursor.rest().chars().next();
        value.push(match escaped {
            Some('n') => '\n',
            Some(c @ ('\\' | '"')) => c,
            _ => return Err("a label value knows the escapes \\\\, \\\" and \\n".to_owned()),
        });
        cursor.at += 1;
    }
}

/// A float as Go's `ParseFloat` reads it, as far as exporters write such.
fn value(cursor: &mut Cursor<'_>) -> Result<f64, String> {
    let text = cursor.take_while(|c| c != ' ' && c != '\t');
    let value = match text {
        "+Inf" | "Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        // Rust reads words such as `infinity` as numbers too; the format does not.
        _ if text.contains(|c: char| c.is_ascii_alphabetic() && c != 'e' && c != 'E') => {
            cursor.at -= text.len();
            return Err(format!("`{text}` is not a value"));
        }
        _ => match text.parse() {
            Ok(value) => value,
            Err(_) => {
                cursor.at -= text.len();
                return Err(format!("`{text}` is not a value"));
            }
        },
    };
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_labels_and_values() {
        let text = "# HELP http_requests_total Requests.\n# TYPE http_requests_total counter\n\
                    http_requests_total{handler=\"/a,b={}\",status=\"200\",} 7 1700000000000\n\
                    up 1\n weird{x=\"a\\\"b\\\\c\\nd\"} +Inf\n";
        let exposition = parse(text).unwrap();
        assert_eq!(exposition.types["http_requests_total"], "counter");
        assert_eq!(exposition.series.len(), 3);
        assert_eq!(exposition.series[0].labels["handler"], "/a,b={}");
        assert_eq!(exposition.series[0].value, 7.0);
        assert_eq!(exposition.series[2].labels["x"], "a\"b\\c\nd");
        assert!(exposition.series[2].value.is_infinite());
    }

    #[test]
    fn says_where_a_text_breaks_the_format() {
        let table = [
            ("up 1", "line 1, column 5: the text ends without a newline: it may have been cut off"),
            ("up one\n", "line 1, column 4: `one` is not a value"),
            ("up inf\n", "line 1, column 4: `inf` is not a value"),
            ("up 1 now\n", "line 1, column 6: `now` is not a timestamp in milliseconds"),
            ("a 1\nup{x=1} 1\n", "line 2, column 6: expected a label value in double quotes"),
            ("up{x=\"1} 1\n", "line 1, column 11: the label value does not end on its line"),
            ("up{x=\"1\" y=\"2\"} 1\n", "line 1, column 10: expected `,` or `}` after a label"),
            ("up{x=\"1\",x=\"2\"} 1\n", "line 1, column 15: the label x stands here a second time"),
            ("up{é=\"1\"} 1\n", "line 1, column 4: expected a label name or `}`"),
            ("é 1\n", "line 1, column 1: expected a metric name"),
            ("3x 1\n", "line 1, column 1: a metric name does not begin with a digit"),
            ("up{a=\"\\t\"} 1\n", "line 1, column 8: a label value knows the escapes \\\\, \\\" and \\n"),
            ("# TYPE up thing\n", "line 1, column 11: `thing` is not a metric type"),
            ("# TYPE up gauge\n# TYPE up gauge\n", "line 2, column 11: a second TYPE line for up"),
            (
                "up{a=\"1\"} 1\nup{a=\"1\"} 2\n",
                "line 2, column 1: the series up{a=\"1\"} stands here a second time",
            ),
            ("up 1 2 3\n", "line 1, column 8: more behind the value than a timestamp"),
            ("up\n", "line 1, column 3: expected a blank and a value after the name"),
        ];
        for (text, message) in table {
            assert_eq!(parse(text).unwrap_err().to_string(), message, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "[ -~\\n\"{}\\\\#é]{0,80}") {
            let _ = parse(&text);
        }

        /// On plain texts (no escapes, no odd characters) the crate `prometheus-parse` reads the same.
        #[test]
        fn agrees_with_prometheus_parse(rows in proptest::collection::btree_map("[a-z_]{1,8}", 0u32..1_000_000, 1..20)) {
            let mut text = String::new();
            for (name, value) in &rows {
                text.push_str(&format!("m_{name}{{l=\"{name}\"}} {value}\n"));
            }
            let ours = parse(&text).unwrap();
            let theirs = prometheus_parse::Scrape::parse(text.lines().map(|l| Ok(l.to_owned()))).unwrap();
            proptest::prop_assert_eq!(ours.series.len(), theirs.samples.len());
            for sample in &theirs.samples {
                let found = ours.named(&sample.metric).next().unwrap();
                let prometheus_parse::Value::Untyped(value) = sample.value else { panic!("{sample:?}") };
                proptest::prop_assert_eq!(found.value, value);
                proptest::prop_assert_eq!(found.labels["l"].as_str(), sample.labels.get("l").unwrap());
            }
        }
    }
}

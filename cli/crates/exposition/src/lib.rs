//! Reads, lints and writes metrics expositions: Prometheus's text formats 0.0.4 and 1.0.0, and OpenMetrics
//! 1.0.
//!
//! Inside: [`reader`] reads lines without copying them (`cursor` knows the characters, [`entry`] the lines,
//! [`mod@format`] the formats), [`seen`] finds repeated series; [`parse`] makes an owned [`Exposition`] of
//! them, [`page`] sorts them into metric families. [`lint`] finds mistakes, [`cardinality`] counts series,
//! [`quantile`] finds the bucket of a quantile. [`writer`] is the only place where expositions are written.
//!
//! Related crates: it depends on no other crate of this workspace. The verifier parses scrapes with it,
//! `saasbench metrics` lints with it, and the server and the generator write their own metrics with it.
#![doc = include_str!("../README.md")]

pub mod cardinality;
mod cursor;
pub mod entry;
pub mod format;
pub mod lint;
pub mod page;
pub mod quantile;
pub mod reader;
pub mod seen;
pub mod writer;

use std::collections::BTreeMap;

use self::{
    entry::{Entry, Escaped, Sample},
    format::Format,
    reader::Reader,
    seen::Seen,
};
/// Labels of a series, sorted by name, without `__name__`.
pub type Labels = BTreeMap<String, String>;

/// A series with its value.
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

/// Where and why a text does not match its format.
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

/// Parses a whole exposition, in the format detected from the text.
///
/// # Errors
/// At the first place that does not match the format.
pub fn parse(text: &str) -> Result<Exposition, ExpositionError> {
    let mut series = Vec::new();
    let types = samples(text, |sample| series.push(Series::from(sample)))?;
    Ok(Exposition { series, types })
}

/// Parses a whole exposition like [`parse`], but passes each sample to `take` without copying; returns the
/// types.
///
/// # Errors
/// At the first place that does not match the format; earlier samples have been passed on.
pub fn samples(
    text: &str,
    mut take: impl FnMut(&Sample<'_, '_>),
) -> Result<BTreeMap<String, String>, ExpositionError> {
    let (mut seen, mut types) = (Seen::default(), BTreeMap::new());
    let mut reader = Reader::new(text, Format::of_text(text));
    while let Some(line) = reader.next() {
        let line = line?;
        let fail = |message| Err(ExpositionError { line: line.number, column: 1, message });
        match &line.entry {
            Entry::Type { name, kind } => {
                let name = name.decode().into_owned();
                if types.insert(name.clone(), kind.word().to_owned()).is_some() {
                    return fail(format!("a second TYPE line for {name}"));
                }
            }
            Entry::Sample(sample) => {
                if seen.note(sample, line.number).is_some() {
                    let series = show(&Series::from(sample));
                    return fail(format!("the series {series} stands here a second time"));
                }
                take(sample);
            }
            Entry::Help { .. } | Entry::Unit { .. } | Entry::End | Entry::Nothing => {}
        }
    }
    Ok(types)
}

impl From<&Sample<'_, '_>> for Series {
    fn from(sample: &Sample<'_, '_>) -> Self {
        let own = |text: Escaped<'_>| text.decode().into_owned();
        let labels = sample.labels.iter().map(|label| (own(label.name), own(label.value))).collect();
        Self { name: own(sample.name), labels, value: sample.value }
    }
}

/// Formats a series: `name{a="b"}`.
pub fn show(series: &Series) -> String {
    show_labels(&series.name, &series.labels)
}

/// Formats name and labels: `name{a="b"}`, or the name alone without labels.
pub fn show_labels(name: &str, labels: &Labels) -> String {
    if labels.is_empty() {
        return name.to_owned();
    }
    let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value:?}")).collect();
    format!("{name}{{{}}}", labels.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_labels_and_values() {
        let text = "# HELP http_requests_total Requests.\n# TYPE http_requests_total counter\n\
                    http_requests_total{handler=\"/a,b={}\",status=\"200\",} 7 1700000000000\n\
                    up 1\nweird{x=\"a\\\"b\\\\c\\nd\"} +Inf\n";
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
            ("up 1e999\n", "line 1, column 4: `1e999` is not a value"),
            (
                " up 1\n",
                "line 1, column 1: a blank before the metric name: Prometheus takes it for a part of the name",
            ),
            (
                "up 1\r\n",
                "line 1, column 4: the line ends with a carriage return: lines end with a newline alone",
            ),
            ("up 1 -5\n", "line 1, column 6: `-5` is not a timestamp in milliseconds"),
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
            ("# TYPE up gauge\n# TYPE up gauge\n", "line 2, column 1: a second TYPE line for up"),
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

        /// For plain texts (no escapes, no special characters) the crate `prometheus-parse` gives the same
        /// result.
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

//! What stands in an exposition, line by line, as slices of its text: nothing is copied, and escapes are
//! decoded only on request.

use std::{borrow::Cow, fmt};

use serde::Serialize;

/// A line of an exposition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line<'a, 'r> {
    /// Its number, from 1.
    pub number: usize,
    /// What stands in it.
    pub entry: Entry<'a, 'r>,
}

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Entry<'a, 'r> {
    /// `# HELP name text`.
    Help {
        /// Of which metric.
        name: Escaped<'a>,
        /// The text.
        text: Escaped<'a>,
    },
    /// `# TYPE name kind`.
    Type {
        /// Of which metric.
        name: Escaped<'a>,
        /// Its type.
        kind: MetricType,
    },
    /// `# UNIT name unit` (OpenMetrics).
    Unit {
        /// Of which metric.
        name: Escaped<'a>,
        /// Its unit; may be empty.
        unit: &'a str,
    },
    /// A value.
    Sample(Sample<'a, 'r>),
    /// `# EOF` (OpenMetrics).
    End,
    /// Any other comment, or a line with nothing in it.
    Nothing,
}

/// A value of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'a, 'r> {
    /// Metric name.
    pub name: Escaped<'a>,
    /// Labels in the order of the text; no name stands there twice.
    pub labels: &'r [Label<'a>],
    /// Name and labels as they were written.
    pub series: &'a str,
    /// May be `NaN` or infinite.
    pub value: f64,
    /// When the value was taken, if the exposition says so.
    pub timestamp: Option<UnixMillis>,
    /// A single observation that the value counts (OpenMetrics).
    pub exemplar: Option<Exemplar<'a, 'r>>,
}

/// A label of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label<'a> {
    /// Its name.
    pub name: Escaped<'a>,
    /// Its value.
    pub value: Escaped<'a>,
}

/// An example of what a counter or bucket counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exemplar<'a, 'r> {
    /// What names it, such as the id of a trace.
    pub labels: &'r [Label<'a>],
    /// Its value.
    pub value: f64,
    /// When it was.
    pub timestamp: Option<UnixMillis>,
}

/// Milliseconds since the Unix epoch: what Prometheus keeps. OpenMetrics writes seconds; they are rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixMillis(pub i64);

/// A piece of text as it was written between quotes (or without them), with `\\`, `\"` and `\n` standing for
/// what cannot stand for itself.
///
/// Since these three must be escaped and nothing else may be, two pieces mean the same only if they are
/// written the same: they are compared and hashed as written. (Help texts, of which that does not hold, are
/// never compared.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Escaped<'a>(pub(super) &'a str);

impl<'a> Escaped<'a> {
    /// As it was written.
    pub fn written(self) -> &'a str {
        self.0
    }

    /// What it means. An escape that the format does not know stays as it is.
    pub fn decode(self) -> Cow<'a, str> {
        if !self.0.contains('\\') {
            return Cow::Borrowed(self.0);
        }
        let mut decoded = String::with_capacity(self.0.len());
        let mut rest = self.0.chars();
        while let Some(c) = rest.next() {
            match (c, rest.as_str().chars().next()) {
                ('\\', Some(escaped @ ('\\' | '"' | 'n'))) => {
                    decoded.push(if escaped == 'n' { '\n' } else { escaped });
                    rest.next();
                }
                _ => decoded.push(c),
            }
        }
        Cow::Owned(decoded)
    }
}

/// What is declared of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricType {
    /// Only rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
    /// Estimates quantiles of observations.
    Summary,
    /// Facts in labels, with the value 1 (OpenMetrics).
    Info,
    /// Which of some states are on (OpenMetrics).
    StateSet,
    /// A histogram of what is, not of what was counted (OpenMetrics).
    GaugeHistogram,
    /// Anything: `untyped`, which OpenMetrics calls `unknown`, or nothing declared.
    #[default]
    Untyped,
}

impl MetricType {
    /// The type that a TYPE line names; OpenMetrics knows more of them.
    pub(super) fn named(word: &str, is_open_metrics: bool) -> Option<Self> {
        Some(match (word, is_open_metrics) {
            ("counter", _) => Self::Counter,
            ("gauge", _) => Self::Gauge,
            ("histogram", _) => Self::Histogram,
            ("summary", _) => Self::Summary,
            ("untyped", false) | ("unknown", true) => Self::Untyped,
            ("info", true) => Self::Info,
            ("stateset", true) => Self::StateSet,
            ("gaugehistogram", true) => Self::GaugeHistogram,
            _ => return None,
        })
    }

    /// The word of a TYPE line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
            Self::Info => "info",
            Self::StateSet => "stateset",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Untyped => "untyped",
        }
    }

    /// Every suffix that the name of a sample can have behind the metric's own.
    pub(super) const SUFFIXES: [&str; 8] =
        ["_bucket", "_count", "_sum", "_total", "_created", "_info", "_gcount", "_gsum"];

    /// What the names of a metric's samples may have behind the metric's own.
    pub(super) fn suffixes(self, is_open_metrics: bool) -> &'static [&'static str] {
        match (self, is_open_metrics) {
            (Self::Counter, true) => &["_total", "_created"],
            (Self::Histogram, true) => &["_bucket", "_count", "_sum", "_created"],
            (Self::Histogram, false) => &["_bucket", "_count", "_sum"],
            (Self::GaugeHistogram, _) => &["_bucket", "_gcount", "_gsum"],
            (Self::Summary, true) => &["", "_count", "_sum", "_created"],
            (Self::Summary, false) => &["", "_count", "_sum"],
            (Self::Info, _) => &["_info"],
            _ => &[""],
        }
    }
}

impl fmt::Display for MetricType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_when_asked() {
        let table = [
            ("plain", "plain"),
            (r#"a\"b\\c\nd"#, "a\"b\\c\nd"),
            (r"\\n", "\\n"),
            (r"\d and \", r"\d and \"),
            ("é\\n", "é\n"),
        ];
        for (written, meant) in table {
            assert_eq!(Escaped(written).decode(), meant);
        }
        assert!(matches!(Escaped("plain").decode(), Cow::Borrowed(_)));
    }
}

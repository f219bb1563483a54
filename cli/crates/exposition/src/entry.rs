//! The lines of an exposition, as slices of its text: nothing is copied, and escapes are decoded only on
//! request.

use std::{borrow::Cow, fmt};

use serde::Serialize;

/// A line of an exposition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line<'a, 'r> {
    /// Its number, from 1.
    pub number: usize,
    /// The content.
    pub entry: Entry<'a, 'r>,
}

/// The content of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Entry<'a, 'r> {
    /// `# HELP name text`.
    Help {
        /// Name of the metric.
        name: Escaped<'a>,
        /// The text.
        text: Escaped<'a>,
    },
    /// `# TYPE name kind`.
    Type {
        /// Name of the metric.
        name: Escaped<'a>,
        /// Its type.
        kind: MetricType,
    },
    /// `# UNIT name unit` (OpenMetrics).
    Unit {
        /// Name of the metric.
        name: Escaped<'a>,
        /// Its unit; may be empty.
        unit: &'a str,
    },
    /// A sample.
    Sample(Sample<'a, 'r>),
    /// `# EOF` (OpenMetrics).
    End,
    /// Any other comment, or an empty line.
    Nothing,
}

/// A sample of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'a, 'r> {
    /// Metric name.
    pub name: Escaped<'a>,
    /// Labels in the order of the text; names are unique.
    pub labels: &'r [Label<'a>],
    /// Name and labels as written.
    pub series: &'a str,
    /// May be `NaN` or infinite.
    pub value: f64,
    /// When the value was taken, if the exposition states it.
    pub timestamp: Option<UnixMillis>,
    /// A single observation that is counted in the value (OpenMetrics).
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

/// An example of what a counter or bucket counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exemplar<'a, 'r> {
    /// Its identification, such as a trace id.
    pub labels: &'r [Label<'a>],
    /// Its value.
    pub value: f64,
    /// When it was observed.
    pub timestamp: Option<UnixMillis>,
}

/// Milliseconds since the Unix epoch, as Prometheus stores them. OpenMetrics writes seconds, which are
/// rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixMillis(pub i64);

/// Text as written, with the escapes `\\`, `\"` and `\n`.
///
/// Since exactly these three must be escaped and nothing else may be, two texts have the same meaning only if
/// they are written the same: they are compared and hashed as written. (This does not hold for help texts,
/// which are never compared.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Escaped<'a>(pub(super) &'a str);

impl<'a> Escaped<'a> {
    /// The text as written.
    pub fn written(self) -> &'a str {
        self.0
    }

    /// The decoded text. Unknown escapes are kept.
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

/// The declared type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricType {
    /// Only increases.
    Counter,
    /// Increases and decreases.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
    /// Estimates quantiles of observations.
    Summary,
    /// Facts in labels, with the value 1 (OpenMetrics).
    Info,
    /// Which of some states are on (OpenMetrics).
    StateSet,
    /// A histogram of current values rather than of observations so far (OpenMetrics).
    GaugeHistogram,
    /// `untyped`, called `unknown` in OpenMetrics, or not declared.
    #[default]
    Untyped,
}

impl MetricType {
    /// The type in a TYPE line; OpenMetrics has more types.
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

    /// All suffixes that a sample's name can have after the metric's name.
    pub(super) const SUFFIXES: [&str; 8] =
        ["_bucket", "_count", "_sum", "_total", "_created", "_info", "_gcount", "_gsum"];

    /// The suffixes of samples of this type.
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
    fn escapes_are_decoded_on_request() {
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

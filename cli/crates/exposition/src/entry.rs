//! The lines of an exposition, as slices of its text: nothing is copied, and escapes are decoded only on
//! request.

use std::{
    borrow::Cow,
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
};

use memchr::memchr;
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

/// Up to this many labels, comparing each with each is the fastest.
pub(super) const FEW_LABELS: usize = 16;

/// Whether two series have the same labels, in any order. Within each, names must be unique.
pub(super) fn same_labels(one: &[Label<'_>], other: &[Label<'_>]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    if one.len() <= FEW_LABELS {
        return one.iter().all(|label| other.contains(label));
    }
    let sorted = |labels: &[Label<'_>]| -> Vec<(String, String)> {
        let own = |label: &Label<'_>| (label.name.decode().into_owned(), label.value.decode().into_owned());
        let mut labels: Vec<_> = labels.iter().map(own).collect();
        labels.sort_unstable();
        labels
    };
    sorted(one) == sorted(other)
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
/// Two texts are equal if they mean the same. Exactly these three must be escaped, so what means the same is also
/// written the same, unless a text has other escapes (in OpenMetrics, as Prometheus reads it): those mean what they
/// are written as.
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(pub(super) &'a str);

impl PartialEq for Escaped<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || (self.is_escaped() && other.is_escaped() && self.decode() == other.decode())
    }
}

impl Eq for Escaped<'_> {}

impl Hash for Escaped<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if self.is_escaped() { self.decode().hash(state) } else { self.0.hash(state) }
    }
}

impl PartialOrd for Escaped<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Escaped<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.is_escaped() || other.is_escaped() {
            self.decode().cmp(&other.decode())
        } else {
            self.0.cmp(other.0)
        }
    }
}

impl<'a> Escaped<'a> {
    /// The text as written.
    pub fn written(self) -> &'a str {
        self.0
    }

    fn is_escaped(self) -> bool {
        memchr(b'\\', self.0.as_bytes()).is_some()
    }

    /// Whether it has an escape other than `\\`, `\"` and `\n`.
    pub fn has_unknown_escape(self) -> bool {
        let mut bytes = self.0.bytes();
        while let Some(byte) = bytes.next() {
            if byte == b'\\' && !matches!(bytes.next(), Some(b'\\' | b'"' | b'n')) {
                return true;
            }
        }
        false
    }

    /// The decoded text. Unknown escapes are kept.
    pub fn decode(self) -> Cow<'a, str> {
        if !self.is_escaped() {
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

    #[test]
    fn texts_that_mean_the_same_are_equal() {
        let hash = |text: &str| {
            let mut hasher = std::hash::DefaultHasher::new();
            Escaped(text).hash(&mut hasher);
            hasher.finish()
        };
        for (one, other, same) in
            [(r"\d", r"\d", true), (r"\d", r"\\d", true), (r"\n", r"\\n", false), ("d", r"\d", false)]
        {
            assert_eq!(Escaped(one) == Escaped(other), same, "{one} {other}");
            assert_eq!(Escaped(one).cmp(&Escaped(other)) == Ordering::Equal, same, "{one} {other}");
            assert!(!same || hash(one) == hash(other), "{one} {other}");
        }
        assert!(Escaped(r"\d").has_unknown_escape() && !Escaped(r"\\d").has_unknown_escape());
    }
}

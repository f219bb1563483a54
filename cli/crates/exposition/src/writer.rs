//! Writes expositions: [`Writer`] creates one in the text format 0.0.4, [`Written`] formats a parsed entry as
//! a line. Parsing the result gives the same again, as fuzzing and property tests verify.
//!
//! (prometheus-client writes OpenMetrics only, whose counters lose their `_total` in the TYPE line, so that
//! parsers of 0.0.4 take them for untyped; and it has no summaries.)

use std::fmt::{self, Write as _};

use super::{
    entry::{Entry, Escaped, Label, MetricType, UnixMillis},
    format::Format,
};

/// The content type of what [`Writer`] writes. Prometheus 3 rejects a scrape without one.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// 2⁵³: below it, an `f64` without a fraction has the digits of that integer.
const LARGEST_INTEGER: f64 = 9_007_199_254_740_992.0;

/// An exposition in the text format 0.0.4 under construction. Samples are appended to one string without
/// further allocation.
///
/// Names are written as they are, so they must not need quotes.
#[derive(Debug, Default)]
pub struct Writer {
    text: String,
}

impl Writer {
    /// Starts a metric family with its HELP and TYPE lines; its samples must follow.
    pub fn metric(&mut self, name: &str, kind: MetricType, help: &str) {
        self.push(&["# HELP ", name, " "]);
        self.push_escaped(help, false);
        self.push(&["\n# TYPE ", name, " ", kind.word(), "\n"]);
    }

    /// One line: a sample of `name` with `suffix` (empty, `_sum`, …).
    pub fn sample<'a>(
        &mut self,
        name: &str,
        suffix: &str,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
        value: f64,
    ) {
        self.text.push_str(name);
        self.text.push_str(suffix);
        let mut separator = '{';
        for (label, text) in labels {
            self.text.push(separator);
            self.text.push_str(label);
            self.text.push_str("=\"");
            self.push_escaped(text, true);
            self.text.push('"');
            separator = ',';
        }
        if separator == ',' {
            self.text.push('}');
        }
        self.text.push(' ');
        self.push_value(value);
        self.text.push('\n');
    }

    /// Writes a histogram of one series: its buckets, each with the label `le` and a cumulative count, then
    /// `_sum` and `_count`. The last bucket must be `+Inf`, with the count of all observations.
    pub fn histogram<'a>(
        &mut self,
        name: &str,
        labels: &[(&'a str, &'a str)],
        buckets: impl IntoIterator<Item = (&'a str, u64)>,
        sum: f64,
    ) {
        let mut total = 0;
        for (le, cumulative) in buckets {
            total = cumulative;
            let labels = labels.iter().copied().chain([("le", le)]);
            self.sample(name, "_bucket", labels, cumulative as f64);
        }
        self.summary(name, labels, sum, total);
    }

    /// Writes a summary of one series without quantiles: `_sum` and `_count`.
    pub fn summary(&mut self, name: &str, labels: &[(&str, &str)], sum: f64, count: u64) {
        self.sample(name, "_sum", labels.iter().copied(), sum);
        self.sample(name, "_count", labels.iter().copied(), count as f64);
    }

    /// The finished text.
    pub fn finish(self) -> String {
        self.text
    }

    fn push(&mut self, pieces: &[&str]) {
        for piece in pieces {
            self.text.push_str(piece);
        }
    }

    fn push_value(&mut self, value: f64) {
        // Writing into a string cannot fail.
        let _ = match value {
            f64::INFINITY => self.text.write_str("+Inf"),
            f64::NEG_INFINITY => self.text.write_str("-Inf"),
            // Counts, for which the digits of an integer are the same and quicker to find. (`-0` has a sign.)
            _ if value.is_sign_positive() && value.fract() == 0.0 && value < LARGEST_INTEGER => {
                write!(self.text, "{}", value as u64)
            }
            _ => write!(self.text, "{value}"),
        };
    }

    /// Appends text with backslashes and newlines escaped, and within quotes also quotes.
    fn push_escaped(&mut self, text: &str, in_quotes: bool) {
        let is_special = |byte: u8| matches!(byte, b'\\' | b'\n') || (byte == b'"' && in_quotes);
        let mut rest = text;
        while let Some(at) = rest.bytes().position(is_special) {
            let (plain, special) = rest.split_at(at);
            let escaped = match special.as_bytes()[0] {
                b'\n' => "\\n",
                b'"' => "\\\"",
                _ => "\\\\",
            };
            self.push(&[plain, escaped]);
            rest = &special[1..];
        }
        self.text.push_str(rest);
    }
}

/// An entry as a line of a format, without the newline.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a, 'r>(pub Entry<'a, 'r>, pub Format);

impl fmt::Display for Written<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(entry, format) = *self;
        match entry {
            Entry::Help { name, text } => write!(f, "# HELP {} {}", Name(name), text.written()),
            Entry::Type { name, kind } => {
                let word = match kind {
                    MetricType::Untyped if format.is_open_metrics() => "unknown",
                    kind => kind.word(),
                };
                write!(f, "# TYPE {} {word}", Name(name))
            }
            Entry::Unit { name, unit } => write!(f, "# UNIT {} {unit}", Name(name)),
            Entry::Sample(sample) => {
                if is_bare(sample.name.written(), true) {
                    f.write_str(sample.name.written())?;
                    write_labels(f, None, sample.labels)?;
                } else {
                    write_labels(f, Some(sample.name), sample.labels)?;
                }
                write!(f, " {}", sample.value)?;
                write_time(f, sample.timestamp, format)?;
                let Some(exemplar) = sample.exemplar else { return Ok(()) };
                f.write_str(" # ")?;
                if exemplar.labels.is_empty() {
                    f.write_str("{}")?;
                }
                write_labels(f, None, exemplar.labels)?;
                write!(f, " {}", exemplar.value)?;
                write_time(f, exemplar.timestamp, format)
            }
            Entry::End => f.write_str("# EOF"),
            Entry::Nothing => Ok(()),
        }
    }
}

/// A metric's name, quoted if necessary.
struct Name<'a>(Escaped<'a>);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.written();
        if is_bare(name, true) { f.write_str(name) } else { write!(f, "\"{name}\"") }
    }
}

/// Whether a name needs no quotes; a metric's may have colons, a label's not.
fn is_bare(name: &str, may_have_colons: bool) -> bool {
    let is_letter =
        |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || (byte == b':' && may_have_colons);
    name.bytes().all(is_letter) && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn write_labels(
    f: &mut fmt::Formatter<'_>,
    metric: Option<Escaped<'_>>,
    labels: &[Label<'_>],
) -> fmt::Result {
    let mut separator = '{';
    if let Some(name) = metric {
        write!(f, "{{\"{}\"", name.written())?;
        separator = ',';
    }
    for label in labels {
        let (name, value) = (label.name.written(), label.value.written());
        let quote = if is_bare(name, false) { "" } else { "\"" };
        write!(f, "{separator}{quote}{name}{quote}=\"{value}\"")?;
        separator = ',';
    }
    if separator == ',' { f.write_str("}") } else { Ok(()) }
}

fn write_time(f: &mut fmt::Formatter<'_>, time: Option<UnixMillis>, format: Format) -> fmt::Result {
    match time {
        None => Ok(()),
        Some(UnixMillis(millis)) if format.is_open_metrics() => {
            let (sign, size) = (if millis < 0 { "-" } else { "" }, millis.unsigned_abs());
            write!(f, " {sign}{}.{:03}", size / 1000, size % 1000)
        }
        Some(UnixMillis(millis)) => write!(f, " {millis}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{lint::lint, page::Page, parse, reader::Reader},
        *,
    };

    /// The lines of a text that can be parsed, and how many cannot.
    fn lines(text: &str, format: Format) -> (Vec<String>, usize) {
        let (mut lines, mut wrong) = (Vec::new(), 0);
        let mut reader = Reader::new(text, format);
        while let Some(line) = reader.next() {
            match line {
                Ok(line) if line.entry != Entry::Nothing => {
                    lines.push(Written(line.entry, format).to_string());
                }
                Ok(_) => {}
                Err(_) => wrong += 1,
            }
        }
        (lines, wrong)
    }

    /// A label's value, escaped.
    fn escaped() -> impl Strategy<Value = String> {
        "[a-zé{}=, \\\\\"\n#]{0,6}"
            .prop_map(|text| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
    }

    fn line() -> impl Strategy<Value = String> {
        let labels = prop::collection::btree_map("[a-z]{1,3}", escaped(), 0..4);
        let value = prop_oneof![any::<f64>().prop_map(|v| v.to_string()), Just("+Inf".to_owned())];
        let name = prop_oneof![Just("a:b_total".to_owned()), Just("{\"é.b\"".to_owned())];
        (name, labels, value, prop::option::of(0..i64::from(u32::MAX))).prop_map(
            |(name, labels, value, time)| {
                let mut line = name.clone();
                let mut separator = if name.starts_with('{') { ',' } else { '{' };
                for (label, value) in &labels {
                    line.push_str(&format!("{separator}{label}=\"{value}\""));
                    separator = ',';
                }
                let close = if separator == ',' { "}" } else { "" };
                format!("{line}{close} {value}{}", time.map(|time| format!(" {time}")).unwrap_or_default())
            },
        )
    }

    #[test]
    fn families_samples_and_escapes_are_written_correctly() {
        let mut out = Writer::default();
        out.metric("m_total", MetricType::Counter, "Help with \"quotes\", a \\ and a\nnewline.");
        out.sample("m_total", "", [("a", "x\\y\"z\n"), ("b", "")], 3.0);
        out.sample("m_total", "", [], 0.25);
        out.sample("m_total", "", [("a", "far")], f64::INFINITY);
        out.metric("d", MetricType::Histogram, "Durations.");
        out.histogram("d", &[("route", "/")], [("0.1", 2), ("+Inf", 3)], 1.5);
        out.metric("s", MetricType::Summary, "Sizes.");
        out.summary("s", &[], 12.0, 4);
        let text = out.finish();
        assert_eq!(
            text,
            "# HELP m_total Help with \"quotes\", a \\\\ and a\\nnewline.\n# TYPE m_total counter\n\
             m_total{a=\"x\\\\y\\\"z\\n\",b=\"\"} 3\nm_total 0.25\nm_total{a=\"far\"} +Inf\n\
             # HELP d Durations.\n# TYPE d histogram\nd_bucket{route=\"/\",le=\"0.1\"} 2\n\
             d_bucket{route=\"/\",le=\"+Inf\"} 3\nd_sum{route=\"/\"} 1.5\nd_count{route=\"/\"} 3\n\
             # HELP s Sizes.\n# TYPE s summary\ns_sum 12\ns_count 4\n"
        );
        let read = parse(&text).unwrap();
        assert_eq!(read.series[0].labels["a"], "x\\y\"z\n");
        assert_eq!(read.types["d"], "histogram");
    }

    #[test]
    fn values_have_the_digits_that_floats_are_displayed_with() {
        let large = LARGEST_INTEGER;
        for value in [0.0, -0.0, 7.0, -7.0, 0.25, large - 1.0, large, large + 2.0, 1e300, f64::NAN] {
            let mut out = Writer::default();
            out.sample("m", "", [], value);
            assert_eq!(out.finish(), format!("m {value}\n"));
        }
    }

    proptest! {
        #[test]
        fn written_expositions_round_trip(written in prop::collection::vec(line(), 0..8)) {
            for format in [Format::Text100, Format::OpenMetrics] {
                let end = if format.is_open_metrics() { "# EOF\n" } else { "" };
                let text = written.iter().map(|line| format!("{line}\n")).collect::<String>() + end;
                let (once, wrong) = lines(&text, format);
                prop_assert_eq!(wrong, 0, "{}", text);
                let again = once.iter().map(|line| format!("{line}\n")).collect::<String>();
                prop_assert_eq!(lines(&again, format), (once, 0), "{}", again);
            }
        }

        #[test]
        fn any_text_is_read_without_panic_and_round_trips(
            text in "((# (TYPE|HELP|UNIT|EOF) ?)|a_total|\"|\\{|\\}|[ -~\\n{}\"\\\\#=é\t\r]){0,60}",
        ) {
            for format in [Format::Text004, Format::Text100, Format::OpenMetrics] {
                let _ = lint(&Page::read(&text, format));
                let (once, _) = lines(&text, format);
                let again = once.iter().map(|line| format!("{line}\n")).collect::<String>();
                let has_end = again.ends_with("# EOF\n");
                let missing = usize::from(format.is_open_metrics() && !has_end);
                prop_assert_eq!(lines(&again, format), (once, missing), "{}", again);
            }
        }
    }
}

//! Prometheus's text format 0.0.4, written. (prometheus-client writes OpenMetrics only, whose counters lose their
//! `_total` in the TYPE line and which 0.0.4 readers therefore take for untyped; and it knows no summaries.)

use std::fmt::Write as _;

/// What `/metrics` declares its text to be. Prometheus 3 refuses a scrape without it.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A metrics page in the making.
#[derive(Debug, Default)]
pub(super) struct Exposition(String);

/// A label's name and value.
pub(super) type Label<'a> = (&'a str, &'a str);

/// What a metric is, for its TYPE line.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Summary,
}

impl Exposition {
    /// Opens a metric: its samples follow.
    pub(super) fn metric(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Summary => "summary",
        };
        // Writing into a string cannot fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// One line: a sample of `name` with `suffix` ("" or "_sum", …), with the series' labels and those of this sample.
    pub(super) fn sample(
        &mut self,
        name: &str,
        suffix: &str,
        labels: &[Label<'_>],
        more: &[Label<'_>],
        value: f64,
    ) {
        self.0.push_str(name);
        self.0.push_str(suffix);
        let mut separator = '{';
        for (label, text) in labels.iter().chain(more) {
            self.0.push(separator);
            separator = ',';
            self.0.push_str(label);
            self.0.push_str("=\"");
            self.push_escaped(text);
            self.0.push('"');
        }
        if separator == ',' {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    fn push_escaped(&mut self, text: &str) {
        let mut rest = text;
        while let Some(place) = rest.bytes().position(|byte| matches!(byte, b'\\' | b'"' | b'\n')) {
            let (plain, special) = rest.split_at(place);
            self.0.push_str(plain);
            self.0.push_str(match special.as_bytes()[0] {
                b'\n' => "\\n",
                b'"' => "\\\"",
                _ => "\\\\",
            });
            rest = &special[1..];
        }
        self.0.push_str(rest);
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_are_escaped() {
        let mut out = Exposition::default();
        out.metric("m_total", Kind::Counter, "Help.");
        out.sample("m_total", "", &[("a", "x\\y\"z\n"), ("b", "")], &[], 3.0);
        out.sample("m_total", "", &[], &[], 0.25);
        assert_eq!(
            out.finish(),
            "# HELP m_total Help.\n# TYPE m_total counter\nm_total{a=\"x\\\\y\\\"z\\n\",b=\"\"} 3\nm_total 0.25\n"
        );
    }
}

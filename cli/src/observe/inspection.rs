//! The findings of `saasbench metrics` about one exposition: its format, its metrics and its mistakes.

use serde::Serialize;

use saasbench_exposition::{
    cardinality::{Cardinality, MetricSpread},
    format::Format,
    lint::{
        Finding, lint,
        rule::{Rule, Severity},
    },
    page::Page,
};
use saasbench_model::units::Nanos;

/// The origin of an exposition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A response, with its Content-Type and how long it took.
    Response(Option<String>, Nanos),
    /// A file or standard input: the format is detected from the text.
    File,
}

/// An inspected exposition.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// URL or file.
    pub source: String,
    /// The format that it was read in.
    pub format: Format,
    /// The Content-Type of a response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// How long a response took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_ns: Option<Nanos>,
    /// Its length.
    pub bytes: usize,
    /// All its series.
    pub series: usize,
    /// Its metrics, in the order of the text.
    pub metrics: Vec<MetricSpread>,
    /// Its mistakes, in the order of its lines.
    pub findings: Vec<Finding>,
}

impl Inspection {
    /// Inspects an exposition.
    pub fn of(source: String, body: &[u8], origin: Origin) -> Self {
        let mut findings = Vec::new();
        let text = match std::str::from_utf8(body) {
            Ok(text) => text,
            Err(error) => {
                findings.push(not_utf8(body, error.valid_up_to()));
                ""
            }
        };
        let (content_type, took_ns, format) = match origin {
            Origin::File => (None, None, Format::of_text(text)),
            Origin::Response(content_type, took) => {
                let format = content_type.as_deref().and_then(Format::of_content_type);
                if format.is_none() {
                    findings.push(wrong_content_type(content_type.as_deref()));
                }
                (content_type, Some(took), format.unwrap_or_else(|| Format::of_text(text)))
            }
        };
        let mut metrics = Vec::new();
        let mut series = 0;
        // A text that cannot be read has no other findings.
        let mut read_as = format;
        if findings.iter().all(|finding| finding.rule != Rule::Syntax) {
            let mut page = Page::read(text, format);
            if format == Format::Text100 && content_type.is_none() {
                // Not clear from the text: it is the older format unless that has other errors.
                let older = Page::read(text, Format::Text004);
                if older.errors == page.errors {
                    (page, read_as) = (older, Format::Text004);
                }
            }
            findings.extend(lint(&page));
            metrics = Cardinality::of(&page).metrics;
            series = page.series();
        }
        Self { source, format: read_as, content_type, took_ns, bytes: body.len(), series, metrics, findings }
    }

    /// Number of findings of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

fn wrong_content_type(content_type: Option<&str>) -> Finding {
    let message = match content_type {
        None => "the response has no Content-Type: Prometheus 3 rejects it".to_owned(),
        Some(other) => {
            format!("the Content-Type `{other}` is not one of an exposition: Prometheus 3 rejects it")
        }
    };
    Finding::new(Rule::ContentType, 1, None, message)
}

fn not_utf8(body: &[u8], valid: usize) -> Finding {
    let before = &body[..valid];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let begin = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let column = String::from_utf8_lossy(&before[begin..]).chars().count() + 1;
    let message = "the text is not UTF-8 from here on".to_owned();
    Finding { column, ..Finding::new(Rule::Syntax, line, None, message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_response(body: &[u8], content_type: Option<&str>) -> Inspection {
        Inspection::of("x".to_owned(), body, Origin::Response(content_type.map(str::to_owned), Nanos::ZERO))
    }

    #[test]
    fn the_content_type_decides_the_format() {
        let text = b"# HELP a_total A.\n# TYPE a_total counter\na_total 1\n# EOF\n";
        let plain = of_response(text, Some("text/plain; version=0.0.4"));
        assert_eq!((plain.format, plain.findings.len()), (Format::Text004, 0), "{plain:?}");
        let other = of_response(text, Some("application/openmetrics-text; version=1.0.0"));
        assert_eq!((other.format, other.count(Severity::Warning)), (Format::OpenMetrics, 1), "{other:?}");
    }

    #[test]
    fn finds_responses_that_prometheus_rejects() {
        let answers: [(&[u8], Option<&str>); 3] =
            [(b"", None), (b"", Some("text/html")), (b"a 1\nb{c=\"\xc3\xa9\xff\"} 1\n", Some("text/plain"))];
        let shown = answers.map(|(body, content_type)| {
            let found = of_response(body, content_type).findings;
            found
                .iter()
                .map(|f| format!("{}:{}: {}: {}\n", f.line, f.column, f.rule, f.message))
                .collect::<String>()
        });
        insta::assert_snapshot!(shown.concat());
    }
}

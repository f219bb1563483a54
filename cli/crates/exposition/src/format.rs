//! The text formats of expositions, and how to detect them: by Content-Type, as Prometheus does, or, for
//! files, by the text itself.

use std::fmt;

use serde::Serialize;

/// The `Accept` header of Prometheus 3, without protocol buffers.
pub const ACCEPT: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
    application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
    text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

/// A text format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Format {
    /// The Prometheus text format 0.0.4.
    #[serde(rename = "text 0.0.4")]
    Text004,
    /// The Prometheus text format 1.0.0: 0.0.4 plus quoted names of any characters.
    #[serde(rename = "text 1.0.0")]
    Text100,
    /// OpenMetrics 1.0.
    #[serde(rename = "OpenMetrics 1.0")]
    OpenMetrics,
}

impl Format {
    /// The format that a Content-Type states; `None` if it is none of them.
    ///
    /// Parameters other than `version` are ignored, as by Prometheus. Without a version `text/plain` is
    /// 0.0.4.
    pub fn of_content_type(content_type: &str) -> Option<Self> {
        let mut parts = content_type.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let version = parts
            .filter_map(|parameter| parameter.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("version"))
            .map(|(_, value)| value.trim().trim_matches('"'));
        match (media.as_str(), version) {
            ("application/openmetrics-text", _) => Some(Self::OpenMetrics),
            ("text/plain", Some("1.0.0")) => Some(Self::Text100),
            ("text/plain", _) => Some(Self::Text004),
            _ => None,
        }
    }

    /// Whether it is OpenMetrics.
    pub fn is_open_metrics(self) -> bool {
        self == Self::OpenMetrics
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text004 => "text 0.0.4",
            Self::Text100 => "text 1.0.0",
            Self::OpenMetrics => "OpenMetrics 1.0",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_name_formats() {
        let table = [
            ("text/plain; version=0.0.4; charset=utf-8", Some(Format::Text004)),
            ("text/plain", Some(Format::Text004)),
            ("TEXT/PLAIN;Version=\"1.0.0\";escaping=underscores", Some(Format::Text100)),
            ("application/openmetrics-text; version=1.0.0; charset=utf-8", Some(Format::OpenMetrics)),
            ("application/json", None),
            ("text/html; charset=utf-8", None),
            ("", None),
        ];
        for (content_type, format) in table {
            assert_eq!(Format::of_content_type(content_type), format, "{content_type}");
        }
    }

    #[test]
    fn texts_reveal_their_format() {
        let table = [
            ("a 1\n# EOF\n", Format::OpenMetrics),
            ("# EOF", Format::OpenMetrics),
            ("a 1\n", Format::Text100),
            ("# EOF\na 1\n", Format::Text100),
            ("# A comment.\n\na 1\n# EOF\n", Format::Text100),
            ("# A comment.\n\na one\n# EOF\n", Format::OpenMetrics),
            ("", Format::Text100),
        ];
        for (text, format) in table {
            assert_eq!(Format::of_text(text), format, "{text:?}");
        }
    }
}

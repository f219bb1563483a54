//! Parses any text as an exposition, in each format: nothing panics, every error position lies within the
//! text, and parsed data survives writing and reading it again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use saasbench_exposition::{entry::Entry, format::Format, lint::lint, page::Page, reader::Reader, writer::Written};

/// The readable part of a text, as lines.
fn lines(text: &str, format: Format, may_be_wrong: bool) -> Vec<String> {
    let (mut lines, mut reader) = (Vec::new(), Reader::new(text, format));
    let last = text.split('\n').count();
    while let Some(line) = reader.next() {
        match line {
            Ok(line) if line.entry != Entry::Nothing => {
                if let Entry::Sample(sample) = line.entry {
                    assert!(text.contains(sample.series));
                }
                lines.push(Written(line.entry, format).to_string());
            }
            Ok(_) => {}
            Err(error) => {
                let is_missing_end = error.message.starts_with("the text ends without");
                assert!(may_be_wrong || is_missing_end, "{text:?}: {error}");
                let line = text.split('\n').nth(error.line - 1).unwrap_or_default();
                assert!(error.line <= last && error.column <= line.chars().count() + 1, "{text:?}: {error}");
            }
        }
    }
    lines
}

fuzz_target!(|text: &str| {
    for format in [Format::Text004, Format::Text100, Format::OpenMetrics] {
        let once = lines(text, format, true);
        let written: String = once.iter().flat_map(|line| [line, "\n"]).collect();
        assert_eq!(once, lines(&written, format, false), "{written:?}");
        for finding in lint(&Page::read(text, format)) {
            assert!(finding.line >= 1 && finding.column >= 1 && !finding.message.is_empty());
        }
    }
    let _ = saasbench_exposition::parse(text);
});

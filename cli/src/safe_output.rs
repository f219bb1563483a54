//! The last step of everything that is printed, and of the files beside a record: without secrets, and without
//! what the terminal, a CI's log or another reader would act on.
//!
//! Only `main` opens the standard streams (`clippy.toml` forbids it elsewhere), and `Output` and the live displays
//! write to them through this module.

use std::io::Write as _;

use saasbench_model::safe_text;

use crate::secrets::redactor;

/// A text for standard output or standard error.
pub fn text(text: &str) -> String {
    safe_text::terminal(&redactor().redact(text))
}

/// Annotations for a CI system, whose commands pass.
pub fn annotations(text: &str) -> String {
    safe_text::annotations(&redactor().redact(text))
}

/// A JSON document or line.
pub fn json(text: &str) -> String {
    safe_text::terminal(&redactor().redact_json(text))
}

/// A rendered document of another kind.
pub fn document(text: &str) -> String {
    safe_text::document(&redactor().redact(text))
}

/// Writes a text to standard error; errors are ignored, because they must not stop a run.
#[expect(clippy::disallowed_methods, reason = "the text is made safe here")]
pub fn to_stderr(unsafe_text: &str) {
    let _ = anstream::stderr().lock().write_all(text(unsafe_text).as_bytes());
}

/// Writes a line of JSON to standard error; errors are ignored, because they must not stop a run.
#[expect(clippy::disallowed_methods, reason = "the text is made safe here")]
pub fn json_to_stderr(line: &str) {
    let _ = anstream::stderr().lock().write_all(json(line).as_bytes());
}

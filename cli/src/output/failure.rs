//! Prints why a command could not do its work, and what the user can do about it.

use std::io::{self, Write};

use crate::{exit::Failure, safe_output};
use saasbench_report::style::{BAD, HINT, paint};

/// Prints a failure.
///
/// # Errors
/// When `err` cannot be written.
pub fn print(failure: &Failure, err: &mut dyn Write) -> io::Result<()> {
    writeln!(err, "{}", safe_output::text(&text(failure)))
}

/// The text of a failure.
pub(super) fn text(failure: &Failure) -> String {
    if failure.rendered {
        return failure.message.trim_end().to_owned();
    }
    let hint = failure.hint.as_ref().map(|hint| format!("\n{} {hint}", paint(HINT, "help:")));
    format!("{} {}{}", paint(BAD, "error:"), failure.message, hint.unwrap_or_default())
}

//! Prints why a command could not do its work, and what the user can do about it.

use std::io::{self, Write};

use crate::exit::Failure;
use saasbench_report::style::{BAD, HINT, paint};

/// Prints a failure.
///
/// # Errors
/// When `err` cannot be written.
pub fn print(failure: &Failure, err: &mut dyn Write) -> io::Result<()> {
    if failure.rendered {
        return writeln!(err, "{}", failure.message.trim_end());
    }
    writeln!(err, "{} {}", paint(BAD, "error:"), failure.message)?;
    match &failure.hint {
        Some(hint) => writeln!(err, "{} {hint}", paint(HINT, "help:")),
        None => Ok(()),
    }
}

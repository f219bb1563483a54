//! Reads files of JSON lines.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

/// Why observations could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ObservationsError {
    /// The file could not be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The I/O error.
        source: io::Error,
    },
    /// A line does not have the expected form.
    #[error("{path}:{line}: {message}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// The parser's message.
        message: String,
    },
}

/// The records of a JSON-lines file. A last line without a newline is ignored: it was being written when the
/// run was killed.
///
/// # Errors
/// When the file cannot be read, or a line does not have the expected form.
pub fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, ObservationsError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(ObservationsError::Io { path: path.to_owned(), source }),
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .enumerate()
        .map(|(i, line)| {
            serde_json::from_str(line).map_err(|error| ObservationsError::Line {
                path: path.to_owned(),
                line: i + 1,
                message: error.to_string(),
            })
        })
        .collect()
}

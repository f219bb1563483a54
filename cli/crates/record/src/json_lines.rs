//! Files of JSON lines: each line is an object that ends with the start of its own SHA-256 checksum, so that
//! what a killed run left is known to be as it was written.

use std::{fs, io, path::PathBuf};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    checksum::Checksum,
    damage::{DamageKind, Files, Part},
};

/// Hexadecimal digits of the checksum in a line.
const DIGITS: usize = 16;
/// The last field of a line, up to the digits.
pub(crate) const FIELD: &str = ",\"checksum\":\"";

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

/// An object as a line with its checksum, and a newline.
///
/// # Errors
/// Never for the types of this crate; returned so that no caller has to unwrap.
pub fn to_line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    if line.pop() != Some(b'}') || line == b"{" {
        return Err(io::Error::other("only an object with fields can contain its checksum"));
    }
    Ok(closed(line))
}

/// A line whose text so far lacks the checksum and the end.
pub(crate) fn closed(mut line: Vec<u8>) -> Vec<u8> {
    let checksum = Checksum::of(&line).to_string();
    line.extend_from_slice(FIELD.as_bytes());
    line.extend_from_slice(&checksum.as_bytes()[..DIGITS]);
    line.extend_from_slice(b"\"}\n");
    line
}

/// Whether a line, without its newline, is as [`to_line`] wrote it.
fn is_unchanged(line: &str) -> bool {
    let digits =
        line.strip_suffix("\"}").and_then(|line| line.split_at_checked(line.len().checked_sub(DIGITS)?));
    let Some((line, digits)) = digits else { return false };
    let Some(body) = line.strip_suffix(FIELD) else { return false };
    Checksum::of(body.as_bytes()).to_string().starts_with(digits)
}

/// The records of a file of a record; none if it is missing. A last line without a newline is ignored: it was
/// being written when the run was killed. A changed line makes the whole file unusable, which is added to the
/// damage.
///
/// # Errors
/// When the file cannot be read, or a line does not have the expected form though it is as it was written.
pub(crate) fn lines<T: DeserializeOwned>(
    files: &mut Files<'_>,
    file: &str,
    part: Part,
) -> Result<Vec<T>, ObservationsError> {
    let Some(path) = files.usable(file) else { return Ok(Vec::new()) };
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(ObservationsError::Io { path, source }),
    };
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(&[][..], |end| &text[..end]);
    if whole.is_empty() {
        return Ok(Vec::new());
    }
    let mut records = Vec::new();
    for (line, number) in whole.split(|byte| *byte == b'\n').zip(1..) {
        let Some(line) = std::str::from_utf8(line).ok().filter(|line| is_unchanged(line)) else {
            files.add(file, part, DamageKind::Line(number));
            return Ok(Vec::new());
        };
        records.push(serde_json::from_str(line).map_err(|error| ObservationsError::Line {
            path: path.clone(),
            line: number,
            message: error.to_string(),
        })?);
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_line_makes_its_file_unusable() {
        let dir = tempfile::tempdir().unwrap();
        let one = to_line(&serde_json::json!({ "at": 1 })).unwrap();
        let whole = [one.as_slice(), b"{\"at\":2"].concat();
        let read = |text: &[u8]| {
            fs::write(dir.path().join("x.jsonl"), text).unwrap();
            let mut files = Files { dir: dir.path(), damage: Vec::new() };
            let records = lines::<serde_json::Value>(&mut files, "x.jsonl", Part::Redis).unwrap();
            (records.len(), files.damage.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(read(&whole), (1, vec![]));
        assert_eq!(read(b""), (0, vec![]));
        assert_eq!(read(b"{\"at\":2"), (0, vec![]));
        for at in 0..one.len() - 1 {
            let mut changed = [one.as_slice(), &one].concat();
            changed[one.len() + at] ^= 1;
            let (records, damage) = read(&changed);
            assert_eq!((records, damage.len()), (0, 1), "byte {at}");
        }
        let damage = read(b"{\"at\":1}\n").1;
        assert_eq!(
            damage,
            ["line 1 of x.jsonl does not match its checksum: it was changed since it was written"]
        );
        assert!(to_line(&7).is_err() && to_line(&serde_json::json!({})).is_err());
    }
}

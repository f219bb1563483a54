//! Reads files that users name, and standard input, up to a bound: also a name that leads to `/dev/zero`
//! costs a moment and no memory.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use saasbench_model::scenario::notation::size;

/// The longest file that is read, in bytes, unless [`VARIABLE`] states another bound.
const LIMIT: u64 = 256 << 20;

/// The environment variable with another bound: `1000MiB`.
pub const VARIABLE: &str = "SAASBENCH_FILE_SIZE_LIMIT";

/// The bytes of a file.
///
/// # Errors
/// The file system's, and a file over the bound.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_all(&mut File::open(path)?)
}

/// The text of a file.
///
/// # Errors
/// Those of [`read`], and a file that is not UTF-8.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    into_text(read(path)?)
}

/// The bytes of a stream, such as standard input.
///
/// # Errors
/// Those of [`read`].
pub fn read_all(stream: &mut dyn Read) -> io::Result<Vec<u8>> {
    let limit = limit(std::env::var(VARIABLE).ok().as_deref())?;
    let mut bytes = Vec::new();
    stream.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let why = format!("it is longer than {limit} bytes; to read more, set {VARIABLE}=1000MiB");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

/// The text of a stream.
///
/// # Errors
/// Those of [`read_to_string`].
pub fn read_all_to_string(stream: &mut dyn Read) -> io::Result<String> {
    into_text(read_all(stream)?)
}

fn limit(variable: Option<&str>) -> io::Result<u64> {
    let Some(text) = variable else { return Ok(LIMIT) };
    size(text).map_err(|complaint| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{VARIABLE}: {}; {}", complaint.message, complaint.help),
        )
    })
}

fn into_text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "stream did not contain valid UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endless_files_are_refused_with_the_bound_and_how_to_raise_it() {
        let error = read(Path::new("/dev/zero")).unwrap_err();
        insta::assert_snapshot!(error, @"it is longer than 268435456 bytes; to read more, set SAASBENCH_FILE_SIZE_LIMIT=1000MiB");
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("scenario.toml");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        assert_eq!(read_to_string(&link).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(read_all_to_string(&mut &b"text"[..]).unwrap(), "text");
        assert!(read_all_to_string(&mut &b"\xff"[..]).is_err());
    }

    #[test]
    fn the_bound_can_be_set() {
        assert_eq!(limit(None).unwrap(), LIMIT);
        assert_eq!(limit(Some("1 MiB")).unwrap(), 1 << 20);
        insta::assert_snapshot!(limit(Some("much")).unwrap_err(), @"SAASBENCH_FILE_SIZE_LIMIT: `much` is not a unit of size; a size is written like `64MiB`, with B, kB, MB, KiB or MiB");
    }
}

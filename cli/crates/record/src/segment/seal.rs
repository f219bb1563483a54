//! The checksum of a segment, in its footer together with that of the segment before: a changed segment is
//! rejected before it is decoded, and a missing or foreign one before what follows it is used.

use std::io;

use parquet::file::metadata::KeyValue;

use crate::checksum::{Checksum, ChecksumError, DIGITS};

/// Key of the segment's own checksum.
const OWN: &str = "saasbench.checksum";
/// Key of the checksum of the segment before; in the first, the run's identity.
const PREVIOUS: &str = "saasbench.previous";
/// What stands between a key and its value in the footer: Thrift's header of the second field, a text, and its
/// length, which fits into one byte.
const BETWEEN: [u8; 2] = [0x18, DIGITS as u8];
/// The footer's end, which contains the checksums.
const TAIL: usize = 1 << 14;

/// The checksums of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal {
    /// Its own.
    pub own: Checksum,
    /// That of the segment before; in the first, the run's identity.
    pub previous: Checksum,
}

/// The metadata of a segment that follows `previous`, with zeros for its own checksum.
pub(super) fn metadata(previous: Checksum) -> Vec<KeyValue> {
    let pair = |key: &str, checksum: Checksum| KeyValue::new(key.to_owned(), checksum.to_string());
    vec![pair(PREVIOUS, previous), pair(OWN, Checksum::default())]
}

/// Puts the checksum into a segment with [`metadata`].
pub(super) fn seal(bytes: &mut [u8]) -> io::Result<Checksum> {
    let missing = || io::Error::other("a segment's footer has no place for its checksum");
    let at = value(bytes, OWN).ok_or_else(missing)?;
    let checksum = Checksum::of_all_but(bytes, at).ok_or_else(missing)?;
    let place = bytes.get_mut(at..at + DIGITS).ok_or_else(missing)?;
    place.copy_from_slice(checksum.to_string().as_bytes());
    Ok(checksum)
}

/// Checks that a segment is as it was written.
pub(super) fn check(bytes: &[u8]) -> Result<Seal, ChecksumError> {
    let own = Checksum::check(bytes, value(bytes, OWN).ok_or(ChecksumError::Missing)?)?;
    let at = value(bytes, PREVIOUS).ok_or(ChecksumError::Missing)?;
    let previous = std::str::from_utf8(&bytes[at..at + DIGITS]).ok().and_then(|digits| digits.parse().ok());
    Ok(Seal { own, previous: previous.ok_or(ChecksumError::Missing)? })
}

/// Where the digits of a key's value start in the footer; they are within `bytes`.
fn value(bytes: &[u8], key: &str) -> Option<usize> {
    let from = bytes.len().saturating_sub(TAIL);
    let key: Vec<u8> = [key.as_bytes(), &BETWEEN].concat();
    let found = bytes[from..].windows(key.len()).rposition(|window| window == key)?;
    let at = from + found + key.len();
    (at + DIGITS <= bytes.len()).then_some(at)
}

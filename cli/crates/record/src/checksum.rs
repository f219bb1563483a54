//! SHA-256 checksums of a record's files: what changed after it was written is noticed before it is used.
//!
//! A document (`manifest.json`, `verdict.json`, `capacity.json`) ends with its own checksum, computed over its
//! text with zeros in place of the digits; so do segments, within their footer. Other files are listed in the
//! manifest.

use std::{
    fmt,
    fs::File,
    io::{self, Read as _},
    path::Path,
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// Hexadecimal digits of a checksum.
pub(crate) const DIGITS: usize = 64;

/// What the digits are replaced by while a text that contains its own checksum is summed.
const ZEROS: [u8; DIGITS] = [b'0'; DIGITS];

/// The last field of a document, up to the digits …
pub(crate) const FIELD: &str = ",\n  \"checksum\": \"";
/// … and after them.
const END: &str = "\"\n}\n";

/// A SHA-256 checksum; in texts its hexadecimal digits. The default, all zeros, stands for "none".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Checksum([u8; 32]);

/// Why a document is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChecksumError {
    /// It does not end with a checksum.
    #[error(
        "it does not end with its checksum: it was cut off or edited, or written before there were checksums"
    )]
    Missing,
    /// It is not what was written.
    #[error("it does not match its checksum: it was changed since it was written")]
    Mismatch,
}

impl Checksum {
    /// The checksum of a text.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The checksum of a file.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let (mut sha, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(Self(sha.finalize().into())),
                read => sha.update(&buffer[..read]),
            }
        }
    }

    /// The checksum of a text that contains its own checksum, with its digits at `at`. `None` where the text
    /// ends before.
    pub(crate) fn of_all_but(bytes: &[u8], at: usize) -> Option<Self> {
        let (before, after) = (bytes.get(..at)?, bytes.get(at + DIGITS..)?);
        let sha = Sha256::new().chain_update(before).chain_update(ZEROS).chain_update(after);
        Some(Self(sha.finalize().into()))
    }

    /// Whether a text has its own checksum at `at`; returns it.
    pub(crate) fn check(bytes: &[u8], at: usize) -> Result<Self, ChecksumError> {
        let digits = bytes.get(at..).and_then(|rest| rest.get(..DIGITS)).ok_or(ChecksumError::Missing)?;
        let found = Self::of_all_but(bytes, at).ok_or(ChecksumError::Missing)?;
        if found.to_string().as_bytes() == digits { Ok(found) } else { Err(ChecksumError::Mismatch) }
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Checksum {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a SHA-256 checksum of {DIGITS} hexadecimal digits");
        if text.len() != DIGITS || !text.is_ascii() {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Checksum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Checksum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A JSON object as a document: pretty, with the checksum of the text as its last field, and a final newline.
///
/// # Errors
/// Never for the types of this workspace; returned so that no caller has to unwrap.
pub fn to_document(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value)?;
    if !text.ends_with(b"\n}") {
        return Err(io::Error::other("only an object with fields can contain its checksum"));
    }
    text.truncate(text.len() - 2);
    Ok(closed(text))
}

/// A document whose text so far lacks the checksum and the end.
pub(crate) fn closed(mut text: Vec<u8>) -> Vec<u8> {
    text.extend_from_slice(FIELD.as_bytes());
    let at = text.len();
    text.extend_from_slice(&ZEROS);
    text.extend_from_slice(END.as_bytes());
    let checksum = Checksum::of(&text).to_string();
    text[at..at + DIGITS].copy_from_slice(checksum.as_bytes());
    text
}

/// Checks that a document is as [`to_document`] wrote it.
///
/// # Errors
/// When it was changed, or has no checksum.
pub fn check_document(text: &[u8]) -> Result<(), ChecksumError> {
    let body = text.strip_suffix(END.as_bytes()).ok_or(ChecksumError::Missing)?;
    let at = body.len().checked_sub(DIGITS).ok_or(ChecksumError::Missing)?;
    if !body[..at].ends_with(FIELD.as_bytes()) {
        return Err(ChecksumError::Missing);
    }
    Checksum::check(text, at).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_document_is_noticed() {
        let text = to_document(&serde_json::json!({ "a": [1, 2], "b": "c" })).unwrap();
        assert_eq!(check_document(&text), Ok(()));
        let read: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(read["a"][1], 2);
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut changed = text.clone();
                changed[at] ^= 1 << bit;
                assert!(check_document(&changed).is_err(), "bit {bit} of byte {at}");
            }
            assert_eq!(check_document(&text[..at]), Err(ChecksumError::Missing));
            let mut inserted = text.clone();
            inserted.insert(at, b' ');
            assert!(check_document(&inserted).is_err());
        }
        assert!(to_document(&7).is_err());
        assert!(to_document(&serde_json::json!({})).is_err());
    }

    #[test]
    fn checksums_round_trip() {
        // From FIPS 180-4's examples.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Checksum::of(b"abc").to_string(), abc);
        assert_eq!(abc.parse(), Ok(Checksum::of(b"abc")));
        let json = serde_json::to_string(&Checksum::of(b"abc")).unwrap();
        assert_eq!(serde_json::from_str::<Checksum>(&json).unwrap(), Checksum::of(b"abc"));
        for wrong in ["", "ba", &abc.replace('b', "g"), &abc.replace("ba", "é"), &format!("{abc}00")] {
            assert!(wrong.parse::<Checksum>().is_err(), "{wrong}");
        }
        let dir = tempfile::tempdir().unwrap();
        let long = vec![7; 200_000];
        std::fs::write(dir.path().join("long"), &long).unwrap();
        assert_eq!(Checksum::of_file(&dir.path().join("long")).unwrap(), Checksum::of(&long));
    }
}

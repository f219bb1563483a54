//! Reads segments from files, but decodes only what is as it was written.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use super::{
    Names, SegmentError,
    read::decode,
    seal::{self, Seal},
};
use crate::batch::Batch;

/// More than any segment takes: what is larger is something else, and not read into memory.
const LARGEST: u64 = 1 << 30;

/// Reads a segment.
///
/// # Errors
/// When it cannot be opened, is not as it was written, or contains a tenant, step or replica that `names`
/// does not have, or impossible times, users or loads.
pub fn read(path: &Path, names: &Names<'_>) -> Result<(Batch, Seal), SegmentError> {
    let failed = |source| SegmentError::Io { path: path.to_owned(), source };
    let damaged = |message: String| SegmentError::Damaged { path: path.to_owned(), message };
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Err(damaged("it is not a file of the size of a segment".to_owned()));
    }
    read_bytes(std::fs::read(path).map_err(failed)?, names).map_err(damaged)
}

/// Reads the contents of a segment.
///
/// # Errors
/// As [`read`].
pub fn read_bytes(bytes: Vec<u8>, names: &Names<'_>) -> Result<(Batch, Seal), String> {
    let seal = seal::check(&bytes).map_err(|error| error.to_string())?;
    // What has its checksum was written by this program; a file made by hand must not end the process either.
    catch_unwind(AssertUnwindSafe(|| decode(bytes, names)))
        .unwrap_or_else(|_| Err("it cannot be decoded".to_owned()))
        .map(|batch| (batch, seal))
}

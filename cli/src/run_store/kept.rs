//! The report that a run leaves beside its record, which is believed as long as both are as they were.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use saasbench_record::{
    checksum::{Checksum, check_document, to_document},
    manifest,
};
use saasbench_verify::Report;

/// File of a run's report.
const VERDICT: &str = "verdict.json";

/// What is in that file: the report, and the checksum of the manifest that it was made from.
#[derive(Serialize)]
struct VerdictDocument<'a> {
    #[serde(flatten)]
    report: &'a Report,
    manifest_sha256: Checksum,
}

/// The report of the run in `dir` as it is kept beside its record.
///
/// # Errors
/// When the manifest cannot be read.
pub fn verdict_document(report: &Report, dir: &Path) -> io::Result<Vec<u8>> {
    let manifest_sha256 = Checksum::of_file(&dir.join(manifest::FILE))?;
    to_document(&VerdictDocument { report, manifest_sha256 })
}

/// The report that is kept beside a record, unless it was changed, or made from another record.
pub fn verdict<T: DeserializeOwned>(dir: &Path) -> Option<T> {
    let text = fs::read_to_string(dir.join(VERDICT)).ok()?;
    check_document(text.as_bytes()).ok()?;
    let Of { manifest_sha256 } = serde_json::from_str(&text).ok()?;
    let manifest = Checksum::of_file(&dir.join(manifest::FILE)).ok()?;
    if manifest_sha256 != manifest {
        return None;
    }
    serde_json::from_str(&text).ok()
}

/// The record that a report was made from.
#[derive(Deserialize)]
struct Of {
    manifest_sha256: Checksum,
}

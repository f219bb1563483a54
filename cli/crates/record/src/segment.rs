//! Samples in Parquet: a segment is one file with one row group, written completely and then renamed into
//! place.
//!
//! Names (tenant, step, replica …) are stored as dictionary-encoded text, so that the files are readable in
//! pandas or DuckDB without the scenario; [`Names`] maps them back to indices. `growing`, `columns` and
//! `encode` write at the speed of the load, and `seal` adds the checksum; `read` decodes what `checked` finds
//! unchanged.

mod checked;
mod columns;
mod encode;
mod growing;
mod read;
mod seal;

use std::{
    collections::HashMap,
    fs::File,
    io,
    path::{Path, PathBuf},
};

#[cfg(any(test, feature = "testing"))]
pub(crate) use self::read::decode;
pub use self::{
    checked::{read, read_bytes},
    growing::Growing,
    seal::Seal,
};
use super::{checksum::Checksum, manifest::Recorded, sample::Sample};
use saasbench_model::scenario::Scenario;

const SCHEMA: &str = "message sample {
    required int64 intended_ns;
    required int64 sent_ns;
    optional int64 first_byte_ns;
    required int64 done_ns;
    required binary tenant (string);
    required binary journey (string);
    required binary step (string);
    required binary route (string);
    required binary replica (string);
    required int64 load;
    required int64 user;
    required int64 iteration;
    required binary outcome (string);
    optional int64 status;
    optional binary cause (string);
    optional binary failed_check (string);
    required int64 bytes_out;
    required int64 bytes_in;
    optional int64 limit;
    optional int64 remaining;
    optional double reset_s;
    optional int64 retry_after_s;
    optional int64 retry_of;
    required int64 request;
    optional binary ratelimit_policy (string);
    optional binary ratelimit (string);
    optional binary canary (string);
    optional binary ratelimit_unread (string);
    optional int64 connection;
}";

/// Why a segment could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The file could not be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The I/O error.
        source: io::Error,
    },
    /// There are other samples than were recorded.
    #[error("{path}: {found} samples in {segments} segments, {} samples in {} were recorded: {}", .recorded.samples, .recorded.segments, difference(*.found, *.segments, *.recorded))]
    Different {
        /// The directory.
        path: PathBuf,
        /// Samples that were found.
        found: u64,
        /// Segments that were found.
        segments: u64,
        /// What was recorded.
        recorded: Recorded,
    },
    /// Not a segment, or a damaged one.
    #[error("{path}: damaged segment: {message}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The reason.
        message: String,
    },
}

/// How the samples that were found differ from those that were recorded.
fn difference(found: u64, segments: u64, recorded: Recorded) -> &'static str {
    use std::cmp::Ordering::{Equal, Greater, Less};
    match (segments.cmp(&recorded.segments), found.cmp(&recorded.samples)) {
        (Less, _) | (Equal, Less) => "a part is missing",
        (Greater, _) | (Equal, Greater) => "some were added after the run, or the manifest is of another one",
        (Equal, Equal) => "the last segment is of another run",
    }
}

/// The names behind the indices of samples.
#[derive(Debug)]
pub struct Names<'a> {
    scenario: &'a Scenario,
    replicas: &'a [String],
    tenant_index: HashMap<&'a str, usize>,
    step_index: HashMap<(&'a str, &'a str), usize>,
    replica_index: HashMap<&'a str, usize>,
}

impl<'a> Names<'a> {
    /// The names of a run: tenants and steps from the scenario, replicas from the environment.
    pub fn new(scenario: &'a Scenario, replicas: &'a [String]) -> Self {
        let journey_of = |journey: usize| scenario.journeys.get(journey).map_or("", |j| j.name.as_str());
        Self {
            scenario,
            replicas,
            tenant_index: scenario.tenants.iter().enumerate().map(|(i, t)| (t.as_str(), i)).collect(),
            step_index: scenario
                .steps
                .iter()
                .enumerate()
                .map(|(i, step)| ((journey_of(step.journey), step.name.as_str()), i))
                .collect(),
            replica_index: replicas.iter().enumerate().map(|(i, r)| (r.as_str(), i)).collect(),
        }
    }

    /// The scenario that names tenants and steps.
    pub(super) fn scenario(&self) -> &'a Scenario {
        self.scenario
    }

    /// Names of the replicas.
    pub(super) fn replicas(&self) -> &'a [String] {
        self.replicas
    }

    /// Name of a group of requests: `tenant/journey/step/replica`.
    pub(super) fn group(&self, tenant: usize, step: usize, replica: usize) -> String {
        let step = self.scenario.steps.get(step);
        let journey = step.and_then(|step| self.scenario.journeys.get(step.journey));
        let journey = journey.map_or("", |journey| &journey.name);
        let step = step.map_or("", |step| &step.name);
        let replica = self.replicas.get(replica).map_or("", String::as_str);
        format!("{}/{journey}/{step}/{replica}", self.tenant(tenant))
    }

    fn tenant(&self, index: usize) -> &str {
        self.scenario.tenants.get(index).map_or("", |tenant| tenant.as_str())
    }
}

/// Writes a run's first segment of these samples.
///
/// # Errors
/// Any I/O error.
pub fn write(path: &Path, samples: &[Sample], names: &Names<'_>, identity: Checksum) -> io::Result<()> {
    let mut segment = Growing::of_run(identity);
    segment.add(&samples.iter().collect());
    segment.write(path, names)
}

/// Gives a segment the checksum of what it contains now, for tests; others stay as they are.
#[cfg(any(test, feature = "testing"))]
pub fn reseal(bytes: &mut [u8]) {
    let _ = seal::seal(bytes);
}

/// Waits until a file is on the disk, so that it survives a crash of the machine, too.
///
/// # Errors
/// Any I/O error.
pub fn keep(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests;

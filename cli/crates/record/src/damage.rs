//! What of a record is missing, or was changed since it was written. What rests on it is unknown then, and
//! never judged as if nothing had been there.

use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
};

use crate::{
    checksum::Checksum,
    groups,
    manifest::{Manifest, State},
    stall, usage,
};

/// The parts of a record besides the manifest and the samples, which nothing can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// What the generator measured of itself.
    Generator,
    /// Scrapes of the replicas.
    Scrapes,
    /// Responses of Prometheus.
    Prometheus,
    /// Samples of Redis.
    Redis,
    /// Latency logs, for other programs.
    Logs,
}

/// The files that the manifest lists, and the part that each belongs to.
pub(crate) const FILES: [(&str, Part); 7] = [
    (SCRAPES, Part::Scrapes),
    (PROMETHEUS, Part::Prometheus),
    (REDIS, Part::Redis),
    (stall::FILE, Part::Generator),
    (usage::FILE, Part::Generator),
    ("latency.hlog", Part::Logs),
    (groups::FILE, Part::Logs),
];

/// File of the scrapes, a line each.
pub const SCRAPES: &str = "observations/scrapes.jsonl";
/// File of Prometheus's responses, a line each.
pub const PROMETHEUS: &str = "observations/prometheus.jsonl";
/// File of the samples of Redis, a line each.
pub const REDIS: &str = "observations/store.jsonl";

/// A file of a record that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Its path within the run's directory.
    pub file: String,
    /// What it belongs to.
    pub part: Part,
    /// Why it cannot be used.
    pub kind: DamageKind,
}

/// Why a file of a record cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DamageKind {
    /// It is not there.
    Missing,
    /// It is not as it was written.
    Changed,
    /// A line of it, counted from 1, is not as it was written.
    Line(usize),
    /// It has fewer lines, or others in their place, than were written.
    Incomplete,
    /// It was added after the run.
    Added,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = &self.file;
        match self.kind {
            DamageKind::Missing => write!(f, "{file} is missing"),
            DamageKind::Changed => {
                write!(f, "{file} does not match its checksum: it was changed since it was written")
            }
            DamageKind::Line(line) => {
                write!(
                    f,
                    "line {line} of {file} does not match its checksum: it was changed since it was written"
                )
            }
            DamageKind::Incomplete => write!(f, "{file} lacks lines that were written"),
            DamageKind::Added => write!(f, "{file} was added after the run"),
        }
    }
}

/// The files of these parts, as a manifest lists them while they are written.
pub fn pending(parts: &[Part]) -> BTreeMap<String, Option<Checksum>> {
    let files = FILES.into_iter().filter(|(_, part)| parts.contains(part));
    files.map(|(file, _)| (file.to_owned(), None)).collect()
}

/// The checksums of the files in `dir` that the manifest lists.
///
/// # Errors
/// When one that is there cannot be read.
pub fn checksums(dir: &Path) -> io::Result<BTreeMap<String, Option<Checksum>>> {
    let mut files = BTreeMap::new();
    for (file, _) in FILES {
        match Checksum::of_file(&dir.join(file)) {
            Ok(checksum) => files.insert(file.to_owned(), Some(checksum)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
    }
    Ok(files)
}

/// The files in `dir` that are not as the manifest lists them. Of a run that was killed before it had sent
/// anything (`has_samples`), some need not exist.
pub(crate) fn of_files(dir: &Path, manifest: &Manifest, has_samples: bool) -> Vec<Damage> {
    let is_complete = manifest.state != State::Running && !manifest.files.is_empty();
    let kind = |file: &str| {
        let found = Checksum::of_file(&dir.join(file));
        let is_missing = matches!(&found, Err(error) if error.kind() == io::ErrorKind::NotFound);
        match manifest.files.get(file) {
            Some(None) if is_missing => has_samples.then_some(DamageKind::Missing),
            Some(None) => None,
            Some(Some(_)) if is_missing => Some(DamageKind::Missing),
            Some(Some(expected)) => (found.ok() != Some(*expected)).then_some(DamageKind::Changed),
            None => (is_complete && !is_missing).then_some(DamageKind::Added),
        }
    };
    let damage = FILES
        .into_iter()
        .filter_map(|(file, part)| Some(Damage { file: file.to_owned(), part, kind: kind(file)? }));
    damage.collect()
}

/// Where the files of a record are read from, and which of them cannot be used.
#[derive(Debug)]
pub(crate) struct Files<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) damage: Vec<Damage>,
}

impl Files<'_> {
    /// The path of a file; `None` if it cannot be used.
    pub(crate) fn usable(&self, file: &str) -> Option<PathBuf> {
        let is_damaged = self.damage.iter().any(|damage| damage.file == file);
        (!is_damaged).then(|| self.dir.join(file))
    }

    /// Adds a file that cannot be used.
    pub(crate) fn add(&mut self, file: impl Into<String>, part: Part, kind: DamageKind) {
        self.damage.push(Damage { file: file.into(), part, kind });
    }

    /// Reads a text that must have this checksum; otherwise it cannot be used.
    pub(crate) fn text(&mut self, file: &str, part: Part, expected: Option<Checksum>) -> Option<String> {
        let bytes = std::fs::read(self.dir.join(file));
        let kind = match &bytes {
            Err(error) if error.kind() == io::ErrorKind::NotFound => DamageKind::Missing,
            Ok(bytes) if Some(Checksum::of(bytes)) == expected => {
                if let Ok(text) = std::str::from_utf8(bytes) {
                    return Some(text.to_owned());
                }
                DamageKind::Changed
            }
            _ => DamageKind::Changed,
        };
        self.add(file, part, kind);
        None
    }
}

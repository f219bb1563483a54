//! The directory of recorded runs: lists them, and finds a run by its name. It reads only manifests and
//! verdicts, so that hundreds of runs are listed quickly.

mod kept;

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, Serializer};

pub use self::kept::{verdict, verdict_document};
use saasbench_model::{scenario::capacity::By, units::Nanos};
use saasbench_record::{
    checksum::check_document,
    manifest::{self, State},
};
use saasbench_verify::{
    capacity::{result, scaling::Estimate},
    distribution::Distribution,
    summary::Counts,
    verdict::Outcome,
};

/// The run that was recorded last.
pub const LATEST: &str = "latest";

/// A directory among recorded runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunEntry {
    /// Its name; what is not UTF-8 is replaced.
    pub run: String,
    /// Where it is.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// Bytes of all its files.
    pub bytes: u64,
    /// Its content, or why it cannot be read.
    #[serde(flatten)]
    pub content: Content,
}

/// Paths need not be UTF-8, JSON has to be.
fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// The content of a directory.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Content {
    /// A recorded run.
    Run(Box<Recorded>),
    /// A capacity search, whose steps are runs themselves.
    Capacity {
        /// Its result.
        capacity: Box<CapacitySummary>,
    },
    /// Not readable.
    Broken {
        /// The reason.
        broken: String,
    },
}

/// Summary of a recorded run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recorded {
    /// Name of its scenario; taken from the directory's name if the run was not judged.
    pub scenario: String,
    /// When it started: the run's zero since the Unix epoch.
    pub started_unix_ns: i64,
    /// Name of its environment.
    pub environment: String,
    /// Faults that were switched on in its service.
    pub faults: Vec<String>,
    /// Whether it was finished.
    pub state: State,
    /// Its outcome; `None` if it was not judged.
    pub outcome: Option<Outcome>,
    /// Its requests; `None` if it was not judged.
    pub requests: Option<u64>,
    /// An upper bound of the 99 % quantile of latencies from intended: the end of a bucket. `None` without
    /// responses.
    pub p99_below_ns: Option<Nanos>,
}

/// Summary of a capacity search, read from its report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CapacitySummary {
    version: u32,
    /// Name of its scenario.
    pub scenario: String,
    /// When it started: since the Unix epoch.
    pub started_unix_ns: i64,
    /// Name of its environment.
    pub environment: String,
    /// What was raised.
    pub by: By,
    /// Its outcome.
    pub outcome: Outcome,
    /// Whether the user has interrupted it.
    pub interrupted: bool,
    /// By number of replicas.
    pub counts: Vec<CapacityPoint>,
}

/// The capacity with a number of replicas.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CapacityPoint {
    /// How many replicas.
    pub replicas: usize,
    /// The capacity with its interval, if both ends are known.
    pub capacity: Option<Estimate>,
    /// The highest level at which the objectives are taken to hold.
    pub held: Option<f64>,
    /// The lowest level at which they are taken to break.
    pub broke: Option<f64>,
}

/// The kinds of directories that are searched for a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunKind {
    /// Recorded runs only.
    Run,
    /// Recorded runs and capacity searches.
    Any,
}

/// Why a name identifies no run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownRun {
    /// There is no run of this name.
    #[error("there is no run `{name}`: neither a directory, nor in {runs_dir}")]
    None {
        /// As typed.
        name: String,
        /// The directory that was searched.
        runs_dir: String,
    },
    /// There are several.
    #[error("`{name}` may be any of {}", .runs.join(", "))]
    Several {
        /// As typed.
        name: String,
        /// The latest of them.
        runs: Vec<String>,
    },
}

impl UnknownRun {
    /// What the user can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::None { .. } => "`saasbench list` shows the runs that there are; `latest` is the last one",
            Self::Several { .. } => "type more of its name",
        }
    }
}

/// The names of the runs in a directory, the latest first. They are ordered by the start in their files,
/// since a run may have been renamed; without one, by the time in the name; any other is the oldest.
///
/// # Errors
/// When the directory cannot be read; a missing one is empty.
pub fn names(runs_dir: &Path) -> io::Result<Vec<OsString>> {
    let entries = match fs::read_dir(runs_dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.path().is_dir() {
            names.push(entry.file_name());
        }
    }
    let key = |name: &OsString| {
        let text = name.to_string_lossy();
        let (time, scenario, number) = order(&text);
        let started = started(&runs_dir.join(name)).or_else(|| instant(time));
        (started, time.to_owned(), scenario.to_owned(), number)
    };
    names.sort_by_cached_key(|name| std::cmp::Reverse(key(name)));
    Ok(names)
}

/// When a run or a capacity search started, by its files: since the Unix epoch.
fn started(dir: &Path) -> Option<i64> {
    let read = |file: &str| {
        let text = fs::read_to_string(dir.join(file)).ok()?;
        serde_json::from_str::<StartTime>(&text).ok()
    };
    let start = read(manifest::FILE).or_else(|| read(result::FILE))?;
    Some(start.started_unix_ns)
}

/// The instant at the start of a name.
fn instant(time: &str) -> Option<i64> {
    i64::try_from(time.parse::<jiff::Timestamp>().ok()?.as_nanosecond()).ok()
}

/// A name's time, its scenario, and its number where several started in one second.
fn order(name: &str) -> (&str, &str, u64) {
    let (time, rest) = name.split_once('-').unwrap_or((name, ""));
    match rest.rsplit_once('-').map(|(scenario, number)| (scenario, number.parse())) {
        Some((scenario, Ok(number))) => (time, scenario, number),
        _ => (time, rest, 1),
    }
}

/// All runs in a directory, the latest first.
///
/// # Errors
/// As [`names`].
pub fn entries(runs_dir: &Path) -> io::Result<Vec<RunEntry>> {
    let entry = |name: OsString| {
        let path = runs_dir.join(&name);
        let run = name.to_string_lossy().into_owned();
        RunEntry { bytes: bytes(&path), content: content(&path, &run), run, path }
    };
    Ok(names(runs_dir)?.into_iter().map(entry).collect())
}

/// Finds a run: by its directory, or among the runs by `latest`, by the start of its name, or by its
/// scenario's name (the latest one).
///
/// # Errors
/// When there is none, or the name is ambiguous.
pub fn find(name: &Path, runs_dir: &Path, kind: RunKind) -> Result<PathBuf, UnknownRun> {
    if name.is_dir() {
        return Ok(name.to_owned());
    }
    let text = name.display().to_string();
    let none = || UnknownRun::None { name: text.clone(), runs_dir: runs_dir.display().to_string() };
    if name.components().count() != 1 {
        return Err(none());
    }
    let names: Vec<(String, PathBuf)> = names(runs_dir)
        .unwrap_or_default()
        .into_iter()
        .map(|name| (name.to_string_lossy().into_owned(), runs_dir.join(name)))
        .collect();
    let is_of_kind = |(_, dir): &&(String, PathBuf)| {
        let has = |file: &str| dir.join(file).is_file();
        has(manifest::FILE) || kind == RunKind::Any && has(result::FILE)
    };
    let runs = || names.iter().filter(is_of_kind);
    if text == LATEST {
        return runs().next().map(|(_, dir)| dir.clone()).ok_or_else(none);
    }
    let of_scenario = |(run, _): &&(String, PathBuf)| {
        let (time, rest) = run.split_once('-').unwrap_or((run, ""));
        // `…-flood-2` is the second run within a second if there is a first; otherwise `flood-2` is its
        // scenario's name.
        let first = format!("{time}-{text}");
        let is_another = order(run).1 == text && names.iter().any(|(name, _)| *name == first);
        rest == text || is_another
    };
    if let Some((_, dir)) = runs().find(|(run, _)| *run == text).or_else(|| runs().find(of_scenario)) {
        return Ok(dir.clone());
    }
    match runs().filter(|(run, _)| run.starts_with(&text)).collect::<Vec<_>>().as_slice() {
        [] => Err(none()),
        [(_, dir)] => Ok(dir.clone()),
        several => {
            let runs = several.iter().take(5).map(|(run, _)| run.clone()).collect();
            Err(UnknownRun::Several { name: text, runs })
        }
    }
}

/// The part of a manifest, or of a report, by which runs are ordered.
#[derive(Deserialize)]
struct StartTime {
    started_unix_ns: i64,
}

/// The part of a manifest that is listed; the scenario's text may be long, and is skipped.
#[derive(Deserialize)]
struct ManifestHeader {
    format: u32,
    state: State,
    started_unix_ns: i64,
    environment: EnvironmentHeader,
}

#[derive(Deserialize)]
struct EnvironmentHeader {
    name: String,
    #[serde(default)]
    faults: Vec<String>,
}

/// The part of a verdict that is listed.
#[derive(Deserialize)]
struct Verdict {
    scenario: String,
    outcome: Outcome,
    summary: Tables,
}

#[derive(Deserialize)]
struct Tables {
    total: Counts,
    #[serde(default)]
    distribution: Distribution,
}

fn content(dir: &Path, run: &str) -> Content {
    let broken = |broken: String| Content::Broken { broken };
    let manifest = dir.join(manifest::FILE);
    let text = match fs::read_to_string(&manifest) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return capacity_summary(dir).unwrap_or_else(|| broken(format!("no {}", manifest::FILE)));
        }
        Err(error) => return broken(format!("{}: {error}", manifest::FILE)),
    };
    let header: ManifestHeader = match serde_json::from_str(&text) {
        Ok(header) => header,
        Err(error) => return broken(format!("{}: {error}", manifest::FILE)),
    };
    if header.format > manifest::FORMAT {
        return broken(format!("written by a newer version: its format is {}", header.format));
    }
    if let Err(error) = check_document(text.as_bytes()) {
        return broken(format!("{}: {error}", manifest::FILE));
    }
    // A run that was not judged has no verdict; one that was changed, or is of another run, is not believed,
    // because it can be computed again.
    let verdict: Option<Verdict> = verdict(dir);
    Content::Run(Box::new(Recorded {
        scenario: verdict
            .as_ref()
            .map_or_else(|| order(run).1.to_owned(), |verdict| verdict.scenario.clone()),
        started_unix_ns: header.started_unix_ns,
        environment: header.environment.name,
        faults: header.environment.faults,
        state: header.state,
        outcome: verdict.as_ref().map(|verdict| verdict.outcome),
        requests: verdict.as_ref().map(|verdict| verdict.summary.total.requests),
        p99_below_ns: verdict.and_then(|verdict| p99_below(&verdict.summary.distribution)),
    }))
}

/// The content of a capacity search; `None` where the directory holds none.
fn capacity_summary(dir: &Path) -> Option<Content> {
    let broken = |broken: String| Some(Content::Broken { broken });
    let text = match fs::read_to_string(dir.join(result::FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && dir.join(result::STEPS).is_dir() => {
            return broken("a search for the capacity that is running, or was killed".to_owned());
        }
        Err(_) => return None,
    };
    match serde_json::from_str::<CapacitySummary>(&text) {
        Ok(search) if search.version > result::VERSION => {
            broken(format!("written by a newer version: its version is {}", search.version))
        }
        Ok(_) if check_document(text.as_bytes()).is_err() => {
            broken(format!("{}: it was changed since it was written", result::FILE))
        }
        Ok(search) => Some(Content::Capacity { capacity: Box::new(search) }),
        Err(error) => broken(format!("{}: {error}", result::FILE)),
    }
}

/// Bytes of all files below a directory; what cannot be read counts nothing.
fn bytes(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.map(of).sum()
}

/// The upper bound of the bucket in which the 99 % quantile of latencies lies.
fn p99_below(distribution: &Distribution) -> Option<Nanos> {
    let buckets = &distribution.from_intended;
    let all: u64 = buckets.iter().map(|bucket| bucket.count).sum();
    let needed = (all as f64 * 0.99).ceil() as u64;
    let mut upto = 0;
    let bucket = buckets.iter().find(|bucket| {
        upto += bucket.count;
        upto >= needed
    });
    Some(bucket?.upper_ns)
}

#[cfg(test)]
mod tests;

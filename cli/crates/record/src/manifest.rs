//! `manifest.json`: everything about a recorded run that is not a sample or an observation.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    net::SocketAddr,
    path::Path,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use saasbench_model::{plan::time::PlanTime, safe_text, scenario::overrides::Overrides, units::Nanos};

use crate::{
    checksum::{Checksum, ChecksumError, check_document, to_document},
    event::{Event, PaceChange},
};

/// Version of the recorded run's layout. A reader rejects what is newer than itself.
pub const FORMAT: u32 = 1;

/// Name of the file in the run's directory.
pub const FILE: &str = "manifest.json";

/// Everything about a recorded run that is not a sample or an observation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`] of the writer.
    pub format: u32,
    /// Version of the writer.
    pub saasbench: String,
    /// How far the run got.
    pub state: State,
    /// The scenario as it was read.
    pub scenario: ScenarioText,
    /// The environment in which it ran.
    pub environment: Environment,
    /// The machine of the generator.
    pub machine: Machine,
    /// The run's zero: nanoseconds since the Unix epoch by the wall clock.
    pub started_unix_ns: i64,
    /// The nonce of the run's canaries; `None` for a scenario without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary_nonce: Option<String>,
    /// When the load phase started and ended; `None` for a run that ended before it.
    pub load: Option<LoadPhase>,
    /// What was recorded; `None` for a run that did not end properly.
    pub recorded: Option<Recorded>,
    /// What changed its course, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
    /// The files that are read again, but segments and expositions, which are checked on their own: by path
    /// within the run's directory their checksums, `None` as long as they are written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, Option<Checksum>>,
}

/// Whether and how the run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Still running, or killed.
    Running,
    /// Completed as planned.
    Finished,
    /// Ended early by the user (Ctrl-C).
    Interrupted,
    /// Ended early because an expectation with `abort = true` could no longer hold.
    Aborted,
}

/// A scenario with all the files that it refers to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScenarioText {
    /// The path as typed.
    pub file: String,
    /// The text; secrets are contained as `${env:NAME}` only.
    pub text: String,
    /// SHA-256 of the text, hexadecimal.
    pub sha256: String,
    /// Contents of the files, by path as written in the scenario.
    pub files: BTreeMap<String, String>,
    /// What the command line overrode.
    #[serde(default, skip_serializing_if = "Overrides::is_empty")]
    pub overrides: Overrides,
}

impl ScenarioText {
    /// Computes the digest; there are no overrides yet.
    pub fn new(file: String, text: String, files: BTreeMap<String, String>) -> Self {
        let sha256 = Self::digest(&text);
        Self { file, text, sha256, files, overrides: Overrides::default() }
    }

    /// Whether the text still has the recorded digest.
    pub fn is_unchanged(&self) -> bool {
        Self::digest(&self.text) == self.sha256
    }

    fn digest(text: &str) -> String {
        Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The environment of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// `embedded`, `local`, `ad hoc`, or a name from `saasbench.toml`.
    pub name: String,
    /// The replicas, in order.
    pub replicas: Vec<Replica>,
    /// Base URL of Prometheus.
    pub prometheus: Option<String>,
    /// URL of the limiter's Redis, without its password.
    pub redis: Option<String>,
    /// Whether nothing else uses it during the run.
    pub exclusive: bool,
    /// Whether its limiters and sessions start empty.
    pub fresh: bool,
    /// By how much two of its clocks may differ: the offset.
    pub clock_offset_ns: Nanos,
    /// By how much two of its clocks may drift apart, dimensionless.
    pub clock_drift: f64,
    /// Faults that were switched on in the service of the embedded or local environment, as `NAME=VALUE`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
    /// Whether any certificate was accepted: then the identity of the service is not proven.
    #[serde(default, skip_serializing_if = "is_false")]
    pub insecure: bool,
    /// Names of the replicas that were accessed by HTTP/2.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http2: Vec<String>,
    /// Its table `[metrics]`, which takes precedence over the scenario's, as TOML without the header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<String>,
    /// Versions of the local environment's programs, by service.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub programs: BTreeMap<String, String>,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// One replica of the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// Its name in reports.
    pub name: String,
    /// Base URL, without a trailing slash.
    pub url: String,
    /// Value of the label `instance` in Prometheus.
    pub instance: String,
    /// Which of the addresses of the URL's name it is, if the name has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
}

/// The machine of the generator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Operating system.
    pub os: String,
    /// Processor architecture.
    pub arch: String,
    /// Processors available to the process.
    pub cpus: usize,
}

impl Machine {
    /// Describes the current machine.
    pub fn this() -> Self {
        Self {
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        }
    }
}

/// The load phase, on the run's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LoadPhase {
    /// No request was sent before this instant.
    pub from_ns: Nanos,
    /// Start of the load: arrivals and user starts are scheduled from here; users of open loads have started
    /// by then.
    pub start_ns: Nanos,
    /// Every outcome was known by this instant.
    pub to_ns: Nanos,
}

/// How much was recorded; a directory with less is incomplete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Recorded {
    /// Files under `samples/`.
    pub segments: u64,
    /// Samples in them.
    pub samples: u64,
    /// Checksum of the last segment, which contains that of the one before, and so on; the first contains the
    /// run's [identity](Manifest::identity).
    #[serde(default)]
    pub last: Checksum,
}

/// Why a manifest could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file could not be read.
    #[error("{0}")]
    Io(io::Error),
    /// The file is not a manifest; the message names line and column.
    #[error("{0}")]
    Syntax(serde_json::Error),
    /// The manifest is not as it was written.
    #[error(transparent)]
    Checksum(#[from] ChecksumError),
    /// The manifest was written by a newer version.
    #[error("its format is {found}; this version reads up to {FORMAT}")]
    TooNew {
        /// Its format version.
        found: u32,
    },
}

impl Manifest {
    /// Writes the manifest into the run's directory with its checksum, atomically replacing an older one.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        write_whole(&dir.join(FILE), &to_document(self)?)
    }

    /// Identifies the run: the first segment contains it, so that a segment of another run is not read.
    pub fn identity(&self) -> Checksum {
        identity(self.started_unix_ns, &self.scenario)
    }

    /// The plan time of its load. A pause during which the load ended counts as over at that time: nothing
    /// planned was left.
    pub fn plan_time(&self) -> PlanTime {
        let Some(LoadPhase { start_ns, to_ns, .. }) = self.load else { return PlanTime::default() };
        PlanTime::new(start_ns, self.pace_changes().map(PaceChange::pause).chain([(to_ns, false)]))
    }

    /// The changes of pace by hand, in order.
    pub fn pace_changes(&self) -> impl Iterator<Item = &PaceChange> {
        self.events.iter().filter_map(|event| match event {
            Event::PaceChanged(change) => Some(change),
            Event::Aborted { .. } => None,
        })
    }

    /// When and why the load was aborted, if it was.
    pub fn abort(&self) -> Option<(Nanos, &str)> {
        self.events.iter().find_map(|event| match event {
            Event::Aborted { at_ns, reason } => Some((*at_ns, reason.as_str())),
            Event::PaceChanged(_) => None,
        })
    }

    /// Reads the manifest from a run's directory.
    ///
    /// # Errors
    /// See [`ManifestError`].
    pub fn read(dir: &Path) -> Result<Self, ManifestError> {
        let text = fs::read_to_string(dir.join(FILE)).map_err(ManifestError::Io)?;
        // The format is checked first: a newer manifest may lack fields that this version needs, and must not
        // be called broken.
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let head: Head = serde_json::from_str(&text).map_err(ManifestError::Syntax)?;
        if head.format > FORMAT {
            return Err(ManifestError::TooNew { found: head.format });
        }
        check_document(text.as_bytes())?;
        serde_json::from_str(&text).map_err(ManifestError::Syntax)
    }
}

/// Identifies a run by its start and its scenario.
pub fn identity(started_unix_ns: i64, scenario: &ScenarioText) -> Checksum {
    Checksum::of(format!("{started_unix_ns} {}", scenario.sha256).as_bytes())
}

/// Pretty JSON with a final newline.
///
/// # Errors
/// Never for the types of this crate; returned so that no caller has to unwrap.
pub fn to_json(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let json = serde_json::to_string_pretty(value)? + "\n";
    // A document that is looked at in a terminal does nothing to it.
    Ok(safe_text::terminal(&json).into_bytes())
}

/// Writes a file atomically.
///
/// # Errors
/// Any I/O error.
pub fn write_whole(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".part");
    let mut file = fs::File::create(&partial)?;
    file.write_all(contents)?;
    file.sync_data()?;
    fs::rename(&partial, path)
}

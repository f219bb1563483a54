//! One scrape of one replica, as a line of `observations/scrapes.jsonl` holds it.

use serde::{Deserialize, Serialize};

use saasbench_model::units::Nanos;

/// When a scrape was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Before the load.
    Before,
    /// While the load ran.
    During,
    /// After the load.
    After,
}

/// A line of `scrapes.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScrapeRecord {
    /// From 0, over all replicas.
    pub number: u64,
    /// The replica's name.
    pub replica: String,
    /// When.
    pub phase: Phase,
    /// When the request was sent.
    pub from_ns: Nanos,
    /// When the whole answer was here.
    pub to_ns: Nanos,
    /// Name of the text file under `observations/scrapes/`; `None` when there was no answer.
    pub file: Option<String>,
    /// Why there was none.
    pub error: Option<String>,
    /// Whether it equals the one before, with nothing in progress: the replica has come to rest.
    #[serde(default)]
    pub settled: bool,
}

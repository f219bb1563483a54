//! One scrape of one replica: a line of `observations/scrapes.jsonl`.

use serde::{Deserialize, Serialize};

use crate::checksum::Checksum;
use saasbench_model::units::Nanos;

/// When a scrape was made, relative to the load.
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
    /// Name of the replica.
    pub replica: String,
    /// Relative to the load.
    pub phase: Phase,
    /// When the request was sent.
    pub from_ns: Nanos,
    /// When the whole response had arrived.
    pub to_ns: Nanos,
    /// Name of the text file under `observations/scrapes/`; `None` if there was no response.
    pub file: Option<String>,
    /// Checksum of that file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Checksum>,
    /// Why there was no response.
    pub error: Option<String>,
    /// Whether it equals the previous one, with nothing in progress: the replica is quiescent.
    #[serde(default)]
    pub settled: bool,
}

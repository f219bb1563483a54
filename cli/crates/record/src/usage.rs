//! Use of processors by the generator's threads: time running, and time ready without a processor.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use saasbench_model::units::Nanos;

/// Path of the file within the run's directory.
pub const FILE: &str = "generator/usage.jsonl";

/// Prefix of the names of the engine's threads.
pub const WORKER: &str = "worker-";

/// Processor use of this process's threads up to an instant: a line of `generator/usage.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// When it was read.
    pub at_ns: Nanos,
    /// Processor time of the whole process, including threads that have ended.
    pub cpu_ns: Nanos,
    /// Resident memory of the process in bytes; 0 in a record without it.
    #[serde(default)]
    pub memory_bytes: u64,
    /// Requests that the engine had in flight; `None` if no consistent value could be read.
    #[serde(default)]
    pub in_flight: Option<u32>,
    /// Stalls that were written before; 0 in a record without it.
    #[serde(default)]
    pub stalls: u64,
    /// By thread name, threads of one name together; without threads that have ended.
    pub threads: BTreeMap<String, ThreadTime>,
}

/// Processor use of a thread so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ThreadTime {
    /// Time running on a processor.
    pub cpu_ns: Nanos,
    /// Time ready to run without a processor.
    pub waited_ns: Nanos,
}

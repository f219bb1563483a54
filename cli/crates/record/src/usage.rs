//! What the generator's threads have cost: processor time, and time in which they were ready and had no processor.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use saasbench_model::units::Nanos;

/// How the names of the engine's threads begin.
pub const WORKER: &str = "worker-";

/// What the threads of this process had cost up to an instant: a line of `generator/usage.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// When it was read.
    pub at_ns: Nanos,
    /// Processor time of the whole process, threads that have ended included.
    pub cpu_ns: Nanos,
    /// Memory that the process holds (resident set), in bytes; 0 in a record that does not say.
    #[serde(default)]
    pub memory_bytes: u64,
    /// Requests that the engine had under way; `None` where that could not be read in one moment.
    #[serde(default)]
    pub in_flight: Option<u32>,
    /// By thread name, threads of one name together; those that have ended are not there any more.
    pub threads: BTreeMap<String, ThreadTime>,
}

/// What a thread had cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ThreadTime {
    /// Time on a processor.
    pub cpu_ns: Nanos,
    /// Time in which it was ready and had no processor.
    pub waited_ns: Nanos,
}

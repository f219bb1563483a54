//! Stalls: spans in which the generator did not run, as measured by its hiccup meter.

use serde::{Deserialize, Serialize};

use saasbench_model::units::Nanos;

/// The shortest gap that counts: shorter ones are ordinary scheduling.
pub const SHORTEST: Nanos = Nanos::from_millis(5);

/// A span in which the generator did not run: a line of `generator/stalls.jsonl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stall {
    /// When the meter last ran; the stall started at most one tick (1 ms) later.
    pub from_ns: Nanos,
    /// When the meter ran again.
    pub to_ns: Nanos,
    /// The cause, as far as known.
    pub cause: Cause,
}

/// Why the meter did not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The process was stopped (SIGSTOP, a debugger) or frozen (a paused container).
    Stopped,
    /// It was ready to run, but all processors were busy.
    NoProcessor,
    /// Neither: nothing kept it from running, so the machine itself did not run.
    Machine,
    /// The operating system does not report it.
    Unknown,
}

impl Stall {
    /// Its length, which may be up to one tick of the meter too much.
    pub fn length(&self) -> Nanos {
        self.to_ns - self.from_ns
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Stopped => "the process was stopped",
            Self::NoProcessor => "it waited for a processor",
            Self::Machine => "the machine stood still",
            Self::Unknown => "cause unknown",
        })
    }
}

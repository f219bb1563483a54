//! Stalls: spans in which the generator did not run, as measured by its hiccup meter.

mod share;

pub use share::Stalls;

use serde::{Deserialize, Serialize};

use saasbench_model::units::Nanos;

/// Path of the stalls' file within the run's directory.
pub const FILE: &str = "generator/stalls.jsonl";

/// The shortest gap that counts: shorter ones are ordinary scheduling.
pub const SHORTEST: Nanos = Nanos::from_millis(5);

/// How many times its own length a stall's backlog may take to drain.
pub const BACKLOG: i64 = 10;

/// A span in which the generator did not run: a line of `generator/stalls.jsonl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stall {
    /// When the meter last ran; the stall started at most one tick (1 ms) later.
    pub from_ns: Nanos,
    /// When the meter ran again.
    pub to_ns: Nanos,
    /// The cause, as far as known.
    pub cause: Cause,
    /// When no more requests were in flight than before it: what had become due meanwhile was worked off.
    /// Unknown in the first of two lines about a stall, and in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drained_ns: Option<Nanos>,
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

    /// Until when requests may be delayed by it: until its backlog drained, but for [`BACKLOG`] times its
    /// length at most, because a backlog that remains longer is the service's.
    pub fn delays_until(&self) -> Nanos {
        let last = self.to_ns + Nanos(self.length().0.saturating_mul(BACKLOG));
        self.drained_ns.map_or(last, |drained| drained.clamp(self.to_ns, last))
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

//! A stall: a span in which the generator did not run, as its hiccup meter saw it.

use serde::{Deserialize, Serialize};

use saasbench_model::units::Nanos;

/// The shortest gap that counts: below it lies the ordinary coming and going of a scheduler.
pub const SHORTEST: Nanos = Nanos::from_millis(5);

/// A span in which the generator did not run: a line of `generator/stalls.jsonl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stall {
    /// The meter last ran then; the stall began at most one of its beats (1 ms) later.
    pub from_ns: Nanos,
    /// It ran again.
    pub to_ns: Nanos,
    /// Why, as far as it is known.
    pub cause: Cause,
}

/// Why the meter did not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The process was stopped (SIGSTOP, a debugger) or frozen (a paused container).
    Stopped,
    /// It was ready to run, and the processors had something else to do.
    NoProcessor,
    /// Neither: nobody kept it from running, so the machine itself did not run.
    Machine,
    /// The operating system keeps no account of it.
    Unknown,
}

impl Stall {
    /// How long it lasted: up to one beat of the meter too much.
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

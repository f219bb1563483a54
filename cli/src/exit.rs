//! How the process ends: its exit codes, and a failure with what the user can do about it.

use saasbench_verify::verdict::Outcome;

/// Exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All claims pass.
    Pass = 0,
    /// A claim failed.
    Fail = 1,
    /// The command line, a scenario or a recorded run is wrong.
    Usage = 2,
    /// A claim is inconclusive, and none failed.
    Inconclusive = 3,
    /// The environment could not be reached or started.
    Unreachable = 4,
    /// saasbench itself failed.
    InternalError = 5,
    /// Interrupted by the user.
    Interrupted = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// The exit code of a judged run. If several apply, a failed claim comes first, then an internal error,
    /// then the interruption, then an inconclusive claim.
    pub fn of_run(outcome: Outcome, broken: bool, interrupted: bool) -> Self {
        match outcome {
            Outcome::Fail => Self::Fail,
            _ if broken => Self::InternalError,
            _ if interrupted => Self::Interrupted,
            Outcome::Inconclusive => Self::Inconclusive,
            Outcome::Pass => Self::Pass,
        }
    }
}

/// Why a command could not do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What failed, where, and why.
    pub message: String,
    /// What the user can do about it.
    pub hint: Option<String>,
    /// Whether `message` is a finished text of several lines, to be printed unchanged.
    pub rendered: bool,
}

impl Failure {
    /// A failure without a hint.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None, rendered: false }
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_severe_exit_code_wins() {
        let table = [
            (Outcome::Fail, true, true, Exit::Fail),
            (Outcome::Inconclusive, true, true, Exit::InternalError),
            (Outcome::Pass, true, false, Exit::InternalError),
            (Outcome::Inconclusive, false, true, Exit::Interrupted),
            (Outcome::Pass, false, true, Exit::Interrupted),
            (Outcome::Inconclusive, false, false, Exit::Inconclusive),
            (Outcome::Pass, false, false, Exit::Pass),
        ];
        for (outcome, broken, interrupted, exit) in table {
            assert_eq!(Exit::of_run(outcome, broken, interrupted), exit);
        }
    }
}

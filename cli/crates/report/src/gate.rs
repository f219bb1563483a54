//! What decides the exit code besides the verdicts: the comparison with baselines, and errors of saasbench
//! itself.

use saasbench_verify::{compare::Comparison, verdict::Outcome};

/// The results of a run besides its verdicts.
#[derive(Debug, Clone, Copy, Default)]
pub struct GateInputs<'a> {
    /// The comparison with baselines, if one was requested; or why it was not possible.
    pub compared: Option<Result<&'a Comparison, &'a str>>,
    /// Why saasbench exits with 5, if it does.
    pub internal_errors: &'a [String],
}

impl GateInputs<'_> {
    /// The worst of an outcome and these results.
    pub fn and(self, outcome: Outcome) -> Outcome {
        let compared = match self.compared {
            None => Outcome::Pass,
            Some(Ok(comparison)) => comparison.outcome,
            Some(Err(_)) => Outcome::Inconclusive,
        };
        let broken = if self.internal_errors.is_empty() { Outcome::Pass } else { Outcome::Inconclusive };
        outcome.max(compared).max(broken)
    }
}

//! What a gate has to know of a run beside its verdicts: all that its exit code rests on.

use saasbench_verify::{compare::Comparison, verdict::Outcome};

/// What a run came to beside its verdicts.
#[derive(Debug, Clone, Copy, Default)]
pub struct GateInputs<'a> {
    /// Held against its baselines, if it was to be; or why it could not be.
    pub compared: Option<Result<&'a Comparison, &'a str>>,
    /// Why saasbench ends with 5, if it does.
    pub internal_errors: &'a [String],
}

impl GateInputs<'_> {
    /// The worst of an outcome and of what came beside it.
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

//! Test support: judges hand-made recorded runs.

use crate::{
    Report,
    verdict::{Claim, Verdict},
    verify,
};
use saasbench_record::testing::TestRun;

/// Judges a hand-made run by way of its files.
pub trait Judge {
    /// The report of judging the run.
    fn judge(&self) -> Report;

    /// The verdict on a claim whose subject contains `subject`; panics without one.
    fn verdict(&self, claim: Claim, subject: &str) -> Verdict {
        let report = self.judge();
        let found = report.verdicts.iter().find(|v| v.claim == claim && v.subject.contains(subject));
        found.unwrap_or_else(|| panic!("no {claim} about {subject} in {:#?}", report.verdicts)).clone()
    }
}

impl Judge for TestRun {
    fn judge(&self) -> Report {
        verify(&self.open()).unwrap()
    }
}

//! Decides whether an expectation can still be met, whatever comes.
//!
//! Assumes the best for the rest of a run: every further request gets its expected response at once. What may
//! be the generator's own is never attributed to the service, neither now nor later, so what is hopeless here
//! also fails in the end.

use super::{
    super::super::{generator::DROPS_ALLOWED, quantiles::samples_needed},
    Counter, rank,
};
use saasbench_model::scenario::expectation::{Comparison, Measure};

impl Counter {
    /// Covered requests so far, dropped arrivals included.
    pub(in super::super) fn seen(&self) -> u64 {
        self.requests + self.dropped
    }

    /// Whether it fails in any case. `rest` is how many covered requests can still follow; `None` means any
    /// number.
    pub(in super::super) fn is_ruled_out(&self, rest: Option<u64>) -> bool {
        let bound = self.expectation.bound;
        let beyond = |least: f64| match self.expectation.comparison {
            Comparison::Less => least >= bound,
            Comparison::AtMost | Comparison::Equal => least > bound,
            Comparison::Greater | Comparison::AtLeast => false,
        };
        let dropped = self.dropped as f64 > DROPS_ALLOWED * self.seen() as f64;
        if dropped && self.expectation.measure != Measure::ErrorRatio {
            return false;
        }
        match self.expectation.measure {
            Measure::Count(_) | Measure::Resent => beyond(self.count()),
            Measure::Max(_) => self.over(self.answered),
            // One error is enough, however many requests follow.
            Measure::ErrorRatio if bound == 0.0 => self.errors_of_service > 0,
            Measure::Rate(_) => false,
            _ => rest.is_some_and(|rest| self.is_ruled_out_with(rest, beyond)),
        }
    }

    fn is_ruled_out_with(&self, rest: u64, beyond: impl Fn(f64) -> bool) -> bool {
        let answered = self.answered + rest;
        match self.expectation.measure {
            Measure::ErrorRatio => beyond(self.errors_of_service as f64 / (self.seen() + rest) as f64),
            Measure::Mean(_) => self.answered > 0 && beyond(self.without_stalls.sum as f64 / answered as f64),
            Measure::Ratio(_) => {
                let most = (self.matching + rest) as f64 / answered as f64;
                let short = match self.expectation.comparison {
                    Comparison::Greater => most <= self.expectation.bound,
                    Comparison::AtLeast | Comparison::Equal => most < self.expectation.bound,
                    Comparison::Less | Comparison::AtMost => false,
                };
                self.answered > 0 && (short || beyond(self.matching as f64 / answered as f64))
            }
            Measure::Quantile { q, .. } => {
                self.answered >= samples_needed(q) && self.over(rank(q, answered).saturating_sub(rest))
            }
            _ => false,
        }
    }

    /// Whether fewer than `needed` responses are within an upper bound.
    fn over(&self, needed: u64) -> bool {
        match self.expectation.comparison {
            Comparison::Less => self.without_stalls.below < needed,
            Comparison::AtMost | Comparison::Equal => {
                self.without_stalls.below + self.without_stalls.equal < needed
            }
            Comparison::Greater | Comparison::AtLeast => false,
        }
    }

    /// The counts so far, in words.
    pub(in super::super) fn so_far(&self) -> String {
        match self.expectation.measure {
            Measure::ErrorRatio => format!("{} of {} requests failed", self.errors_of_service, self.seen()),
            Measure::Count(_) | Measure::Resent => format!("{} already", self.count()),
            Measure::Ratio(_) => format!("{} of {} responses", self.matching, self.answered),
            _ => {
                let fast = self.without_stalls.below;
                format!("{} of {} responses took as long or longer", self.answered - fast, self.answered)
            }
        }
    }
}

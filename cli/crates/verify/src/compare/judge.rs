//! Decides which quantities changed. Whether anything got worse is tested on many quantities, so these tests
//! share the error probability. That nothing got worse is stated only if each quantity passes, which needs no
//! sharing.
//!
//! Changes use Holm's method (A simple sequentially rejective multiple test procedure, Scandinavian Journal
//! of Statistics 6, 1979): every change is first tested with an equal share of the error probability; those
//! found pass their share on to the others, which are tested again, until no more are found. Holm's guarantee
//! covers decisions, not intervals, so the ends shown for a reported change use the equal share (Bonferroni),
//! and may reach further than the decision. No change uses the intersection-union test (Berger, Technometrics
//! 24, 1982): passing all of several tests has no higher error probability than one of them.

use super::{Change, Quantity, Unit, gather::BLOCKS, interval::Pair};
use crate::statistics::{Interval, student};
use saasbench_model::units::Nanos;

/// A quantile `q` needs at least this many requests divided by `1 − q`.
const REQUESTS_ABOVE: f64 = 10.0;
/// Responses that a rate needs, unless fewer prove a change.
const SERVED_NEEDED: u64 = 30;
/// When estimating how many requests would suffice, at least this share of the tolerance is taken to be left:
/// otherwise a change close to it would ask for an unlimited number.
const LEAST_LEFT: f64 = 0.5;

/// A quantity to be judged.
#[derive(Debug)]
pub(super) struct Subject {
    name: &'static str,
    unit: Unit,
    tolerance: f64,
    /// The tolerance on the scale of the interval, where greater is worse.
    limit: f64,
    needed: Needed,
    /// How many there are of what is needed, in whichever run has more: a new run must not pass because it
    /// has fewer than before.
    found: u64,
    /// Whether everything was lost: no response succeeded, or every request was an error, where it was
    /// otherwise before.
    is_total: bool,
    pair: Option<Pair>,
    /// The same without the generator's own lateness: a regression must show there, too.
    punctual: Option<Pair>,
}

/// The minimum number for a judgement.
#[derive(Debug, Clone, Copy)]
enum Needed {
    Count(u64),
    /// As many as show, if none was an error, that the share lies below this.
    FaultlessBelow(f64),
}

/// Error probabilities of an interval's ends.
#[derive(Debug, Clone, Copy)]
struct Tails {
    /// For deciding whether anything changed.
    together: f64,
    /// For the intervals of reported changes.
    shown: f64,
    /// For each quantity by itself.
    alone: f64,
}

impl Subject {
    /// A latency quantile, which may change by the share `tolerance` or by `floor`; `found` is the number of
    /// responses.
    pub(super) fn latency(
        name: &'static str,
        q: f64,
        (tolerance, floor): (f64, Nanos),
        found: u64,
        pair: Option<Pair>,
    ) -> Self {
        let base = pair.as_ref().map_or(f64::INFINITY, |pair| pair.values()[0]);
        let tolerance = tolerance.max(floor.as_secs_f64() / base);
        let needed = Needed::Count((REQUESTS_ABOVE / (1.0 - q)).round() as u64);
        let (unit, limit) = (Unit::Seconds, tolerance.ln_1p());
        Self { name, unit, tolerance, limit, needed, found, is_total: false, pair, punctual: None }
    }

    /// The same, but it is worse only if it is so by `punctual`, too.
    pub(super) fn unless(self, punctual: Option<Pair>) -> Self {
        Self { punctual, ..self }
    }

    /// The error ratio, which may change by `tolerance`; `found` is the number of requests.
    pub(super) fn errors(tolerance: f64, found: u64, pair: Option<Pair>) -> Self {
        let is_total = pair.as_ref().is_some_and(|pair| pair.values()[0] < 1.0 && pair.values()[1] >= 1.0);
        let needed = Needed::FaultlessBelow(tolerance);
        Self {
            name: "errors",
            unit: Unit::Share,
            tolerance,
            limit: tolerance,
            needed,
            found,
            is_total,
            pair,
            punctual: None,
        }
    }

    /// Successful responses per second, which may change by the share `tolerance`; `found` is their number.
    pub(super) fn served(tolerance: f64, found: u64, pair: Option<Pair>) -> Self {
        let is_total = pair.as_ref().is_some_and(|pair| pair.values()[0] > 0.0 && pair.values()[1] <= 0.0);
        let (unit, limit, needed) = (Unit::PerSecond, tolerance.ln_1p(), Needed::Count(SERVED_NEEDED));
        Self { name: "served", unit, tolerance, limit, needed, found, is_total, pair, punctual: None }
    }

    /// The interval of the change on a scale where greater is worse.
    fn interval(&self, tail: f64) -> Option<Interval<f64>> {
        let Interval { low, high } = self.pair.as_ref()?.interval(tail)?;
        Some(match self.unit {
            Unit::PerSecond => Interval { low: -high, high: -low },
            Unit::Seconds | Unit::Share => Interval { low, high },
        })
    }

    /// How many requests a run needs to be judged, if it has fewer.
    fn too_few(&self, tail: f64) -> Option<u64> {
        let needed = match self.needed {
            Needed::Count(needed) => needed,
            // With n requests and no error, the share lies below 1 − tail^(1/n).
            Needed::FaultlessBelow(share) => {
                let widened = student(tail, BLOCKS as f64 - 1.0) / student(tail, f64::INFINITY);
                (widened.powi(2) * tail.ln() / (-share).ln_1p()).ceil() as u64
            }
        };
        (self.found < needed).then_some(needed)
    }

    /// The outcome, and the interval that is shown for it.
    fn outcome(&self, tails: Tails) -> (Change, Option<Interval<f64>>) {
        let (together, alone) = (self.interval(tails.together), self.interval(tails.alone));
        if self.is_beyond(tails) {
            let own = self.is_by_lateness(tails);
            return (if own { Change::Inconclusive } else { Change::Regressed }, self.interval(tails.shown));
        }
        if together.is_some_and(|at| at.high < -self.limit) {
            return (Change::Improved, self.interval(tails.shown));
        }
        // A few events can prove that something got worse, if not by how much. A few latencies prove nothing.
        let seems_worse =
            self.is_total || self.unit != Unit::Seconds && together.is_some_and(|at| at.low > 0.0);
        if !seems_worse && self.too_few(tails.alone).is_some() {
            return (Change::TooFew, alone);
        }
        let change = match alone {
            Some(Interval { low, high }) if high <= self.limit => {
                if low >= -self.limit {
                    Change::Unchanged
                } else {
                    Change::NotRegressed
                }
            }
            _ => Change::Inconclusive,
        };
        (change, alone)
    }

    /// Whether it is certainly worse, whether the service or the generator caused it.
    fn is_beyond(&self, tails: Tails) -> bool {
        self.interval(tails.together).is_some_and(|at| at.low > self.limit)
    }

    /// Whether it is worse only because of the generator's own lateness.
    fn is_by_lateness(&self, tails: Tails) -> bool {
        let without = self.punctual.as_ref().map(|pair| pair.interval(tails.alone));
        without.is_some_and(|at| at.is_none_or(|at| at.low <= self.limit))
    }

    fn judge(&self, tails: Tails) -> Quantity {
        let (outcome, interval) = self.outcome(tails);
        let by_lateness = outcome == Change::Inconclusive && self.is_beyond(tails);
        let needed = match outcome {
            Change::TooFew => self.too_few(tails.alone),
            Change::Inconclusive if !by_lateness => interval.and_then(|interval| self.enough(interval)),
            _ => None,
        };
        let values = self.pair.as_ref().map(Pair::values);
        let shown = |value: f64| if self.unit == Unit::Share { value } else { value.exp_m1() };
        let ends = interval.map(|Interval { low, high }| match self.unit {
            Unit::PerSecond => [-high, -low].map(shown),
            Unit::Seconds | Unit::Share => [low, high].map(shown),
        });
        let finite = |value: f64| Some(value).filter(|value| value.is_finite());
        let change =
            |[base, new]: [f64; 2]| if self.unit == Unit::Share { new - base } else { new / base - 1.0 };
        Quantity {
            name: self.name,
            unit: self.unit,
            base: values.map(|[base, _]| base),
            new: values.map(|[_, new]| new),
            change: values.map(change).and_then(finite),
            low: ends.and_then(|[low, _]| finite(low)),
            high: ends.and_then(|[_, high]| finite(high)),
            tolerance: self.tolerance,
            outcome,
            by_lateness,
            needed,
        }
    }

    /// How many requests would make the interval narrow enough, to two digits: it shrinks with their square
    /// root.
    fn enough(&self, Interval { low, high }: Interval<f64>) -> Option<u64> {
        let (change, half) = (f64::midpoint(low, high), (high - low) / 2.0);
        let left = (self.limit - change).clamp(LEAST_LEFT * self.limit, self.limit);
        let count = self.pair.as_ref().map(Pair::count).filter(|count| *count < u64::MAX)?;
        let enough = count as f64 * (half / left).powi(2);
        let digit = 10_f64.powf(enough.log10().floor() - 1.0).max(1.0);
        (enough.is_finite() && enough > count as f64).then(|| ((enough / digit).ceil() * digit) as u64)
    }
}

/// Judges all of them, in order: the probability that any statement is wrong is at most `error_probability`.
pub(super) fn judge(subjects: &[Subject], error_probability: f64) -> Vec<Quantity> {
    let mut found = vec![false; subjects.len()];
    let mut left = subjects.len();
    // Two-sided share of the error probability for one of `left` tests.
    let tail = |left: usize| error_probability / 2.0 / left.max(1) as f64;
    loop {
        let mut more = 0;
        for (subject, found) in subjects.iter().zip(&mut found).filter(|(_, found)| !**found) {
            let interval = subject.interval(tail(left));
            *found = interval.is_some_and(|at| at.low > subject.limit || at.high < -subject.limit);
            more += usize::from(*found);
        }
        left -= more;
        if more == 0 || left == 0 {
            break;
        }
    }
    let tails = Tails { together: tail(left), shown: tail(subjects.len()), alone: tail(1) };
    subjects.iter().map(|subject| subject.judge(tails)).collect()
}

//! What changes come to. Whether anything got worse is asked of many quantities, so changes share the doubt; that nothing did is said
//! only if it is so of each, which takes no share.
//!
//! Changes: Holm's method (A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 1979).
//! Every change is first asked for with an equal share of the doubt. Those that are found leave theirs to the others, which are asked
//! again with more, until no more are found. That is so of the decisions, not of intervals, which would not hold together: so the ends that are shown of a
//! change that is reported have the equal share (Bonferroni), and may reach further than the decision. No change: the intersection-union test (Berger, Technometrics 24, 1982). To pass all of so
//! many tests of one level has no higher one.

use super::{Change, Quantity, Unit, gather::BLOCKS, interval::Pair};
use crate::statistics::{Interval, student};
use saasbench_model::units::Nanos;

/// A quantile `q` of fewer than this over `1 − q` requests says nothing.
const REQUESTS_ABOVE: f64 = 10.0;
/// Answers that a rate takes, unless fewer show that it changed.
const SERVED_NEEDED: u64 = 30;
/// A change of more than this share of the tolerance is no reason to ask permanently more requests.
const LEAST_LEFT: f64 = 0.5;

/// A quantity that is to be judged.
#[derive(Debug)]
pub(super) struct Subject {
    name: &'static str,
    unit: Unit,
    tolerance: f64,
    /// The same on the scale of the interval, where greater is worse.
    limit: f64,
    needed: Needed,
    /// How many there are of what is needed, in whichever run has more: a run that has fewer than before must not be let off for it.
    found: u64,
    /// Whether all that there was is gone: nobody served, or nothing but errors, where it was otherwise before.
    is_total: bool,
    pair: Option<Pair>,
    /// The same without what the generator alone was late: what is worse must be so without it, too.
    punctual: Option<Pair>,
}

/// How many it takes at least.
#[derive(Debug, Clone, Copy)]
enum Needed {
    Count(u64),
    /// Those of which none was an error show a share below this.
    FaultlessBelow(f64),
}

/// Tails of intervals.
#[derive(Debug, Clone, Copy)]
struct Tails {
    /// Of those that decide together whether something changed.
    together: f64,
    /// Of those that are shown together.
    shown: f64,
    /// Of each by itself.
    alone: f64,
}

impl Subject {
    /// A quantile of latency, which may change by the share `tolerance` or by `floor`; `found` answers.
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

    /// The same, but nothing is worse that is not so by `punctual`, too.
    pub(super) fn unless(self, punctual: Option<Pair>) -> Self {
        Self { punctual, ..self }
    }

    /// The share of errors, which may change by `tolerance`; `found` requests.
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

    /// What is served per second, which may change by the share `tolerance`; `found` answers that served.
    pub(super) fn served(tolerance: f64, found: u64, pair: Option<Pair>) -> Self {
        let is_total = pair.as_ref().is_some_and(|pair| pair.values()[0] > 0.0 && pair.values()[1] <= 0.0);
        let (unit, limit, needed) = (Unit::PerSecond, tolerance.ln_1p(), Needed::Count(SERVED_NEEDED));
        Self { name: "served", unit, tolerance, limit, needed, found, is_total, pair, punctual: None }
    }

    /// Where the change lies on a scale on which greater is worse.
    fn interval(&self, tail: f64) -> Option<Interval<f64>> {
        let Interval { low, high } = self.pair.as_ref()?.interval(tail)?;
        Some(match self.unit {
            Unit::PerSecond => Interval { low: -high, high: -low },
            Unit::Seconds | Unit::Share => Interval { low, high },
        })
    }

    /// How many requests a run needs for anything to be said, if there are fewer.
    fn too_few(&self, tail: f64) -> Option<u64> {
        let needed = match self.needed {
            Needed::Count(needed) => needed,
            // Of n requests without an error, the share lies below 1 − tail^(1/n).
            Needed::FaultlessBelow(share) => {
                let widened = student(tail, BLOCKS as f64 - 1.0) / student(tail, f64::INFINITY);
                (widened.powi(2) * tail.ln() / (-share).ln_1p()).ceil() as u64
            }
        };
        (self.found < needed).then_some(needed)
    }

    /// What it came to, and the interval that is shown for it.
    fn outcome(&self, tails: Tails) -> (Change, Option<Interval<f64>>) {
        let (together, alone) = (self.interval(tails.together), self.interval(tails.alone));
        if self.is_beyond(tails) {
            let own = self.is_by_lateness(tails);
            return (if own { Change::Unknown } else { Change::Worse }, self.interval(tails.shown));
        }
        if together.is_some_and(|at| at.high < -self.limit) {
            return (Change::Better, self.interval(tails.shown));
        }
        // Few of what is counted can still show that it is worse than it was, if not by how much. Of few latencies no more is said.
        let seems_worse =
            self.is_total || self.unit != Unit::Seconds && together.is_some_and(|at| at.low > 0.0);
        if !seems_worse && self.too_few(tails.alone).is_some() {
            return (Change::TooFew, alone);
        }
        let change = match alone {
            Some(Interval { low, high }) if high <= self.limit => {
                if low >= -self.limit {
                    Change::Same
                } else {
                    Change::NoWorse
                }
            }
            _ => Change::Unknown,
        };
        (change, alone)
    }

    /// Whether it is surely worse, whoever did it.
    fn is_beyond(&self, tails: Tails) -> bool {
        self.interval(tails.together).is_some_and(|at| at.low > self.limit)
    }

    /// Whether it is worse only with what the generator alone was late.
    fn is_by_lateness(&self, tails: Tails) -> bool {
        let without = self.punctual.as_ref().map(|pair| pair.interval(tails.alone));
        without.is_some_and(|at| at.is_none_or(|at| at.low <= self.limit))
    }

    fn judge(&self, tails: Tails) -> Quantity {
        let (outcome, interval) = self.outcome(tails);
        let by_lateness = outcome == Change::Unknown && self.is_beyond(tails);
        let needed = match outcome {
            Change::TooFew => self.too_few(tails.alone),
            Change::Unknown if !by_lateness => interval.and_then(|interval| self.enough(interval)),
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

    /// How many requests would make the interval small enough, in two digits: it becomes smaller as their root.
    fn enough(&self, Interval { low, high }: Interval<f64>) -> Option<u64> {
        let (change, half) = (f64::midpoint(low, high), (high - low) / 2.0);
        let left = (self.limit - change).clamp(LEAST_LEFT * self.limit, self.limit);
        let count = self.pair.as_ref().map(Pair::count).filter(|count| *count < u64::MAX)?;
        let enough = count as f64 * (half / left).powi(2);
        let digit = 10_f64.powf(enough.log10().floor() - 1.0).max(1.0);
        (enough.is_finite() && enough > count as f64).then(|| ((enough / digit).ceil() * digit) as u64)
    }
}

/// Judges all of them, in their order: what is said of any is not so with a probability of at most `doubt`.
pub(super) fn judge(subjects: &[Subject], doubt: f64) -> Vec<Quantity> {
    let mut found = vec![false; subjects.len()];
    let mut left = subjects.len();
    // The share of one of so many, at either end.
    let tail = |left: usize| doubt / 2.0 / left.max(1) as f64;
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

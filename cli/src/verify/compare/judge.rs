//! What changes come to, all of them together: the whole comparison says something that is not so with a probability of at
//! most `doubt`.
//!
//! Holm's method (A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 1979): every
//! change is first asked for with an equal share of the doubt. Those that are found leave theirs to the others,
//! which are asked again with more, until no more are found.

use super::{Change, Quantity, Unit, gather::BLOCKS, interval::Pair};
use crate::{
    units::Nanos,
    verify::statistics::{Interval, student},
};

/// A quantile `q` of fewer than this over `1 − q` requests says nothing.
const REQUESTS_ABOVE: f64 = 10.0;
/// Answers that a rate takes: ratios of fewer are far from normal.
const SERVED_NEEDED: u64 = 30;
/// A change of more than this share of the tolerance is no reason to ask for ever more requests.
const LEAST_LEFT: f64 = 0.5;

/// A quantity that is to be judged.
#[derive(Debug)]
pub(super) struct Subject {
    name: &'static str,
    unit: Unit,
    tolerance: f64,
    /// The same on the scale of the interval, where greater is worse.
    limit: f64,
    /// How many requests it takes at the least, and how many there are.
    needed: Needed,
    pair: Option<Pair>,
}

#[derive(Debug, Clone, Copy)]
enum Needed {
    Requests(u64),
    /// Those of which none was an error show a share below this.
    FaultlessBelow(f64),
    Served {
        found: u64,
    },
}

impl Subject {
    /// A quantile of latency, which may change by the share `tolerance` or by `floor`.
    pub(super) fn latency(
        name: &'static str,
        q: f64,
        tolerance: f64,
        floor: Nanos,
        pair: Option<Pair>,
    ) -> Self {
        let base = pair.as_ref().map_or(f64::INFINITY, |pair| pair.values()[0]);
        let tolerance = tolerance.max(floor.as_secs_f64() / base);
        let needed = Needed::Requests((REQUESTS_ABOVE / (1.0 - q)).round() as u64);
        Self { name, unit: Unit::Seconds, tolerance, limit: tolerance.ln_1p(), needed, pair }
    }

    /// The share of errors, which may change by `tolerance`.
    pub(super) fn errors(tolerance: f64, pair: Option<Pair>) -> Self {
        let needed = Needed::FaultlessBelow(tolerance);
        Self { name: "errors", unit: Unit::Share, tolerance, limit: tolerance, needed, pair }
    }

    /// What is served per second, which may change by the share `tolerance`; `found`: in whichever has fewer.
    pub(super) fn served(tolerance: f64, found: u64, pair: Option<Pair>) -> Self {
        let needed = Needed::Served { found };
        Self { name: "served", unit: Unit::PerSecond, tolerance, limit: tolerance.ln_1p(), needed, pair }
    }

    /// Where the change lies on a scale on which greater is worse.
    fn interval(&self, tail: f64) -> Option<Interval<f64>> {
        let Interval { low, high } = self.pair.as_ref()?.interval(tail)?;
        Some(match self.unit {
            Unit::PerSecond => Interval { low: -high, high: -low },
            Unit::Seconds | Unit::Share => Interval { low, high },
        })
    }

    /// How many requests are missing for anything to be said, if so.
    fn too_few(&self, tail: f64) -> Option<u64> {
        let found = self.pair.as_ref().map_or(0, Pair::count);
        let (found, needed) = match self.needed {
            Needed::Requests(needed) => (found, needed),
            // A share of none lies below t²/(n + t²) by Wilson's interval, and so does the difference of two.
            Needed::FaultlessBelow(share) => {
                let t = student(tail, BLOCKS as f64 - 1.0);
                (found, (t * t * (1.0 / share - 1.0)).ceil() as u64)
            }
            Needed::Served { found } => (found, SERVED_NEEDED),
        };
        (found < needed).then_some(needed)
    }

    fn judge(&self, tail: f64) -> Quantity {
        let interval = self.interval(tail);
        let outcome = match interval {
            Some(Interval { low, .. }) if low > self.limit => Change::Worse,
            Some(Interval { high, .. }) if high < -self.limit => Change::Better,
            _ if self.too_few(tail).is_some() => Change::TooFew,
            Some(Interval { low, high }) if high <= self.limit => {
                if low >= -self.limit {
                    Change::Same
                } else {
                    Change::NoWorse
                }
            }
            _ => Change::Unknown,
        };
        let needed = match outcome {
            Change::TooFew => self.too_few(tail),
            Change::Unknown => interval.and_then(|interval| self.enough(interval)),
            _ => None,
        };
        let values = self.pair.as_ref().map(Pair::values);
        let shown = |value: f64| if self.unit == Unit::Share { value } else { value.exp_m1() };
        let ends = interval.map(|Interval { low, high }| match self.unit {
            Unit::PerSecond => [-high, -low].map(shown),
            Unit::Seconds | Unit::Share => [low, high].map(shown),
        });
        Quantity {
            name: self.name,
            unit: self.unit,
            base: values.map(|[base, _]| base),
            new: values.map(|[_, new]| new),
            change: values
                .map(|[base, new]| if self.unit == Unit::Share { new - base } else { new / base - 1.0 }),
            low: ends.map(|[low, _]| low),
            high: ends.map(|[_, high]| high),
            tolerance: self.tolerance,
            outcome,
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

/// Judges all of them, in their order.
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
    subjects.iter().map(|subject| subject.judge(tail(left))).collect()
}

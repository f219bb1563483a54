//! Compares counts: the error ratio, and the successful responses per second. Few events are judged exactly,
//! so that none can be distinguished from many; many events by how much blocks of time vary.

use super::{
    gather::{BLOCKS, Cell},
    variation::{BLOCKS_NEEDED, Seen, apart, inflation, widened},
};
use crate::statistics::{Interval, share, student};

/// From this many events on, the logarithm of a ratio is close enough to normal.
const MANY: u64 = 30;

/// The logarithm of a rate. Zero events count as half an event, because zero has no logarithm.
pub(super) fn logarithm(events: u64, seconds: f64) -> f64 {
    ((events as f64).max(0.5) / seconds).ln()
}

/// A share of requests in the baseline and in the new run.
#[derive(Debug)]
pub(super) struct Share {
    /// Baseline and new run: events and requests.
    counts: [(u64, u64); 2],
    /// How much more the difference varies than that of independent requests, as a factor of at least 1.
    inflation: f64,
    /// Degrees of freedom of `inflation`.
    degrees: f64,
}

impl Share {
    /// The error ratio; `None` where either run has no request.
    pub(super) fn of_errors(base: &Cell, new: &Cell) -> Option<Self> {
        let counts = [base, new].map(|cell| (cell.errors(), cell.requests()));
        if counts.iter().any(|(_, requests)| *requests == 0) {
            return None;
        }
        let blocks = [base, new]
            .map(|cell| cell.blocks.each_ref().map(|block| (block.errors as f64, block.requests as f64)));
        let (inflation, degrees) = inflation(&blocks[0], &blocks[1]);
        Some(Self { counts, inflation, degrees })
    }

    pub(super) fn values(&self) -> [f64; 2] {
        self.counts.map(|(events, n)| events as f64 / n as f64)
    }

    /// The smaller of the two numbers of requests.
    pub(super) fn least(&self) -> u64 {
        self.counts[0].1.min(self.counts[1].1)
    }

    /// The confidence interval of the difference.
    pub(super) fn interval(&self, tail: f64) -> Option<Seen> {
        let widened = widened(self.inflation, self.degrees, tail)?;
        let sides = self.counts.map(|(events, n)| share(events as f64 / widened, n as f64 / widened, tail));
        let [base, new] = self.values();
        Some(Seen { change: new - base, within: apart([base, new], sides) })
    }
}

/// Events per second in the baseline and in the new run.
#[derive(Debug)]
pub(super) struct Rate {
    /// Baseline and new run.
    counts: [u64; 2],
    seconds: [f64; 2],
    /// Events by block of time.
    blocks: [[f64; BLOCKS]; 2],
}

impl Rate {
    /// Rate of successful responses; `None` where neither run has one.
    pub(super) fn of_served((base, before): (&Cell, f64), (new, now): (&Cell, f64)) -> Option<Self> {
        let counts = [base, new].map(Cell::served);
        let blocks = [base, new].map(|cell| cell.blocks.each_ref().map(|block| block.served as f64));
        let is_there = counts != [0, 0] && before > 0.0 && now > 0.0;
        is_there.then_some(Self { counts, seconds: [before, now], blocks })
    }

    pub(super) fn values(&self) -> [f64; 2] {
        let [base, new] = self.counts.map(|count| count as f64);
        [base / self.seconds[0], new / self.seconds[1]]
    }

    pub(super) fn logarithms(&self) -> [f64; 2] {
        [0, 1].map(|side: usize| logarithm(self.counts[side], self.seconds[side]))
    }

    /// The confidence interval of the logarithm of the ratio; infinite at an end where one of the rates may
    /// be zero.
    pub(super) fn interval(&self, tail: f64) -> Option<Seen> {
        let [base, new] = self.logarithms();
        let change = new - base;
        let within = if self.counts.iter().all(|count| *count >= MANY) {
            let margin = self.margin(tail)?;
            Interval { low: change - margin, high: change + margin }
        } else {
            self.exact(tail)?
        };
        Some(Seen { change, within })
    }

    /// From the standard error of the ratio of two totals, by their blocks (Cochran, Sampling Techniques, 3rd
    /// edition, section 6.4). Rounding to whole counts alone has a variance of 1/12, so that is the least
    /// assumed.
    fn margin(&self, tail: f64) -> Option<f64> {
        let [all_base, all_new] = self.counts.map(|count| count as f64);
        let squares = self.used().map(|(base, new)| (new / all_new - base / all_base).powi(2));
        let squares = squares.map(|square| square.max((all_new.powi(-2) + all_base.powi(-2)) / 12.0));
        let degrees = self.degrees()?;
        let error = (squares.sum::<f64>() * (degrees + 1.0) / degrees).sqrt();
        Some(student(tail, degrees) * error)
    }

    /// From the share of all events that fell to the new run: given their number it is binomial, if events
    /// are independent (Przyborowski and Wilenski, Biometrika 31, 1940). Where blocks vary more than that,
    /// the number of events is reduced accordingly.
    fn exact(&self, tail: f64) -> Option<Interval<f64>> {
        let [base, new] = self.counts.map(|count| count as f64);
        let of_all = new / (base + new);
        let degrees = self.degrees()?;
        let squares = self.used().map(|(base, new)| {
            let all = base + new;
            (new - all * of_all).powi(2) / (all * of_all * (1.0 - of_all))
        });
        let dispersion = if base == 0.0 || new == 0.0 { 1.0 } else { squares.sum::<f64>() / degrees };
        let widened = widened(dispersion.max(1.0), degrees, tail)?;
        let Interval { low, high } = share(new / widened, (base + new) / widened, tail);
        let ratio = |share: f64| (share / (1.0 - share) * self.seconds[0] / self.seconds[1]).ln();
        Some(Interval { low: ratio(low), high: ratio(high) })
    }

    /// Degrees of freedom, if there are enough blocks.
    fn degrees(&self) -> Option<f64> {
        let blocks = self.used().count();
        (blocks >= BLOCKS_NEEDED).then_some(blocks as f64 - 1.0)
    }

    /// Blocks with at least one event in either run.
    fn used(&self) -> impl Iterator<Item = (f64, f64)> {
        let [base, new] = &self.blocks;
        base.iter().zip(new).map(|(base, new)| (*base, *new)).filter(|(base, new)| base + new > 0.0)
    }
}

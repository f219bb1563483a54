//! Confidence intervals for the difference between a baseline and a new run. Pure arithmetic; each end of an
//! interval is wrong with a probability of about `tail`.
//!
//! Requests of a run are not independent: what slows one down slows its neighbours down, too. The variation
//! of a run is therefore estimated from its blocks of time, never from the number of requests alone, and from
//! the spread of the baselines where there are several. Blocks of the same time are paired, so that a growing
//! load, whose latency grows with it, is not taken for random variation.

use super::{
    counts::{Rate, Share, logarithm},
    distribution::{Distribution, bucket, middle},
    gather::{BLOCKS, Block, Cell},
    variation::{Seen, apart, inflation, widened},
};
use crate::statistics::{Interval, quantile_ranks, student};
use saasbench_model::units::Nanos;

/// From this many baselines on, their spread is known well enough to be used; with fewer, Student's t is
/// enormous.
const RUNS_NEEDED: usize = 5;

/// A quantity in the baseline and in the new run, prepared for computing intervals.
#[derive(Debug)]
pub(super) struct Pair {
    kind: Kind,
    /// The quantity in each baseline, on the scale of the interval.
    runs: Vec<f64>,
}

#[derive(Debug)]
enum Kind {
    /// A latency quantile.
    Latency(Box<Latency>),
    /// A share of requests.
    Share(Share),
    /// Events per second.
    Rate(Box<Rate>),
}

/// A latency quantile in both runs.
#[derive(Debug)]
struct Latency {
    q: f64,
    sides: [Distribution; 2],
    inflation: f64,
    degrees: f64,
}

impl Pair {
    /// The quantile `q` of latency from intended (`clock` 0), sent (1) or [`super::gather::PUNCTUAL`]; `None`
    /// where either has no response.
    pub(super) fn latency(pooled: &Cell, bases: &[&Cell], new: &Cell, clock: usize, q: f64) -> Option<Self> {
        let sides = [pooled.latencies(clock), new.latencies(clock)];
        let (inflation, degrees) = {
            let [base, new] =
                [(pooled, &sides[0]), (new, &sides[1])].map(|(cell, all)| below(cell, all, clock, q));
            inflation(&base?, &new?)
        };
        let runs =
            bases.iter().filter_map(|cell| Some(quantile(&cell.latencies(clock), q)?.as_secs_f64().ln()));
        let runs = runs.collect();
        Some(Self { kind: Kind::Latency(Box::new(Latency { q, sides, inflation, degrees })), runs })
    }

    /// The error ratio; `None` where either has no request.
    pub(super) fn errors(pooled: &Cell, bases: &[&Cell], new: &Cell) -> Option<Self> {
        let asked = bases.iter().filter(|cell| cell.requests() > 0);
        let runs = asked.map(|cell| cell.errors() as f64 / cell.requests() as f64).collect();
        Some(Self { kind: Kind::Share(Share::of_errors(pooled, new)?), runs })
    }

    /// Successful responses per second; `None` where neither run has one. The seconds are those of all
    /// baselines together, of each baseline, and of the new run.
    pub(super) fn rate(
        (pooled, together): (&Cell, f64),
        bases: &[(&Cell, f64)],
        (new, seconds): (&Cell, f64),
    ) -> Option<Self> {
        let runs = bases.iter().map(|(cell, seconds)| logarithm(cell.served(), *seconds)).collect();
        Some(Self { kind: Kind::Rate(Box::new(Rate::of_served((pooled, together), (new, seconds))?)), runs })
    }

    /// Both values, in seconds, as a share, or in events per second.
    pub(super) fn values(&self) -> [f64; 2] {
        match &self.kind {
            Kind::Latency(latency) => latency
                .sides
                .each_ref()
                .map(|side| quantile(side, latency.q).map_or(f64::NAN, Nanos::as_secs_f64)),
            Kind::Share(share) => share.values(),
            Kind::Rate(rate) => rate.values(),
        }
    }

    /// How many values the interval is computed from: the smaller of the two runs' numbers.
    pub(super) fn count(&self) -> u64 {
        match &self.kind {
            Kind::Latency(latency) => latency.sides[0].count().min(latency.sides[1].count()),
            Kind::Share(share) => share.least(),
            Kind::Rate(_) => u64::MAX,
        }
    }

    /// The confidence interval of the change: of the logarithm of the ratio of latencies or rates, or of the
    /// difference of shares. `None` where it cannot be computed.
    pub(super) fn interval(&self, tail: f64) -> Option<Interval<f64>> {
        let seen = match &self.kind {
            Kind::Latency(latency) => latency.interval(tail)?,
            Kind::Share(share) => share.interval(tail)?,
            Kind::Rate(rate) => rate.interval(tail)?,
        };
        Some(beyond(seen, &self.runs, self.together(), tail))
    }

    /// The baselines' value on the scale of the interval.
    fn together(&self) -> f64 {
        match &self.kind {
            Kind::Latency(_) => self.values()[0].ln(),
            Kind::Share(share) => share.values()[0],
            Kind::Rate(rate) => rate.logarithms()[0],
        }
    }
}

impl Latency {
    fn interval(&self, tail: f64) -> Option<Seen> {
        let widened = widened(self.inflation, self.degrees, tail)?;
        let log = |bucket: u16| middle(bucket).as_secs_f64().max(1e-9).ln();
        let side = |side: &Distribution| {
            let n = side.count();
            let effective = (n as f64 / widened).floor() as u64;
            let ranks = quantile_ranks(effective, self.q, tail)?;
            let scale = n as f64 / effective as f64;
            let low = side.at_rank(((ranks.low - 1) as f64 * scale).floor() as u64 + 1)?;
            let high = side.at_rank(((ranks.high as f64 * scale).ceil() as u64).min(n))?;
            let value = quantile(side, self.q).map(bucket)?;
            Some((log(value), Interval { low: log(low), high: log(high) }))
        };
        let ((base, of_base), (new, of_new)) = (side(&self.sides[0])?, side(&self.sides[1])?);
        Some(Seen { change: new - base, within: apart([base, new], [of_base, of_new]) })
    }
}

/// The quantile of a distribution; `None` if it is empty.
pub(super) fn quantile(latencies: &Distribution, q: f64) -> Option<Nanos> {
    let rank = (q * latencies.count() as f64).ceil().max(1.0) as u64;
    latencies.at_rank(rank).map(middle)
}

/// By block: how many latencies lie at or below the quantile, and how many there are.
fn below(cell: &Cell, all: &Distribution, clock: usize, q: f64) -> Option<[(f64, f64); BLOCKS]> {
    let at = quantile(all, q).map(bucket)?;
    let count = |block: &Block| {
        let latencies = block.latencies.get(clock);
        latencies.map_or((0.0, 0.0), |latencies| (latencies.up_to(at) as f64, latencies.count() as f64))
    };
    Some(cell.blocks.each_ref().map(count))
}

/// The interval, widened by how much runs differ from each other.
///
/// From five baselines on, the variance between runs is that of the baselines minus that within one
/// (DerSimonian and Laird, Controlled Clinical Trials 7, 1986). A further run lies within `t·s·√(1 + 1/k)` of
/// them (Hahn and Meeker, Statistical Intervals, 2nd edition, section 4.7), and both variances add up. Two to
/// four baselines say too little about a variance; but a value no further away than one of them is no change.
/// A single baseline adds nothing.
fn beyond(seen: Seen, runs: &[f64], together: f64, tail: f64) -> Interval<f64> {
    let Seen { change, within } = seen;
    let k = runs.len() as f64;
    if runs.len() < RUNS_NEEDED {
        let apart = runs.iter().map(|run| (run - together).abs()).fold(0.0, f64::max);
        return Interval { low: within.low.min(change - apart), high: within.high.max(change + apart) };
    }
    let mean = runs.iter().sum::<f64>() / k;
    let all = runs.iter().map(|run| (run - mean).powi(2)).sum::<f64>() / (k - 1.0);
    let margin = (within.high - within.low) / 2.0;
    let own = (margin / student(tail, BLOCKS as f64 - 1.0)).powi(2) / (1.0 + 1.0 / k);
    let between = (all - own).max(0.0);
    let margin = student(tail, k - 1.0) * (between * (1.0 + 1.0 / k)).sqrt();
    Interval {
        low: change - (change - within.low).hypot(margin),
        high: change + (within.high - change).hypot(margin),
    }
}

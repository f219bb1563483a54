//! How far apart a baseline and a new run surely and at most are. Pure arithmetic; every interval misses each of its ends with
//! a probability of about `tail`.
//!
//! Requests of a run are no independent draws: what slows one down slows its neighbours down, too. So how far a run varies is
//! taken from its blocks of time, never from the number of requests alone; and from the spread of the baselines, where
//! there are several. A block of one run is held beside the block of the same time of the other, so that a load that grows, and
//! latency that grows with it, is not taken for chance.

use super::{
    distribution::{Distribution, bucket, middle},
    gather::{BLOCKS, Cell},
};
use crate::{
    units::Nanos,
    verify::statistics::{Interval, quantile_ranks, student},
};

/// Blocks with requests that it takes to see how far a run varies.
const BLOCKS_NEEDED: usize = 4;

/// A quantity in the baseline and in the new run, prepared for intervals.
#[derive(Debug)]
pub(super) enum Pair {
    /// A quantile of latency.
    Latency(Box<Latency>),
    /// A share of requests: both values, with how far their difference varies.
    Share {
        /// Baseline and new run: events and requests.
        counts: [(u64, u64); 2],
        /// How many times as much the difference varies as that of independent requests; at least 1.
        inflation: f64,
        /// Degrees of freedom of that.
        degrees: f64,
        /// The share in each baseline.
        runs: Vec<f64>,
    },
    /// A rate: events per second, and how far their ratio varies.
    Rate {
        /// Baseline and new run, per second.
        rates: [f64; 2],
        /// Standard error of the logarithm of their ratio.
        error: f64,
        /// Degrees of freedom of that.
        degrees: f64,
        /// Logarithm of the rate in each baseline.
        runs: Vec<f64>,
    },
}

/// A quantile of latency in both.
#[derive(Debug)]
pub(super) struct Latency {
    q: f64,
    sides: [Distribution; 2],
    inflation: f64,
    degrees: f64,
    /// Logarithm of the quantile in each baseline.
    runs: Vec<f64>,
}

impl Pair {
    /// The quantile `q` of latency from intended (`clock` 0) or sent (1); `None` where either has no answer.
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
        Some(Self::Latency(Box::new(Latency { q, sides, inflation, degrees, runs })))
    }

    /// The share of errors; `None` where either has no request.
    pub(super) fn errors(pooled: &Cell, bases: &[&Cell], new: &Cell) -> Option<Self> {
        let counts = [pooled, new].map(|cell| (cell.errors(), cell.requests()));
        if counts.iter().any(|(_, requests)| *requests == 0) {
            return None;
        }
        let blocks = [pooled, new]
            .map(|cell| cell.blocks.each_ref().map(|block| (block.errors as f64, block.requests as f64)));
        let (inflation, degrees) = inflation(&blocks[0], &blocks[1]);
        let runs = bases.iter().map(|cell| cell.errors() as f64 / cell.requests().max(1) as f64).collect();
        Some(Self::Share { counts, inflation, degrees, runs })
    }

    /// What was served per second; `None` where neither served anybody. `seconds` are those of all baselines together, of
    /// each, and of the new run.
    pub(super) fn rate(
        (pooled, together): (&Cell, f64),
        bases: &[(&Cell, f64)],
        (new, seconds): (&Cell, f64),
    ) -> Option<Self> {
        if pooled.served() + new.served() == 0 || together <= 0.0 || seconds <= 0.0 {
            return None;
        }
        // A run that served nobody has no logarithm: half an answer is as good as none.
        let rate = |cell: &Cell, seconds: f64| (cell.served() as f64).max(0.5) / seconds;
        let rates = [rate(pooled, together), rate(new, seconds)];
        let served = [pooled, new].map(|cell| cell.blocks.each_ref().map(|block| block.served as f64));
        let (error, degrees) = ratio_error(&served[0], &served[1]);
        let runs = bases.iter().map(|(cell, seconds)| rate(cell, *seconds).ln()).collect();
        Some(Self::Rate { rates, error, degrees, runs })
    }

    /// Both values: seconds, a share, or events per second.
    pub(super) fn values(&self) -> [f64; 2] {
        match self {
            Self::Latency(latency) => latency
                .sides
                .each_ref()
                .map(|side| quantile(side, latency.q).map_or(f64::NAN, Nanos::as_secs_f64)),
            Self::Share { counts, .. } => counts.map(|(events, n)| events as f64 / n as f64),
            Self::Rate { rates, .. } => *rates,
        }
    }

    /// How many values each rests on: the fewer of the two decide.
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Latency(latency) => latency.sides[0].count().min(latency.sides[1].count()),
            Self::Share { counts, .. } => counts[0].1.min(counts[1].1),
            Self::Rate { .. } => u64::MAX,
        }
    }

    /// Where the change lies: the logarithm of the ratio of latencies and rates, the difference of shares. `None` where that
    /// cannot be said.
    pub(super) fn interval(&self, tail: f64) -> Option<Interval<f64>> {
        let (change, within, runs) = match self {
            Self::Latency(latency) => {
                let (change, within) = latency.interval(tail)?;
                (change, within, &latency.runs)
            }
            Self::Share { counts, inflation, degrees, runs } => {
                let t = finite(*degrees).map(|degrees| student(tail, degrees))?;
                let sides = counts.map(|(events, n)| wilson(events, n, t * inflation.sqrt()));
                let [base, new] = self.values();
                (new - base, apart([base, new], sides), runs)
            }
            Self::Rate { rates, error, degrees, runs } => {
                let margin = finite(*degrees).map(|degrees| student(tail, degrees))? * error;
                let change = (rates[1] / rates[0]).ln();
                (change, Interval { low: change - margin, high: change + margin }, runs)
            }
        };
        let margin = spread(runs, tail);
        Some(Interval { low: within.low.min(change - margin), high: within.high.max(change + margin) })
    }
}

impl Latency {
    /// The change, and where it lies by what happened within the runs.
    fn interval(&self, tail: f64) -> Option<(f64, Interval<f64>)> {
        let degrees = finite(self.degrees)?;
        // What the blocks say of the variation is an estimate: Student's t, not the normal.
        let widened = self.inflation * (student(tail, degrees) / student(tail, f64::INFINITY)).powi(2);
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
        Some((new - base, apart([base, new], [of_base, of_new])))
    }
}

/// The quantile of a distribution; `None` of an empty one.
pub(super) fn quantile(latencies: &Distribution, q: f64) -> Option<Nanos> {
    let rank = (q * latencies.count() as f64).ceil().max(1.0) as u64;
    latencies.at_rank(rank).map(middle)
}

/// Where the difference of two estimates lies whose own intervals are known (MOVER: Zou and Donner, Construction of confidence
/// limits about effect measures, Statistics in Medicine 27, 2008).
fn apart([base, new]: [f64; 2], [of_base, of_new]: [Interval<f64>; 2]) -> Interval<f64> {
    let change = new - base;
    Interval {
        low: change - (new - of_new.low).hypot(of_base.high - base),
        high: change + (of_new.high - new).hypot(base - of_base.low),
    }
}

/// Where a share lies (Wilson, Journal of the American Statistical Association 22, 1927).
fn wilson(events: u64, n: u64, z: f64) -> Interval<f64> {
    let (n, share) = (n as f64, events as f64 / n as f64);
    let centre = (share + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let margin = z / (1.0 + z * z / n) * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    Interval { low: (centre - margin).min(share).max(0.0), high: (centre + margin).max(share).min(1.0) }
}

/// By block: how many latencies lie at or below the quantile, and how many there are.
fn below(cell: &Cell, all: &Distribution, clock: usize, q: f64) -> Option<[(f64, f64); BLOCKS]> {
    let at = quantile(all, q).map(bucket)?;
    let count = |block: &super::gather::Block| {
        let latencies = block.latencies.get(clock);
        latencies.map_or((0.0, 0.0), |latencies| (latencies.up_to(at) as f64, latencies.count() as f64))
    };
    Some(cell.blocks.each_ref().map(count))
}

/// How many times as much the difference of two shares varies, by their blocks (events and trials), as it would of independent
/// trials; at least 1. And the degrees of freedom of that estimate; infinite where there is nothing to vary.
///
/// The variance of a share of clusters is that of the clusters' residuals (Woodruff, Confidence intervals for medians and other
/// position measures, Journal of the American Statistical Association 47, 1952; Cochran, Sampling Techniques, 3rd edition,
/// section 9.5): with `r` the difference of both runs' residuals, `k/(k−1)·Σr²`.
fn inflation(base: &[(f64, f64); BLOCKS], new: &[(f64, f64); BLOCKS]) -> (f64, f64) {
    let total = |blocks: &[(f64, f64); BLOCKS]| {
        blocks.iter().fold((0.0, 0.0), |sum, block| (sum.0 + block.0, sum.1 + block.1))
    };
    let (all_base, all_new) = (total(base), total(new));
    let share = |(events, trials): (f64, f64)| events / trials;
    let residual = |(events, trials): (f64, f64), all: (f64, f64)| (events - share(all) * trials) / all.1;
    let used = base.iter().zip(new).filter(|(base, new)| base.1 + new.1 > 0.0);
    let squares: Vec<f64> =
        used.map(|(base, new)| (residual(*base, all_base) - residual(*new, all_new)).powi(2)).collect();
    let blocks = squares.len() as f64;
    let independent: f64 =
        [all_base, all_new].iter().map(|all| share(*all) * (1.0 - share(*all)) / all.1).sum();
    if squares.len() < BLOCKS_NEEDED {
        return (1.0, f64::NAN);
    }
    if independent == 0.0 {
        return (1.0, blocks - 1.0);
    }
    let observed = squares.iter().sum::<f64>() * blocks / (blocks - 1.0);
    ((observed / independent).max(1.0), blocks - 1.0)
}

/// The standard error of the logarithm of the ratio of two totals, by their blocks, and its degrees of freedom (Cochran,
/// Sampling Techniques, 3rd edition, section 6.4). Rounding to whole counts alone has a variance of 1/12, and less is not
/// believed.
fn ratio_error(base: &[f64; BLOCKS], new: &[f64; BLOCKS]) -> (f64, f64) {
    let [all_base, all_new] = [base, new].map(|blocks| blocks.iter().sum::<f64>().max(0.5));
    let used = base.iter().zip(new).filter(|(base, new)| **base + **new > 0.0);
    let squares: Vec<f64> = used
        .map(|(base, new)| (new / all_new - base / all_base).powi(2))
        .map(|square| square.max((all_new.powi(-2) + all_base.powi(-2)) / 12.0))
        .collect();
    let blocks = squares.len() as f64;
    if squares.len() < BLOCKS_NEEDED {
        return (0.0, f64::NAN);
    }
    ((squares.iter().sum::<f64>() * blocks / (blocks - 1.0)).sqrt(), blocks - 1.0)
}

/// How far a further run may lie from several, by their own spread: half of a prediction interval of Student's t, `t·s·√(1 +
/// 1/k)` (Hahn and Meeker, Statistical Intervals, 2nd edition, section 4.7). Nothing is known of that from a single one.
fn spread(runs: &[f64], tail: f64) -> f64 {
    let k = runs.len() as f64;
    if runs.len() < 2 {
        return 0.0;
    }
    let mean = runs.iter().sum::<f64>() / k;
    let variance = runs.iter().map(|run| (run - mean).powi(2)).sum::<f64>() / (k - 1.0);
    student(tail, k - 1.0) * (variance * (1.0 + 1.0 / k)).sqrt()
}

/// Degrees of freedom, if there are any.
fn finite(degrees: f64) -> Option<f64> {
    degrees.is_finite().then_some(degrees)
}

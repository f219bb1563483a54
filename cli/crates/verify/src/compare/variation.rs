//! How much a difference varies by chance: the arithmetic that the intervals of latencies (`interval`) and of
//! counts (`counts`) share.

use super::gather::BLOCKS;
use crate::statistics::{Interval, student};

/// Blocks with requests that are needed to estimate the variation of a run.
pub(super) const BLOCKS_NEEDED: usize = 4;

/// An observed change, and its interval from the variation within the runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) change: f64,
    pub(super) within: Interval<f64>,
}

/// The interval of the difference of two estimates with known intervals (MOVER: Zou and Donner, Construction
/// of confidence limits about effect measures, Statistics in Medicine 27, 2008).
pub(super) fn apart([base, new]: [f64; 2], [of_base, of_new]: [Interval<f64>; 2]) -> Interval<f64> {
    let change = new - base;
    Interval {
        low: change - (new - of_new.low).hypot(of_base.high - base),
        high: change + (of_new.high - new).hypot(base - of_base.low),
    }
}

/// By which factor (at least 1) the variance of the difference of two shares exceeds that of independent
/// trials, estimated from their blocks (events and trials); with the degrees of freedom of that estimate,
/// infinite if nothing can vary.
///
/// The variance of a share of clusters is that of the clusters' residuals (Woodruff, Confidence intervals for
/// medians and other position measures, Journal of the American Statistical Association 47, 1952; Cochran,
/// Sampling Techniques, 3rd edition, section 9.5): with `r` the difference of both runs' residuals,
/// `k/(k−1)·Σr²`.
pub(super) fn inflation(base: &[(f64, f64); BLOCKS], new: &[(f64, f64); BLOCKS]) -> (f64, f64) {
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

/// By which factor the number of independent requests is smaller than that of all requests: uses Student's t
/// in place of the normal, because the variation is itself estimated from blocks. `None` where blocks give no
/// estimate.
pub(super) fn widened(inflation: f64, degrees: f64, tail: f64) -> Option<f64> {
    let degrees = Some(degrees).filter(|degrees| degrees.is_finite())?;
    Some(inflation * (student(tail, degrees) / student(tail, f64::INFINITY)).powi(2))
}

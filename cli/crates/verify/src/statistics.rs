//! The statistics behind comparing two phases. Pure arithmetic; [`crate::noisy_neighbours`] decides what is
//! compared.
//!
//! Intervals of quantiles come from order statistics, which assume nothing about the distribution; the
//! underlying binomial is summed exactly, from its mode outwards, which works for large counts without a Beta
//! function.

mod share;

use statrs::distribution::{ContinuousCDF as _, Normal, StudentsT};

pub use share::share;

/// An interval with both ends included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval<T> {
    /// Lower end.
    pub low: T,
    /// Upper end.
    pub high: T,
}

/// Weights below this share of the greatest one are left out of a binomial: their sum is far below any tail
/// in use.
const NEGLIGIBLE: f64 = 1e-18;

/// The ranks (from 1) of the sorted values between which the quantile `q` (strictly between 0 and 1) of the
/// distribution lies: each end is wrong with a probability of at most `tail`. `None` where `n` values are too
/// few for that.
///
/// The number of values at or below the quantile is binomial with `n` and `q`, whatever the distribution. So
/// the `l`-th value lies above the quantile with the probability that fewer than `l` do, and the `u`-th lies
/// below it with at most the probability that `u` or more do (David and Nagaraja, Order Statistics, 3rd
/// edition, section 7.1).
pub fn quantile_ranks(n: u64, q: f64, tail: f64) -> Option<Interval<u64>> {
    let (first, weights) = binomial(n, q);
    // Rank `l` is valid while P(count ≤ l − 1) ≤ tail; the greatest such rank is wanted.
    let mut below = 0.0;
    let mut low = first;
    for weight in &weights {
        below += weight;
        if below > tail {
            break;
        }
        low += 1;
    }
    // Rank `u` is valid while P(count ≥ u) ≤ tail; the least such rank is wanted.
    let mut above = 0.0;
    let mut high = first + weights.len() as u64;
    for weight in weights.iter().rev() {
        above += weight;
        if above > tail {
            break;
        }
        high -= 1;
    }
    (low >= 1 && high <= n).then_some(Interval { low, high })
}

/// How many values [`quantile_ranks`] needs at least: with fewer, even the least or the greatest of them
/// misses the quantile too often.
pub fn values_needed(q: f64, tail: f64) -> u64 {
    (tail.ln() / q.max(1.0 - q).ln()).ceil() as u64
}

/// The probabilities of a binomial and the count of the first one; negligible ones at both ends are left out.
fn binomial(n: u64, q: f64) -> (u64, Vec<f64>) {
    let mode = (((n + 1) as f64 * q).floor() as u64).min(n);
    let odds = q / (1.0 - q);
    let falling = |next: &dyn Fn(u64) -> Option<(u64, f64)>| {
        let (mut at, mut weight, mut weights) = (mode, 1.0, Vec::new());
        while let Some((neighbour, ratio)) = next(at) {
            weight *= ratio;
            if weight < NEGLIGIBLE {
                break;
            }
            weights.push(weight);
            at = neighbour;
        }
        weights
    };
    let down = falling(&|k| (k > 0).then(|| (k - 1, k as f64 / ((n - k + 1) as f64 * odds))));
    let up = falling(&|k| (k < n).then(|| (k + 1, (n - k) as f64 * odds / (k + 1) as f64)));
    let first = mode - down.len() as u64;
    let mut weights: Vec<f64> = down.into_iter().rev().chain([1.0]).chain(up).collect();
    let total: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= total);
    (first, weights)
}

/// The ratio of two means, `after` to `before`, of counts per time slice: each end is wrong with a
/// probability of about `tail`. `None` without slices, or where the mean before is zero.
///
/// These are batch means (Law, Simulation Modeling and Analysis, 5th edition, section 9.5.3) with the
/// variance of a ratio by the delta method: `(s₂² + r²·s₁²) / (k·m₁²)`. The variance is estimated from the
/// slices, because that of a Poisson process would be far too great for arrivals at a constant rate. Rounding
/// to whole counts alone has a variance of 1/12, so that is the least assumed.
pub fn ratio_of_means(before: &[u64], after: &[u64], tail: f64) -> Option<Interval<f64>> {
    let slices = before.len().min(after.len());
    let ((mean_before, variance_before), (mean_after, variance_after)) = (moments(before)?, moments(after)?);
    if mean_before == 0.0 {
        return None;
    }
    let ratio = mean_after / mean_before;
    let variance = (variance_after + ratio * ratio * variance_before) / (slices as f64 * mean_before.powi(2));
    let margin = student(tail, (slices - 1) as f64) * variance.sqrt();
    Some(Interval { low: (ratio - margin).max(0.0), high: ratio + margin })
}

/// Mean and sample variance of counts; `None` for fewer than two.
fn moments(counts: &[u64]) -> Option<(f64, f64)> {
    let n = counts.len() as f64;
    let mean = counts.iter().sum::<u64>() as f64 / n;
    let squares: f64 = counts.iter().map(|&count| (count as f64 - mean).powi(2)).sum();
    (counts.len() > 1).then(|| (mean, (squares / (n - 1.0)).max(1.0 / 12.0)))
}

/// Degrees of freedom from which Student's t is close enough to the normal distribution: for tails down to
/// 10⁻¹² they differ by 1.3·10⁻⁴ there. The library's inverse does not return, or is wrong, for very many
/// degrees.
const NORMAL_FROM: f64 = 1e5;

/// The value that Student's t with `degrees` of freedom (at least 1; infinity for the normal distribution)
/// exceeds with probability `tail` (above 0, at most 0.5).
pub(super) fn student(tail: f64, degrees: f64) -> f64 {
    // By symmetry, because `1 − tail` would lose a small tail's digits.
    if degrees >= NORMAL_FROM {
        return -Normal::standard().inverse_cdf(tail);
    }
    if degrees <= 1.0 {
        // The library's inverse is wrong for a single degree and tails below 10⁻⁶: this is Cauchy's
        // distribution.
        return 1.0 / (std::f64::consts::PI * tail).tan();
    }
    StudentsT::new(0.0, 1.0, degrees).map_or(f64::INFINITY, |student| -student.inverse_cdf(tail))
}

/// Jain's index of fairness, `(Σx)² / (n·Σx²)`: 1 where all are equal, `1/n` where one has everything (Jain,
/// Chiu and Hawe, DEC TR-301, 1984). `None` where all are zero.
pub fn jain(shares: &[f64]) -> Option<f64> {
    let (sum, squares) = shares.iter().fold((0.0, 0.0), |(sum, squares), x| (sum + x, squares + x * x));
    (squares > 0.0).then(|| sum * sum / (shares.len() as f64 * squares))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranks_are_those_of_the_tables() {
        // Ranks of the median at 95 %: Conover, Practical Nonparametric Statistics, and NIST's handbook.
        for (n, low, high) in [(6, 1, 6), (10, 2, 9), (20, 6, 15), (50, 18, 33), (100, 40, 61)] {
            assert_eq!(quantile_ranks(n, 0.5, 0.025), Some(Interval { low, high }), "{n}");
        }
        assert_eq!(quantile_ranks(5, 0.5, 0.025), None, "2⁻⁵ is more than 2.5 %");
        assert_eq!(quantile_ranks(0, 0.5, 0.025), None);
        // For the p95: P(count ≤ 89) = 1.1 %, P(count ≤ 90) = 2.8 %; P(count = 100) = 0.6 %, P(count ≥ 99) =
        // 3.7 %.
        assert_eq!(quantile_ranks(100, 0.95, 0.025), Some(Interval { low: 90, high: 100 }));
    }

    #[test]
    fn large_counts_agree_with_the_normal_approximation() {
        for (n, q) in [(10_000_u64, 0.95), (1_000_000, 0.5), (1_000_000, 0.99), (10_000_000, 0.95)] {
            let Interval { low, high } = quantile_ranks(n, q, 0.001).unwrap();
            let (mean, deviation) = (n as f64 * q, (n as f64 * q * (1.0 - q)).sqrt());
            for (rank, sign) in [(low, -1.0), (high, 1.0)] {
                let approximated = mean + sign * 3.0902 * deviation;
                assert!((rank as f64 - approximated).abs() < 2.5 + deviation / 50.0, "{n} {q}: {rank}");
            }
        }
    }

    #[test]
    fn values_needed_is_exact() {
        for q in [0.5, 0.95, 0.99] {
            for tail in [0.025, 0.002, 1e-6] {
                let needed = values_needed(q, tail);
                assert!(quantile_ranks(needed, q, tail).is_some(), "{q} {tail}");
                assert!(quantile_ranks(needed - 1, q, tail).is_none(), "{q} {tail}");
            }
        }
        assert_eq!(values_needed(0.5, 0.025), 6);
        assert_eq!(values_needed(0.95, 0.025), 72);
    }

    #[test]
    fn student_is_that_of_the_tables() {
        for (tail, degrees, value) in [
            (0.025, 15.0, 2.1314),
            (0.005, 15.0, 2.9467),
            (0.0005, 15.0, 4.0728),
            (0.00005, 15.0, 5.2391),
            (0.025, 30.0, 2.0423),
            (0.025, f64::INFINITY, 1.9600),
            (0.001, 1e9, 3.0902),
            (0.025, 1.0, 12.7062),
            (0.005, 1.0, 63.6567),
            (1e-9, 1.0, 318_309_886.2),
            (0.025, 2.0, 4.3027),
            (0.025, 3.0, 3.1824),
            (0.025, 4.0, 2.7764),
            (0.005, 5.0, 4.0321),
            (0.0005, 9.0, 4.7809),
            (0.01, 14.0, 2.6245),
        ] {
            let found = student(tail, degrees);
            assert!((found / value - 1.0).abs() < 3e-5, "{tail} {degrees}: {found}, not {value}");
        }
        let (below, above) = (student(1e-12, NORMAL_FROM - 1.0), student(1e-12, NORMAL_FROM));
        assert!((below / above - 1.0).abs() < 2e-4, "{below} {above}");
    }

    #[test]
    fn a_ratio_of_constant_rates_has_a_narrow_interval() {
        let interval = ratio_of_means(&[20; 16], &[20; 16], 0.002).unwrap();
        assert!(interval.low > 0.98 && interval.high < 1.02, "{interval:?}");
        let starved = ratio_of_means(&[20; 16], &[0; 16], 0.002).unwrap();
        assert!(starved.low == 0.0 && starved.high < 0.02, "{starved:?}");
        assert_eq!(ratio_of_means(&[0; 16], &[3; 16], 0.002), None);
        assert_eq!(ratio_of_means(&[], &[], 0.002), None);
        let mixed: Vec<u64> = (0..16).map(|i| if i % 2 == 0 { 5 } else { 35 }).collect();
        let vague = ratio_of_means(&mixed, &[20; 16], 0.002).unwrap();
        assert!(vague.low < 0.7 && vague.high > 1.3, "{vague:?}");
    }

    #[test]
    fn fairness_is_between_one_and_one_of_all() {
        assert_eq!(jain(&[3.0, 3.0, 3.0]), Some(1.0));
        assert_eq!(jain(&[5.0, 0.0, 0.0, 0.0]), Some(0.25));
        assert!((jain(&[1.0, 2.0, 3.0]).unwrap() - 36.0 / 42.0).abs() < 1e-12);
        assert_eq!((jain(&[0.0, 0.0]), jain(&[])), (None, None));
    }

    proptest! {
        /// Checks the definition of the ranks, with the binomial summed from zero.
        #[test]
        fn ranks_are_the_narrowest_that_hold(n in 1_u64..120, q in 0.05_f64..0.95, tail in 0.0005_f64..0.1) {
            let mut at_most = Vec::new();
            let (mut weight, mut sum) = ((1.0 - q).powi(n as i32), 0.0);
            for k in 0..=n {
                sum += weight;
                at_most.push(sum);
                weight *= (n - k) as f64 * q / ((k + 1) as f64 * (1.0 - q));
            }
            let low = (1..=n).rev().find(|l| at_most[*l as usize - 1] <= tail);
            let high = (1..=n).find(|u| 1.0 - at_most[*u as usize - 1] <= tail);
            let expected = low.zip(high).map(|(low, high)| Interval { low, high });
            prop_assert_eq!(quantile_ranks(n, q, tail), expected);
        }
    }
}

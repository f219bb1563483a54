//! Arithmetic that gives the same numbers as Prometheus, including its rounding.

/// A compensated sum (Kahan's, improved by Neumaier).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sum {
    pub(crate) rounded: f64,
    lost: f64,
}

impl Sum {
    pub(crate) fn add(&mut self, term: f64) {
        let sum = self.rounded + term;
        self.lost += if self.rounded.abs() >= term.abs() {
            (self.rounded - sum) + term
        } else {
            (term - sum) + self.rounded
        };
        self.rounded = sum;
    }

    /// The sum; `NaN` after an overflow.
    pub(crate) fn exact(self) -> f64 {
        self.rounded + self.lost
    }

    /// The sum, or infinity after an overflow.
    pub(crate) fn total(self) -> f64 {
        if self.rounded.is_infinite() { self.rounded } else { self.exact() }
    }
}

/// Whether one more value leaves an infinite mean unchanged: a finite one, or the same infinity.
pub(crate) fn leaves_mean(mean: f64, value: f64) -> bool {
    mean.is_infinite() && (mean == value || value.is_finite())
}

/// The quantile of values, linear between ranks.
pub(crate) fn quantile(q: f64, mut values: Vec<f64>) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if !(0.0..=1.0).contains(&q) {
        return if q < 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    // `NaN` sorts before all numbers.
    values.sort_by(|a, b| b.is_nan().cmp(&a.is_nan()).then(a.total_cmp(b)));
    let rank = q * (values.len() - 1) as f64;
    let weight = rank.fract();
    let value = |index: usize| values.get(index.min(values.len() - 1)).copied().unwrap_or(f64::NAN);
    let lower = rank.floor() as usize;
    value(lower) * (1.0 - weight) + value(lower + 1) * weight
}

/// The largest value; `NaN` only if all are.
pub(crate) fn largest(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().fold(f64::NAN, f64::max)
}

/// The smallest value; `NaN` only if all are.
pub(crate) fn smallest(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().fold(f64::NAN, f64::min)
}

/// The larger of two values, as in Go: `NaN` if one of them is, unless the other is `+Inf`.
pub(crate) fn max(a: f64, b: f64) -> f64 {
    let max = a.max(b);
    if (a.is_nan() || b.is_nan()) && max != f64::INFINITY { f64::NAN } else { max }
}

/// The smaller of two values, likewise.
pub(crate) fn min(a: f64, b: f64) -> f64 {
    -max(-a, -b)
}

/// A number in the notation of label values: `+Inf`, `0.25`.
pub(crate) fn display(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_keeps_what_rounding_loses() {
        let mut sum = Sum::default();
        [1.0, 1e100, 1.0, -1e100].into_iter().for_each(|term| sum.add(term));
        assert_eq!(sum.total(), 2.0);
        [f64::INFINITY, 1.0].into_iter().for_each(|term| sum.add(term));
        assert_eq!(sum.total(), f64::INFINITY);
    }

    #[test]
    fn quantiles_are_linear_between_ranks() {
        for (q, expected) in [
            (0.0, 1.0),
            (0.5, 2.5),
            (0.75, 3.25),
            (1.0, 4.0),
            (-0.1, f64::NEG_INFINITY),
            (1.1, f64::INFINITY),
        ] {
            assert_eq!(quantile(q, vec![4.0, 1.0, 3.0, 2.0]), expected, "{q}");
        }
        assert!(quantile(0.5, Vec::new()).is_nan());
        assert!(quantile(f64::NAN, vec![1.0]).is_nan());
        assert_eq!(quantile(1.0, vec![3.0, f64::NAN]), 3.0);
    }

    #[test]
    fn only_an_infinity_is_larger_or_smaller_than_nan() {
        assert!(max(1.0, f64::NAN).is_nan() && min(f64::NAN, 1.0).is_nan());
        assert_eq!(max(f64::NAN, f64::INFINITY), f64::INFINITY);
        assert_eq!(min(f64::NEG_INFINITY, f64::NAN), f64::NEG_INFINITY);
        assert_eq!((max(1.0, 2.0), min(1.0, 2.0)), (2.0, 1.0));
    }
}

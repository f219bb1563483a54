//! Exact confidence intervals of a share, for few events, where a normal approximation fails.
//!
//! Counts may be fractions: clustered events count for fewer than they are.

use statrs::function::gamma::ln_gamma;

use super::Interval;

/// Bisection steps until all digits that matter are known.
const HALVINGS: u32 = 60;
/// Terms of the continued fraction, at most; it needs about the square root of the counts.
const TERMS: u32 = 20_000;

/// The interval of the share behind `events` in `trials` (above 0): each end is wrong with a probability of
/// at most `tail` (Clopper and Pearson, The use of confidence or fiducial limits, Biometrika 26, 1934).
pub fn share(events: f64, trials: f64, tail: f64) -> Interval<f64> {
    let others = (trials - events).max(0.0);
    // With no events, or only events, the end is a power of the tail.
    let none = -(tail.ln() / trials).exp_m1();
    if events <= 0.0 {
        return Interval { low: 0.0, high: none };
    }
    if others <= 0.0 {
        return Interval { low: 1.0 - none, high: 1.0 };
    }
    Interval { low: quantile(tail, events, others + 1.0), high: quantile(1.0 - tail, events + 1.0, others) }
}

/// The value that Beta(a, b) does not exceed with this probability.
fn quantile(probability: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if below(middle, a, b) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// The probability that Beta(a, b) is below `x` (NIST Handbook of Mathematical Functions, 8.17.22, by Lentz's
/// method).
fn below(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    let log = a * x.ln() + b * (-x).ln_1p() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b);
    if x < (a + 1.0) / (a + b + 2.0) {
        log.exp() * fraction(x, a, b) / a
    } else {
        1.0 - log.exp() * fraction(1.0 - x, b, a) / b
    }
}

fn fraction(x: f64, a: f64, b: f64) -> f64 {
    let far = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut d = 1.0 / far(1.0 - (a + b) * x / (a + 1.0));
    let (mut c, mut product) = (1.0, d);
    for m in 1..TERMS {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut step = 1.0;
        for term in [even, odd] {
            d = 1.0 / far(1.0 + term * d);
            c = far(1.0 + term / c);
            step = c * d;
            product *= step;
        }
        if (step - 1.0).abs() < 1e-14 {
            break;
        }
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_those_of_the_tables() {
        // 95 % intervals of R's binom.test.
        for (events, trials, low, high) in [
            (0.0, 10.0, 0.0, 0.308_497),
            (1.0, 10.0, 0.002_529, 0.445_016),
            (5.0, 10.0, 0.187_086, 0.812_914),
            (10.0, 10.0, 0.691_503, 1.0),
            (50.0, 1000.0, 0.037_335, 0.065_391),
        ] {
            let found = share(events, trials, 0.025);
            assert!(
                (found.low - low).abs() < 2e-5 && (found.high - high).abs() < 2e-5,
                "{events}: {found:?}"
            );
        }
    }

    #[test]
    fn no_event_in_n_trials_is_a_power_of_the_tail() {
        for (trials, tail) in [(3.0, 0.025), (700.0, 0.005), (2.5e6, 1e-6)] {
            let found = share(0.0, trials, tail);
            let high = 1.0 - f64::powf(tail, 1.0 / trials);
            assert!(found.low == 0.0 && (found.high / high - 1.0).abs() < 1e-6, "{trials}: {found:?}");
            let by_search = quantile(1.0 - tail, 1.0, trials);
            assert!((by_search / high - 1.0).abs() < 1e-6, "{trials}: {by_search}");
            let all = share(trials, trials, tail);
            assert!(all.high == 1.0 && (all.low - (1.0 - high)).abs() < 1e-9, "{trials}: {all:?}");
        }
    }

    #[test]
    fn large_counts_agree_with_the_normal_distribution() {
        let found = share(4e6, 1e7, 0.025);
        let margin = 1.959_964 * f64::sqrt(0.24 / 1e7);
        assert!((found.low - (0.4 - margin)).abs() < 1e-7, "{found:?}");
        assert!((found.high - (0.4 + margin)).abs() < 1e-7, "{found:?}");
    }
}

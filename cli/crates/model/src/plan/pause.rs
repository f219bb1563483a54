//! When a user's next iteration is due: after a constant or random pause, or at a fixed pacing.

use super::arrivals::exponential;
use crate::{scenario::Pause, units::Nanos};

/// When the next iteration of a user is due whose last one was due at `started` and ended at `ended`;
/// `chance`, in `[0, 1)`, decides random lengths.
///
/// A pacing that was missed is reset, as by Locust's `constant_pacing`: the next iteration is due as soon as
/// the last one has ended, and the pacing continues from there. There is no catching up: a user who waits for
/// responses could not have sent requests earlier.
pub fn next(pause: Pause, started: Nanos, ended: Nanos, chance: f64) -> Nanos {
    match pause {
        Pause::Uniform(low, high) => ended + low + Nanos(((high - low).0 as f64 * chance) as i64),
        Pause::Exponential(mean) => ended + Nanos((mean.0 as f64 * exponential(chance)) as i64),
        Pause::Pacing(period) => ended.max(started + period),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::seeded::{Purpose, uniform};

    const BEGUN: Nanos = Nanos::from_secs(100);
    const ENDED: Nanos = Nanos::from_secs(101);

    fn lengths(pause: Pause) -> Vec<f64> {
        let chance = |i| uniform(5, Purpose::Pause, 0, 3, i);
        (0..100_000).map(|i| (next(pause, BEGUN, ENDED, chance(i)) - ENDED).as_secs_f64()).collect()
    }

    #[test]
    fn constant_pauses_are_constant() {
        let two = Nanos::from_secs(2);
        for chance in [0.0, 0.5, 0.999] {
            assert_eq!(next(Pause::Uniform(two, two), BEGUN, ENDED, chance), Nanos::from_secs(103));
        }
    }

    #[test]
    fn uniform_pauses_stay_in_their_range_and_fill_it() {
        let lengths = lengths(Pause::Uniform(Nanos::from_secs(1), Nanos::from_secs(3)));
        assert!(lengths.iter().all(|length| (1.0..=3.0).contains(length)));
        // 50,000 expected each; five standard deviations are 791.
        let short = lengths.iter().filter(|length| **length < 2.0).count();
        assert!(short.abs_diff(50_000) < 791, "{short}");
    }

    #[test]
    fn exponential_pauses_have_their_mean_and_no_memory() {
        let lengths = lengths(Pause::Exponential(Nanos::from_secs(2)));
        let n = lengths.len() as f64;
        // The standard deviation of the mean is 2 / √n = 0.0063.
        let mean = lengths.iter().sum::<f64>() / n;
        assert!((mean - 2.0).abs() < 0.032, "{mean}");
        let beyond = |seconds: f64| lengths.iter().filter(|length| **length > seconds).count() as f64;
        let (of_all, of_the_rest) = (beyond(2.0) / n, beyond(4.0) / beyond(2.0));
        assert!((of_all - of_the_rest).abs() < 0.02, "{of_all} {of_the_rest}");
        assert_eq!(next(Pause::Exponential(Nanos::from_secs(2)), BEGUN, ENDED, 0.0), ENDED);
    }

    #[test]
    fn a_pacing_runs_from_start_to_start_and_is_reset_where_it_was_missed() {
        for (period, due) in [(5, 105), (1, 101), (0, 101)] {
            let pace = Pause::Pacing(Nanos::from_secs(period));
            assert_eq!(next(pace, BEGUN, ENDED, 0.7), Nanos::from_secs(due), "every {period} s");
        }
    }
}

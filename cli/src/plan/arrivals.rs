//! When iterations of an open load and users of a closed one are due.

use crate::units::{Nanos, Rate};

/// When the `index`-th of events (from 0) at a constant `rate` is due, from the first one on: `index / rate`.
pub fn offset(rate: Rate, index: u64) -> Nanos {
    Nanos::from_secs_f64(index as f64 / rate.0)
}

/// How many events at a constant `rate` are due in `[0, duration)`.
pub fn count(rate: Rate, duration: Nanos) -> u64 {
    let estimate = (duration.as_secs_f64() * rate.0).ceil().max(0.0) as u64;
    // The estimate is a float's: step to the exact border of what `offset` says.
    let mut count = estimate;
    while count > 0 && offset(rate, count - 1) >= duration {
        count -= 1;
    }
    while offset(rate, count) < duration {
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_rate_is_evenly_spaced() {
        assert_eq!(offset(Rate(200.0), 0), Nanos::ZERO);
        assert_eq!(offset(Rate(200.0), 1), Nanos::from_millis(5));
        assert_eq!(offset(Rate(3.0), 3), Nanos::from_secs(1));
        assert_eq!(offset(Rate(0.5), 2), Nanos::from_secs(4));
    }

    #[test]
    fn counts_what_is_due_before_the_end() {
        let table = [(200.0, 25, 5000), (3.0, 1, 3), (0.1, 5, 1), (0.1, 10, 1), (0.1, 11, 2), (1.0, 0, 0)];
        for (rate, seconds, expected) in table {
            assert_eq!(count(Rate(rate), Nanos::from_secs(seconds)), expected, "{rate}/s for {seconds} s");
        }
    }

    proptest::proptest! {
        #[test]
        fn count_agrees_with_offset(rate in 0.01f64..100_000.0, millis in 0i64..100_000) {
            let (rate, duration) = (Rate(rate), Nanos::from_millis(millis));
            let n = count(rate, duration);
            proptest::prop_assert!(n == 0 || offset(rate, n - 1) < duration);
            proptest::prop_assert!(offset(rate, n) >= duration);
        }
    }
}

//! When the iterations of an open load are due: evenly spaced or at random, at a rate that may change.
//!
//! Event k is due when the integral of the rate reaches k; at random, when it reaches the sum of k + 1
//! exponential times with mean 1 (time rescaling: Çinlar, *Introduction to Stochastic Processes*, 1975, 4.7).

use super::stages::{Placed, placed};
use crate::plan::seeded::{self, Purpose};
use crate::{
    scenario::{Spacing, Stage},
    units::{Nanos, Rate},
};

/// The arrivals of an open load, as offsets from its start, in order. The k-th arrival is the same for every
/// worker, so that each can iterate over all of them and take its own.
#[derive(Debug, Clone)]
pub struct Arrivals {
    stages: Vec<Placed>,
    spacing: Spacing,
    seed: u64,
    load: usize,
    /// The stage of the previous arrival.
    stage: usize,
    /// The number of the next arrival.
    index: u64,
    /// The sum of the exponential times so far.
    elapsed: f64,
    /// The integral of the rate at which the last arrival was due.
    target: f64,
    /// Where the rate was rescaled.
    scaled: Vec<Scaled>,
}

/// The rate is multiplied by `factor` from here on.
#[derive(Debug, Clone, Copy)]
struct Scaled {
    /// Integral of the planned rate up to here.
    planned: f64,
    /// Integral of the actual rate up to here.
    reached: f64,
    factor: f64,
}

impl Arrivals {
    /// The arrivals at the rates of `stages`; random ones depend on `seed` and the load's index.
    pub fn new(stages: &[Stage], spacing: Spacing, seed: u64, load: usize) -> Self {
        let stages = placed(stages).collect();
        Self {
            stages,
            spacing,
            seed,
            load,
            stage: 0,
            index: 0,
            elapsed: 0.0,
            target: 0.0,
            scaled: Vec::new(),
        }
    }

    /// The integral of the rate at which the next arrival is due.
    fn target(&mut self) -> f64 {
        let index = self.index;
        self.index += 1;
        match self.spacing {
            Spacing::Constant => index as f64,
            Spacing::Poisson => {
                self.elapsed +=
                    exponential(seeded::uniform(self.seed, Purpose::Arrival, self.load, 0, index));
                self.elapsed
            }
        }
    }
}

impl Arrivals {
    /// Multiplies the rate by each factor from its offset on, until the next one. Offsets must rise. Replaces
    /// all earlier factors.
    pub fn rescale(&mut self, factors: &[(Nanos, f64)]) {
        let mut last = Scaled { planned: 0.0, reached: 0.0, factor: 1.0 };
        self.scaled.clear();
        for (from, factor) in factors {
            let planned = integral(&self.stages, *from);
            let reached = last.reached + last.factor * (planned - last.planned);
            last = Scaled { planned, reached, factor: *factor };
            self.scaled.push(last);
        }
        // A higher rate may move the next arrival back into an earlier stage.
        self.stage = 0;
    }

    /// When the next arrival is due after skipping `others`, which belong to other workers; `None` if it is
    /// no longer due. Either way it is consumed.
    pub fn after(&mut self, others: u64) -> Option<Nanos> {
        for _ in 0..=others {
            self.target = self.target();
        }
        self.due(self.target)
    }

    /// When the last arrival is due under the current factors.
    pub fn again(&mut self) -> Option<Nanos> {
        self.due(self.target)
    }

    fn due(&mut self, target: f64) -> Option<Nanos> {
        let scaled = self.scaled.iter().rfind(|scaled| scaled.reached <= target);
        let target =
            scaled.map_or(target, |scaled| scaled.planned + (target - scaled.reached) / scaled.factor);
        let last = self.stages.len().checked_sub(1)?;
        // An event at the very end of a stage belongs to the next stage: stages are half-open.
        while self.stage < last && self.stages.get(self.stage)?.after() <= target {
            self.stage += 1;
        }
        let stage = self.stages.get(self.stage)?;
        let due = instant(stage, target);
        if self.stage < last {
            Some(due.map_or(stage.end(), |due| due.min(stage.end())))
        } else {
            due.filter(|due| *due < stage.end())
        }
    }
}

impl Iterator for Arrivals {
    type Item = Nanos;

    fn next(&mut self) -> Option<Nanos> {
        self.after(0)
    }
}

/// The integral of the rate up to an instant, as the area of trapezoids.
fn integral(stages: &[Placed], until: Nanos) -> f64 {
    let Some(placed) = stages.iter().rfind(|placed| placed.begin <= until) else { return 0.0 };
    let Stage { length, from, to } = placed.stage;
    let part = ((until - placed.begin).as_secs_f64() / length.as_secs_f64()).clamp(0.0, 1.0);
    placed.before + (from + (from + (to - from) * part)) / 2.0 * part * length.as_secs_f64()
}

/// When the integral of the rate reaches `target`, which must not be before this stage; `None` if it never
/// does.
///
/// With the rate `a + s·x` at `x` seconds into the stage, `a·x + s·x²/2 = c` has the root `2c / (a + √(a² +
/// 2sc))`: in this form, nothing cancels out while the rate rises.
fn instant(placed: &Placed, target: f64) -> Option<Nanos> {
    let Stage { length, from, to } = placed.stage;
    let missing = (target - placed.before).max(0.0);
    let seconds = if from == to {
        missing / from
    } else {
        let slope = (to - from) / length.as_secs_f64();
        2.0 * missing / (from + (from * from + 2.0 * slope * missing).sqrt())
    };
    match (from, to) {
        (0.0, 0.0) => None,
        // Starting from zero, the first event is due as soon as there is a rate at all: 0 / 0.
        (0.0, _) if missing == 0.0 => Some(placed.begin),
        // The falling rate reaches zero before the integral reaches the target.
        _ if seconds.is_nan() => None,
        _ => Some(placed.begin + Nanos::from_secs_f64(seconds)),
    }
}

/// A time from the exponential distribution with mean 1, from a number in `[0, 1)`.
pub(super) fn exponential(uniform: f64) -> f64 {
    -(-uniform).ln_1p()
}

/// When the `index`-th event (from 0) at a constant `rate` is due, counted from the first one: `index /
/// rate`.
pub fn offset(rate: Rate, index: u64) -> Nanos {
    Nanos::from_secs_f64(index as f64 / rate.0)
}

#[cfg(test)]
mod tests {
    use super::{super::stages::testing, *};

    fn even(list: &[(i64, f64, f64)]) -> Vec<f64> {
        Arrivals::new(&testing::stages(list), Spacing::Constant, 1, 0).map(Nanos::as_secs_f64).collect()
    }

    #[test]
    fn a_constant_rate_is_evenly_spaced() {
        assert_eq!(offset(Rate(200.0), 0), Nanos::ZERO);
        assert_eq!(offset(Rate(200.0), 1), Nanos::from_millis(5));
        assert_eq!(offset(Rate(3.0), 3), Nanos::from_secs(1));
        assert_eq!(offset(Rate(0.5), 2), Nanos::from_secs(4));
    }

    #[test]
    fn counts_what_is_due_before_the_end() {
        let table = [(200.0, 25, 5000), (3.0, 1, 3), (0.1, 5, 1), (0.1, 10, 1), (0.1, 11, 2), (0.7, 10, 7)];
        for (rate, seconds, expected) in table {
            assert_eq!(even(&[(seconds, rate, rate)]).len() as u64, expected, "{rate}/s for {seconds} s");
        }
    }

    #[test]
    fn ramps_steps_gaps_and_spikes() {
        // The integral of a ramp from 0 to 2/s over 4 s is t²/4.
        assert_eq!(even(&[(4, 0.0, 2.0)]), [0.0, 2.0, 2.828_427_125, 3.464_101_615]);
        // Mirrored: event k is due when 4 − k are left, at 4 − 2·√(4 − k).
        assert_eq!(even(&[(4, 2.0, 0.0)]), [0.0, 0.535_898_385, 1.171_572_875, 2.0]);
        assert_eq!(even(&[(2, 1.0, 1.0), (1, 3.0, 3.0)]), [0.0, 1.0, 2.0, 2.333_333_333, 2.666_666_667]);
        // No events while the rate is zero; one due at the end of a stage moves to the start of the next
        // stage with a rate.
        assert_eq!(even(&[(5, 0.0, 0.0), (1, 2.0, 2.0), (5, 0.0, 0.0), (1, 1.0, 1.0)]), [5.0, 5.5, 11.0]);
        assert_eq!(even(&[(1, 2.0, 2.0), (1, 0.0, 0.0)]), [0.0, 0.5]);
        assert_eq!(even(&[(2, 0.0, 0.0)]), [] as [f64; 0]);
        // Half an event from before the step counts.
        assert_eq!(even(&[(1, 0.5, 0.5), (1, 1.0, 1.0)]), [0.0, 1.5]);
        // Tenths do not add up exactly in floating point.
        assert_eq!(even(&[(3, 0.1, 0.1), (7, 0.1, 0.1), (10, 0.0, 0.0), (1, 1.0, 1.0)]), [0.0, 20.0]);
    }

    #[test]
    fn poisson_gaps_are_exponential() {
        let rate = testing::stages(&[(1000, 50.0, 50.0)]);
        let arrivals: Vec<f64> =
            Arrivals::new(&rate, Spacing::Poisson, 3, 1).map(Nanos::as_secs_f64).collect();
        let gaps: Vec<f64> = arrivals.windows(2).map(|pair| (pair[1] - pair[0]) * 50.0).collect();
        let n = gaps.len() as f64;
        // For 50,000 arrivals, five standard deviations are 1,118 of the count, 0.022 of the mean, 0.063 of
        // the variance, 0.011 of the share.
        assert!((n - 50_000.0).abs() < 1118.0, "{n}");
        let mean = gaps.iter().sum::<f64>() / n;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / n;
        let beyond = gaps.iter().filter(|gap| **gap > 1.0).count() as f64 / n;
        assert!((mean - 1.0).abs() < 0.022 && (variance - 1.0).abs() < 0.063, "{mean} {variance}");
        assert!((beyond - (-1.0_f64).exp()).abs() < 0.011, "{beyond}");
    }

    #[test]
    fn poisson_arrivals_follow_the_rate() {
        let rate = testing::stages(&[(100, 0.0, 100.0), (50, 0.0, 0.0), (100, 20.0, 20.0)]);
        let arrivals: Vec<Nanos> = Arrivals::new(&rate, Spacing::Poisson, 7, 0).collect();
        let between = |from, to| {
            let span = Nanos::from_secs(from)..Nanos::from_secs(to);
            arrivals.iter().filter(|due| span.contains(due)).count() as f64
        };
        // Each span expects the integral of the rate; the tolerance is five times its square root.
        for (from, to, expected) in
            [(0, 50, 1250.0), (50, 100, 3750.0), (100, 150, 0.0), (150, 250, 2000.0_f64)]
        {
            assert!((between(from, to) - expected).abs() <= 5.0 * expected.sqrt(), "{from}..{to}");
        }
        assert!(arrivals.is_sorted());
        let again = |seed, load| Arrivals::new(&rate, Spacing::Poisson, seed, load).collect::<Vec<_>>();
        assert_eq!(arrivals, again(7, 0));
        assert_ne!(arrivals, again(8, 0));
        assert_ne!(arrivals, again(7, 1));
    }

    #[test]
    fn a_rate_can_be_changed_midway() {
        let secs = Nanos::from_secs;
        let mut arrivals = Arrivals::new(&testing::stages(&[(10, 1.0, 1.0)]), Spacing::Constant, 1, 0);
        let first: Vec<f64> = arrivals.by_ref().take(4).map(Nanos::as_secs_f64).collect();
        assert_eq!(first, [0.0, 1.0, 2.0, 3.0]);
        // The fifth was due at 4 s; at twice the rate from 3 s on, it is due at 3.5 s.
        assert_eq!(arrivals.next(), Some(secs(4)));
        arrivals.rescale(&[(secs(3), 2.0)]);
        assert_eq!(arrivals.again(), Some(Nanos::from_millis(3500)));
        assert_eq!(arrivals.next(), Some(secs(4)));
        // Half the planned rate from 5 s on; at the previous rate the eighth was due at 5.5 s.
        arrivals.rescale(&[(secs(3), 2.0), (secs(5), 0.5)]);
        let rest: Vec<f64> = arrivals.map(Nanos::as_secs_f64).collect();
        assert_eq!(rest, [4.5, 5.0, 7.0, 9.0]);
    }

    proptest::proptest! {
        #[test]
        fn a_constant_rate_is_index_by_rate(rate in 0.01f64..10_000.0, millis in 1i64..3_000) {
            let stage = Stage { length: Nanos::from_millis(millis), from: rate, to: rate };
            let due: Vec<Nanos> = Arrivals::new(&[stage], Spacing::Constant, 1, 0).collect();
            let plain: Vec<Nanos> =
                (0..).map(|k| offset(Rate(rate), k)).take_while(|due| *due < stage.length).collect();
            proptest::prop_assert_eq!(due, plain);
        }

        #[test]
        fn each_is_due_when_the_rates_have_added_up_to_its_number(stages in testing::arbitrary(500.0)) {
            let due: Vec<Nanos> = Arrivals::new(&stages, Spacing::Constant, 1, 0).collect();
            proptest::prop_assert!(due.is_sorted());
            let placed: Vec<Placed> = placed(&stages).collect();
            let all = integral(&placed, Stage::length(&stages));
            // The last one may round either way.
            proptest::prop_assert!((due.len() as f64 - all.ceil()).abs() <= 1.0);
            for (k, due) in due.iter().enumerate() {
                let reached = integral(&placed, *due);
                proptest::prop_assert!((reached - k as f64).abs() < 1e-5, "{} is due at {}", k, reached);
            }
        }
    }
}

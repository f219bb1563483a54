//! When each answer is due: pure arithmetic on times since the first request, so that theory can be compared with it.
//!
//! A request is taken up when it arrives, or at the end of the freeze that it arrives in. With a ceiling `μ` it then waits
//! for those before it and is served for `1/μ`: a FIFO queue with deterministic service, D/D/1 or M/D/1 by its arrivals.
//! Its delay comes on top.

use std::time::Duration;

use super::args::{CalibrationArgs, Delay};

/// What answers wait for.
#[derive(Debug)]
pub(super) struct Plan {
    delay: Delay,
    /// From when to when nothing is taken up.
    freezes: Vec<(Duration, Duration)>,
    /// How long each request is served, one after the other.
    service: Duration,
    /// When the last one taken up will have been served.
    free_at: Duration,
    /// State of SplitMix64.
    random: u64,
}

impl Plan {
    pub(super) fn new(args: &CalibrationArgs) -> Self {
        Self {
            delay: args.delay.unwrap_or(Delay::Fixed(Duration::ZERO)),
            freezes: args.freeze.iter().map(|freeze| (freeze.after, freeze.after + freeze.length)).collect(),
            service: args.ceiling.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate)),
            free_at: Duration::ZERO,
            random: args.seed,
        }
    }

    /// Takes nothing up from `from` on, for so long.
    pub(super) fn freeze(&mut self, from: Duration, length: Duration) {
        self.freezes.push((from, from + length));
    }

    /// When the answer to what arrives at `arrived` is due; arrivals have to come in their order.
    pub(super) fn answer_at(&mut self, arrived: Duration, delay: Option<Delay>) -> Duration {
        let mut taken_up = arrived;
        // One freeze may end in another.
        while let Some((_, to)) = self.freezes.iter().find(|(from, to)| *from <= taken_up && taken_up < *to) {
            taken_up = *to;
        }
        self.free_at = taken_up.max(self.free_at) + self.service;
        self.free_at + self.draw(delay.unwrap_or(self.delay))
    }

    fn draw(&mut self, delay: Delay) -> Duration {
        match delay {
            Delay::Fixed(delay) => delay,
            // By inversion; `1 − u` is never zero.
            Delay::Exponential(mean) => mean.mul_f64(-(1.0 - self.uniform()).ln()),
            Delay::Lognormal { median, sigma } => median.mul_f64((sigma * self.normal()).exp()),
        }
    }

    /// Standard normal (Box and Muller, Annals of Mathematical Statistics 29, 1958); at most 8.6, so that no delay overflows.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Uniform in [0, 1), by SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
    fn uniform(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibration::Freeze;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// How long those wait that arrive at these times, in milliseconds.
    fn waits(args: &CalibrationArgs, arrivals: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        let mut plan = Plan::new(args);
        arrivals.into_iter().map(|at| plan.answer_at(ms(at), None) - ms(at)).collect()
    }

    #[test]
    fn a_fixed_delay_is_one() {
        let args = CalibrationArgs { delay: Some(Delay::Fixed(ms(20))), ..Default::default() };
        assert_eq!(waits(&args, [0, 1, 1, 50]), [ms(20); 4]);
        let mut plan = Plan::new(&args);
        assert_eq!(plan.answer_at(ms(7), Some(Delay::Fixed(ms(3)))), ms(10));
    }

    #[test]
    fn who_arrives_in_a_freeze_waits_for_its_end() {
        let freeze = Some(Freeze { length: ms(2000), after: ms(1000) });
        let args = CalibrationArgs { delay: Some(Delay::Fixed(ms(5))), freeze, ..Default::default() };
        let [early, first, last, after] = [5, 2005, 6, 5].map(ms);
        assert_eq!(waits(&args, [999, 1000, 2999, 3000]), [early, first, last, after]);
        let mut plan = Plan::new(&args);
        plan.freeze(ms(2500), ms(1500));
        assert_eq!(plan.answer_at(ms(1500), None), ms(4005), "one freeze in another");
    }

    #[test]
    fn beyond_the_ceiling_waits_grow_as_the_queue_does() {
        // D/D/1: arrivals each millisecond, 4 ms of service: the n-th (from 0) waits 4 + 3·n.
        let args = CalibrationArgs { ceiling: Some(250.0), ..Default::default() };
        let expected: Vec<Duration> = (0..1000).map(|n| ms(4 + 3 * n)).collect();
        assert_eq!(waits(&args, 0..1000), expected);
        // Below it, nobody waits for another.
        assert_eq!(waits(&args, (0..1000).map(|n| 5 * n)), [ms(4); 1000]);
    }

    #[test]
    fn delays_can_be_lognormal() {
        let delay = Some(Delay::Lognormal { median: ms(20), sigma: 0.3 });
        let mut drawn = waits(&CalibrationArgs { delay, seed: 3, ..Default::default() }, [0; 10_000]);
        drawn.sort_unstable();
        // Quantiles of the normal; each order statistic within five of its deviations, √(q(1−q)/n)/φ(z) on the normal's scale.
        for (q, z, margin) in
            [(0.1, -1.2816, 0.086), (0.5, 0.0, 0.063), (0.9, 1.2816, 0.086), (0.99, 2.3263, 0.19)]
        {
            let found = drawn[(q * 10_000.0) as usize].as_secs_f64() * 1e3;
            let off = ((found / 20.0).ln() / 0.3 - z).abs();
            assert!(off < margin, "{q}: {found} ms");
        }
    }

    #[test]
    fn random_delays_are_exponential_and_the_seed_decides() {
        let exponential = |seed| {
            let delay = Some(Delay::Exponential(ms(20)));
            waits(&CalibrationArgs { delay, seed, ..Default::default() }, [0; 10_000])
        };
        assert_eq!(exponential(3), exponential(3));
        assert_ne!(exponential(3), exponential(4));
        let mut drawn = exponential(3);
        drawn.sort_unstable();
        for q in [0.1, 0.5, 0.9, 0.99] {
            // An order statistic of n draws: its share of the distribution is off by less than five deviations.
            let margin = 5.0 * f64::sqrt(q * (1.0 - q) / 10_000.0);
            let theory = |q: f64| -20.0 * (1.0 - q).ln();
            let found = drawn[(q * 10_000.0) as usize].as_secs_f64() * 1e3;
            assert!(theory(q - margin) <= found && found <= theory(q + margin), "{q}: {found} ms");
        }
    }
}

//! Computes when each response is due: pure arithmetic on times since the first request, which can be
//! compared with theory.
//!
//! A request is accepted when it arrives, or at the end of the freeze in which it arrives. With a ceiling `μ`
//! it then waits for those before it and is served for `1/μ`: a FIFO queue with deterministic service (D/D/1
//! or M/D/1, depending on the arrivals). Its delay is added to that.

use std::time::Duration;

use super::args::{CalibrationArgs, Delay};

/// The delay, the freezes and the queue of the service.
#[derive(Debug)]
pub(super) struct Schedule {
    delay: Delay,
    /// The spans in which no request is accepted.
    freezes: Vec<(Duration, Duration)>,
    /// The service time of each request.
    service: Duration,
    /// When all accepted requests will have been served.
    free_at: Duration,
    /// State of SplitMix64.
    random: u64,
}

impl Schedule {
    pub(super) fn new(args: &CalibrationArgs) -> Self {
        Self {
            delay: args.delay.unwrap_or(Delay::Fixed(Duration::ZERO)),
            freezes: args.freeze.iter().map(|freeze| (freeze.after, freeze.after + freeze.length)).collect(),
            service: args.ceiling.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate)),
            free_at: Duration::ZERO,
            random: args.seed,
        }
    }

    /// Accepts no request from `from` on, for `length`.
    pub(super) fn freeze(&mut self, from: Duration, length: Duration) {
        self.freezes.push((from, from + length));
    }

    /// When the response to a request that arrives at `arrived` is due. Arrivals must be in order.
    pub(super) fn response_due(&mut self, arrived: Duration, delay: Option<Delay>) -> Duration {
        let mut accepted = arrived;
        // A freeze may end within another.
        while let Some((_, to)) = self.freezes.iter().find(|(from, to)| *from <= accepted && accepted < *to) {
            accepted = *to;
        }
        self.free_at = accepted.max(self.free_at) + self.service;
        self.free_at + self.sample(delay.unwrap_or(self.delay))
    }

    fn sample(&mut self, delay: Delay) -> Duration {
        match delay {
            Delay::Fixed(delay) => delay,
            // By inversion; `1 − u` is never zero.
            Delay::Exponential(mean) => mean.mul_f64(-(1.0 - self.uniform()).ln()),
            Delay::Lognormal { median, sigma } => median.mul_f64((sigma * self.normal()).exp()),
        }
    }

    /// Standard normal (Box and Muller, Annals of Mathematical Statistics 29, 1958). At most 8.6, so no delay
    /// overflows.
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

    /// How long the requests wait that arrive at these times, in milliseconds.
    fn waits(args: &CalibrationArgs, arrivals: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        let mut schedule = Schedule::new(args);
        arrivals.into_iter().map(|at| schedule.response_due(ms(at), None) - ms(at)).collect()
    }

    #[test]
    fn a_fixed_delay_is_constant() {
        let args = CalibrationArgs { delay: Some(Delay::Fixed(ms(20))), ..Default::default() };
        assert_eq!(waits(&args, [0, 1, 1, 50]), [ms(20); 4]);
        let mut schedule = Schedule::new(&args);
        assert_eq!(schedule.response_due(ms(7), Some(Delay::Fixed(ms(3)))), ms(10));
    }

    #[test]
    fn requests_in_a_freeze_wait_for_its_end() {
        let freeze = Some(Freeze { length: ms(2000), after: ms(1000) });
        let args = CalibrationArgs { delay: Some(Delay::Fixed(ms(5))), freeze, ..Default::default() };
        let [early, first, last, after] = [5, 2005, 6, 5].map(ms);
        assert_eq!(waits(&args, [999, 1000, 2999, 3000]), [early, first, last, after]);
        let mut schedule = Schedule::new(&args);
        schedule.freeze(ms(2500), ms(1500));
        assert_eq!(schedule.response_due(ms(1500), None), ms(4005), "a freeze that ends within another");
    }

    #[test]
    fn beyond_the_ceiling_waits_grow_as_the_queue_does() {
        // D/D/1: an arrival per millisecond, 4 ms of service: the n-th (from 0) waits 4 + 3·n.
        let args = CalibrationArgs { ceiling: Some(250.0), ..Default::default() };
        let expected: Vec<Duration> = (0..1000).map(|n| ms(4 + 3 * n)).collect();
        assert_eq!(waits(&args, 0..1000), expected);
        // Below the ceiling no request waits for another.
        assert_eq!(waits(&args, (0..1000).map(|n| 5 * n)), [ms(4); 1000]);
    }

    #[test]
    fn random_delays_can_be_lognormal() {
        let delay = Some(Delay::Lognormal { median: ms(20), sigma: 0.3 });
        let mut drawn = waits(&CalibrationArgs { delay, seed: 3, ..Default::default() }, [0; 10_000]);
        drawn.sort_unstable();
        // Normal quantiles. The margin is five standard deviations of the order statistic, √(q(1−q)/n)/φ(z).
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
            // The margin is five standard deviations of the order statistic of n samples.
            let margin = 5.0 * f64::sqrt(q * (1.0 - q) / 10_000.0);
            let theory = |q: f64| -20.0 * (1.0 - q).ln();
            let found = drawn[(q * 10_000.0) as usize].as_secs_f64() * 1e3;
            assert!(theory(q - margin) <= found && found <= theory(q + margin), "{q}: {found} ms");
        }
    }
}

//! Client overhead: time that requests take for their clients beyond the server's own measurement. It
//! includes the network, and queues before the handler.
//!
//! Which server-side duration belongs to which request is unknown. But if a share `q` of the requests spent
//! at most `u` outside the server's clock, the durations must cover them: `Σ max(c − u, 0)` over the `q·n`
//! shortest client latencies `c` is at most the server's sum, and no more of these latencies exceed `b + u`
//! than durations exceed `b`, for each bucket bound `b`. If either is violated, more than a share `1 − q` of
//! the requests had an overhead above `u`, however latencies and durations are paired.

use crate::latency_bounds::LatencyLowerBounds;
use saasbench_exposition::quantile::Bucket;

/// The same requests as seen by clients and server. The server may have counted more, which can only make the
/// result smaller.
#[derive(Debug, Clone, Copy)]
pub struct BothSides<'a> {
    /// Client latencies without the generator's stalls.
    pub clients: &'a LatencyLowerBounds,
    /// The increase of the server's duration buckets, bounds in seconds.
    pub buckets: &'a [Bucket],
    /// The increase of the server's sum, in seconds.
    pub sum: f64,
    /// How much slower the server's clock may run than the client's, as a share.
    pub drift: f64,
}

impl BothSides<'_> {
    /// The greatest overhead, in seconds, that more than a share `1 − q` of the requests is certain to
    /// exceed.
    pub fn at_least(&self, q: f64) -> f64 {
        let lowers: Vec<f64> = self.clients.lowers().collect();
        // Exceeding a time implies exceeding every shorter one.
        let surely = lowers.partition_point(|unseen| self.exceeds(q, *unseen));
        surely.checked_sub(1).and_then(|index| lowers.get(index)).copied().unwrap_or(0.0)
    }

    /// Whether more than a share `1 − q` of the requests certainly had an overhead of more than `unseen`
    /// seconds.
    pub fn exceeds(&self, q: f64, unseen: f64) -> bool {
        let within = (q * self.clients.count() as f64).ceil() as u64;
        let stretch = 1.0 / (1.0 - self.drift);
        let (mut left, mut uncovered) = (within, 0.0);
        for (latency, count) in self.clients.iter() {
            let taken = count.min(left);
            left -= taken;
            uncovered += taken as f64 * (latency - unseen).max(0.0);
        }
        if uncovered > self.sum * stretch + 1e-6 {
            return true;
        }
        let total = self.buckets.last().map_or(0.0, |last| last.count);
        self.buckets.iter().filter(|bucket| bucket.upper.is_finite()).any(|bucket| {
            let bound = bucket.upper * stretch + unseen + 1e-6;
            let below: u64 = self
                .clients
                .iter()
                .take_while(|(latency, _)| *latency <= bound)
                .map(|(_, count)| count)
                .sum();
            within.saturating_sub(below) as f64 > total - bucket.count
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use saasbench_model::units::Nanos;

    /// Of each request: the server's duration and the client overhead, in milliseconds.
    type Requests = Vec<(u64, u64)>;

    fn judged<T>(requests: &Requests, bounds: &[f64], ask: impl Fn(BothSides<'_>) -> T) -> T {
        let mut clients = LatencyLowerBounds::default();
        for (duration, unseen) in requests {
            clients.add(Nanos::from_millis((duration + unseen) as i64));
        }
        let count = |upper: f64| {
            requests.iter().filter(|(duration, _)| *duration as f64 / 1000.0 <= upper).count() as f64
        };
        let uppers = bounds.iter().copied().chain([f64::INFINITY]);
        let buckets: Vec<Bucket> = uppers.map(|upper| Bucket { upper, count: count(upper) }).collect();
        let sum = requests.iter().map(|(duration, _)| *duration as f64 / 1000.0).sum();
        ask(BothSides { clients: &clients, buckets: &buckets, sum, drift: 0.0 })
    }

    #[test]
    fn a_queue_before_the_handler_is_seen_by_the_sum_and_by_the_buckets() {
        let bounds = [0.1, 0.5, 1.0];
        // 1 ms of work after 60 ms of waiting, all within one bucket.
        let queued = vec![(1, 60); 100];
        assert!(judged(&queued, &bounds, |sides| sides.exceeds(0.5, 0.025)));
        let least = judged(&queued, &bounds, |sides| sides.at_least(0.5));
        assert!((0.05..=0.06).contains(&least), "{least}");
        // Slow work, whose sum could cover nearly all of it.
        let slow = vec![(90, 400); 100];
        assert!(judged(&slow, &bounds, |sides| sides.exceeds(0.5, 0.3)));
        // The same with a few very long ones, so that the sum covers everything.
        let mixed: Requests = slow.into_iter().chain(vec![(60_000, 1); 5]).collect();
        assert!(judged(&mixed, &bounds, |sides| sides.exceeds(0.5, 0.2)));
    }

    #[test]
    fn no_overhead_is_claimed_where_there_is_none() {
        assert_eq!(judged(&vec![(300, 0); 100], &[0.1, 0.5], |sides| sides.at_least(0.5)), 0.0);
        assert_eq!(judged(&Vec::new(), &[0.1], |sides| sides.at_least(0.5)), 0.0);
    }

    proptest! {
        /// Whatever the durations: no overhead is claimed that did not exist.
        #[test]
        fn a_conforming_server_never_fails_on_overhead(
            requests in prop::collection::vec((0_u64..2000, 0_u64..200), 20..80), q in 0.3_f64..0.95,
            bounds in prop::collection::vec(0.001_f64..2.0, 0..6),
        ) {
            let mut bounds = bounds;
            bounds.sort_by(f64::total_cmp);
            let least = judged(&requests, &bounds, |sides| sides.at_least(q));
            let more = requests.iter().filter(|(_, unseen)| *unseen as f64 / 1000.0 >= least - 1e-9).count();
            let share = more as f64 / requests.len() as f64;
            prop_assert!(least == 0.0 || share >= 1.0 - q - 1e-9, "{} of the requests at least {} s", share, least);
        }
    }
}

//! Simulated limiters, conforming and broken, under simulated loads: histories as a client would record them.

pub mod bucket;
mod counter;

use std::cmp::Reverse;

use self::bucket::Bucket;
pub use self::counter::Counter;

use super::{Decision, HistoryContext, OtherLimits, Request, Tolerance};
use saasbench_model::{
    scenario::Anchor,
    units::{Nanos, Quota},
};

/// A small seeded generator (SplitMix64), so that tests have the same histories everywhere.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// Uniform over all 64-bit numbers.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Uniform in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in `[from, to]`.
    pub fn within(&mut self, from: i64, to: i64) -> i64 {
        from + (self.draw() % (to - from + 1).max(1) as u64) as i64
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of these, uniformly; must not be empty.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.draw() as usize % from.len()]
    }

    /// Exponential with this mean; with probability `tail`, with a mean twenty times as long.
    fn latency(&mut self, mean: f64, tail: f64) -> i64 {
        let mean = if self.chance(tail) { mean * 20.0 } else { mean };
        (-(1.0 - self.unit()).ln() * mean) as i64
    }
}

/// A limiter of one key. `quota` is what it enforces, which need not be the promise.
#[derive(Debug, Clone)]
pub enum Limiter {
    /// `INCR`, and `PEXPIRE` when it returns 1.
    FixedWindow {
        /// The enforced quota.
        quota: Quota,
        /// Whether the window's last instant belongs to it.
        inclusive: bool,
        /// End of the window, by the limiter's clock.
        ends: i64,
        /// Hits in the window so far.
        count: u64,
        /// Whether there is a window.
        live: bool,
    },
    /// A list of admissions in the order of insertion, with times of the replicas' clocks.
    SlidingLog {
        /// The enforced quota.
        quota: Quota,
        /// Whether an admission exactly one window ago still counts.
        inclusive: bool,
        /// Instants of the admissions.
        log: Vec<i64>,
    },
    /// Tokens that are refilled.
    TokenBucket(Bucket),
    /// Counts per window on a grid.
    Counter(Counter),
    /// A separate limiter for each replica.
    PerReplica(Vec<Limiter>),
    /// Several limits, asked one after the other: those before the one that rejects have consumed.
    Chain(Vec<Limiter>),
}

impl Limiter {
    /// A fixed window that has not started.
    pub fn fixed_window(quota: Quota, inclusive: bool) -> Self {
        Self::FixedWindow { quota, inclusive, ends: 0, count: 0, live: false }
    }

    /// An empty log.
    pub fn sliding_log(quota: Quota, inclusive: bool) -> Self {
        Self::SlidingLog { quota, inclusive, log: Vec::new() }
    }

    fn forget(&mut self) {
        match self {
            Self::FixedWindow { live, .. } => *live = false,
            Self::SlidingLog { log, .. } => log.clear(),
            Self::TokenBucket(bucket) => bucket.forget(),
            Self::Counter(counter) => counter.forget(),
            Self::PerReplica(limiters) | Self::Chain(limiters) => {
                limiters.iter_mut().for_each(Self::forget);
            }
        }
    }

    /// Decides a request; `now` is the clock's reading, in whole ticks.
    pub fn admits(&mut self, now: i64, replica: u16) -> bool {
        match self {
            Self::FixedWindow { quota, inclusive, ends, count, live } => {
                if *live && (now > *ends || now == *ends && !*inclusive) {
                    *live = false;
                }
                if !*live {
                    (*live, *ends, *count) = (true, now + quota.window.0, 0);
                }
                *count += 1;
                *count <= quota.limit
            }
            Self::SlidingLog { quota, inclusive, log } => {
                let oldest = now - quota.window.0;
                let limiting = (log.len() as u64)
                    .checked_sub(quota.limit)
                    .and_then(|rank| log.get(rank as usize).copied());
                if quota.limit == 0 || limiting.is_some_and(|at| at > oldest || at == oldest && *inclusive) {
                    return false;
                }
                log.push(now);
                true
            }
            Self::TokenBucket(bucket) => bucket.admits(now),
            Self::Counter(counter) => counter.admits(now),
            Self::Chain(limiters) => limiters.iter_mut().all(|limiter| limiter.admits(now, replica)),
            Self::PerReplica(limiters) => {
                let count = limiters.len();
                limiters[usize::from(replica) % count].admits(now, 0)
            }
        }
    }
}

/// How requests arrive.
#[derive(Debug, Clone, Copy)]
pub enum Arrivals {
    /// Evenly spaced by this many nanoseconds, with jitter.
    Flood(i64),
    /// Poisson, spaced by this many nanoseconds on average.
    Sparse(i64),
    /// This many at once, then a pause.
    Bursts(u64, i64),
}

/// A simulated load and its environment.
#[derive(Debug, Clone)]
pub struct Load {
    /// How they arrive.
    pub arrivals: Arrivals,
    /// Number of requests, including those of other clients.
    pub requests: u64,
    /// Mean latency in each direction, in nanoseconds.
    pub latency: f64,
    /// Share of latencies that are twenty times as long on average.
    pub tail: f64,
    /// Share of requests whose response is lost; half of those never reach the limiter.
    pub lost: f64,
    /// Share of requests that other clients send, which are not recorded.
    pub shared: f64,
    /// Recording starts at this instant.
    pub since: i64,
    /// Requests decided from this instant on may be missing.
    pub cut_off: Option<i64>,
    /// Spans of possible losses, and the instant in each at which the store loses its state, if it does.
    pub losses: Vec<(i64, i64, Option<i64>)>,
    /// The judge's bound on the clocks.
    pub tolerance: Tolerance,
    /// Speed of the limiter's clock (−1 … 1, as a share of the tolerance).
    pub drift: f64,
    /// Tick of the limiter's clock, in nanoseconds.
    pub resolution: i64,
    /// Unix time of the run's zero.
    pub unix_zero: i64,
}

impl Load {
    /// A load without disturbances: everything else at its default.
    pub fn new(arrivals: Arrivals, requests: u64, latency: f64) -> Self {
        Self {
            arrivals,
            requests,
            latency,
            tail: 0.0,
            lost: 0.0,
            shared: 0.0,
            since: 0,
            cut_off: None,
            losses: Vec::new(),
            tolerance: Tolerance { offset: Nanos::ZERO, drift: 0.0 },
            drift: 0.0,
            resolution: 1_000_000,
            unix_zero: 0,
        }
    }

    /// What a verifier may assume about it.
    pub fn context(&self) -> HistoryContext {
        HistoryContext {
            exclusive: self.shared == 0.0,
            fresh: self.since == 0,
            since: Nanos(self.since),
            complete_until: self.cut_off.map_or(Nanos::MAX, Nanos),
            memory_losses: self.losses.iter().map(|(from, to, _)| (Nanos(*from), Nanos(*to))).collect(),
            tolerance: self.tolerance,
            resolution: Nanos(self.resolution),
            unix_zero: Nanos(self.unix_zero),
            other_limits: OtherLimits::None,
        }
    }

    /// Runs it against a limiter behind two replicas.
    pub fn run(&self, limiter: &mut Limiter, random: &mut Random) -> Vec<Request> {
        self.run_seen(limiter, random, |_, _, _, _, _| {})
    }

    /// Like [`Self::run`]; `seen` is called with each request's number, the limiter after it, its clock, the
    /// replica, and whether it was admitted.
    pub fn run_seen(
        &self,
        limiter: &mut Limiter,
        random: &mut Random,
        mut seen: impl FnMut(u64, &Limiter, i64, u16, bool),
    ) -> Vec<Request> {
        let mut sent = 0;
        let mut calls = Vec::new();
        for number in 0..self.requests {
            sent += match self.arrivals {
                Arrivals::Flood(gap) => random.within(gap / 2, gap * 3 / 2),
                Arrivals::Sparse(gap) => random.latency(gap as f64, 0.0),
                Arrivals::Bursts(size, pause) if number % size == 0 => random.latency(pause as f64, 0.1),
                Arrivals::Bursts(..) => 0,
            };
            let decided = sent + random.latency(self.latency, self.tail);
            let done = decided + random.latency(self.latency, self.tail);
            // What was sent before the recording is decided before it: the client of an earlier run waited
            // for its responses.
            if sent >= self.since || decided < self.since {
                calls.push((decided, sent, done, number));
            }
        }
        calls.sort_unstable();
        let skew = self.tolerance.offset.0 as f64 / 2.0 * (1.0 - 1e-9);
        let offsets = [(random.unit() * 2.0 - 1.0) * skew, (random.unit() * 2.0 - 1.0) * skew];
        let one_clock = matches!(limiter, Limiter::FixedWindow { .. } | Limiter::Counter(_));
        // Windows of Unix time are off by the whole offset, always by the same amount.
        let constant = matches!(limiter, Limiter::Counter(counter) if counter.anchor == Anchor::Epoch);
        let mut wobble = offsets[0] * if constant { 2.0 } else { 1.0 };
        let mut last = i64::MIN;
        let mut losses: Vec<i64> = self.losses.iter().filter_map(|(_, _, at)| *at).collect();
        losses.sort_by_key(|at| Reverse(*at));
        let mut history = Vec::new();
        for (decided, sent, done, number) in calls {
            while losses.last().is_some_and(|at| *at <= decided) {
                losses.pop();
                limiter.forget();
            }
            let replica = (random.draw() % 2) as u16;
            let lost = random.chance(self.lost);
            let unheard = lost && random.chance(0.5);
            let ours = sent >= self.since && (self.shared == 0.0 || !random.chance(self.shared));
            let mut admitted = None;
            if !unheard || !ours {
                if !constant && random.chance(0.2) {
                    wobble = (random.unit() * 2.0 - 1.0) * skew;
                }
                let offset = if one_clock { wobble } else { offsets[usize::from(replica)] };
                let drift = decided as f64 * self.tolerance.drift * self.drift;
                let shown = decided + (drift + offset) as i64;
                let mut ticks = shown.div_euclid(self.resolution.max(1)) * self.resolution.max(1);
                if one_clock {
                    ticks = ticks.max(last);
                    last = ticks;
                }
                let admits = limiter.admits(ticks, replica);
                seen(number, limiter, ticks, replica, admits);
                admitted = Some(admits);
            }
            let forgotten = self.cut_off.is_some_and(|until| decided >= until && random.chance(0.5));
            if !ours || forgotten {
                continue;
            }
            let decision = match admitted {
                Some(true) if !lost => Decision::Admitted,
                Some(false) if !lost => Decision::Rejected,
                _ => Decision::Unknown,
            };
            let done = if lost { done + random.latency(self.latency * 5.0, 0.0) } else { done };
            history.push(Request {
                id: number,
                sent: Nanos(sent),
                done: Nanos(done),
                decision,
                replica,
                connection: 0,
            });
        }
        history.sort_by_key(|request| (request.sent, request.id));
        history
    }
}

/// A load of any kind, for a window of this length.
pub fn any_load(window: i64, limit: u64, random: &mut Random) -> Load {
    let size = random.pick(&[10, 40, 80, 200]);
    let requests = random.within(3, size) as u64;
    let per_window = random.pick(&[0.5, 2.0, 10.0, 60.0]) * (limit as f64).sqrt();
    let gap = (window as f64 / per_window) as i64 + 1;
    let arrivals = match random.draw() % 3 {
        0 => Arrivals::Flood(gap),
        1 => Arrivals::Sparse(gap),
        _ => {
            let size = random.within(1, 3 * limit as i64) as u64;
            Arrivals::Bursts(size, random.pick(&[gap, window / 3, window, window * 2]))
        }
    };
    let mut load = Load::new(arrivals, requests, window as f64 * random.pick(&[1e-5, 1e-3, 0.01, 0.1, 0.5]));
    let length = match arrivals {
        Arrivals::Flood(gap) | Arrivals::Sparse(gap) => gap * requests as i64,
        Arrivals::Bursts(size, pause) => pause * (requests / size + 1) as i64,
    };
    load.tail = random.pick(&[0.0, 0.01, 0.1]);
    load.lost = random.pick(&[0.0, 0.0, 0.02, 0.3]);
    load.shared = random.pick(&[0.0, 0.0, 0.0, 0.1, 0.5]);
    load.since = random.pick(&[0, 0, length / 4, length / 2]);
    load.cut_off = random.chance(0.2).then(|| random.within(load.since, length));
    load.resolution = random.pick(&[1, 1_000_000, 1_000_000, 10_000_000]).min(window / 20);
    if random.chance(0.5) {
        let offset = random.pick(&[0, 1_000, 1_000_000, 20_000_000]).min(window / 20);
        load.tolerance = Tolerance { offset: Nanos(offset), drift: random.pick(&[0.0, 1e-5, 1e-3, 0.02]) };
        load.drift = random.pick(&[-0.99, 0.0, 0.5, 0.99]);
    }
    if random.chance(0.25) {
        for _ in 0..random.within(1, 2) {
            let from = random.within(load.since, length.max(load.since));
            let to = from + random.within(0, window);
            let free =
                load.losses.last().is_none_or(|(_, before, _): &(i64, i64, Option<i64>)| *before < from);
            if free {
                let at = random.chance(0.7).then(|| random.within(from, to));
                load.losses.push((from, to, at));
            }
        }
    }
    load
}

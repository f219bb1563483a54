//! Run time of the limiter oracle, and how it grows: 1, 3 and 10 million requests over 1,000 keys and over a
//! single one, half of them rejected, for each algorithm, in recorded order (sorted by `done`).
//! Single-threaded.
//!
//!     cargo bench -p saasbench --bench limiter [-- MILLIONS…]

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::hint::black_box;

use saasbench_limiter::{Decision, HistoryContext, OtherLimits, Promise, Request, Tolerance, judge};
use saasbench_model::{
    scenario::{Algorithm, Anchor, Estimate, Refill},
    units::{Nanos, Quota},
};
use tokio::time::Instant;

const MS: i64 = 1_000_000;

/// Quota per window; twice as many requests are sent.
const LIMIT: u64 = 1_000;

const WINDOW: i64 = 10_000 * MS;

const ALGORITHMS: [Algorithm; 5] = [
    Algorithm::FixedWindow,
    Algorithm::AlignedWindow,
    Algorithm::SlidingLog,
    Algorithm::SlidingCounter { anchor: Anchor::Epoch, estimate: Estimate::Exact },
    Algorithm::TokenBucket { burst: None, refill: Refill::Continuous },
];

fn main() {
    let given: Vec<usize> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let millions = if given.is_empty() { vec![1, 3, 10] } else { given };
    for keys in [1_000, 1] {
        println!(
            "{:<16} {:>5} {:>10} {:>9} {:>11}",
            "algorithm", "keys", "requests", "seconds", "ns/request"
        );
        for algorithm in ALGORITHMS {
            for millions in &millions {
                let requests = millions * 1_000_000;
                let seconds = judged(algorithm, keys, requests);
                let (name, each) = (algorithm.to_string(), seconds * 1e9 / requests as f64);
                println!("{name:<16} {keys:>5} {requests:>10} {seconds:>9.3} {each:>11.0}");
            }
        }
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM: unknown");
        println!("peak memory so far, histories included: {}\n", peak.trim_start_matches("VmHWM:").trim());
    }
}

/// Seconds to sort and to judge the histories of a conforming limiter.
fn judged(algorithm: Algorithm, keys: usize, requests: usize) -> f64 {
    let mut histories: Vec<Vec<Request>> =
        (0..keys).map(|key| history(algorithm, requests / keys, key as u64)).collect();
    let started = Instant::now();
    let mut found = 0;
    for history in &mut histories {
        history.sort_by_key(|request| (request.sent, request.id));
        found += usize::from(
            !judge(history, Promise { quota: quota(), algorithm }, &context()).violations.is_empty(),
        );
    }
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(black_box(found), 0, "{algorithm}");
    seconds
}

fn quota() -> Quota {
    Quota { limit: LIMIT, window: Nanos(WINDOW) }
}

fn context() -> HistoryContext {
    HistoryContext {
        exclusive: true,
        fresh: true,
        since: Nanos::ZERO,
        complete_until: Nanos::MAX,
        memory_losses: Vec::new(),
        tolerance: Tolerance { offset: Nanos(MS), drift: 0.0 },
        resolution: Nanos(MS),
        unix_zero: Nanos::ZERO,
        other_limits: OtherLimits::None,
    }
}

/// A key's requests to a conforming limiter, in the order of their responses: at twice the quota's rate,
/// evenly spaced, each in flight for up to 20 ms.
fn history(algorithm: Algorithm, requests: usize, key: u64) -> Vec<Request> {
    let mut random = key;
    let mut draw = |below: i64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((random >> 33) as i64) % below
    };
    let gap = WINDOW / (2 * LIMIT as i64);
    let mut calls: Vec<(i64, i64, i64)> = (0..requests as i64)
        .map(|number| {
            let sent = number * gap + draw(gap);
            let decided = sent + draw(10 * MS);
            (decided, sent, decided + draw(10 * MS))
        })
        .collect();
    calls.sort_unstable();
    let mut limiter = Limiter::default();
    let mut history: Vec<Request> = (0..)
        .zip(calls)
        .map(|(id, (decided, sent, done))| {
            let decision =
                if limiter.admits(algorithm, decided) { Decision::Admitted } else { Decision::Rejected };
            Request {
                id,
                sent: Nanos(sent),
                done: Nanos(done),
                decision,
                replica: (id % 2) as u16,
                connection: 0,
            }
        })
        .collect();
    history.sort_by_key(|request| request.done);
    history
}

/// The state of a limiter, for any of the five algorithms.
#[derive(Default)]
struct Limiter {
    window: Option<i64>,
    previous: u64,
    current: u64,
    log: std::collections::VecDeque<i64>,
    full_at: i64,
}

impl Limiter {
    fn admits(&mut self, algorithm: Algorithm, now: i64) -> bool {
        match algorithm {
            Algorithm::FixedWindow => {
                let start = self.window.filter(|start| now < start + WINDOW).unwrap_or(now);
                self.enter(start);
                self.count(self.current < LIMIT)
            }
            Algorithm::AlignedWindow => {
                self.enter(now / WINDOW * WINDOW);
                self.count(self.current < LIMIT)
            }
            Algorithm::SlidingLog => {
                while self.log.front().is_some_and(|at| *at <= now - WINDOW) {
                    self.log.pop_front();
                }
                let room = (self.log.len() as u64) < LIMIT;
                if room {
                    self.log.push_back(now);
                }
                room
            }
            Algorithm::SlidingCounter { .. } => {
                self.enter(now / WINDOW * WINDOW);
                let left = (WINDOW - now % WINDOW) as u64;
                let window = WINDOW as u64;
                self.count(self.previous * left + (self.current + 1) * window <= LIMIT * window)
            }
            Algorithm::TokenBucket { .. } => {
                let each = WINDOW / LIMIT as i64;
                let full_at = self.full_at.max(now) + each;
                let room = full_at - now <= WINDOW;
                if room {
                    self.full_at = full_at;
                }
                room
            }
        }
    }

    fn enter(&mut self, start: i64) {
        if self.window != Some(start) {
            let follows = self.window == Some(start - WINDOW);
            self.previous = if follows { self.current } else { 0 };
            (self.window, self.current) = (Some(start), 0);
        }
    }

    fn count(&mut self, room: bool) -> bool {
        self.current += u64::from(room);
        room
    }
}

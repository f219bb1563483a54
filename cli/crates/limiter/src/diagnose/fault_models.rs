//! Simulated limiters with one fault each, for every algorithm, and the histories that their clients record.

use std::collections::BTreeMap;

use super::Key;
use crate::{Decision, HistoryContext, OtherLimits, Promise, Request, Tolerance, simulate::Random};
use saasbench_model::{
    scenario::{Algorithm, Anchor, Estimate},
    units::{Nanos, Quota},
};

pub(super) const MS: i64 = 1_000_000;
pub(super) const SECOND: i64 = 1_000_000_000;
/// Duration of a run.
const LENGTH: i64 = 10 * SECOND;

/// The fault of a limiter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fault {
    PerReplica,
    /// This many processes behind one address, with this many connections of each tenant.
    PerProcess(u64, u64),
    NotEnforced,
    OffByOne(i64),
    /// Uses this window instead.
    Window(i64),
    Algorithm(Algorithm),
    SharedKey,
    /// Only for the first tenant.
    NoExpiry,
    /// Rejects every n-th request that would be admitted.
    FalseRejections(u64),
    /// Admits everything between these instants.
    FailsOpen(i64, i64),
    /// Counts a request this long after checking it.
    Race(i64),
    CountsRejections,
    /// The second replica's clock is ahead by this much.
    Skew(i64),
    /// Decides at random.
    Random,
}

/// The count of one key, for any algorithm, by the clock readings it is given.
#[derive(Debug, Clone)]
struct Count {
    promise: Promise,
    zero: i64,
    start: Option<i64>,
    /// Counts per window, for aligned windows and sliding counters.
    windows: BTreeMap<i64, u64>,
    log: Vec<i64>,
    level: f64,
}

impl Count {
    fn new(promise: Promise, zero: i64) -> Self {
        let level = capacity(promise);
        Self { promise, zero, start: None, windows: BTreeMap::new(), log: Vec::new(), level }
    }

    /// Where the windows of a grid start.
    fn anchor(&self, now: i64) -> i64 {
        match self.promise.algorithm {
            Algorithm::SlidingCounter { anchor: Anchor::FirstHit, .. } => self.start.unwrap_or(now),
            _ => -self.zero,
        }
    }

    /// Advances the state to this instant, and returns whether one more request fits.
    fn has_room(&mut self, now: i64) -> bool {
        let Quota { limit, window: Nanos(window) } = self.promise.quota;
        match self.promise.algorithm {
            Algorithm::FixedWindow => {
                self.start.is_none_or(|start| now >= start + window) || (self.log.len() as u64) < limit
            }
            Algorithm::SlidingLog => {
                (self.log.iter().filter(|at| **at > now - window).count() as u64) < limit
            }
            Algorithm::AlignedWindow => {
                let index = (now + self.zero).div_euclid(window);
                self.windows.get(&index).copied().unwrap_or(0) < limit
            }
            Algorithm::SlidingCounter { estimate, .. } => {
                let since = now - self.anchor(now);
                let (index, into) = (since.div_euclid(window), since.rem_euclid(window));
                let count = |index| self.windows.get(&index).copied().unwrap_or(0);
                let previous = count(index - 1) as f64 * (1.0 - into as f64 / window as f64);
                let previous = if estimate == Estimate::Floored { previous.floor() } else { previous };
                previous + count(index) as f64 + 1.0 <= limit as f64
            }
            Algorithm::TokenBucket { .. } => {
                if let Some(at) = self.start {
                    let gained = (now - at).max(0) as f64 * limit as f64 / window as f64;
                    self.level = (self.level + gained).min(capacity(self.promise));
                }
                self.start = Some(now);
                self.level >= 1.0
            }
        }
    }

    fn take(&mut self, now: i64) {
        let window = self.promise.quota.window.0;
        match self.promise.algorithm {
            Algorithm::FixedWindow => {
                if self.start.is_none_or(|start| now >= start + window) {
                    self.start = Some(now);
                    self.log.clear();
                }
                self.log.push(now);
            }
            Algorithm::SlidingLog => self.log.push(now),
            Algorithm::AlignedWindow => {
                *self.windows.entry((now + self.zero).div_euclid(window)).or_default() += 1;
            }
            Algorithm::SlidingCounter { anchor, .. } => {
                if anchor == Anchor::FirstHit {
                    let start = self.start.unwrap_or(now);
                    let index = (now - start).div_euclid(window);
                    let live = self.windows.keys().any(|used| *used >= index - 1);
                    if !live {
                        self.windows.clear();
                    }
                    self.start = Some(if live { start } else { now });
                }
                let index = (now - self.anchor(now)).div_euclid(window);
                *self.windows.entry(index).or_default() += 1;
            }
            Algorithm::TokenBucket { .. } => self.level = (self.level - 1.0).max(-capacity(self.promise)),
        }
    }
}

fn capacity(promise: Promise) -> f64 {
    match promise.algorithm {
        Algorithm::TokenBucket { burst: Some(burst), .. } => burst as f64,
        _ => promise.quota.limit as f64,
    }
}

/// How requests arrive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traffic {
    /// Requests per second of each tenant.
    pub(super) rate: i64,
    /// How many arrive at once; 1 for evenly spaced.
    pub(super) burst: i64,
    /// Mean latency in each direction, in nanoseconds.
    pub(super) latency: f64,
    /// Alternating lengths with and without arrivals.
    pub(super) pauses: Option<(i64, i64)>,
}

/// A run of two tenants with two replicas.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) histories: Vec<Vec<Request>>,
    pub(super) promises: Vec<Promise>,
    pub(super) context: HistoryContext,
}

impl Run {
    pub(super) fn keys(&self) -> Vec<Key<'_>> {
        let keys = ["acme", "globex"].into_iter().zip(&self.histories).zip(&self.promises);
        keys.map(|((tenant, requests), promise)| Key { tenant, requests, promise: *promise }).collect()
    }
}

/// The promises that the faulty limiter actually keeps.
fn kept(promise: Promise, mistake: Fault) -> Promise {
    let Quota { limit, window } = promise.quota;
    let quota = |limit, window| Promise { quota: Quota { limit, window }, ..promise };
    match (mistake, promise.algorithm) {
        (Fault::OffByOne(by), Algorithm::TokenBucket { refill, .. }) => {
            let burst = Some(limit.saturating_add_signed(by));
            Promise { algorithm: Algorithm::TokenBucket { burst, refill }, ..promise }
        }
        (Fault::OffByOne(by), _) => quota(limit.saturating_add_signed(by), window),
        (Fault::Window(window), _) => quota(limit, Nanos(window)),
        (Fault::Algorithm(algorithm), _) => Promise { algorithm, ..promise },
        _ => promise,
    }
}

/// Runs two tenants with these promises against a limiter with this fault.
pub(super) fn simulate(mistake: Fault, promises: &[Promise], traffic: Traffic, random: &mut Random) -> Run {
    let zero = random.within(0, SECOND) + 1_700_000_000 * SECOND;
    let mut events = Vec::new();
    let mut histories = vec![Vec::new(); promises.len()];
    for (tenant, history) in histories.iter_mut().enumerate() {
        let mut sent = 0;
        for number in 0.. {
            if number % traffic.burst == 0 {
                sent += exponential(1e9 / traffic.rate as f64 * traffic.burst as f64, random);
            }
            if sent > LENGTH {
                break;
            }
            if let Some((on, off)) = traffic.pauses
                && sent % (on + off) > on
            {
                sent += on + off - sent % (on + off);
            }
            let decided = sent + exponential(traffic.latency, random);
            let act = if let Fault::Race(delay) = mistake { delay } else { 0 };
            let done = decided + act + exponential(traffic.latency, random);
            let replica = (random.draw() % 2) as u16;
            let (replica, connection) = match mistake {
                Fault::PerProcess(_, connections) => {
                    (0, 1 + tenant as u32 * 1_000 + (random.draw() % connections) as u32)
                }
                _ => (replica, 1 + tenant as u32 * 1_000 + u32::from(replica) * 10 + number as u32 % 3),
            };
            let request = Request {
                id: number as u64 * 2 + tenant as u64,
                sent: Nanos(sent),
                done: Nanos(done),
                decision: Decision::Rejected,
                replica,
                connection,
            };
            events.push((decided, false, tenant, history.len()));
            history.push(request);
        }
    }
    let mut limiter = Limiter::new(mistake, promises, zero);
    events.sort_unstable_by(|a, b| b.cmp(a));
    while let Some((now, acts, tenant, index)) = events.pop() {
        let request: &mut Request = &mut histories[tenant][index];
        if acts {
            limiter.count(tenant, request).take(now);
            continue;
        }
        if limiter.admits(now, tenant, request, random) {
            request.decision = Decision::Admitted;
            if let Fault::Race(delay) = mistake {
                let act = (now + delay, true, tenant, index);
                let at = events.partition_point(|event| *event > act);
                events.insert(at, act);
            }
        }
    }
    let context = HistoryContext {
        exclusive: true,
        fresh: true,
        since: Nanos::ZERO,
        complete_until: Nanos::MAX,
        memory_losses: Vec::new(),
        tolerance: Tolerance { offset: Nanos(MS), drift: 0.0 },
        resolution: Nanos(MS),
        unix_zero: Nanos(zero),
        other_limits: OtherLimits::None,
    };
    Run { histories, promises: promises.to_vec(), context }
}

fn exponential(mean: f64, random: &mut Random) -> i64 {
    (-(1.0 - random.unit()).ln() * mean) as i64
}

/// The faulty limiter of all keys.
struct Limiter {
    mistake: Fault,
    /// Per tenant and replica or process; may be shared.
    counts: Vec<Vec<Count>>,
    promises: Vec<Promise>,
    would_admit: u64,
}

impl Limiter {
    fn new(mistake: Fault, promises: &[Promise], zero: i64) -> Self {
        let kept: Vec<Promise> = promises.iter().map(|promise| kept(*promise, mistake)).collect();
        let places = if let Fault::PerProcess(processes, _) = mistake { processes as usize } else { 2 };
        let count = |promise: &Promise| vec![Count::new(*promise, zero); places];
        Self { mistake, counts: kept.iter().map(count).collect(), promises: kept, would_admit: 0 }
    }

    fn count(&mut self, tenant: usize, request: &Request) -> &mut Count {
        let tenant = if self.mistake == Fault::SharedKey { 0 } else { tenant };
        let place = match self.mistake {
            Fault::PerReplica => usize::from(request.replica),
            Fault::PerProcess(processes, _) => request.connection as usize % processes as usize,
            _ => 0,
        };
        &mut self.counts[tenant][place]
    }

    fn admits(&mut self, now: i64, tenant: usize, request: &Request, random: &mut Random) -> bool {
        let mistake = self.mistake;
        let promise = self.promises[tenant];
        let count = self.count(tenant, request);
        count.promise = promise;
        let now = match mistake {
            Fault::Skew(apart) if request.replica == 1 => now + apart,
            Fault::NotEnforced => return true,
            Fault::Random => return random.chance(0.3),
            Fault::FailsOpen(from, to) if (from..to).contains(&now) => return true,
            Fault::NoExpiry if tenant == 0 && count.log.len() as u64 >= promise.quota.limit => {
                return false;
            }
            _ => now,
        };
        let mut admitted = count.has_room(now);
        if admitted && let Fault::FalseRejections(every) = mistake {
            self.would_admit += 1;
            admitted = !self.would_admit.is_multiple_of(every);
        }
        let count = self.count(tenant, request);
        match mistake {
            Fault::Race(_) => {}
            Fault::CountsRejections => count.take(now),
            Fault::NoExpiry if tenant == 0 && admitted => count.log.push(now),
            Fault::NoExpiry if tenant == 0 => {}
            _ if admitted => count.take(now),
            _ => {}
        }
        admitted
    }
}

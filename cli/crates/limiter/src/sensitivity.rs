//! How small an excess the judge would have proven: a history without a violation shows that a limit was kept
//! only as far as a limiter that admits more would have been noticed.
//!
//! Further admissions are added where the key was nearest to its limit, with the interval of one that is
//! there, and judged by the admissions alone. With wide intervals one more may have an explanation that three
//! more do not have; and with a clock tolerance as long as the window any number has one.

use super::{Decision, HistoryContext, OtherLimits, Promise, Request, over_admits};
use saasbench_model::{
    scenario::Algorithm,
    units::{Nanos, Quota, Tolerance},
};

/// The smallest excess that would have been proven.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sensitivity {
    /// This many admissions more at once.
    Excess(u64),
    /// Not even a second quota: the history proves nothing.
    Blind(Cause),
}

/// Why nothing would have been proven.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cause {
    /// The clocks may differ too much; with this tolerance at most, something would be proven.
    Offset(Nanos),
    /// The limiter's clock is too coarse; with this resolution at most, something would be proven.
    Resolution(Nanos),
    /// The clocks may drift apart too fast.
    Drift,
    /// Responses took too long, or other clients or the state at the start may explain everything.
    History,
}

/// Halvings of a tolerance that is too large.
const HALVINGS: u32 = 24;

/// The smallest excess that would have been proven in the history of one key, sorted by `sent`, that used up
/// its quota.
pub fn sensitivity(requests: &[Request], promise: Promise, context: &HistoryContext) -> Sensitivity {
    let spots = spots(requests, promise);
    let shown = |spot: usize, excess: u64, context: &HistoryContext| {
        over_admits(&with_more(requests, spot, excess, context), promise, context)
    };
    if spots.iter().any(|spot| shown(*spot, 1, context)) {
        return Sensitivity::Excess(1);
    }
    // A first-hit window of unknown start and others' use permits twice the quota.
    let most = promise.room().saturating_add(1);
    if let Some(spot) = spots.iter().find(|spot| shown(**spot, most, context)) {
        return Sensitivity::Excess(least(1, most, |excess| shown(*spot, excess, context)));
    }
    // The first spot needs the shortest history, which is judged many times.
    let first = |context: &HistoryContext| spots.first().is_some_and(|spot| shown(*spot, most, context));
    Sensitivity::Blind(cause(context, first))
}

/// Which of the tolerances has to be smaller.
fn cause(context: &HistoryContext, is_shown: impl Fn(&HistoryContext) -> bool) -> Cause {
    let Tolerance { offset, drift } = context.tolerance;
    let with = |offset: Nanos, resolution: Nanos, drift: f64| {
        is_shown(&HistoryContext { tolerance: Tolerance { offset, drift }, resolution, ..context.clone() })
    };
    let resolution = context.resolution;
    if with(Nanos::ZERO, resolution, drift) {
        return Cause::Offset(greatest(offset, |offset| with(offset, resolution, drift)));
    }
    if with(Nanos::ZERO, Nanos::ZERO, drift) {
        return Cause::Resolution(greatest(resolution, |resolution| with(Nanos::ZERO, resolution, drift)));
    }
    if with(Nanos::ZERO, Nanos::ZERO, 0.0) { Cause::Drift } else { Cause::History }
}

/// The least number in `(below, at]` for which `holds`, which does for `at`.
fn least(mut below: u64, mut at: u64, holds: impl Fn(u64) -> bool) -> u64 {
    while at - below > 1 {
        let middle = below + (at - below) / 2;
        if holds(middle) { at = middle } else { below = middle }
    }
    at
}

/// The greatest length below `bad` for which `holds`, which does for 0; rounded down to two digits.
fn greatest(bad: Nanos, holds: impl Fn(Nanos) -> bool) -> Nanos {
    let (mut good, mut bad) = (0, bad.0);
    for _ in 0..HALVINGS {
        let middle = good + (bad - good) / 2;
        if holds(Nanos(middle)) { good = middle } else { bad = middle }
    }
    let mut unit = 1;
    while good / unit >= 100 {
        unit *= 10;
    }
    Nanos(good / unit * unit)
}

/// Indices of the admissions at which the key was nearest to its limit: where that was reached first, where it
/// was reached fastest, and where last. Without admissions, that of a rejection.
fn spots(requests: &[Request], promise: Promise) -> Vec<usize> {
    let admitted: Vec<usize> =
        (0..requests.len()).filter(|index| requests[*index].decision == Decision::Admitted).collect();
    let sent = |rank: usize| requests[admitted[rank]].sent;
    let Quota { limit, window } = promise.quota;
    if admitted.is_empty() {
        return (0..requests.len())
            .find(|index| requests[*index].decision == Decision::Rejected)
            .into_iter()
            .collect();
    }
    let mut ranks: Vec<usize> = if let Algorithm::TokenBucket { .. } = promise.algorithm {
        emptiest(admitted.len(), promise, sent)
    } else {
        let mut first = 0;
        let within: Vec<usize> = (0..admitted.len())
            .map(|last| {
                while sent(last) - sent(first) >= window {
                    first += 1;
                }
                last - first + 1
            })
            .collect();
        let most = within.iter().copied().max().unwrap_or(0);
        let most = usize::try_from(limit).map_or(most, |limit| most.min(limit.max(1)));
        let full = || (0..admitted.len()).filter(|rank| within[*rank] >= most);
        let length = |rank: &usize| sent(*rank) - sent(rank + 1 - most);
        full().next().into_iter().chain(full().min_by_key(length)).chain(full().next_back()).collect()
    };
    ranks.sort_unstable();
    ranks.dedup();
    ranks.into_iter().map(|rank| admitted[rank]).collect()
}

/// Ranks of the admissions after which a bucket held least: the first without a whole token, and the one with
/// the least.
fn emptiest(admitted: usize, promise: Promise, sent: impl Fn(usize) -> Nanos) -> Vec<usize> {
    let full = promise.room() as f64;
    let rate = promise.quota.limit as f64 / promise.quota.window.0.max(1) as f64;
    let (mut level, mut at) = (full, Nanos::ZERO);
    let levels: Vec<f64> = (0..admitted)
        .map(|rank| {
            level = (level + (sent(rank) - at).0 as f64 * rate).min(full) - 1.0;
            at = sent(rank);
            level
        })
        .collect();
    let first = levels.iter().position(|level| *level < 1.0);
    let least = (0..admitted).min_by(|one, other| levels[*one].total_cmp(&levels[*other]));
    first.into_iter().chain(least).collect()
}

/// What had been sent by the end of the request at `spot`, with this many admissions more like it. Rejections
/// are no evidence here.
fn with_more(requests: &[Request], spot: usize, excess: u64, context: &HistoryContext) -> Vec<Request> {
    let like = Request { decision: Decision::Admitted, ..requests[spot] };
    let end = requests.partition_point(|request| request.sent <= like.done);
    let mut more: Vec<Request> = Vec::with_capacity(end + excess as usize);
    for (index, request) in requests[..end].iter().enumerate() {
        match request.decision {
            Decision::Rejected if context.other_limits == OtherLimits::Chained => {
                more.push(Request { decision: Decision::Unknown, ..*request });
            }
            Decision::Rejected => {}
            _ => more.push(*request),
        }
        if index == spot {
            more.extend((0..excess).map(|_| like));
        }
    }
    more
}

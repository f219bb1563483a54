//! An index of counted requests: how many were certainly or possibly counted in a span of the replicas'
//! clocks.

use super::World;
use crate::{Decision, Request};

/// Instants of some requests, both lists sorted.
#[derive(Debug, Default)]
struct Instants {
    sent: Vec<i64>,
    done: Vec<i64>,
}

/// The requests of one replica.
#[derive(Debug, Default)]
struct Lane {
    offset: i64,
    certain: Instants,
    possible: Instants,
}

/// All counted requests, by replica.
#[derive(Debug)]
pub(super) struct Ledger(Vec<Lane>);

impl Ledger {
    pub(super) fn new(requests: &[Request], world: &World) -> Self {
        let mut lanes: Vec<Lane> =
            world.offsets.iter().map(|offset| Lane { offset: *offset, ..Lane::default() }).collect();
        for request in requests {
            let certain = match request.decision {
                Decision::Admitted => true,
                Decision::Rejected if world.rejections_count => true,
                Decision::Rejected => continue,
                Decision::Unknown => false,
            };
            let Some(lane) = lanes.get_mut(usize::from(request.replica)) else { continue };
            for instants in
                [Some(&mut lane.possible), certain.then_some(&mut lane.certain)].into_iter().flatten()
            {
                instants.sent.push(request.sent.0);
                instants.done.push(request.done.0);
            }
        }
        for lane in &mut lanes {
            lane.possible.done.sort_unstable();
            lane.certain.done.sort_unstable();
        }
        Self(lanes)
    }

    /// At least this many were counted after `from` and before `to`, by our clock.
    pub(super) fn certain_within(&self, from: i64, to: i64) -> u64 {
        let count = |lane: &Lane| {
            let over = lane.certain.done.partition_point(|done| *done < to);
            over.saturating_sub(lane.certain.sent.partition_point(|sent| *sent <= from)) as u64
        };
        self.0.iter().map(count).sum()
    }

    /// At most this many were counted from `from` to `to`, by our clock.
    pub(super) fn possible_within(&self, from: i64, to: i64) -> u64 {
        let count = |lane: &Lane| {
            let started = lane.possible.sent.partition_point(|sent| *sent <= to);
            started.saturating_sub(lane.possible.done.partition_point(|done| *done < from)) as u64
        };
        self.0.iter().map(count).sum()
    }

    /// At least this many were counted in a span of the replicas' clocks, before an instant of ours.
    pub(super) fn certain(&self, (from, to): (i64, i64), before: i64) -> u64 {
        let count = |lane: &Lane| {
            let end = before.min(to.saturating_sub(lane.offset));
            let over = lane.certain.done.partition_point(|done| *done < end);
            let early = lane.certain.sent.partition_point(|sent| *sent <= from.saturating_sub(lane.offset));
            over.saturating_sub(early) as u64
        };
        self.0.iter().map(count).sum()
    }

    /// At most this many were counted in a span of the replicas' clocks, by an instant of ours.
    pub(super) fn possible(&self, (from, to): (i64, i64), by: i64) -> u64 {
        let count = |lane: &Lane| {
            let end = by.min(to.saturating_sub(lane.offset));
            let started = lane.possible.sent.partition_point(|sent| *sent <= end);
            let early = lane.possible.done.partition_point(|done| *done < from.saturating_sub(lane.offset));
            started.saturating_sub(early) as u64
        };
        self.0.iter().map(count).sum()
    }
}

/// How far the clock that is furthest ahead had advanced, judged by the requests that it decided.
#[derive(Debug)]
pub(super) struct LongestPrefix {
    /// `done`, with the least reading by then.
    least: Vec<(i64, i64)>,
    /// `sent`, with the greatest reading possible from then on.
    most: Vec<(i64, i64)>,
}

impl LongestPrefix {
    pub(super) fn new(requests: &[Request], world: &World) -> Self {
        let decided = requests.iter().filter(|request| request.decision != Decision::Unknown);
        let mut least: Vec<(i64, i64)> =
            decided.map(|request| (request.done.0, request.sent.0 + world.offset(request))).collect();
        least.sort_unstable();
        let most = requests.iter().map(|request| (request.sent.0, request.done.0 + world.offset(request)));
        Self { least: rising(least), most: rising(most.collect()) }
    }

    /// The least reading for what was decided before this instant.
    pub(super) fn least(&self, before: i64) -> i64 {
        last(&self.least, self.least.partition_point(|(done, _)| *done < before))
    }

    /// The greatest reading for what may have been decided by this instant.
    pub(super) fn most(&self, by: i64) -> i64 {
        last(&self.most, self.most.partition_point(|(sent, _)| *sent <= by))
    }

    /// The earliest and latest instant of our clock at which this reading can have been reached.
    pub(super) fn reaches(&self, instant: i64, slack: i64) -> (i64, i64) {
        let first = |edges: &[(i64, i64)], instant: i64| {
            let rank = edges.partition_point(|(_, shown)| *shown < instant);
            edges.get(rank).map_or(i64::MAX, |(at, _)| *at)
        };
        (first(&self.most, instant - slack), first(&self.least, instant + slack))
    }
}

fn last(shown: &[(i64, i64)], behind: usize) -> i64 {
    behind.checked_sub(1).map_or(i64::MIN / 4, |rank| shown[rank].1)
}

/// The running maximum of the readings.
fn rising(mut shown: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    let mut furthest = i64::MIN / 4;
    for (_, at) in &mut shown {
        furthest = furthest.max(*at);
        *at = furthest;
    }
    shown
}

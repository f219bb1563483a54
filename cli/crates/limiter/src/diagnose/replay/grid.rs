//! Windows on a grid, as of aligned windows and sliding counters, seen by each replica by its own clock.

use super::{
    World,
    ledger::{Ledger, LongestPrefix},
};
use crate::{Decision, Request};
use saasbench_model::{scenario::Estimate, units::Quota};

/// Tolerance for rounding of weighted counts.
const ROUNDING: f64 = 1e-6;

/// The windows of a grid, with what was counted in them.
#[derive(Debug)]
struct Grid<'a> {
    /// Start of one of them, by the clocks.
    anchor: i64,
    window: i64,
    world: &'a World,
    ledger: &'a Ledger,
    /// The clock that advances the windows for all replicas, if there is one.
    furthest: Option<&'a LongestPrefix>,
}

impl Grid<'_> {
    fn index(&self, clock: i64) -> i64 {
        (clock - self.anchor).div_euclid(self.window)
    }

    fn start(&self, index: i64) -> i64 {
        self.anchor + index * self.window
    }

    /// The windows in which a request can have been decided.
    fn indices(&self, request: &Request) -> std::ops::RangeInclusive<i64> {
        let (s, r, slack) = (request.sent.0, request.done.0, self.world.slack);
        let clock = self.world.offset(request);
        let (mut early, mut late) = (s + clock, r + clock);
        if let Some(furthest) = self.furthest {
            (early, late) = (early.max(furthest.least(s)), late.max(furthest.most(r)));
        }
        self.index(early - slack)..=self.index(late + slack)
    }

    /// The least that was counted in a window before this instant.
    fn certain(&self, index: i64, before: i64) -> u64 {
        let (start, end, slack) = (self.start(index), self.start(index + 1), self.world.slack);
        match self.furthest {
            None => self.ledger.certain((start + slack, end - slack), before),
            Some(furthest) => {
                let (started, ended) = (furthest.reaches(start, slack).1, furthest.reaches(end, slack).0);
                self.ledger.certain_within(started, before.min(ended))
            }
        }
    }

    /// The most that was counted in a window by this instant.
    fn possible(&self, index: i64, by: i64) -> u64 {
        let (start, end, slack) = (self.start(index), self.start(index + 1), self.world.slack);
        match self.furthest {
            None => self.ledger.possible((start - slack, end + slack), by),
            Some(furthest) => {
                let (begins, ends) = (furthest.reaches(start, slack).0, furthest.reaches(end, slack).1);
                self.ledger.possible_within(begins, by.min(ends))
            }
        }
    }
}

/// Whether windows with `limit` admissions each explain all responses.
pub(super) fn aligned(requests: &[Request], quota: Quota, world: &World) -> bool {
    let ledger = Ledger::new(requests, world);
    let furthest = world.believed.then(|| LongestPrefix::new(requests, world));
    let furthest = furthest.as_ref();
    let grid = Grid { anchor: -world.zero, window: quota.window.0, world, ledger: &ledger, furthest };
    requests.iter().all(|request| {
        let (s, r) = (request.sent.0, request.done.0);
        grid.indices(request).any(|index| match request.decision {
            Decision::Admitted => grid.certain(index, s) < quota.limit,
            Decision::Rejected => grid.possible(index, r) >= quota.limit,
            Decision::Unknown => true,
        })
    })
}

/// Whether a sliding counter explains all responses.
pub(super) fn counter(requests: &[Request], quota: Quota, estimate: Estimate, world: &World) -> bool {
    let ledger = Ledger::new(requests, world);
    let furthest = world.believed.then(|| LongestPrefix::new(requests, world));
    let furthest = furthest.as_ref();
    let grid = Grid { anchor: -world.zero, window: quota.window.0, world, ledger: &ledger, furthest };
    requests.iter().all(|request| fits(request, quota, estimate, &grid))
}

/// Whether the counter can have given this response.
fn fits(request: &Request, quota: Quota, estimate: Estimate, grid: &Grid<'_>) -> bool {
    let world = grid.world;
    let (s, r) = (request.sent.0, request.done.0);
    let weighted = |previous: u64, clock: i64, index: i64| {
        let into = (clock - grid.start(index)).clamp(0, grid.window) as f64 / grid.window as f64;
        previous as f64 * (1.0 - into)
    };
    let floor = |weighted: f64| if estimate == Estimate::Floored { weighted.floor() } else { weighted };
    grid.indices(request).any(|index| match request.decision {
        Decision::Admitted => {
            let previous = grid.certain(index - 1, s);
            let current = grid.certain(index, s);
            let late = r + world.offset(request) + world.slack;
            let least = floor(weighted(previous, late, index) - ROUNDING) + current as f64;
            least + 1.0 <= quota.limit as f64 + ROUNDING
        }
        Decision::Rejected => {
            let previous = grid.possible(index - 1, r);
            let own = u64::from(world.rejections_count);
            let current = grid.possible(index, r).saturating_sub(own);
            let early = s + world.offset(request) - world.slack;
            let greatest = floor(weighted(previous, early, index) + ROUNDING) + current as f64;
            greatest + 1.0 > quota.limit as f64 - ROUNDING
        }
        Decision::Unknown => true,
    })
}

/// Like [`counter`], but the grid starts at the first hit, and again at the first hit after both counts are
/// zero.
pub(super) fn counter_from_first(
    requests: &[Request],
    quota: Quota,
    estimate: Estimate,
    world: &World,
) -> bool {
    let counted = |request: &Request| {
        request.decision == Decision::Admitted
            || request.decision == Decision::Rejected && world.rejections_count
    };
    let ledger = Ledger::new(requests, world);
    let mut begin = 0;
    while let Some(segment) = requests.get(begin..).filter(|segment| !segment.is_empty()) {
        let Some(first) = segment.iter().position(counted) else { return true };
        // What was sent before the first response may have been first.
        let opening: i64 = segment.iter().filter(|hit| counted(hit)).map(|hit| hit.done.0).min().unwrap_or(0);
        let openers =
            segment[first..].iter().take_while(|hit| hit.sent.0 <= opening).filter(|hit| counted(hit));
        let step = world.slack.max(1);
        let anchors = openers.flat_map(|hit| {
            let clock = world.offset(hit);
            let last = hit.done.0.min(opening);
            (hit.sent.0..=last).step_by(step as usize).chain([last]).map(move |at| at + clock)
        });
        // How far each candidate reaches, and whether it ends with a new grid.
        let Some(next) = anchors
            .filter_map(|anchor| {
                let window = quota.window.0;
                let grid = Grid { anchor, window, world, ledger: &ledger, furthest: None };
                goes(segment, quota, estimate, &grid, counted)
            })
            .max()
        else {
            return false;
        };
        begin += next.max(1);
    }
    true
}

/// How many requests this grid explains, up to the end or to where both counts are zero; `None` if it fails
/// before.
fn goes(
    requests: &[Request],
    quota: Quota,
    estimate: Estimate,
    grid: &Grid<'_>,
    counted: impl Fn(&Request) -> bool,
) -> Option<usize> {
    let mut used = 0;
    for (rank, request) in requests.iter().enumerate() {
        let index = grid.index(request.sent.0 + grid.world.offset(request));
        if counted(request) && index >= used + 2 {
            return Some(rank);
        }
        if !fits(request, quota, estimate, grid) {
            return None;
        }
        if counted(request) {
            used = used.max(index);
        }
    }
    Some(requests.len())
}

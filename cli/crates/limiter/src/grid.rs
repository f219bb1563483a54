//! Judges limiters that count per window on a grid, possibly with a weighted previous window: can a
//! conforming one have this history?
//!
//! Everything that such a limiter can be in the middle of is carried forward through the history as a few
//! *states* (`state`) and pruned by every response (`search`); if none is left, no conforming limiter has
//! this history. The proof is that each step keeps the truth among the states:
//!
//! **Room.** With p admissions in the previous window and a remainder ρ of this one, a hit is admitted if
//! fewer than `room = L − ⌈p·ρ/W⌉` (floored: `⌊p·ρ/W⌋`; aligned: 0 in place of the weight) are counted, and
//! rejected otherwise. Within a window, room only grows.
//!
//! **Late.** So an admission can be delayed without affecting others: until its `done`, the end of the
//! window, or the instant at which a rejection needs it. A rejection needs `count ≥ room`; at the last
//! `sent`, or start of the window, before it the same admissions, as far as there was room, had filled the
//! window, too. So a state is filled only then, up to the room and no further. Requests in flight are decided
//! in the order of their `done`: any two can be swapped.
//!
//! **Windows.** A state has a range in which its window starts; the next window starts W later, plus or minus
//! the drift. What is decided at `d` is shown as `d` or up to a tick less. Between two instants of the
//! history at which the next window can have started, one state stays and one crosses, each with the range
//! that remains, and with every possible number of requests in flight decided before. At the end of a window
//! its remainder is at least one nanosecond.
//!
//! **First hit.** Where there is no window, one starts with an admission in flight, anywhere until something
//! else happens. A window continues into the next if a hit may have been decided in it, and is the last
//! unless one certainly was: which one is not tracked, so around idle windows the judge is less precise than
//! the limiter. In a shared environment, and from an unknown start, windows may start anywhere.
//!
//! **Few.** Merging states, giving a request more time, leaving it undecided, and counting something that may
//! not have been (only in favour of a rejection) add limiters and remove none. So the work per request is
//! bounded.
//!
//! **Attribution.** When the search fails it is repeated without the rejections, and then with uncertain
//! admissions and each rejection by itself; what still fails is proven by its own kind alone. If neither
//! does, both are involved, and what ended the search is shown.
//!
//! **Limits of proof.** Nothing can be proven if aligned windows can start anywhere (an offset of nearly half
//! a window), or if ticks, offset and drift add up to half a window. In a shared environment, requests in
//! flight when a first-hit window ends may be decided without a trace.

mod pending;
mod proof;
mod search;
mod state;
mod windows;

use self::{
    search::{Evidence, Search, SearchResult, UnexplainedRejection},
    windows::Windows,
};
use super::{
    HistoryContext, Judgement, Request,
    history::{History, Lifetime},
};
use saasbench_model::{
    scenario::Anchor,
    units::{Nanos, Quota},
};

pub(super) use self::windows::Weight;

/// A limit, its history and its context.
#[derive(Debug, Clone, Copy)]
struct Case<'a> {
    requests: &'a [Request],
    quota: Quota,
    windows: Windows,
    context: &'a HistoryContext,
}

/// Judges the history of one key, sorted by `sent`.
pub(super) fn judge(
    requests: &[Request],
    quota: Quota,
    anchor: Anchor,
    weight: Weight,
    context: &HistoryContext,
) -> Judgement {
    let windows = Windows::new(quota, weight, anchor == Anchor::FirstHit, context);
    // Counts from before the start have weight for one window, or two.
    let memory =
        if weight == Weight::Nothing { quota.window } else { Nanos(quota.window.0.saturating_mul(2)) };
    let first = requests.first().map_or(context.since, |first| context.since.min(first.sent));
    let ambiguous = windows.are_ambiguous() || !windows.first_hit && windows.aligned(first).is_none();
    let history = History::new(requests, context);
    let mut judgement = history.judgement(Lifetime::of(memory, context), ambiguous, context);
    let case = Case { requests, quota, windows, context };
    if context.has_other_limits() {
        let over_admission =
            case.search(Evidence::Admissions).end.and_then(|end| case.over_admission(end.at));
        judgement.violations.extend(over_admission);
        let wrong = if context.exclusive { case.search(Evidence::Rejections).wrong } else { Vec::new() };
        let mut indices: Vec<usize> = wrong.iter().map(|wrong| wrong.index).collect();
        indices.sort_unstable();
        judgement.wrong_rejections = indices.into_iter().map(|index| requests[index].id).collect();
    } else {
        case.violations(&mut judgement);
    }
    judgement
}

/// Whether there are provably too many admissions, by the admissions alone.
pub(super) fn over_admits(
    requests: &[Request],
    quota: Quota,
    anchor: Anchor,
    weight: Weight,
    context: &HistoryContext,
) -> bool {
    let windows = Windows::new(quota, weight, anchor == Anchor::FirstHit, context);
    Case { requests, quota, windows, context }.search(Evidence::Admissions).end.is_some()
}

impl Case<'_> {
    fn search(&self, evidence: Evidence) -> SearchResult {
        Search::new(self.requests, self.windows, self.context, evidence).run()
    }

    fn violations(&self, judgement: &mut Judgement) {
        let evidence = if self.context.exclusive { Evidence::All } else { Evidence::Admissions };
        let found = self.search(evidence);
        if found.end.is_none() && !found.is_approximate {
            return;
        }
        let admissions = self.search(Evidence::Admissions);
        judgement.violations.extend(admissions.end.and_then(|end| self.over_admission(end.at)));
        if self.context.exclusive {
            let mut wrong = self.search(Evidence::Rejections).wrong;
            wrong.sort_by_key(|wrong| wrong.index);
            judgement.violations.extend(self.wrong_rejection(&wrong));
        }
        if judgement.violations.is_empty() {
            judgement.violations.extend(found.end.and_then(|end| self.jointly(&end)));
        }
    }
}

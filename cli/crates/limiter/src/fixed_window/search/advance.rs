//! Advances a state to its successors: the ranges in which the next window can start, because this one ended
//! or the store lost its state.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::{Contradiction, Reason, Search, SearchStep, State};

impl Search<'_> {
    /// End of the cell that contains `instant`. Cells are shorter than a quarter of a window, so no state is
    /// its own successor.
    pub(super) fn cell_end(&self, instant: i64) -> i64 {
        let grain = instant.saturating_add(self.lifetime.least / 4);
        self.cuts.get(self.cuts.partition_point(|cut| *cut < instant)).map_or(grain, |cut| grain.min(*cut))
    }

    /// The first instant at or after this one at which a window may start.
    pub(super) fn start_from(&self, instant: i64) -> i64 {
        let covered = self.cover.get(self.cover.partition_point(|(_, to)| *to < instant));
        covered.map_or(i64::MAX, |(from, _)| instant.max(*from)).min(instant.max(self.shared_from))
    }

    /// The last instant at or before this one at which a window may start.
    pub(super) fn start_until(&self, instant: i64) -> i64 {
        if instant >= self.shared_from {
            return instant;
        }
        let rank = self.cover.partition_point(|(from, _)| *from <= instant);
        rank.checked_sub(1).map_or(i64::MIN, |rank| instant.min(self.cover[rank].1))
    }

    /// Pushes the possible part of a state on the heap; false if there is none.
    pub(super) fn push(&self, states: &mut BinaryHeap<Reverse<State>>, mut state: State) -> bool {
        state.lo = self.start_from(state.lo);
        state.hi = self.start_until(state.hi);
        let possible = state.lo <= state.hi;
        if possible {
            states.push(Reverse(state));
        }
        possible
    }

    /// Finds the successors of a state.
    pub(super) fn follow(&self, mut state: State, states: &mut BinaryHeap<Reverse<State>>) -> SearchStep {
        while self.losses.get(state.loss).is_some_and(|(_, to)| *to < state.lo) {
            state.loss += 1;
        }
        let mut full = i64::MIN;
        if !state.prior {
            match self.not_before(&mut state) {
                Ok(from) => full = from,
                Err(end) => return SearchStep::Goes(end),
            }
        }
        let mut limits = self.limits(&state, full);
        if let Some(at) = limits.early {
            let reason = Reason::EarlyRejection { after: limits.rejected_after, before: full };
            return SearchStep::Goes(Some(Contradiction {
                at,
                lo: state.lo,
                hi: state.hi,
                reason,
                has_rivals: false,
            }));
        }
        if limits.latest() == i64::MAX {
            return SearchStep::Lasts;
        }
        let mut end = None;
        match self.jump(&state, limits.latest(), states) {
            SearchStep::Lasts => return SearchStep::Lasts,
            SearchStep::Goes(other) => self.blame(&mut end, other),
        }
        // A late start leaves no room before `latest`; an earlier one may have tighter bounds.
        let earliest = state.lo.saturating_add(self.lifetime.least);
        while limits.latest() - self.lifetime.least < state.hi {
            if limits.latest() < earliest {
                self.blame(&mut end, Some(state.contradiction(&limits, earliest)));
                return SearchStep::Goes(end);
            }
            state.hi = limits.latest() - self.lifetime.least;
            limits = self.limits(&state, full);
        }
        if limits.latest() < earliest {
            self.blame(&mut end, Some(state.contradiction(&limits, earliest)));
            return SearchStep::Goes(end);
        }
        let over_after = state.hi.saturating_add(self.lifetime.most);
        if self.start_from(earliest) > self.start_until(limits.latest()) {
            self.blame(&mut end, Some(self.no_live_window(over_after, earliest, limits.latest())));
            return SearchStep::Goes(end);
        }
        // After `full_by` the window was certainly full, from `first_full` on it may have been: different
        // floors, so different states.
        let first_full = if full > over_after { i64::MAX } else { full };
        let mut lo = earliest;
        while lo <= limits.latest() {
            let (was_full, may_be_full) = (lo > limits.full_by, lo >= first_full);
            let mut next = State { lo, hi: limits.latest(), prior: false, ..state };
            (next.admitted_after, next.rejected_after) = (over_after, over_after);
            if was_full {
                next.admitted_after = over_after.min(limits.full_by);
            } else {
                next.hi = next.hi.min(limits.full_by);
            }
            if !may_be_full {
                next.rejected_after = over_after.min(limits.rejected_after);
                next.hi = next.hi.min(first_full - 1);
            }
            self.push(states, next);
            lo = next.hi + 1;
        }
        SearchStep::Goes(end)
    }

    /// The successors of a state by a loss of the store's state, if its window can last until one.
    pub(super) fn jump(
        &self,
        state: &State,
        latest: i64,
        states: &mut BinaryHeap<Reverse<State>>,
    ) -> SearchStep {
        let reach = latest.min(state.hi.saturating_add(self.lifetime.most));
        let mut end = None;
        for (loss, (from, to)) in self.losses.iter().enumerate().skip(state.loss) {
            if *from > reach {
                break;
            }
            let (first_answer, _) = self.answered().first_done_after(*to);
            if first_answer == i64::MAX {
                return SearchStep::Lasts;
            }
            let next = State {
                lo: state.lo.max(*from),
                hi: first_answer,
                loss: loss + 1,
                admitted_after: *to,
                rejected_after: *to,
                prior: false,
            };
            if !self.push(states, next) {
                self.blame(&mut end, Some(self.no_live_window(*to, next.lo, next.hi)));
            }
        }
        SearchStep::Goes(end)
    }
}

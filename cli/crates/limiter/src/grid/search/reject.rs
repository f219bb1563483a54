//! Rejections: each needs a full window, so requests in flight are counted when a rejection needs them, and
//! not before.

use super::super::{super::Decision, state::State};
use super::{Contradiction, Evidence, FEW, Search};

impl Search<'_> {
    /// Explains pending rejections now, if possible.
    pub(super) fn fill_all(&mut self, at: i64) {
        if self.evidence == Evidence::Admissions {
            return;
        }
        let is_due = |state: &State| state.rejected_by < i64::MAX;
        if self.waiting.is_empty() && !self.states.iter().any(is_due) {
            return;
        }
        // Most often no branching is needed, and the states are kept as they are.
        if self.evidence == Evidence::All && self.settle(at) {
            return;
        }
        let mut filled = Vec::with_capacity(self.states.len());
        for state in std::mem::take(&mut self.states) {
            let room = self.least(&state, at);
            self.fill(state, room, at, &mut filled);
        }
        self.states = filled;
    }

    /// Clears rejections that are explained by what is counted already; returns whether those are all.
    fn settle(&mut self, at: i64) -> bool {
        let mut all = true;
        for rank in 0..self.states.len() {
            let state = &self.states[rank];
            if state.rejected_by < i64::MAX {
                let is_full = state.count.saturating_add(state.extra) >= self.least(state, at);
                if is_full {
                    self.states[rank].rejected_by = i64::MAX;
                }
                all &= is_full;
            }
        }
        all
    }

    /// Adds a state, and those that result from deciding at this instant as many requests as a rejection
    /// needs.
    pub(super) fn fill(&mut self, mut state: State, room: u64, at: i64, filled: &mut Vec<State>) {
        if self.evidence == Evidence::Rejections {
            self.note(&state, room, at);
            filled.push(state);
            return;
        }
        if state.rejected_by == i64::MAX {
            filled.push(state);
            return;
        }
        let counted = state.count.saturating_add(state.extra);
        if counted >= room {
            state.rejected_by = i64::MAX;
            filled.push(state);
            return;
        }
        let need = room - counted;
        let (required, free) = (state.required.total(), state.free.total());
        if state.start.is_some() && need <= required.saturating_add(free) {
            let full = State {
                count: state.count + need,
                touched: true,
                maybe_touched: true,
                rejected_by: i64::MAX,
                ..state.clone()
            };
            let (fewest, most) = (need.saturating_sub(required), need.min(free));
            if most - fewest <= FEW / 2 {
                filled.extend((fewest..=most).map(|unknown| {
                    let mut full = full.clone();
                    full.required.take(need - unknown);
                    full.free.take(unknown);
                    full
                }));
            } else {
                // Which ones is left open.
                let mut full = full;
                let taken = full.required.take(need);
                full.free.add_all(&taken);
                filled.push(full);
            }
        }
        filled.push(state);
    }

    /// Notes how many can have been counted against the pending rejections. Each of them is in flight until
    /// it is decided; where rejections may have consumed, it is counted, and left out of its own count.
    fn note(&mut self, state: &State, room: u64, at: i64) {
        if self.waiting.is_empty() {
            return;
        }
        let own = u64::from(self.context.is_chained());
        let count = state.count.saturating_add(state.extra).saturating_add(state.free.total());
        let count = count.saturating_sub(own);
        if count >= room {
            self.waiting.clear();
            return;
        }
        let counted = self.windows.limit - room + count;
        for wrong in &mut self.waiting {
            if counted >= wrong.counted {
                wrong.counted = counted;
                wrong.end =
                    Contradiction { at, start: state.start, previous: state.previous.1, count, ..wrong.end };
            }
        }
    }

    /// Reports rejections that had to be explained by now and are not.
    pub(super) fn note_decided(&mut self, at: i64) {
        for wrong in self.waiting.extract_if(.., |wrong| self.requests[wrong.index].done.0 <= at) {
            self.found.wrong.push(wrong);
        }
    }

    /// A rejection whose interval lies entirely in the window was a hit in it.
    pub(super) fn touch(&self, state: &mut State, done: &std::ops::Range<usize>) {
        if self.windows.first_hit
            && !state.touched
            && !self.context.has_other_limits()
            && let Some((_, hi)) = state.start
        {
            let certain = |(_, rank): &(i64, u32)| {
                let request = &self.requests[*rank as usize];
                request.decision == Decision::Rejected
                    && request.sent.0.saturating_sub(self.windows.late) >= hi
            };
            state.touched = self.done[done.clone()].iter().any(certain);
        }
    }
}

//! Prunes the search: merges states where there are many, and keeps why the last one ended.

use super::super::state::{State, thin_out};
use super::{Contradiction, FEW, MOST_STATES, MOST_STEPS, STEPS_EACH, Search};

impl Search<'_> {
    pub(super) fn thin_out(&mut self) {
        if self.states.len() > self.thinned {
            let most = self.most_states();
            self.found.is_approximate |= thin_out(&mut self.states, most);
        }
        self.thinned = self.states.len().max(1);
    }

    pub(super) fn most_states(&self) -> usize {
        let patience = MOST_STEPS + STEPS_EACH * self.requests.len();
        if self.steps <= patience { MOST_STATES } else { FEW as usize }
    }

    pub(super) fn contradict(&mut self, at: i64, state: &State, is_admission: bool) {
        let (previous, count) = if is_admission {
            (state.previous.0, state.count)
        } else {
            let open = state.required.total() + state.free.total();
            (state.previous.1, state.count.saturating_add(state.extra).saturating_add(open))
        };
        let has_rivals = self.found.end.is_some();
        self.found.end =
            Some(Contradiction { at, start: state.start, previous, count, is_admission, has_rivals });
    }
}

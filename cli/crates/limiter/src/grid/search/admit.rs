//! Admissions: a request is sent, starts a window if there is none, and is decided at its `done` at the
//! latest.

use super::super::{super::Decision, state::State};
use super::{Contradiction, Evidence, FEW, Search, UnexplainedRejection};

impl Search<'_> {
    /// Handles the sending of a request.
    pub(super) fn send(&mut self, rank: usize) {
        let request = &self.requests[rank];
        let done = request.done.max(request.sent).0;
        self.reach = self.reach.max(done);
        let is_judged = self.context.exclusive && done < self.context.complete_until.0;
        let follows_unknown = self.evidence != Evidence::Admissions || self.windows.first_hit;
        let is_chained = self.context.is_chained();
        for state in &mut self.states {
            state.maybe_touched |= state.start.is_some();
            match (request.decision, self.evidence) {
                (Decision::Admitted, Evidence::All | Evidence::Admissions) => state.required.add(done, 1),
                (Decision::Admitted | Decision::Unknown, _) if follows_unknown => state.free.add(done, 1),
                (Decision::Rejected, _) if is_chained && follows_unknown => state.free.add(done, 1),
                (Decision::Rejected, Evidence::All) if is_judged => {
                    state.rejected_by = state.rejected_by.min(done);
                }
                _ => {}
            }
        }
        if (request.decision, self.evidence) == (Decision::Rejected, Evidence::Rejections) && is_judged {
            let end = Contradiction {
                at: request.sent.0,
                start: None,
                previous: 0,
                count: 0,
                is_admission: false,
                has_rivals: false,
            };
            self.waiting.push(UnexplainedRejection { index: rank, counted: 0, end });
        }
    }

    /// If there is no window, one may start: from now until something else happens.
    pub(super) fn start_windows(&mut self, at: i64, next: i64) {
        if !self.windows.first_hit {
            return;
        }
        let until = if next == i64::MAX { at } else { next - 1 };
        // In a shared environment, windows of others that start at any instant contain all that could start
        // later.
        let is_shared = self.shared_from <= at;
        let is_idle = |state: &mut State| state.start.is_none();
        let idle: Vec<State> = self.states.extract_if(.., is_idle).collect();
        for state in idle {
            self.states.extend(self.started(&state, at, until));
            if !is_shared || state.required.total() == 0 {
                self.states.push(state);
            }
        }
        self.thin_out();
    }

    /// The states in which a window started in `[from, until]`, with an admission in flight or one of others.
    pub(super) fn started(&self, idle: &State, from: i64, until: i64) -> Vec<State> {
        let windows = self.windows;
        let mut states = Vec::new();
        if from > until {
            return states;
        }
        for known in [true, false] {
            let mut started = idle.clone();
            let by = if known { started.required.take(1) } else { started.free.take(1) };
            if by.total() > 0 {
                (started.count, started.touched, started.maybe_touched) = (1, true, true);
                let starts = windows.pieces((from - windows.tick, until.min(by.earliest())));
                states.extend(starts.map(|start| State { start: Some(start), ..started.clone() }));
            }
        }
        if self.shared_from <= until && idle.required.total() > 0 {
            let starts = windows.pieces(windows.around(from, 1));
            states.extend(starts.map(|start| State {
                start: Some(start),
                maybe_touched: true,
                of_others: true,
                ..idle.clone()
            }));
        }
        states
    }

    /// Decides what must be decided now.
    pub(super) fn decide(&mut self, at: i64, done: std::ops::Range<usize>) {
        let is_due =
            |state: &State| state.required.earliest().min(state.free.earliest()).min(state.rejected_by) <= at;
        if !self.windows.first_hit && !self.states.iter().any(is_due) {
            self.note_decided(at);
            return;
        }
        let mut after = Vec::with_capacity(self.states.len());
        let may_branch = self.evidence == Evidence::All && self.states.len() <= 2 * FEW as usize;
        for mut state in std::mem::take(&mut self.states) {
            let required = state.required.take_until(at);
            let unknown = state.free.take_until(at);
            if required > 0 && state.start.is_none() {
                continue;
            }
            let most = if required + unknown > 0 { self.most(&state, at) } else { 0 };
            if required > 0 {
                state.count += required;
                state.touched = true;
                if state.count > most {
                    self.contradict(at, &state, true);
                    continue;
                }
            }
            if state.rejected_by <= at {
                self.contradict(at, &state, false);
                continue;
            }
            self.touch(&mut state, &done);
            let more = unknown.min(most.saturating_sub(state.count));
            if more > 0 && state.start.is_some() && self.evidence != Evidence::Admissions {
                if may_branch && more <= 2 {
                    after.extend((1..=more).map(|more| State {
                        count: state.count + more,
                        touched: true,
                        ..state.clone()
                    }));
                } else {
                    state.extra = state.extra.max(state.extra.saturating_add(more).min(most - state.count));
                }
            }
            after.push(state);
        }
        self.states = after;
        self.note_decided(at);
    }
}

//! Advances the states from one instant to the next: windows end, the next ones start, a store loses its
//! state.

use super::super::{
    Weight,
    pending::Pending,
    state::{State, thin_out},
};
use super::{Evidence, FEW, Search};

/// What may remain undecided when a window ends, or its state is lost.
struct Left {
    required: Pending,
    free: Pending,
    least: u64,
    most: u64,
}

impl Search<'_> {
    pub(super) fn may_cross(&self, at: i64) -> bool {
        let latest = at.saturating_add(self.windows.early);
        let ends = |state: &State| state.start.is_some_and(|start| self.windows.next(start).0 <= latest);
        self.states.iter().any(ends)
    }

    /// Lets windows end that can have ended by `at`.
    pub(super) fn cross_until(&mut self, at: i64) {
        if !self.may_cross(at) {
            return;
        }
        let windows = self.windows;
        let latest = at.saturating_add(windows.early);
        let mut rest = std::mem::take(&mut self.states);
        let mut arrived = Vec::new();
        while !rest.is_empty() {
            let mut crossed = Vec::new();
            for mut state in rest.drain(..) {
                self.skip(&mut state, at);
                let Some(start) = state.start else {
                    arrived.push(state);
                    continue;
                };
                let (lo, hi) = windows.next(start);
                if lo <= latest {
                    let past = self.before.saturating_sub(windows.late).saturating_add(1);
                    self.cross(&state, (lo.max(past), hi.min(latest)), at, &mut crossed);
                }
                let still = lo.max(at.saturating_sub(windows.late) + 1);
                if still <= hi {
                    let lo = start.0.max(still - windows.length - windows.clock_skew);
                    state.start = Some((lo.min(start.1), start.1));
                    arrived.push(state);
                }
            }
            self.found.is_approximate |= thin_out(&mut crossed, self.most_states());
            rest = crossed;
        }
        self.states = arrived;
        self.thinned = 1;
        self.thin_out();
    }

    /// Skips aligned windows in which nothing is sent and nothing counts. Requests in flight can be decided
    /// in one of them without a trace.
    fn skip(&self, state: &mut State, at: i64) {
        let windows = &self.windows;
        let Some((lo, hi)) = state.start.filter(|start| !windows.first_hit && !self.has_prior(*start)) else {
            return;
        };
        let gone = at.saturating_sub(hi).saturating_sub(windows.late) / (windows.length + windows.clock_skew);
        if !state.counts_nothing() || gone < 6 {
            return;
        }
        let count = gone - 3;
        let shift = |instant: i64, by: i64| instant.saturating_add(count.saturating_mul(windows.length + by));
        state.start = Some((shift(lo, -windows.clock_skew), shift(hi, windows.clock_skew)));
        state.free.add_all(&std::mem::take(&mut state.required));
        if state.free.total() > 0 {
            state.rejected_by = i64::MAX;
        }
    }

    /// The states of the next window, which starts within this range and before anything happens at `at`.
    fn cross(&mut self, state: &State, start: (i64, i64), at: i64, crossed: &mut Vec<State>) {
        let windows = self.windows;
        if start.0 > start.1 {
            return;
        }
        let is_shared = self.shared_from <= start.1;
        for left in self.leave(state, windows.room(state.previous.0, 1)) {
            let touched = state.touched || left.least > state.count;
            let next = State {
                start: Some(start),
                previous: if windows.weight == Weight::Nothing { (0, 0) } else { (left.least, left.most) },
                extra: if self.has_prior(start) { windows.limit } else { 0 },
                maybe_touched: is_shared || self.reach.saturating_add(windows.early) >= start.0,
                of_others: state.of_others && !touched,
                required: left.required,
                free: left.free,
                rejected_by: state.rejected_by,
                ..State::empty(None)
            };
            // A window without a hit is the last. After it another may start before anything else happens.
            if windows.first_hit && !touched && !state.of_others {
                let mut idle =
                    State { start: None, previous: (0, 0), extra: 0, maybe_touched: false, ..next.clone() };
                if self.shared_from <= at {
                    // In windows of others, requests in flight can be decided without a trace.
                    idle.free.add_all(&std::mem::take(&mut idle.required));
                } else {
                    for started in self.started(&idle, start.0.max(self.before), at - 1) {
                        self.fill(started, windows.limit, at, crossed);
                    }
                }
                crossed.push(idle);
            }
            if !windows.first_hit || touched || state.maybe_touched || is_shared {
                let room = windows.room(next.previous.1, windows.length);
                self.fill(next, room, start.1, crossed);
            }
        }
    }

    /// All possibilities for which requests in flight were decided when a window with this `room` ends.
    fn leave(&self, state: &State, room: u64) -> Vec<Left> {
        let (required, free) = (state.required.total(), state.free.total());
        let more = room.saturating_sub(state.count);
        let mut ways = Vec::new();
        let unknowns = if self.evidence == Evidence::Admissions { 0 } else { free };
        if required <= FEW && (unknowns == 0 || self.evidence == Evidence::All && unknowns <= FEW / 2) {
            for unknown in 0..=unknowns.min(more) {
                for known in 0..=required.min(more - unknown) {
                    let mut way = Left {
                        required: state.required.clone(),
                        free: state.free.clone(),
                        least: state.count + known + unknown,
                        most: 0,
                    };
                    way.required.take(known);
                    way.free.take(unknown);
                    way.most = way.least.saturating_add(state.extra).min(self.windows.limit);
                    ways.push(way);
                }
            }
            return ways;
        }
        // Each possibility covers `from` to `to` of them; that those in between are decided later is possible
        // but not certain.
        let step = (required / FEW).max(1);
        let mut from = 0;
        while from <= required.min(more) {
            let to = (from + step - 1).min(required).min(more);
            let mut way = Left {
                required: state.required.clone(),
                free: state.free.clone(),
                least: state.count + from,
                most: 0,
            };
            way.required.take(from);
            let between = way.required.take(to - from);
            way.free.add_all(&between);
            let most = (state.count + to).saturating_add(unknowns).saturating_add(state.extra);
            way.most = most.min(room.max(state.count + to)).min(self.windows.limit);
            ways.push(way);
            from = to + 1;
        }
        ways
    }

    /// The store may lose its state now; requests in flight are decided before or after. Returns whether a
    /// loss is possible.
    pub(super) fn lose_memory(&mut self, at: i64) -> bool {
        let rank = self.losses.partition_point(|(_, to)| *to < at);
        if self.losses.get(rank).is_none_or(|(from, _)| *from > at) {
            return false;
        }
        for rank in 0..self.states.len() {
            let state = &self.states[rank];
            let is_open = state.required.total() + state.free.total() > 0;
            if !is_open && state.counts_nothing() && (state.start.is_none() || !self.windows.first_hit) {
                continue;
            }
            let start = state.start.filter(|_| !self.windows.first_hit);
            // It can be lost again between any two of them, so there is room for all.
            let ways = self.leave(state, u64::MAX);
            let rejected_by = state.rejected_by;
            self.states.extend(ways.into_iter().map(|Left { required, free, .. }| State {
                required,
                free,
                rejected_by,
                maybe_touched: start.is_some(),
                ..State::empty(start)
            }));
        }
        self.thin_out();
        true
    }
}

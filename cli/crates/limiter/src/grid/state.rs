//! A state: a set of limiters at one instant, described by ranges.

use super::pending::Pending;

/// A set of limiters in the middle of a history. It contains another if continuing is no harder for any of
/// its limiters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    /// The current window starts in `[lo, hi]`; `None`: there is none until the next admission (first hit
    /// only).
    pub(super) start: Option<(i64, i64)>,
    /// Admissions of the previous window: least and most.
    pub(super) previous: (u64, u64),
    /// Admissions of the current window.
    pub(super) count: u64,
    /// This many more may be counted in it: unrecorded ones, or unknown ones that were not tracked one by
    /// one.
    pub(super) extra: u64,
    /// A hit was decided in this window.
    pub(super) touched: bool,
    /// A hit may have been decided in this window.
    pub(super) maybe_touched: bool,
    /// The window was started by other clients, at any instant: beside this state there is one for each other
    /// start.
    pub(super) of_others: bool,
    /// Admissions that are sent but not yet decided.
    pub(super) required: Pending,
    /// The same for requests that may have been admitted.
    pub(super) free: Pending,
    /// The first instant by which a rejection must be explained; `i64::MAX` if there is none.
    pub(super) rejected_by: i64,
}

impl State {
    /// Nothing counted, nothing in flight.
    pub(super) fn empty(start: Option<(i64, i64)>) -> Self {
        Self {
            start,
            previous: (0, 0),
            count: 0,
            extra: 0,
            touched: false,
            maybe_touched: false,
            of_others: false,
            required: Pending::default(),
            free: Pending::default(),
            rejected_by: i64::MAX,
        }
    }

    /// Whether nothing with weight is counted.
    pub(super) fn counts_nothing(&self) -> bool {
        self.previous.1 == 0 && self.count == 0 && self.extra == 0
    }

    /// Everything but the start of the window, as a key for comparing states.
    fn others(&self) -> (bool, u64, (u64, u64), u64, u64, u64) {
        let pending = (self.required.total(), self.free.total());
        (self.start.is_some(), self.count, self.previous, self.extra, pending.0, pending.1)
    }

    fn contains(&self, other: &Self) -> bool {
        let starts = match (self.start, other.start) {
            (Some((lo, hi)), Some((other_lo, other_hi))) => lo <= other_lo && other_hi <= hi,
            (None, None) => true,
            _ => false,
        };
        starts
            && self.count == other.count
            && self.extra >= other.extra
            && self.previous.0 <= other.previous.0
            && self.previous.1 >= other.previous.1
            && (!self.touched || other.touched)
            && (self.maybe_touched || !other.maybe_touched)
            && (!self.of_others || other.of_others)
            && self.rejected_by >= other.rejected_by
            && self.required.total() == other.required.total()
            && self.required.covers(&other.required)
            && self.free.covers(&other.free)
    }

    /// A state that contains both. Where one has counted more admissions than the other, they may be made
    /// later.
    fn joined(mut self, mut other: Self) -> Self {
        if self.required.total() < other.required.total() {
            std::mem::swap(&mut self, &mut other);
        }
        let soon = self.required.take(other.required.total());
        let late = std::mem::replace(&mut self.required, soon);
        let most = (self.count + self.extra).max(other.count + other.extra);
        let count = self.count.min(other.count);
        let mut free = self.free.joined(&other.free);
        free.add_all(&late);
        let start = self.start.zip(other.start).map(|(one, other)| (one.0.min(other.0), one.1.max(other.1)));
        Self {
            start,
            previous: (self.previous.0.min(other.previous.0), self.previous.1.max(other.previous.1)),
            count,
            extra: most - count,
            touched: self.touched && other.touched,
            maybe_touched: self.maybe_touched || other.maybe_touched,
            of_others: self.of_others && other.of_others,
            required: self.required.joined(&other.required),
            free,
            rejected_by: self.rejected_by.max(other.rejected_by),
        }
    }
}

/// Drops states that another contains; if more than `most` are left, merges neighbours. Returns whether any
/// were merged.
pub(super) fn thin_out(states: &mut Vec<State>, most: usize) -> bool {
    let mut is_approximate = false;
    while states.len() > 1 {
        states
            .sort_by_key(|state| (state.start, state.count, state.previous, state.extra, state.rejected_by));
        let mut kept: Vec<State> = Vec::with_capacity(states.len());
        for state in states.drain(..) {
            let alike = |other: &&mut State| other.start == state.start && other.count == state.count;
            let mut same = kept.iter_mut().rev().take_while(alike);
            match same.find(|other| other.contains(&state) || state.contains(other)) {
                Some(other) if other.contains(&state) => {}
                Some(other) => *other = state,
                None => kept.push(state),
            }
        }
        *states = kept;
        if states.len() <= most {
            break;
        }
        is_approximate = true;
        // States that differ only in their start are merged first: that loses least.
        let many = states.len();
        join_pairs(states, State::others, |one, other| one.others() == other.others());
        if states.len() == many {
            let key = |state: &State| (state.start, state.count, state.previous);
            join_pairs(states, key, |one, other| one.start.is_some() == other.start.is_some());
        }
    }
    is_approximate
}

/// Merges each state with the next in this order, if they are alike.
fn join_pairs<K: Ord>(
    states: &mut Vec<State>,
    key: impl Fn(&State) -> K,
    alike: impl Fn(&State, &State) -> bool,
) {
    states.sort_by_key(|state| (key(state), state.start));
    let mut joined = Vec::with_capacity(states.len());
    let mut rest = states.drain(..).peekable();
    while let Some(state) = rest.next() {
        joined.push(match rest.next_if(|next| alike(&state, next)) {
            Some(next) => state.joined(next),
            None => state,
        });
    }
    drop(rest);
    *states = joined;
}

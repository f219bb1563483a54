//! The search for an explanation: all states that a fixed window can have been in, carried forward and pruned.
//!
//! A state is "a window began at an instant t of `[lo, hi]`, and no request sent after `floor` was decided in
//! an earlier one". All states are carried forward, earliest first. What a state says of the instant u at which the next
//! window begins (every hit decided in `[t, u)` was decided in the window of t):
//!
//! - `u ≥ t + l`, or the store lost its memory;
//! - u is the decision of a request that was admitted or may have been (of anyone, if the run is not alone or was cut off);
//! - *crowd*: of the admitted sent after the floor, at most L are done before u;
//! - *locked*: once a rejected request sent after the floor is done, the window is full: u is not after the `done` of any
//!   admitted request that was sent later;
//! - *over*: no hit is decided between the end of a window (`t + m` at the latest) and u: u is not after the `done` of any
//!   answered request sent after `hi + m`.
//!
//! And of t itself: the window, as any later one, is full at the L-th `sent` of those that may have been admitted after t,
//! at the soonest. If a rejected request sent after the floor was done before that (*early*), no window began at t.
//!
//! Each is necessary, so the states that they leave contain the truth, if the limiter is honest: the first state contains
//! its first window, and if a state contains one window, its successor contains the next. Where nothing limits u, the
//! rest of the history is explained. If no state is left, no honest limiter has this history. Floors follow:
//! what is sent after `hi + m` is not decided in the window; an admission sent after it was certainly full is not either,
//! nor is any rejection if it cannot be full before u.
//!
//! **Starting state.** If the key may have had a window before (not fresh, not alone), one that began in
//! `[since − m, since]` with any count is a state as well.
//!
//! **Losses.** A window that may live to the start of a span in which the store may have lost its memory has a second kind
//! of successor: the first window after the last loss of that span. What lies in the span is not judged in that case.
//!
//! **Instants are whole nanoseconds**, because all bounds are: rounding every instant of an honest run up keeps its order
//! and its bounds. What comes after `x` is at `x + 1` or later.
//!
//! **Bounded.** Time is cut where an answer begins or ends (and at every quarter of `l`); within a cell the states are
//! merged into one that contains them. Merging and cutting only add instants to states and move floors up. So there are
//! O(n) states, and each costs a few binary searches.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::super::{
    Decision, HistoryContext,
    history::{Group, History, Lifetime, losses},
};
use saasbench_model::units::Quota;

/// A window began in `[lo, hi]`. The order is that of the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    lo: i64,
    hi: i64,
    /// Losses before this one are past.
    loss: usize,
    /// Admissions sent after this instant were not decided in an earlier window.
    admitted_after: i64,
    /// The same of rejections.
    rejected_after: i64,
    /// A window from before the history: any count is possible.
    prior: bool,
}

impl State {
    /// The least state that contains both.
    fn merged(self, other: Self) -> Self {
        Self {
            lo: self.lo.min(other.lo),
            hi: self.hi.max(other.hi),
            admitted_after: self.admitted_after.max(other.admitted_after),
            rejected_after: self.rejected_after.max(other.rejected_after),
            ..self
        }
    }
}

/// Why a state has no successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// More than L admissions sent after this instant are done before the window can end; or L, and the one that began it
    /// is not among them.
    OverfullSpan { after: i64, besides_first: bool },
    /// An admission behind a rejection (ranks) in the same window.
    Locked { rejected: usize, admitted: usize },
    /// The window cannot be full before the second instant: the rejections sent after the first and done before it are wrong.
    Early { after: i64, before: i64 },
    /// No window lives, and none can begin before the second instant: the rejections sent after the first and done before it
    /// are wrong.
    Nobody { after: i64, before: i64 },
}

/// States without successor. Of several, those that explain most are blamed.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    /// The evidence is complete here.
    pub(super) at: i64,
    /// The window began between these two instants.
    pub(super) lo: i64,
    pub(super) hi: i64,
    pub(super) reason: Reason,
    /// Other states ended for other reasons, but not later.
    pub(super) has_rivals: bool,
}

/// What becomes of a state.
enum SearchStep {
    /// It explains the rest of the history.
    Lasts,
    /// Its successors are on the heap, if it has any.
    Goes(Option<End>),
}

/// Whose answers are held against the limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    All,
    Admissions,
    Rejections,
}

/// What a state says of the instant at which the next window begins: not after the least of these.
#[derive(Debug, Clone, Copy)]
struct Limits {
    crowd: i64,
    /// What the crowd consists of.
    crowd_of: Reason,
    /// The first rejection, if the window cannot be full before it is done: there is no such window.
    early: Option<i64>,
    locked: i64,
    /// What locked whom out.
    locked_by: Reason,
    over: i64,
    /// Rejections sent after this instant are this window's or a later one's.
    rejected_after: i64,
    /// By then the window was certainly full.
    full_by: i64,
}

impl Limits {
    fn latest(&self) -> i64 {
        self.crowd.min(self.locked).min(self.over)
    }
}

/// An indexed history and the world around it.
#[derive(Debug)]
pub(super) struct Search<'a> {
    pub(super) history: &'a History<'a>,
    pub(super) quota: Quota,
    pub(super) lifetime: Lifetime,
    context: &'a HistoryContext,
    pub(super) losses: Vec<(i64, i64)>,
    pub(super) evidence: Evidence,
    /// From here on others may have used the key.
    pub(super) company_from: i64,
    /// By rank among the admitted: when L − 1, L, and L + 1 of this and the later ones are done.
    nearly_done: Vec<i64>,
    full_done: Vec<i64>,
    over_done: Vec<i64>,
    /// Among the rejected: `(done, greatest sent so far)`, by `done`.
    rejected_by_done: Vec<(i64, i64)>,
    /// When something may have been decided that may have been admitted: disjoint, rising.
    cover: Vec<(i64, i64)>,
    /// Where time is cut.
    cuts: Vec<i64>,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        history: &'a History<'a>,
        quota: Quota,
        lifetime: Lifetime,
        context: &'a HistoryContext,
    ) -> Self {
        let rejected = &history.rejected;
        let mut rejected_by_done: Vec<_> =
            rejected.done().iter().copied().zip(rejected.sent().iter().copied()).collect();
        rejected_by_done.sort();
        let mut latest = i64::MIN;
        for (_, sent) in &mut rejected_by_done {
            latest = latest.max(*sent);
            *sent = latest;
        }
        let mut cover: Vec<(i64, i64)> = Vec::new();
        let possible = || history.requests.iter().filter(|request| request.decision != Decision::Rejected);
        for request in possible() {
            let (sent, done) = (request.sent.0, request.done.max(request.sent).0);
            match cover.last_mut() {
                Some((_, to)) if sent <= *to => *to = done.max(*to),
                _ => cover.push((sent, done)),
            }
        }
        let mut cuts: Vec<i64> = history
            .possible_sent
            .iter()
            .chain(&history.possible_done)
            .chain(rejected.sent())
            .copied()
            .collect();
        cuts.sort();
        cuts.dedup();
        Self {
            history,
            quota,
            lifetime,
            context,
            losses: losses(context),
            evidence: Evidence::All,
            company_from: if context.exclusive { context.complete_until.0 } else { i64::MIN },
            nearly_done: history.admitted.nth_done(quota.limit.saturating_sub(1)),
            full_done: history.admitted.nth_done(quota.limit),
            over_done: history.admitted.nth_done(quota.limit.saturating_add(1)),
            rejected_by_done,
            cover,
            cuts,
        }
    }

    /// Searches from `behind` (`i64::MIN`: from the start) for an explanation of all that was sent later.
    pub(super) fn contradiction(&self, behind: i64) -> Option<End> {
        let mut states = BinaryHeap::new();
        let mut blamed: Option<End> = None;
        let from_start = behind == i64::MIN;
        let since = if from_start { self.since() } else { behind };
        // No window lives at the start: one begins with the first hit, which is not after the first answer.
        let first = State {
            lo: since,
            hi: self.answered().first_done_after(behind).0,
            loss: 0,
            admitted_after: behind,
            rejected_after: behind,
            prior: false,
        };
        if first.hi == i64::MAX {
            return None;
        }
        if !self.push(&mut states, first) {
            self.blame(&mut blamed, Some(self.nobody(first.rejected_after, first.lo, first.hi)));
        }
        if !(from_start && self.context.fresh && self.context.exclusive) {
            let prior =
                State { lo: since.saturating_sub(self.lifetime.most), hi: since, prior: true, ..first };
            match self.follow(prior, &mut states) {
                SearchStep::Lasts => return None,
                SearchStep::Goes(end) => self.blame(&mut blamed, end),
            }
        }
        let (mut here, mut later) = (Vec::new(), Vec::new());
        while let Some(Reverse(first)) = states.pop() {
            let cell = self.cell_end(first.lo);
            let mut next = Some(first);
            while let Some(state) = next {
                merge(&mut here, State { hi: state.hi.min(cell), ..state });
                if state.hi > cell {
                    merge(&mut later, State { lo: cell + 1, ..state });
                }
                let is_here = states.peek().is_some_and(|Reverse(state)| state.lo <= cell);
                next = if is_here { states.pop().map(|Reverse(state)| state) } else { None };
            }
            states.extend(later.drain(..).map(Reverse));
            for state in here.drain(..) {
                match self.follow(state, &mut states) {
                    SearchStep::Lasts => return None,
                    SearchStep::Goes(end) => self.blame(&mut blamed, end),
                }
            }
        }
        blamed
    }

    /// Whose answers show that a window lives.
    fn answered(&self) -> &Group {
        if self.evidence == Evidence::Admissions { &self.history.admitted } else { &self.history.answered }
    }

    fn since(&self) -> i64 {
        let first = self.history.requests.first().map_or(i64::MAX, |request| request.sent.0);
        self.context.since.0.min(first)
    }

    /// End of the cell in which `instant` lies: a cell ends with a cut. Shorter than a quarter of a window's life, so no
    /// state is its own successor.
    fn cell_end(&self, instant: i64) -> i64 {
        let grain = instant.saturating_add(self.lifetime.least / 4);
        self.cuts.get(self.cuts.partition_point(|cut| *cut < instant)).map_or(grain, |cut| grain.min(*cut))
    }

    /// The first instant at or after this one at which a window may begin.
    fn begin_from(&self, instant: i64) -> i64 {
        let covered = self.cover.get(self.cover.partition_point(|(_, to)| *to < instant));
        covered.map_or(i64::MAX, |(from, _)| instant.max(*from)).min(instant.max(self.company_from))
    }

    /// The last instant at or before this one at which a window may begin.
    fn begin_until(&self, instant: i64) -> i64 {
        if instant >= self.company_from {
            return instant;
        }
        let rank = self.cover.partition_point(|(from, _)| *from <= instant);
        rank.checked_sub(1).map_or(i64::MIN, |rank| instant.min(self.cover[rank].1))
    }

    /// When a window that began at `start` or later is full at the soonest.
    fn full_from(&self, start: i64) -> i64 {
        let (sent, done) = (&self.history.possible_sent, &self.history.possible_done);
        let before = sent.partition_point(|sent| *sent < start);
        let in_flight = before - done.partition_point(|done| *done < start);
        let more = self.quota.limit.saturating_sub(in_flight as u64);
        let full = match usize::try_from(more) {
            Ok(0) => start,
            Ok(more) => sent.get(before.saturating_add(more - 1)).copied().unwrap_or(i64::MAX),
            Err(_) => i64::MAX,
        };
        full.min(self.company_from.max(start))
    }

    /// A window that begins too early leaves a rejection unexplained: moves `lo` to where the latest such rejection was sent.
    /// Returns when the window is full at the soonest, or why there is no such window.
    fn not_before(&self, state: &mut State) -> Result<i64, Option<End>> {
        let mut rejection = None;
        loop {
            state.lo = self.begin_from(state.lo);
            state.hi = self.begin_until(state.hi);
            let full = self.full_from(state.lo);
            let rank = self.rejected_by_done.partition_point(|(done, _)| *done < full);
            let latest = rank.checked_sub(1).map(|rank| self.rejected_by_done[rank]);
            let early = latest.filter(|(_, sent)| *sent > state.lo && self.evidence != Evidence::Admissions);
            if state.lo <= state.hi && early.is_none() {
                return Ok(full);
            }
            if let Some((done, sent)) = early {
                rejection = Some((sent, done, state.lo, full));
                state.lo = sent;
            }
            if state.lo > state.hi {
                return Err(rejection.map(|(sent, at, lo, before)| {
                    let (hi, after) = (state.hi.max(lo), state.hi.min(sent - 1));
                    End { at, lo, hi, reason: Reason::Early { after, before }, has_rivals: false }
                }));
            }
        }
    }

    /// Puts what is possible of a state on the heap, if anything is.
    fn push(&self, states: &mut BinaryHeap<Reverse<State>>, mut state: State) -> bool {
        state.lo = self.begin_from(state.lo);
        state.hi = self.begin_until(state.hi);
        let possible = state.lo <= state.hi;
        if possible {
            states.push(Reverse(state));
        }
        possible
    }

    /// No window can begin in `[lo, hi]`, where all answers to requests sent after `after` need one.
    fn nobody(&self, after: i64, lo: i64, hi: i64) -> End {
        let (at, _) = self.history.rejected.first_done_after(after);
        let reason = Reason::Nobody { after, before: self.begin_from(lo) };
        End { at, lo, hi, reason, has_rivals: false }
    }

    /// Finds the successors of a state.
    fn follow(&self, mut state: State, states: &mut BinaryHeap<Reverse<State>>) -> SearchStep {
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
            let reason = Reason::Early { after: limits.rejected_after, before: full };
            return SearchStep::Goes(Some(End { at, lo: state.lo, hi: state.hi, reason, has_rivals: false }));
        }
        if limits.latest() == i64::MAX {
            return SearchStep::Lasts;
        }
        let mut end = None;
        match self.jump(&state, limits.latest(), states) {
            SearchStep::Lasts => return SearchStep::Lasts,
            SearchStep::Goes(other) => self.blame(&mut end, other),
        }
        // Too late a start leaves no room before `latest`; an earlier one may limit more.
        let earliest = state.lo.saturating_add(self.lifetime.least);
        while limits.latest() - self.lifetime.least < state.hi {
            if limits.latest() < earliest {
                self.blame(&mut end, Some(end_of(&state, &limits, earliest)));
                return SearchStep::Goes(end);
            }
            state.hi = limits.latest() - self.lifetime.least;
            limits = self.limits(&state, full);
        }
        if limits.latest() < earliest {
            self.blame(&mut end, Some(end_of(&state, &limits, earliest)));
            return SearchStep::Goes(end);
        }
        let over_after = state.hi.saturating_add(self.lifetime.most);
        if self.begin_from(earliest) > self.begin_until(limits.latest()) {
            self.blame(&mut end, Some(self.nobody(over_after, earliest, limits.latest())));
            return SearchStep::Goes(end);
        }
        // Behind `full_by` the window was certainly full, from `first_full` on it may have been: other floors, so other states.
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

    /// What this state, whose window is full at `full` at the soonest, says of the next one.
    fn limits(&self, state: &State, full: i64) -> Limits {
        let History { admitted, rejected, .. } = self.history;
        let (mut admitted_after, mut rejected_after) = (state.admitted_after, state.rejected_after);
        if !state.prior {
            // The window began by `hi`: what was sent later is not decided before it.
            admitted_after = admitted_after.min(state.hi);
            rejected_after = rejected_after.min(state.hi);
        }
        let mut limits = Limits {
            crowd: i64::MAX,
            crowd_of: Reason::OverfullSpan { after: admitted_after, besides_first: false },
            early: None,
            locked: i64::MAX,
            locked_by: Reason::Locked { rejected: 0, admitted: 0 },
            over: self.answered().first_done_after(state.hi.saturating_add(self.lifetime.most)).0,
            rejected_after,
            full_by: i64::MAX,
        };
        if self.evidence != Evidence::Rejections {
            let rank = admitted.rank_after(admitted_after);
            limits.crowd = self.over_done[rank];
            limits.full_by = self.full_done[rank];
            if !state.prior {
                // The one that began it was decided by `hi`, so it is none of those sent later.
                let rank = admitted.rank_after(state.hi);
                if self.full_done[rank] < limits.crowd {
                    limits.crowd = self.full_done[rank];
                    limits.crowd_of = Reason::OverfullSpan { after: state.hi, besides_first: true };
                }
                let full_by = if self.quota.limit == 1 { state.hi } else { self.nearly_done[rank] };
                limits.full_by = limits.full_by.min(full_by);
            }
        }
        if self.evidence != Evidence::Admissions {
            let (rejection, rejected) = rejected.first_done_after(rejected_after);
            limits.early = Some(rejection).filter(|done| *done < full);
            if self.evidence == Evidence::All && rejection < i64::MAX {
                let (done, admitted) = admitted.first_done_after(rejection);
                limits.locked = done;
                limits.locked_by = Reason::Locked { rejected, admitted };
                limits.full_by = limits.full_by.min(rejection);
            }
        }
        limits
    }

    /// The successors of a state by a loss of memory, if it can live to one.
    fn jump(&self, state: &State, latest: i64, states: &mut BinaryHeap<Reverse<State>>) -> SearchStep {
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
                self.blame(&mut end, Some(self.nobody(*to, next.lo, next.hi)));
            }
        }
        SearchStep::Goes(end)
    }

    /// Keeps the end that comes later, or both where one sentence fits them.
    fn blame(&self, blamed: &mut Option<End>, end: Option<End>) {
        let Some(end) = end else { return };
        *blamed = Some(match blamed.take() {
            None => end,
            Some(other) => self.joined(&other, &end).unwrap_or_else(|| {
                let last = if other.at > end.at { other } else { end };
                End { has_rivals: true, ..last }
            }),
        });
    }

    /// Two ends with evidence in common: windows that began between the earlier and the later start.
    fn joined(&self, one: &End, other: &End) -> Option<End> {
        let (lo, hi) = (one.lo.min(other.lo), one.hi.max(other.hi));
        if hi.saturating_sub(lo) >= self.lifetime.least {
            return None;
        }
        let (at, reason) = match (one.reason, other.reason) {
            (
                Reason::OverfullSpan { after, besides_first },
                Reason::OverfullSpan { after: other_after, besides_first: also_besides },
            ) if besides_first == also_besides => {
                // The later the floor, the later the crowd is complete: these are the same admissions.
                (one.at.max(other.at), Reason::OverfullSpan { after: after.max(other_after), besides_first })
            }
            (Reason::Early { after, before }, Reason::Early { after: other_after, before: other_before }) => {
                let (after, before) = (after.max(other_after), before.min(other_before));
                let (at, _) = self.history.rejected.first_done_after(after);
                (at, Reason::Early { after, before })
            }
            _ => return None,
        };
        let complete_before = match reason {
            Reason::Early { before, .. } => before,
            _ => lo.saturating_add(self.lifetime.least),
        };
        let has_rivals = one.has_rivals || other.has_rivals;
        (at < complete_before).then_some(End { at, lo, hi, reason, has_rivals })
    }
}

/// Why the next window would have to begin before `earliest`.
fn end_of(state: &State, limits: &Limits, earliest: i64) -> End {
    let (at, reason) = if limits.crowd < earliest {
        (limits.crowd, limits.crowd_of)
    } else {
        (limits.locked, limits.locked_by)
    };
    End { at, lo: state.lo, hi: state.hi, reason, has_rivals: false }
}

/// Adds a state to those of its cell: of those with the same losses behind them one is kept, which contains all.
fn merge(states: &mut Vec<State>, state: State) {
    match states.iter_mut().find(|other| other.loss == state.loss) {
        Some(other) => *other = other.merged(state),
        None => states.push(state),
    }
}

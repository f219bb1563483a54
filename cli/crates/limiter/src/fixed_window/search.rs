//! The search for an explanation: all states that a fixed window can have been in, carried forward and
//! pruned.
//!
//! A state is "a window began at an instant t of `[lo, hi]`, and no request sent after `floor` was decided in
//! an earlier one". All states are carried forward, earliest first. What a state says of the instant u at
//! which the next window begins (every hit decided in `[t, u)` was decided in the window of t):
//!
//! - `u ≥ t + l`, or the store lost its memory;
//! - u is the decision of a request that was admitted or may have been (of anyone, if the run is not alone or
//!   was cut off);
//! - *over-full span*: of the admitted sent after the floor, at most L are done before u;
//! - *window_full*: once a rejected request sent after the floor is done, the window is full: u is not after
//!   the `done` of any admitted request that was sent later;
//! - *over*: no hit is decided between the end of a window (`t + m` at the latest) and u: u is not after the
//!   `done` of any answered request sent after `hi + m`.
//!
//! And of t itself: the window, as any later one, is full at the L-th `sent` of those that may have been
//! admitted after t, at the soonest. If a rejected request sent after the floor was done before that
//! (*early*), no window began at t.
//!
//! Each is necessary, so the states that they leave contain the truth, if the limiter is conforming: the
//! first state contains its first window, and if a state contains one window, its successor contains the
//! next. Where nothing limits u, the rest of the history is explained. If no state is left, no conforming
//! limiter has this history. Floors follow: what is sent after `hi + m` is not decided in the window; an
//! admission sent after it was certainly full is not either, nor is any rejection if it cannot be full before
//! u.
//!
//! **Starting state.** If the key may have had a window before (not fresh, not alone), one that began in
//! `[since − m, since]` with any count is a state as well.
//!
//! **Losses.** A window that may live to the start of a span in which the store may have lost its memory has
//! a second kind of successor: the first window after the last loss of that span. What lies in the span is
//! not judged in that case.
//!
//! **Instants are whole nanoseconds**, because all bounds are: rounding every instant of a conforming run up
//! keeps its order and its bounds. What comes after `x` is at `x + 1` or later.
//!
//! **Bounded.** Time is cut where a response begins or ends (and at every quarter of `l`); within a cell the
//! states are merged into one that contains them. Merging and cutting only add instants to states and move
//! floors up. So there are O(n) states, and each costs a few binary searches.

mod admit;
mod advance;
mod prune;
mod reject;

use std::{cmp::Reverse, collections::BinaryHeap};

use self::prune::merge;
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
    /// More than L admissions sent after this instant are done before the window can end; or L, and the one
    /// that began it is not among them.
    OverfullSpan { after: i64, besides_first: bool },
    /// An admission behind a rejection (ranks) in the same window.
    WindowFull { rejected: usize, admitted: usize },
    /// The window cannot be full before the second instant: the rejections sent after the first and done
    /// before it are wrong.
    EarlyRejection { after: i64, before: i64 },
    /// No window lives, and none can begin before the second instant: the rejections sent after the first and
    /// done before it are wrong.
    NoLiveWindow { after: i64, before: i64 },
}

/// States without successor. Of several, those that explain most are blamed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contradiction {
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
    Goes(Option<Contradiction>),
}

/// Which responses are compared with the limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    All,
    Admissions,
    Rejections,
}

/// What a state says of the instant at which the next window begins: not after the least of these.
#[derive(Debug, Clone, Copy)]
struct Limits {
    over_full_span: i64,
    /// Which admissions these are.
    over_full_span_reason: Reason,
    /// The first rejection, if the window cannot be full before it is done: there is no such window.
    early: Option<i64>,
    window_full: i64,
    /// What window_full whom out.
    window_full_reason: Reason,
    over: i64,
    /// Rejections sent after this instant are this window's or a later one's.
    rejected_after: i64,
    /// By then the window was certainly full.
    full_by: i64,
}

impl Limits {
    fn latest(&self) -> i64 {
        self.over_full_span.min(self.window_full).min(self.over)
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
    pub(super) shared_from: i64,
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
            shared_from: if context.exclusive { context.complete_until.0 } else { i64::MIN },
            nearly_done: history.admitted.nth_done(quota.limit.saturating_sub(1)),
            full_done: history.admitted.nth_done(quota.limit),
            over_done: history.admitted.nth_done(quota.limit.saturating_add(1)),
            rejected_by_done,
            cover,
            cuts,
        }
    }

    /// Searches from `behind` (`i64::MIN`: from the start) for an explanation of all that was sent later.
    pub(super) fn contradiction(&self, behind: i64) -> Option<Contradiction> {
        let mut states = BinaryHeap::new();
        let mut blamed: Option<Contradiction> = None;
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
            self.blame(&mut blamed, Some(self.no_live_window(first.rejected_after, first.lo, first.hi)));
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
}

//! Searches for an explanation: all states that a fixed window can have been in are carried forward and
//! pruned.
//!
//! A state is "a window started at an instant t of `[lo, hi]`, and no request sent after `floor` was decided
//! in an earlier one". All states are carried forward, earliest first. A state constrains the instant u at
//! which the next window starts (every hit decided in `[t, u)` was decided in the window of t):
//!
//! - `u ≥ t + l`, or the store lost its state;
//! - u is the decision of a request that was, or may have been, admitted (of any client, if the environment
//!   is shared or the run was cut off);
//! - *over-full span*: of the admitted requests sent after the floor, at most L are done before u;
//! - *window full*: once a rejected request sent after the floor is done, the window is full: u is not after
//!   the `done` of any admitted request that was sent later;
//! - *over*: no hit is decided between the end of a window (at most `t + m`) and u: u is not after the `done`
//!   of any request with a response that was sent after `hi + m`.
//!
//! And it constrains t itself: the window, like any later one, is full no earlier than at the L-th `sent` of
//! those that may have been admitted after t. If a rejected request sent after the floor was done before that
//! (*early*), no window started at t.
//!
//! Each condition is necessary, so if the limiter is conforming, the remaining states contain the truth: the
//! first state contains its first window, and if a state contains one window, its successor contains the
//! next. If nothing bounds u, the rest of the history is explained. If no state is left, no conforming
//! limiter has this history. Floors follow: what is sent after `hi + m` is not decided in the window; nor is
//! an admission sent after it was certainly full, nor any rejection if it cannot be full before u.
//!
//! **Starting state.** If the key may have had a window before (not fresh, or not exclusive), one that
//! started in `[since − m, since]` with any count is a state as well.
//!
//! **Losses.** A window that may last until the start of a span in which the store may have lost its state
//! has a second kind of successor: the first window after the last loss of that span. In that case, what lies
//! in the span is not judged.
//!
//! **Instants are whole nanoseconds**, because all bounds are: rounding up every instant of a conforming run
//! keeps its order and its bounds. What comes after `x` is at `x + 1` or later.
//!
//! **Bounded.** Time is cut where the interval of a response starts or ends (and at every quarter of `l`);
//! within a cell the states are merged into one that contains them. Merging and cutting only add instants to
//! states and raise floors. So there are O(n) states, and each costs a few binary searches.

mod admit;
mod advance;
mod prune;
mod reject;

use std::{cmp::Reverse, collections::BinaryHeap};

use self::prune::merge;
use super::super::{
    HistoryContext,
    history::{Group, History, Lifetime, losses},
};
use saasbench_model::units::Quota;

/// A window started in `[lo, hi]`. The derived order is that of the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    lo: i64,
    hi: i64,
    /// Index of the first loss that is not in the past.
    loss: usize,
    /// Admissions sent after this instant were not decided in an earlier window.
    admitted_after: i64,
    /// The same for rejections.
    rejected_after: i64,
    /// Whether the window may be from before the history, with any count.
    prior: bool,
}

impl State {
    /// The smallest state that contains both.
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
    /// that started the window is not among them.
    OverfullSpan { after: i64, besides_first: bool },
    /// An admission (rank) after a rejection (rank) in the same window.
    WindowFull { rejected: usize, admitted: usize },
    /// The window cannot be full before the second instant: the rejections sent after the first and done
    /// before the second are wrong.
    EarlyRejection { after: i64, before: i64 },
    /// There is no window, and none can start before the second instant: the rejections sent after the first
    /// and done before the second are wrong.
    NoLiveWindow { after: i64, before: i64 },
}

/// The end of a search: states without successors. If several end, those that explain most are reported.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contradiction {
    /// By this instant the evidence is complete.
    pub(super) at: i64,
    /// The window started between these two instants.
    pub(super) lo: i64,
    pub(super) hi: i64,
    pub(super) reason: Reason,
    /// Whether other states ended for other reasons, though not later.
    pub(super) has_rivals: bool,
}

/// The result of advancing a state.
enum SearchStep {
    /// The state explains the rest of the history.
    Lasts,
    /// Its successors are on the heap; the contradiction, if it has none.
    Goes(Option<Contradiction>),
}

/// Which responses the search uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    All,
    Admissions,
    Rejections,
}

/// Bounds on the start of the next window: it is not after the least of these.
#[derive(Debug, Clone, Copy)]
struct Limits {
    over_full_span: i64,
    /// The admissions of the over-full span.
    over_full_span_reason: Reason,
    /// The first rejection, if the window cannot be full before it is done: then this window is impossible.
    early: Option<i64>,
    window_full: i64,
    /// The requests behind `window_full`.
    window_full_reason: Reason,
    over: i64,
    /// Rejections sent after this instant belong to this window or a later one.
    rejected_after: i64,
    /// By this instant the window was certainly full.
    full_by: i64,
}

impl Limits {
    fn latest(&self) -> i64 {
        self.over_full_span.min(self.window_full).min(self.over)
    }
}

/// An indexed history with its context.
#[derive(Debug)]
pub(super) struct Search<'a> {
    pub(super) history: &'a History<'a>,
    pub(super) quota: Quota,
    pub(super) lifetime: Lifetime,
    pub(super) context: &'a HistoryContext,
    pub(super) losses: Vec<(i64, i64)>,
    pub(super) evidence: Evidence,
    /// From this instant on, other clients may have used the key.
    pub(super) shared_from: i64,
    /// By rank among the admitted: when L − 1, L, and L + 1 of this and the later ones are done.
    nearly_done: Vec<i64>,
    full_done: Vec<i64>,
    over_done: Vec<i64>,
    /// Of the rejected: `(done, greatest sent so far)`, sorted by `done`.
    rejected_by_done: Vec<(i64, i64)>,
    /// When something that may have been admitted may have been decided: disjoint, sorted.
    cover: Vec<(i64, i64)>,
    /// Where time is cut into cells.
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
        let possible = || history.requests.iter().filter(|request| context.may_consume(request.decision));
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

    /// Searches from `behind` (`i64::MIN`: from the start) for an explanation of everything sent later.
    pub(super) fn contradiction(&self, behind: i64) -> Option<Contradiction> {
        let mut states = BinaryHeap::new();
        let mut blamed: Option<Contradiction> = None;
        let from_start = behind == i64::MIN;
        let since = if from_start { self.since() } else { behind };
        // There is no window at the start: one starts with the first hit, no later than the first response.
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

    /// The requests whose responses show that a window exists.
    fn answered(&self) -> &Group {
        if self.evidence == Evidence::Admissions { &self.history.admitted } else { &self.history.answered }
    }

    fn since(&self) -> i64 {
        let first = self.history.requests.first().map_or(i64::MAX, |request| request.sent.0);
        self.context.since.0.min(first)
    }
}

//! Wrong rejections: there was at least one token during the whole time in which the rejection can have been
//! decided.
//!
//! **The least level.** Each request with the interval `[a, b]` that may have been admitted took its token at
//! an instant of it, or none. Let Y be a bucket from which each takes one at `b`, as late as possible, while
//! there are any, and which is refilled as slowly as the tolerance permits. The level X of a conforming
//! limiter plus the tokens that it gave to requests that Y has not processed yet, `p` of them, is never below
//! Y: an admission moves a token from one term to the other; at `b` both sides lose one, or Y alone; where X
//! is full, X + p ≥ B. In any span X is refilled at least as much as Y, except for σ, once: so X ≥ Y − p −
//! ρσ, where p is at most the number of open intervals. If X was full after Y last lost a token, then X ≥ B −
//! p without σ: so Y may grow past B until its next loss, and X ≥ min(B, Y − ρσ) − p. (But if the replicas'
//! clocks disagree, the rejection may be read `back` before one of the open ones: then only X ≥ B − p −
//! ρ·back.)
//!
//! **Rule.** A rejection is wrong if this bound is at least one token at all instants of its interval.
//! Between the instants at which an interval starts or ends it only grows, so only the rejection's `sent` and
//! such instants are tried. An unknown start is an empty bucket. A loss of the store's state only fills it,
//! which does not explain a rejection.
//!
//! **Chained limits.** Where a rejected request may have consumed, the rejection is itself one of the open
//! intervals, and took nothing if this bucket rejected it: without it the bound is a token higher. At the
//! instant at which it ends, Y has lost that token, unless there was none to lose (`is_clamped`); then there
//! was less than one before, too, and the rejection is explained.

use std::cmp::Reverse;

use super::{
    super::{
        Decision, HistoryContext, Request, Violation,
        history::{History, seconds},
        spans::Peaks,
    },
    Bucket, Round,
};

/// The bucket Y after everything that happened at an instant.
#[derive(Debug, Clone, Copy)]
struct State {
    at: i64,
    /// Y, not capped since its last loss; `None`: never used, and full.
    level: Option<i128>,
    /// Number of open intervals.
    open: u64,
    /// Whether something took less than a token from Y at this instant, because there was no more.
    is_clamped: bool,
}

impl Bucket {
    /// The least possible level at an instant, from the last state not after it.
    fn least(&self, state: State, at: i64) -> i128 {
        let full = self.tokens(self.size);
        let level = state.level.map_or(full, |level| {
            (level + self.gain(self.slow(at) - self.slow(state.at)) - self.gain(self.slack)).min(full)
        });
        match state.open {
            0 => level,
            open => level.min(full - self.gain(self.back)) - self.tokens(open),
        }
    }

    /// All states, from `since` on.
    fn states(&self, history: &History<'_>, context: &HistoryContext) -> Vec<State> {
        let (sent, done) = (&history.possible_sent, &history.possible_done);
        let level = (!context.fresh).then_some(0);
        let at = sent.first().map_or(context.since.0, |first| context.since.0.min(*first));
        let mut state = State { at, level, open: 0, is_clamped: false };
        let mut states = vec![state];
        let (mut started, mut over) = (0, 0);
        while over < done.len() {
            let at = sent.get(started).map_or(done[over], |sent| done[over].min(*sent));
            let level = state.level.map(|level| level + self.gain(self.slow(at) - self.slow(state.at)));
            state = State { at, level, is_clamped: false, ..state };
            while sent.get(started) == Some(&at) {
                (started, state.open) = (started + 1, state.open + 1);
            }
            while done.get(over) == Some(&at) {
                let full = self.tokens(self.size);
                let level = state.level.map_or(full, |level| level.min(full));
                state.is_clamped |= level < self.tokens(1);
                state.level = Some((level - self.tokens(1)).max(0));
                (over, state.open) = (over + 1, state.open - 1);
            }
            states.push(state);
        }
        states
    }

    /// Each wrong rejection, with the least possible level while it can have been decided.
    pub(super) fn wrong_rejections(
        &self,
        history: &History<'_>,
        context: &HistoryContext,
    ) -> Vec<(Request, i128)> {
        let mut wrong = Vec::new();
        if !context.exclusive {
            return wrong;
        }
        let states = self.states(history, context);
        let without_itself = |state: State, at: i64| {
            let own = u64::from(context.is_chained() && !state.is_clamped);
            self.least(state, at) + self.tokens(own)
        };
        let mut lowest = None;
        for request in history.requests.iter().filter(|request| request.decision == Decision::Rejected) {
            let (s, r) = (request.sent.0, request.done.max(request.sent).0);
            let before = states.partition_point(|state| state.at <= s);
            if r >= context.complete_until.0 || before == 0 {
                continue;
            }
            let mut least = without_itself(states[before - 1], s);
            if least < self.tokens(1) {
                continue;
            }
            let inside = before..states.partition_point(|state| state.at <= r);
            if !inside.is_empty() {
                let least_at = |state: &State| Reverse(without_itself(*state, state.at));
                let lowest = lowest.get_or_insert_with(|| Peaks::of(states.iter().map(least_at).collect()));
                least = lowest.highest(inside).map_or(least, |Reverse(level)| level.min(least));
            }
            if least >= self.tokens(1) {
                wrong.push((*request, least));
            }
        }
        wrong
    }

    /// The first of them, as a violation.
    pub(super) fn wrong_rejection(
        &self,
        history: &History<'_>,
        wrong: &[(Request, i128)],
        context: &HistoryContext,
    ) -> Option<Violation> {
        let (request, least) = *wrong.first()?;
        let full_until = self.full_until(history, request.sent.0, context);
        let against = history.possible_within(full_until, request.done.0);
        // Fractions of a token count as missing, too.
        let missing = self.tokens(self.size) - least;
        let counted = (missing + self.tokens(1) - 1) / self.tokens(1);
        let because = format!(
            "{} cannot have held less than {} at any instant from {} to {}; it takes less than one token to reject",
            self.described(),
            self.in_tokens(least, Round::Down),
            seconds(request.sent.0),
            seconds(request.done.0),
        );
        let (quota, of) = (self.quota, wrong.len() as u64);
        Some(Violation::WrongRejection {
            quota,
            request,
            counted: counted as u64,
            of,
            against,
            given: Vec::new(),
            because,
        })
    }

    /// The last instant not after `by` at which the bucket was certainly full: what was decided before has no
    /// influence.
    fn full_until(&self, history: &History<'_>, by: i64, context: &HistoryContext) -> i64 {
        let states = self.states(history, context);
        let full = self.tokens(self.size) + self.gain(self.slack);
        let filled = |pair: &[State]| {
            let gain = self.gain(self.slow(pair[1].at) - self.slow(pair[0].at));
            pair[0].level.is_none_or(|level| level + gain >= full)
        };
        let upto = states.partition_point(|state| state.at <= by);
        let last = states[..upto].windows(2).rposition(filled);
        last.map_or(i64::MIN, |rank| states[rank + 1].at)
    }
}

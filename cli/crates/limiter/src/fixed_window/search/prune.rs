//! Prunes the search: merges the states of a cell, and chooses which contradiction is reported.

use super::{Contradiction, Limits, Reason, Search, State};

impl Search<'_> {
    /// Keeps the contradiction that comes later, or merges both if one sentence fits them.
    pub(super) fn blame(&self, blamed: &mut Option<Contradiction>, end: Option<Contradiction>) {
        let Some(end) = end else { return };
        *blamed = Some(match blamed.take() {
            None => end,
            Some(other) => self.joined(&other, &end).unwrap_or_else(|| {
                let last = if other.at > end.at { other } else { end };
                Contradiction { has_rivals: true, ..last }
            }),
        });
    }

    /// Merges two contradictions with common evidence: windows that started between the earlier and the later
    /// start.
    fn joined(&self, one: &Contradiction, other: &Contradiction) -> Option<Contradiction> {
        let (lo, hi) = (one.lo.min(other.lo), one.hi.max(other.hi));
        if hi.saturating_sub(lo) >= self.lifetime.least {
            return None;
        }
        let (at, reason) = match (one.reason, other.reason) {
            (
                Reason::OverfullSpan { after, besides_first },
                Reason::OverfullSpan { after: other_after, besides_first: also_besides },
            ) if besides_first == also_besides => {
                // A later floor makes the admissions complete later; these are the same admissions.
                (one.at.max(other.at), Reason::OverfullSpan { after: after.max(other_after), besides_first })
            }
            (
                Reason::EarlyRejection { after, before },
                Reason::EarlyRejection { after: other_after, before: other_before },
            ) => {
                let (after, before) = (after.max(other_after), before.min(other_before));
                let (at, _) = self.history.rejected.first_done_after(after);
                (at, Reason::EarlyRejection { after, before })
            }
            _ => return None,
        };
        let complete_before = match reason {
            Reason::EarlyRejection { before, .. } => before,
            _ => lo.saturating_add(self.lifetime.least),
        };
        let has_rivals = one.has_rivals || other.has_rivals;
        (at < complete_before).then_some(Contradiction { at, lo, hi, reason, has_rivals })
    }
}

impl State {
    /// Why the next window would have to start before `earliest`.
    pub(super) fn contradiction(&self, limits: &Limits, earliest: i64) -> Contradiction {
        let (at, reason) = if limits.over_full_span < earliest {
            (limits.over_full_span, limits.over_full_span_reason)
        } else {
            (limits.window_full, limits.window_full_reason)
        };
        Contradiction { at, lo: self.lo, hi: self.hi, reason, has_rivals: false }
    }
}

/// Adds a state to its cell: states with the same past losses are merged into one that contains both.
pub(super) fn merge(states: &mut Vec<State>, state: State) {
    match states.iter_mut().find(|other| other.loss == state.loss) {
        Some(other) => *other = other.merged(state),
        None => states.push(state),
    }
}

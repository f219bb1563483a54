//! Constraints from rejections: a window cannot have started so early that a rejection finds it not yet full,
//! and there must be one.

use super::{Contradiction, Evidence, Reason, Search, State};

impl Search<'_> {
    /// A window that starts too early leaves a rejection unexplained: moves `lo` to where the latest such
    /// rejection was sent. Returns when the window can first be full, or why this window is impossible.
    pub(super) fn not_before(&self, state: &mut State) -> Result<i64, Option<Contradiction>> {
        let mut rejection = None;
        loop {
            state.lo = self.start_from(state.lo);
            state.hi = self.start_until(state.hi);
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
                    Contradiction {
                        at,
                        lo,
                        hi,
                        reason: Reason::EarlyRejection { after, before },
                        has_rivals: false,
                    }
                }));
            }
        }
    }

    /// No window can start in `[lo, hi]`, though all responses to requests sent after `after` need one.
    pub(super) fn no_live_window(&self, after: i64, lo: i64, hi: i64) -> Contradiction {
        let (at, _) = self.history.rejected.first_done_after(after);
        let reason = Reason::NoLiveWindow { after, before: self.start_from(lo) };
        Contradiction { at, lo, hi, reason, has_rivals: false }
    }
}

//! Constraints from admissions: when a window can first be full, and how late the next one can start.

use super::super::super::history::History;
use super::{Evidence, Limits, Reason, Search, State};

impl Search<'_> {
    /// When a window that started at `start` or later can first be full.
    pub(super) fn full_from(&self, start: i64) -> i64 {
        let (sent, done) = (&self.history.possible_sent, &self.history.possible_done);
        let before = sent.partition_point(|sent| *sent < start);
        let in_flight = before - done.partition_point(|done| *done < start);
        let more = self.quota.limit.saturating_sub(in_flight as u64);
        let full = match usize::try_from(more) {
            Ok(0) => start,
            Ok(more) => sent.get(before.saturating_add(more - 1)).copied().unwrap_or(i64::MAX),
            Err(_) => i64::MAX,
        };
        full.min(self.shared_from.max(start))
    }

    /// The bounds that this state, whose window can first be full at `full`, puts on the next one.
    pub(super) fn limits(&self, state: &State, full: i64) -> Limits {
        let History { admitted, rejected, .. } = self.history;
        let (mut admitted_after, mut rejected_after) = (state.admitted_after, state.rejected_after);
        if !state.prior {
            // The window started by `hi`: what was sent later is not decided before it.
            admitted_after = admitted_after.min(state.hi);
            rejected_after = rejected_after.min(state.hi);
        }
        let mut limits = Limits {
            over_full_span: i64::MAX,
            over_full_span_reason: Reason::OverfullSpan { after: admitted_after, besides_first: false },
            early: None,
            window_full: i64::MAX,
            window_full_reason: Reason::WindowFull { rejected: 0, admitted: 0 },
            over: self.answered().first_done_after(state.hi.saturating_add(self.lifetime.most)).0,
            rejected_after,
            full_by: i64::MAX,
        };
        if self.evidence != Evidence::Rejections {
            let rank = admitted.rank_after(admitted_after);
            limits.over_full_span = self.over_done[rank];
            limits.full_by = self.full_done[rank];
            if !state.prior {
                // The hit that started it was decided by `hi`, so it is none of those sent later.
                let rank = admitted.rank_after(state.hi);
                if self.full_done[rank] < limits.over_full_span {
                    limits.over_full_span = self.full_done[rank];
                    limits.over_full_span_reason =
                        Reason::OverfullSpan { after: state.hi, besides_first: true };
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
                limits.window_full = done;
                limits.window_full_reason = Reason::WindowFull { rejected, admitted };
                limits.full_by = limits.full_by.min(rejection);
            }
        }
        limits
    }
}

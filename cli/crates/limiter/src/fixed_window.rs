//! The fixed window from the first hit: the first hit decided while there is no window starts one; the first
//! L hits decided in it are admitted, the others rejected; rejections do not extend it.
//!
//! Let `l` be the shortest and `m` the longest that a window may last on the client's clock (`Lifetime`).
//!
//! **Spans.** Less than `k·l` touches at most k + 1 windows: more than (k + 1)·L certain admissions within it
//! are a proof in any environment. This is checked separately, because it needs only those requests.
//!
//! **Search.** All states that the window can have been in are carried forward over the history, and pruned
//! by every response; if none is left, no conforming limiter has this history: see `search`.
//!
//! **After a wrong rejection** the search restarts behind the evidence, from an arbitrary state, to count all
//! wrong rejections.
//!
//! **Other limits.** If a rejection may be another limit's, it says nothing about this window: the search
//! uses the admissions alone, and this limit cannot have given a rejection if too few admissions can lie in
//! the window before it.
//!
//! **Attribution.** Admissions and rejections may contradict each other only in combination. So when the
//! search fails, it is repeated with the admissions alone, and then with the rejections alone, as evidence;
//! what still fails is proven by its own kind.

mod search;

use self::search::{Contradiction, Evidence, Reason, Search};
use super::{
    Decision, HistoryContext, Judgement, Request, Violation,
    history::{History, Lifetime, over_admission, seconds},
    spans,
};
use saasbench_model::units::Quota;

/// Judges the history of one key, sorted by `sent`, in O(n log n).
pub fn judge(requests: &[Request], quota: Quota, context: &HistoryContext) -> Judgement {
    let history = History::new(requests, context);
    let lifetime = Lifetime::of(quota.window, context);
    let mut judgement = history.judgement(lifetime, lifetime.least <= 0, context);
    if lifetime.least > 0 && !requests.is_empty() {
        let mut search = Search::new(&history, quota, lifetime, context);
        if context.has_other_limits() {
            search.evidence = Evidence::Admissions;
            let over_admission = search.contradiction(i64::MIN).and_then(|end| search.over_admission(&end));
            judgement.violations.extend(over_admission.or_else(|| search.over_full()));
            let isolated = spans::isolated_rejections(&history, quota, lifetime, context);
            judgement.wrong_rejections = isolated.into_iter().map(|(request, _)| request.id).collect();
            return judgement;
        }
        let (over_admission, wrong_rejection) = search.violations();
        judgement.violations.extend(over_admission.or_else(|| search.over_full()));
        let isolated = || spans::isolated_rejection(&history, quota, lifetime, context);
        judgement.violations.extend(wrong_rejection.or_else(isolated));
    }
    judgement
}

impl Search<'_> {
    /// The violation that spans alone prove.
    fn over_full(&self) -> Option<Violation> {
        let allowed = |windows: u64| self.quota.limit.saturating_mul(windows.saturating_add(1));
        let span = spans::over_full_span(&self.history.admitted, self.lifetime.least, &self.losses, allowed)?;
        let allowed = allowed(span.windows);
        let requests =
            self.history.admitted.within(self.history.requests, span.after, span.by, allowed as usize + 1);
        let because = format!(
            "{} were admitted within {}; a span shorter than {} touches at most {} windows, and {} are promised in each",
            allowed + 1,
            seconds(span.by - span.after - 1),
            spans::windows(span.windows, self.lifetime.least),
            span.windows + 1,
            self.quota.limit,
        );
        Some(over_admission(self.quota, allowed, requests, because))
    }

    /// By search: the first violation of each kind that is proven without the other kind; otherwise the first
    /// of all.
    fn violations(&mut self) -> (Option<Violation>, Option<Violation>) {
        self.evidence = Evidence::All;
        let Some(first) = self.contradiction(i64::MIN) else { return (None, None) };
        self.evidence = Evidence::Admissions;
        let over_admission = self.contradiction(i64::MIN).and_then(|end| self.over_admission(&end));
        self.evidence = Evidence::Rejections;
        let wrong_rejection = self.wrong_rejections();
        if over_admission.is_some() || wrong_rejection.is_some() {
            return (over_admission, wrong_rejection);
        }
        self.evidence = Evidence::All;
        match first.reason {
            Reason::OverfullSpan { .. } | Reason::WindowFull { .. } => (self.over_admission(&first), None),
            Reason::EarlyRejection { .. } | Reason::NoLiveWindow { .. } => (None, self.wrong_rejections()),
        }
    }

    /// All rejections that are proven wrong.
    fn wrong_rejections(&self) -> Option<Violation> {
        let rejected = &self.history.rejected;
        let mut first = None;
        let mut count = 0;
        let mut behind = i64::MIN;
        while let Some(end) = self.contradiction(behind).filter(|end| end.at > behind) {
            behind = end.at;
            if let Reason::EarlyRejection { after, before, .. } | Reason::NoLiveWindow { after, before, .. } =
                end.reason
            {
                let ranks = rejected.rank_after(after)..rejected.rank_after(before);
                for done in ranks.map(|rank| rejected.done()[rank]).filter(|done| *done < before) {
                    count += 1;
                    behind = behind.max(done);
                }
                first.get_or_insert(end);
            }
        }
        first.and_then(|end| self.wrong_rejection(&end, count))
    }

    fn over_admission(&self, end: &Contradiction) -> Option<Violation> {
        let History { requests, admitted, rejected, .. } = self.history;
        let window = self.window(end);
        let limit = self.quota.limit;
        match end.reason {
            Reason::WindowFull { rejected: rank, admitted: late } => {
                let (rejection, late) = (requests[rejected.index(rank)], requests[admitted.index(late)]);
                let because = format!(
                    "{window}; it was full by {}, when request {} had been rejected, yet request {} was admitted in it",
                    seconds(rejection.done.0),
                    rejection.id,
                    late.id,
                );
                Some(over_admission(self.quota, 0, vec![late], because))
            }
            Reason::OverfullSpan { after, besides_first } => {
                let more = if besides_first { limit } else { limit + 1 };
                let mut admissions = admitted.within(requests, after, end.at, more as usize);
                let first =
                    self.first(end).filter(|first| besides_first && first.decision == Decision::Admitted);
                admissions.splice(0..0, first);
                let count = admissions.len() as u64;
                let because = if count > limit {
                    format!("{window}; {count} were admitted in it, {limit} are promised")
                } else {
                    format!(
                        "{window}; besides the one that began it {count} were admitted in it, {limit} are promised"
                    )
                };
                Some(over_admission(self.quota, count - 1, admissions, because))
            }
            Reason::EarlyRejection { .. } | Reason::NoLiveWindow { .. } => None,
        }
    }

    fn wrong_rejection(&self, end: &Contradiction, of: u64) -> Option<Violation> {
        let History { requests, rejected, .. } = self.history;
        let (Reason::EarlyRejection { after, .. } | Reason::NoLiveWindow { after, .. }) = end.reason else {
            return None;
        };
        // Any of them is a proof; the first is the easiest to check.
        let (at, rank) = rejected.first_done_after(after);
        let request = requests[rejected.index(rank)];
        let (counted, against, because) = if let Reason::NoLiveWindow { .. } = end.reason {
            let because = format!(
                "any earlier window was over when the request was sent, at {}, and from {} until it had been rejected, at \
                 {}, nothing was decided that may have started another",
                seconds(request.sent.0),
                seconds(end.lo),
                seconds(at),
            );
            (0, Vec::new(), because)
        } else {
            let counted = self.history.possible_in(end.lo, at);
            let because = format!(
                "{}; from its beginning until the request had been rejected, at {}, at most {counted} can have been \
                 admitted, {} are promised",
                self.window(end),
                seconds(at),
                self.quota.limit,
            );
            (counted, self.history.possible_within(end.lo, at), because)
        };
        Some(Violation::WrongRejection {
            quota: self.quota,
            request,
            counted,
            of,
            against,
            given: Vec::new(),
            because,
        })
    }

    /// The request that started the window, if it can only have been one.
    fn first(&self, end: &Contradiction) -> Option<Request> {
        let possible = |request: &&Request| {
            self.context.may_consume(request.decision) && request.done.0 >= end.lo && request.sent.0 <= end.hi
        };
        let mut possible = self.history.requests.iter().filter(possible);
        possible.next().copied().filter(|_| possible.next().is_none() && end.hi < self.shared_from)
    }

    /// "A window that began … lasts to … at least".
    fn window(&self, end: &Contradiction) -> String {
        let until = seconds(end.lo.saturating_add(self.lifetime.least));
        let (lo, hi) = (seconds(end.lo), seconds(end.hi));
        let began = match self.first(end) {
            Some(request) => format!("with request {} ({lo})", request.id),
            None if lo == hi => format!("at {lo}"),
            None => format!("between {lo} and {hi}"),
        };
        let furthest = if end.has_rivals { "reaching furthest of several explanations, " } else { "" };
        format!("{furthest}a window that began {began} lasts to {until} at least")
    }
}

//! The responses of one key, indexed for the rules: after sorting once, each query is a binary search.

use super::{Decision, HistoryContext, Judgement, Request, Unjudged, Violation};
use saasbench_model::units::Nanos;

/// How long a window of length W may last on the client's clock: `W ± (offset + drift·W + one tick)`.
///
/// The limiter's clock measures W; on the client's clock that span differs by at most `offset + drift·W′`,
/// where W′ is its length there, so by at most `offset + W·δ/(1−δ)`. Both ends are read in ticks, rounded
/// down: their difference is off by less than one tick, and counting an edge as inside or outside shifts it
/// by no more than up to the tick.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lifetime {
    /// W minus the tolerance; if it is not positive, nothing can be proven.
    pub(super) least: i64,
    /// W plus the tolerance.
    pub(super) most: i64,
}

impl Lifetime {
    /// The lifetime of a window in this context.
    pub(super) fn of(window: Nanos, context: &HistoryContext) -> Self {
        let drift = context.tolerance.drift.clamp(0.0, 0.5);
        let slack = (window.0 as f64 * (drift / (1.0 - drift))).ceil() as i64;
        let slack = slack
            .saturating_add(context.tolerance.offset.0.max(0))
            .saturating_add(context.resolution.0.max(0));
        Self { least: window.0.saturating_sub(slack), most: window.0.saturating_add(slack) }
    }
}

/// The spans in which the store may have lost its state, sorted and disjoint.
pub(super) fn losses(context: &HistoryContext) -> Vec<(i64, i64)> {
    let mut spans: Vec<_> =
        context.memory_losses.iter().map(|(from, to)| (from.0, to.0.max(from.0))).collect();
    spans.sort_unstable();
    let mut disjoint: Vec<(i64, i64)> = Vec::with_capacity(spans.len());
    for (from, to) in spans {
        match disjoint.last_mut() {
            Some((_, end)) if from <= *end => *end = to.max(*end),
            _ => disjoint.push((from, to)),
        }
    }
    disjoint
}

/// Some of the requests, sorted by `sent`.
#[derive(Debug, Default)]
pub(super) struct Group {
    index: Vec<u32>,
    sent: Vec<i64>,
    /// For each rank: the least `done` of this and all later ones, and its rank.
    least_done: Vec<(i64, u32)>,
    done: Vec<i64>,
}

impl Group {
    fn of(requests: &[Request], belongs: impl Fn(Decision) -> bool) -> Self {
        let mut group = Self::default();
        for (index, request) in requests.iter().enumerate().filter(|(_, request)| belongs(request.decision)) {
            group.index.push(index as u32);
            group.sent.push(request.sent.0);
            group.done.push(request.done.max(request.sent).0);
        }
        let mut least = (i64::MAX, 0);
        group.least_done = vec![least; group.done.len()];
        for rank in (0..group.done.len()).rev() {
            least = least.min((group.done[rank], rank as u32));
            group.least_done[rank] = least;
        }
        group
    }

    pub(super) fn len(&self) -> usize {
        self.sent.len()
    }

    /// All `sent`, sorted.
    pub(super) fn sent(&self) -> &[i64] {
        &self.sent
    }

    /// `done` by rank.
    pub(super) fn done(&self) -> &[i64] {
        &self.done
    }

    /// Index in the history of the request with this rank.
    pub(super) fn index(&self, rank: usize) -> usize {
        self.index[rank] as usize
    }

    /// Rank of the first that was sent after `instant`.
    pub(super) fn rank_after(&self, instant: i64) -> usize {
        self.sent.partition_point(|sent| *sent <= instant)
    }

    /// The least `done` of those sent after `instant`, and its rank; `i64::MAX` if there are none.
    pub(super) fn first_done_after(&self, instant: i64) -> (i64, usize) {
        self.least_done
            .get(self.rank_after(instant))
            .map_or((i64::MAX, 0), |(done, rank)| (*done, *rank as usize))
    }

    /// For each rank: the `nth` least `done` of this and all later ones (`i64::MAX` if there are fewer). One
    /// rank more than there are requests.
    pub(super) fn nth_done(&self, nth: u64) -> Vec<i64> {
        let nth = usize::try_from(nth).unwrap_or(usize::MAX);
        let mut answer = vec![i64::MAX; self.len() + 1];
        if nth == 0 || nth > self.len() {
            return answer;
        }
        let mut least = std::collections::BinaryHeap::with_capacity(nth + 1);
        for rank in (0..self.len()).rev() {
            least.push(self.done[rank]);
            if least.len() > nth {
                least.pop();
            }
            if least.len() == nth {
                answer[rank] = least.peek().copied().unwrap_or(i64::MAX);
            }
        }
        answer
    }

    /// The requests sent after `after` and done by `by`, at most `most` of them, those done first; sorted by
    /// `sent`.
    pub(super) fn within(&self, requests: &[Request], after: i64, by: i64, most: usize) -> Vec<Request> {
        let ranks = (self.rank_after(after)..self.rank_after(by)).filter(|rank| self.done[*rank] <= by);
        let mut found: Vec<Request> = ranks.map(|rank| requests[self.index(rank)]).collect();
        found.sort_by_key(|request| (request.done, request.id));
        found.truncate(most);
        found.sort_by_key(|request| (request.sent, request.id));
        found
    }
}

/// One history, indexed.
#[derive(Debug)]
pub(super) struct History<'a> {
    /// The history, sorted by `sent`.
    pub(super) requests: &'a [Request],
    /// Certain admissions.
    pub(super) admitted: Group,
    /// Certain rejections.
    pub(super) rejected: Group,
    /// Certain admissions and rejections.
    pub(super) answered: Group,
    /// `sent` of all that may have been admitted, sorted.
    pub(super) possible_sent: Vec<i64>,
    /// `done` of all that may have been admitted, sorted: ranks do not match those of `possible_sent`.
    pub(super) possible_done: Vec<i64>,
}

impl<'a> History<'a> {
    /// Indexes the requests of one key, which must be sorted by `sent`.
    pub(super) fn new(requests: &'a [Request], context: &HistoryContext) -> Self {
        debug_assert!(requests.is_sorted_by_key(|request| request.sent), "sort a history by `sent`");
        let possible = || requests.iter().filter(|request| context.may_consume(request.decision));
        let mut possible_done: Vec<i64> =
            possible().map(|request| request.done.max(request.sent).0).collect();
        possible_done.sort();
        Self {
            requests,
            admitted: Group::of(requests, |decision| decision == Decision::Admitted),
            rejected: Group::of(requests, |decision| decision == Decision::Rejected),
            answered: Group::of(requests, |decision| decision != Decision::Unknown),
            possible_sent: possible().map(|request| request.sent.0).collect(),
            possible_done,
        }
    }

    /// How many may have been admitted at an instant of `[from, to]`.
    pub(super) fn possible_in(&self, from: i64, to: i64) -> u64 {
        let started = self.possible_sent.partition_point(|sent| *sent <= to);
        let over = self.possible_done.partition_point(|done| *done < from);
        started.saturating_sub(over) as u64
    }

    /// Those of [`Self::possible_in`], sorted by `sent`.
    pub(super) fn possible_within(&self, from: i64, to: i64) -> Vec<Request> {
        let started = self.requests.partition_point(|request| request.sent.0 <= to);
        let counts = |request: &&Request| {
            request.decision != Decision::Rejected && request.done.max(request.sent).0 >= from
        };
        self.requests[..started].iter().filter(counts).copied().collect()
    }

    /// The counts, and the rejections that cannot be judged: none can if the windows are `ambiguous`. Without
    /// violations.
    pub(super) fn judgement(
        &self,
        lifetime: Lifetime,
        ambiguous: bool,
        context: &HistoryContext,
    ) -> Judgement {
        let settled = context.since.0.saturating_add(lifetime.most);
        let reason = |sent: i64, done: i64| match () {
            () if !context.exclusive => Some(Unjudged::NotExclusive),
            () if ambiguous => Some(Unjudged::Tolerance),
            () if done >= context.complete_until.0 => Some(Unjudged::CutOff),
            () if !context.fresh && sent <= settled => Some(Unjudged::UnknownStart),
            () => None,
        };
        let mut counts: Vec<(u64, Unjudged)> = Vec::new();
        let mut unjudged = Vec::new();
        for rank in 0..self.rejected.len() {
            let Some(why) = reason(self.rejected.sent[rank], self.rejected.done[rank]) else { continue };
            match counts.iter_mut().find(|(_, known)| *known == why) {
                Some((count, _)) => *count += 1,
                None => counts.push((1, why)),
            }
            if context.has_other_limits() {
                unjudged.push(self.requests[self.rejected.index(rank)].id);
            }
        }
        Judgement {
            admitted: self.admitted.len() as u64,
            rejected: self.rejected.len() as u64,
            unknown: (self.requests.len() - self.answered.len()) as u64,
            violations: Vec::new(),
            wrong_rejections: Vec::new(),
            unjudged_rejections: counts,
            unjudged,
        }
    }
}

/// A [`Violation::OverAdmission`] with these requests.
pub(super) fn over_admission(
    quota: saasbench_model::units::Quota,
    allowed: u64,
    requests: Vec<Request>,
    because: String,
) -> Violation {
    let from = requests.iter().map(|request| request.sent).min().unwrap_or_default();
    let to = requests.iter().map(|request| request.done).max().unwrap_or_default();
    Violation::OverAdmission { quota, from, to, allowed, requests, given: Vec::new(), because }
}

/// Formats an instant or a length: `10.004 s`.
pub(super) fn seconds(instant: i64) -> String {
    format!("{:.3} s", instant as f64 / 1e9)
}

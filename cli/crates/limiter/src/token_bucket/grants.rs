//! Over-admission: more was admitted in a span than can have been in the bucket and been refilled.
//!
//! **Rule.** All certain admissions sent at or after `s` and done by `r` were decided within `r − s` of ours,
//! for which there were at most B tokens, and `ρ·((r − s)·(1 + δ) + σ)` were refilled. After a rejection by
//! this limit with the interval `[s, r₀]`, there was less than one token at an instant not before `s`: for
//! what was sent after `r₀` there was less than `1 + ρ·(…)` from `s` on. Other clients only take, so both
//! hold in any environment. A store that lost its state has a full bucket: no span is judged across a loss.
//! (Both are bounds on counts: what only the order of overlapping intervals forbids is missed.)
//!
//! **Sweep.** Admissions enter in the order of `done`. For each position in the order of `sent` where a span
//! may start, a tree holds what was taken since, minus what was there, minus what had been refilled before by
//! the fastest clock. If the maximum exceeds what has been refilled by now, that span is a proof; as
//! admissions enter one by one, it has exactly one too many.

use super::{
    super::{
        HistoryContext, Violation,
        history::{History, losses, over_admission, seconds},
    },
    Bucket, Round,
};

/// A span with too many admissions.
struct Excess {
    /// Rank of the first admission in it.
    first: usize,
    /// Rank of the rejection that it starts with, if any.
    rejection: Option<usize>,
    /// When the last admission was done.
    by: i64,
}

/// Where a span may start, before the admission of the same rank: the better of that admission's own `sent`
/// and the latest rejection that was done before it.
#[derive(Clone, Copy)]
struct Start {
    /// What had been refilled by the fastest clock, minus what was there.
    less: i128,
    rejection: Option<usize>,
}

impl Bucket {
    pub(super) fn over_admission(
        &self,
        history: &History<'_>,
        context: &HistoryContext,
    ) -> Option<Violation> {
        let lean = !context.has_other_limits();
        let mut begin = i64::MIN;
        let ends = losses(context).into_iter().chain([(i64::MAX, i64::MAX)]);
        let mut gaps = ends.map(|(from, to)| (std::mem::replace(&mut begin, to), from));
        let excess = gaps.find_map(|(after, before)| self.excess(history, after, before, lean))?;
        Some(self.violation(history, &excess))
    }

    /// The first excess in the order of `done`, of requests between two losses of the store's state.
    fn excess(&self, history: &History<'_>, after: i64, before: i64, lean: bool) -> Option<Excess> {
        let admitted = &history.admitted;
        let ranks = admitted.rank_after(after)..admitted.rank_after(before.saturating_sub(1));
        let mut by_done: Vec<usize> = ranks.clone().filter(|rank| admitted.done()[*rank] < before).collect();
        by_done.sort_unstable_by_key(|rank| admitted.done()[*rank]);
        let starts = self.starts(history, after, ranks.clone(), lean);
        let mut spans = Spans::new(starts.len());
        let mut started = 0;
        for rank in by_done {
            let by = admitted.done()[rank];
            while started < starts.len() && admitted.sent()[ranks.start + started] <= by {
                spans.begin(started, starts[started].less);
                started += 1;
            }
            spans.add(rank - ranks.start, self.tokens(1));
            let come = self.gain(self.fast(by)) + self.gain(self.slack);
            if spans.greatest() > come {
                let place = spans.last_above(come);
                return Some(Excess { first: ranks.start + place, rejection: starts[place].rejection, by });
            }
        }
        None
    }

    fn starts(
        &self,
        history: &History<'_>,
        after: i64,
        ranks: std::ops::Range<usize>,
        lean: bool,
    ) -> Vec<Start> {
        let History { admitted, rejected, .. } = history;
        let full = self.tokens(self.size);
        let own = |rank: usize| self.gain(self.fast(admitted.sent()[rank])) - full;
        let mut starts: Vec<Start> =
            ranks.clone().map(|rank| Start { less: own(rank), rejection: None }).collect();
        let rejections = if lean { rejected.rank_after(after)..rejected.len() } else { 0..0 };
        for rejection in rejections {
            let place = admitted.rank_after(rejected.done()[rejection]);
            if let Some(start) = place.checked_sub(ranks.start).and_then(|place| starts.get_mut(place)) {
                // There was less than a token: as an integer, at most one less than its value.
                let less = self.gain(self.fast(rejected.sent()[rejection])) - self.tokens(1) + 1;
                if less > start.less {
                    *start = Start { less, rejection: Some(rejection) };
                }
            }
        }
        starts
    }

    fn violation(&self, history: &History<'_>, excess: &Excess) -> Violation {
        let History { requests, admitted, rejected, .. } = history;
        let by = excess.by;
        let rejection = excess.rejection.map(|rank| requests[rejected.index(rank)]);
        let from = rejection.map_or(admitted.sent()[excess.first], |rejection| rejection.sent.0);
        let come = self.gain((self.fast(by) - self.fast(from)).saturating_add(self.slack));
        // The greatest integer level below one token is one less than its value.
        let (there, less) = if rejection.is_some() { (1, 1) } else { (self.size, 0) };
        let granted = self.tokens(there) + come;
        let allowed = ((granted - less) / self.tokens(1)) as u64;
        let before = admitted.sent()[excess.first].saturating_sub(1);
        let found = admitted.within(requests, before, by, allowed as usize + 1);
        let (count, granted) = (found.len(), self.in_tokens(granted, Round::Up));
        let because = match &rejection {
            None => format!(
                "{count} were admitted within {}; {} can have granted at most {granted}",
                seconds(by - from),
                self.described(),
            ),
            Some(rejection) => format!(
                "request {} was rejected, not before {}, so less than one token was there; of what was sent after it, {} can \
                 have granted less than {granted} by {}, yet {count} were admitted",
                rejection.id,
                seconds(from),
                self.described(),
                seconds(by),
            ),
        };
        let mut violation = over_admission(self.quota, allowed, found, because);
        if let Violation::OverAdmission { given, .. } = &mut violation {
            given.extend(rejection);
        }
        violation
    }
}

/// For each position where a span may start, a value; the maximum can be queried. A tree of sums and maxima.
struct Spans {
    /// For each node: what was added in it, and the greatest value in it, without what was added after it.
    nodes: Vec<(i128, i128)>,
    leaves: usize,
}

/// Very low, with room for subtraction.
const NONE: i128 = i128::MIN / 4;

impl Spans {
    fn new(places: usize) -> Self {
        let leaves = places.next_power_of_two();
        Self { nodes: vec![(0, NONE); 2 * leaves], leaves }
    }

    /// A span starts at this position, with this value plus what is added from there on.
    fn begin(&mut self, place: usize, value: i128) {
        let node = self.leaves + place;
        self.nodes[node].1 = self.nodes[node].0 + value;
        self.update(node);
    }

    /// Adds to the spans that start at this position or before.
    fn add(&mut self, place: usize, value: i128) {
        let node = self.leaves + place;
        self.nodes[node].0 += value;
        self.nodes[node].1 += value;
        self.update(node);
    }

    fn update(&mut self, mut node: usize) {
        while node > 1 {
            node /= 2;
            let ((left, highest_left), (right, highest_right)) =
                (self.nodes[2 * node], self.nodes[2 * node + 1]);
            self.nodes[node] = (left + right, highest_right.max(highest_left + right));
        }
    }

    fn greatest(&self) -> i128 {
        self.nodes[1].1
    }

    /// The last position with a value above this one, which must exist.
    fn last_above(&self, value: i128) -> usize {
        let (mut node, mut behind) = (1, 0);
        while node < self.leaves {
            let (added, highest) = self.nodes[2 * node + 1];
            node = 2 * node + 1;
            if highest + behind <= value {
                node -= 1;
                behind += added;
            }
        }
        node - self.leaves
    }
}

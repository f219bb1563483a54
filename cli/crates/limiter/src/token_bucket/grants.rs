//! Over-admission: more was granted in a span than can have been in the bucket and have come into it.
//!
//! **Rule.** Of the certain admissions sent at or after `s` and done by `r` all were decided within `r − s`
//! of ours, for which B tokens were there at most, and `ρ·((r − s)·(1 + δ) + σ)` came. After a rejection with
//! the interval `[s, r₀]` that was this limit's less than one token was there at an instant not before `s`:
//! what was sent after `r₀` has less than `1 + ρ·(…)` from `s` on. Others only take, so both hold in any
//! environment. A store that lost its memory has a full bucket: no span is judged across a loss. (Both are
//! bounds on counts: what only the order of overlapping intervals forbids is missed.)
//!
//! **Sweep.** In the order of `done` admissions enter. For each place in the order of `sent` where a span may
//! begin the tree holds what was taken since, less what was there, and less what had come before by the
//! fastest clock. If the greatest of them all exceeds what has come by now, that span is a proof; each enters
//! alone, so it has exactly one too many.

use super::{
    super::{
        HistoryContext, Violation,
        history::{History, losses, over_admission, seconds},
    },
    Bucket, Round,
};

/// A span with too many admissions.
struct Excess {
    /// Rank of the first admission that counts.
    first: usize,
    /// Rank of the rejection that it begins with, if it does.
    rejection: Option<usize>,
    /// The last admission was done.
    by: i64,
}

/// Where a span may begin, before the admission of the same rank: the better of that admission's own `sent`
/// and the latest rejection that was done before it.
#[derive(Clone, Copy)]
struct Start {
    /// What had come by the fastest clock, less what was there.
    less: i128,
    rejection: Option<usize>,
}

impl Bucket {
    pub(super) fn over_admission(
        &self,
        history: &History<'_>,
        context: &HistoryContext,
    ) -> Option<Violation> {
        let lean = !context.other_limits;
        let mut begin = i64::MIN;
        let ends = losses(context).into_iter().chain([(i64::MAX, i64::MAX)]);
        let mut gaps = ends.map(|(from, to)| (std::mem::replace(&mut begin, to), from));
        let excess = gaps.find_map(|(after, before)| self.excess(history, after, before, lean))?;
        Some(self.violation(history, &excess))
    }

    /// The first in the order of `done`, of requests that lie between two losses of memory.
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
                // Less than a token was there: as whole numbers go, one less at most.
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
        // Of a level that is less than one token the greatest whole number is one less.
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

/// For each place where a span may begin: a value, of which the greatest is asked for. A tree of sums and
/// maxima.
struct Spans {
    /// Of each node: what was added in it, and the greatest value in it, less what was added behind it.
    nodes: Vec<(i128, i128)>,
    leaves: usize,
}

/// Low, and with room below.
const NONE: i128 = i128::MIN / 4;

impl Spans {
    fn new(places: usize) -> Self {
        let leaves = places.next_power_of_two();
        Self { nodes: vec![(0, NONE); 2 * leaves], leaves }
    }

    /// A span begins at this place, with this value besides what is added from there on.
    fn begin(&mut self, place: usize, value: i128) {
        let node = self.leaves + place;
        self.nodes[node].1 = self.nodes[node].0 + value;
        self.update(node);
    }

    /// Adds to the spans that begin at this place or before.
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

    /// The last place with a value above this one; there is one.
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

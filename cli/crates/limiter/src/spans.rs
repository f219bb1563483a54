//! Rules that need no state, only counts in spans: too many certain admissions in too short a span, and too
//! few possible ones before a rejection.

use super::{
    Decision, HistoryContext, Request, Violation,
    history::{Group, History, Lifetime, seconds},
};
use saasbench_model::units::Quota;

/// Spans of up to this many windows are tried: longer ones reveal smaller excesses, but each length costs a
/// pass.
const MOST_WINDOWS: u64 = 32;

/// Too many certain admissions within one span.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OverfullSpan {
    /// Length of the span, in windows.
    pub(super) windows: u64,
    /// All were sent after this instant …
    pub(super) after: i64,
    /// … and done by this one.
    pub(super) by: i64,
}

/// The first over-full span: more than `allowed(k)` admissions in a span shorter than `k · least`, for the
/// smallest such k. None of them overlaps a span in which the store may have lost its state.
///
/// Counting the intervals inside a sliding span takes two pointers: one over `sent` for those that leave, one
/// over `done` for those that enter. An interval that has left before it would enter never counts.
pub(super) fn over_full_span(
    admitted: &Group,
    least: i64,
    losses: &[(i64, i64)],
    allowed: impl Fn(u64) -> u64,
) -> Option<OverfullSpan> {
    let mut by_done: Vec<usize> = (0..admitted.len()).collect();
    by_done.sort_by_key(|rank| admitted.done()[*rank]);
    (1..=MOST_WINDOWS).take_while(|windows| allowed(*windows) < admitted.len() as u64).find_map(|windows| {
        over_full_span_of(admitted, &by_done, windows, least.saturating_mul(windows as i64), losses, &allowed)
    })
}

fn over_full_span_of(
    admitted: &Group,
    by_done: &[usize],
    windows: u64,
    width: i64,
    losses: &[(i64, i64)],
    allowed: &impl Fn(u64) -> u64,
) -> Option<OverfullSpan> {
    let (sent, done) = (admitted.sent(), admitted.done());
    let allowed = allowed(windows);
    let (mut entered, mut inside) = (0, 0u64);
    let mut counts = vec![false; sent.len()];
    let mut loss = 0;
    for first in 0..sent.len() {
        if first > 0 && counts[first - 1] {
            inside -= 1;
        }
        while losses.get(loss).is_some_and(|(_, to)| *to < sent[first]) {
            loss += 1;
        }
        let end = sent[first].saturating_add(width);
        let end = losses.get(loss).map_or(end, |(from, _)| end.min(*from));
        // The end never moves back: at a loss it waits until the first interval of the span has passed it.
        while let Some(rank) = by_done.get(entered).copied().filter(|rank| done[*rank] < end) {
            entered += 1;
            if rank >= first {
                counts[rank] = true;
                inside += 1;
            }
        }
        if inside > allowed {
            let by = by_done[..entered].iter().filter(|rank| **rank >= first).nth(allowed as usize);
            return by.map(|rank| OverfullSpan { windows, after: sent[first] - 1, by: done[*rank] });
        }
    }
    None
}

/// Formats a number of windows: `10 s`, or `3 windows of 9.999 s`.
pub(super) fn windows(count: u64, least: i64) -> String {
    match count {
        1 => seconds(least),
        _ => format!("{count} windows of {}", seconds(least)),
    }
}

/// Rejections that too few admissions can precede: at no instant of `[s, r]` can the window before hold L.
///
/// With any algorithm that counts admissions for one window, a rejection at `d` needs L admissions decided in
/// `[d − most, d]`. A request with the interval `[s, r]` can be one of them only if `s ≤ d ≤ r + most`; the
/// number of such spans over `d` increases only where one starts, so only the rejection's `sent` and the
/// `sent`s within its interval are tried. That the store may have lost its state does not explain it (a
/// conforming limiter without state rejects less). Unrecorded requests may explain it: those before `since`
/// if the store was not fresh, those decided after `complete_until`, any if the environment is shared.
///
/// Where rejected requests may have consumed, too, the rejection's own span covers each instant that is
/// tried, and it did not consume if this limit rejected it: one less.
///
/// Returns each such rejection with the most admissions that it can have counted: fewer than L.
pub(super) fn isolated_rejections(
    history: &History<'_>,
    quota: Quota,
    lifetime: Lifetime,
    context: &HistoryContext,
) -> Vec<(Request, u64)> {
    let mut isolated = Vec::new();
    if !context.exclusive || lifetime.least <= 0 {
        return isolated;
    }
    let sent = &history.possible_sent;
    let own = u64::from(context.is_chained());
    // How many spans cover the instant at which the one with this rank starts.
    let over = |rank: usize| {
        let started = sent.partition_point(|other| *other <= sent[rank]);
        started
            - history.possible_done.partition_point(|done| *done < sent[rank].saturating_sub(lifetime.most))
    };
    let mut peaks = None;
    for request in history.requests.iter().filter(|request| request.decision == Decision::Rejected) {
        let (s, r) = (request.sent.0, request.done.max(request.sent).0);
        if r >= context.complete_until.0
            || !context.fresh && s <= context.since.0.saturating_add(lifetime.most)
        {
            continue;
        }
        let touching = history.possible_in(s.saturating_sub(lifetime.most), r).saturating_sub(own);
        let mut counted = history.possible_in(s.saturating_sub(lifetime.most), s).saturating_sub(own);
        if counted < quota.limit && quota.limit <= touching {
            let peaks = peaks.get_or_insert_with(|| Peaks::of((0..sent.len()).map(&over).collect()));
            let inside = sent.partition_point(|other| *other <= s)..sent.partition_point(|other| *other <= r);
            counted = counted.max((peaks.highest(inside).unwrap_or(0) as u64).saturating_sub(own));
        }
        if counted < quota.limit {
            isolated.push((*request, counted));
        }
    }
    isolated
}

/// The first of [`isolated_rejections`], as a violation.
pub(super) fn isolated_rejection(
    history: &History<'_>,
    quota: Quota,
    lifetime: Lifetime,
    context: &HistoryContext,
) -> Option<Violation> {
    let isolated = isolated_rejections(history, quota, lifetime, context);
    let (request, counted) = *isolated.first()?;
    let of = isolated.len() as u64;
    let against = history.possible_within(request.sent.0.saturating_sub(lifetime.most), request.done.0);
    let because = format!(
        "at no instant from {} to {} can the {} before have held more than {counted} admissions; it takes {} to reject",
        seconds(request.sent.0),
        seconds(request.done.0),
        seconds(lifetime.most),
        quota.limit,
    );
    Some(Violation::WrongRejection { quota, request, counted, of, against, given: Vec::new(), because })
}

/// The highest value in a range: a tree of maxima with the leaves in its second half.
pub(super) struct Peaks<T>(Vec<T>);

impl<T: Copy + Ord> Peaks<T> {
    pub(super) fn of(leaves: Vec<T>) -> Self {
        // The first half is a placeholder.
        let mut tree = leaves.clone();
        tree.extend(leaves);
        for node in (1..tree.len() / 2).rev() {
            tree[node] = tree[2 * node].max(tree[2 * node + 1]);
        }
        Self(tree)
    }

    /// `None` for an empty range.
    pub(super) fn highest(&self, ranks: std::ops::Range<usize>) -> Option<T> {
        let (mut from, mut to) = (ranks.start + self.0.len() / 2, ranks.end + self.0.len() / 2);
        let mut highest = None;
        while from < to {
            if from % 2 == 1 {
                highest = highest.max(Some(self.0[from]));
                from += 1;
            }
            if to % 2 == 1 {
                to -= 1;
                highest = highest.max(Some(self.0[to]));
            }
            (from, to) = (from / 2, to / 2);
        }
        highest
    }
}

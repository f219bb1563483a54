//! Reduces a contradiction to evidence that a person can check: as few requests as possible, and a sentence
//! with the numbers.

use super::{
    super::{
        Decision, HistoryContext, Request, Violation,
        history::{over_admission, seconds},
    },
    Case, UnexplainedRejection, Weight,
    search::{Contradiction, Evidence, Search},
};
use saasbench_model::units::Nanos;

/// Requests that are judged, at most, to find out which of them a proof needs.
const EFFORT: usize = 2_000_000;

impl Case<'_> {
    /// A minimal set of admissions done by `at` that no conforming limiter could have granted: with any one
    /// less, it could.
    pub(super) fn over_admission(&self, at: i64) -> Option<Violation> {
        let is_done = |request: &&Request| {
            request.decision == Decision::Admitted && request.done.max(request.sent).0 <= at
        };
        let mut admissions: Vec<Request> = self.requests.iter().filter(is_done).copied().collect();
        admissions.sort_by_key(|request| (request.done, request.id));
        let mut effort = EFFORT;
        // Those done last, doubling their number each time.
        let mut size =
            usize::try_from(self.quota.limit).unwrap_or(usize::MAX).saturating_add(1).min(admissions.len());
        let mut end = loop {
            let found = self.by_these(&admissions[admissions.len() - size..], &mut effort);
            match found {
                Some(end) => break end,
                None if size == admissions.len() => return None,
                None => size = size.saturating_mul(2).min(admissions.len()),
            }
        };
        admissions.drain(..admissions.len() - size);
        let mut chunk = admissions.len() / 2;
        while chunk > 0 {
            let mut from = 0;
            while from < admissions.len() && effort > 0 {
                let mut fewer = admissions.clone();
                fewer.drain(from..(from + chunk).min(admissions.len()));
                match self.by_these(&fewer, &mut effort) {
                    Some(still) => (admissions, end) = (fewer, still),
                    None => from += chunk,
                }
            }
            chunk /= 2;
        }
        admissions.sort_by_key(|request| (request.sent, request.id));
        let allowed = admissions.len() as u64 - 1;
        Some(over_admission(self.quota, allowed, admissions, self.too_many(&end)))
    }

    /// Whether these admissions are a proof, whatever happened to all other requests.
    fn by_these(&self, admissions: &[Request], effort: &mut usize) -> Option<Contradiction> {
        let from = admissions.iter().map(|request| request.sent).min()?;
        let mut requests = admissions.to_vec();
        if !self.windows.first_hit {
            *effort = effort.saturating_sub(requests.len());
            requests.sort_by_key(|request| (request.sent, request.id));
            return Search::new(&requests, self.windows, self.context, Evidence::Admissions).run().end;
        }
        // Hits of others start windows and keep them going, so they must be included; earlier ones make the
        // start unknown.
        let since = Nanos(from.0.saturating_sub(self.windows.length.saturating_mul(3)));
        let context = HistoryContext {
            fresh: self.context.fresh && since < self.context.since,
            since: since.max(self.context.since),
            ..self.context.clone()
        };
        let to = admissions.iter().map(|request| request.done).max()?;
        let mut their_ids: Vec<u64> = admissions.iter().map(|request| request.id).collect();
        their_ids.sort_unstable();
        let others = self.requests[..self.requests.partition_point(|request| request.sent <= to)].iter();
        let others =
            others.filter(|other| other.done >= since && their_ids.binary_search(&other.id).is_err());
        requests.extend(others.map(|other| Request { decision: Decision::Unknown, ..*other }));
        *effort = effort.saturating_sub(requests.len().max(self.requests.len() / 8));
        requests.sort_by_key(|request| (request.sent, request.id));
        Search::new(&requests, self.windows, &context, Evidence::Admissions).run().end
    }

    /// The violation of the first rejection that is proven wrong by itself.
    pub(super) fn wrong_rejection(&self, wrong: &[UnexplainedRejection]) -> Option<Violation> {
        let first = wrong.first()?;
        let because = format!(
            "at no instant of it can more than {} have been counted: {}",
            first.counted,
            self.counted(&first.end)
        );
        Some(self.rejection(self.requests[first.index], first.counted, wrong.len() as u64, because))
    }

    /// The violation that needs both kinds of evidence.
    pub(super) fn jointly(&self, end: &Contradiction) -> Option<Violation> {
        let of = |decision: Decision, done: &dyn Fn(i64) -> bool| {
            let fits =
                |request: &&Request| request.decision == decision && done(request.done.max(request.sent).0);
            self.requests.iter().rfind(fits).copied()
        };
        if end.is_admission {
            let late = of(Decision::Admitted, &|done| done == end.at)?;
            let because = format!(
                "if what was rejected before was rejected rightly, nothing more could be admitted by {} in {}",
                seconds(end.at),
                self.window(end)
            );
            return Some(over_admission(self.quota, 0, vec![late], because));
        }
        let request = of(Decision::Rejected, &|done| done == end.at)?;
        let counted = end.count.min(self.windows.limit.saturating_sub(1));
        let because =
            format!("what was admitted and rejected before leaves room for it: {}", self.counted(end));
        Some(self.rejection(request, counted, 1, because))
    }

    fn rejection(&self, request: Request, counted: u64, of: u64, because: String) -> Violation {
        let windows = if self.windows.weight == Weight::Nothing { 1 } else { 2 };
        let slack = self.windows.late + self.windows.early + self.windows.clock_skew * windows;
        let from =
            request.sent.0.saturating_sub(self.windows.length.saturating_mul(windows)).saturating_sub(slack);
        let counts = |other: &&Request| {
            other.decision != Decision::Rejected
                && other.sent <= request.done
                && other.done.max(other.sent).0 >= from
        };
        let against = self.requests.iter().filter(counts).copied().collect();
        Violation::WrongRejection {
            quota: self.quota,
            request,
            counted,
            of,
            against,
            given: Vec::new(),
            because,
        }
    }

    /// "In the window from … to … at least … were admitted by …".
    fn too_many(&self, end: &Contradiction) -> String {
        let limit = self.quota.limit;
        let more = format!("{} at least were admitted by {}", end.count, seconds(end.at));
        match self.weight(end, true) {
            Some(weight) => format!("in {} {more}, when {weight}; {limit} are promised", self.window(end)),
            None => format!("in {} {more}; {limit} are promised", self.window(end)),
        }
    }

    /// "In the window from … to … at most … can have been admitted by …".
    fn counted(&self, end: &Contradiction) -> String {
        let most = format!("at most {} can have been admitted by {}", end.count, seconds(end.at));
        let limit = self.quota.limit;
        match self.weight(end, false) {
            Some(weight) => {
                format!("in {} {most}, when {weight}; it takes {limit} to reject", self.window(end))
            }
            None => format!("in {} {most}; it takes {limit} to reject", self.window(end)),
        }
    }

    /// "The 6 of the window before weighed 6 · 0.425 = 2.550".
    fn weight(&self, end: &Contradiction, is_least: bool) -> Option<String> {
        let start = end.start.filter(|_| end.previous > 0)?;
        let left = if is_least {
            self.windows.least_left(start, end.at)
        } else {
            self.windows.most_left(start, end.at)
        };
        let share = left as f64 / self.windows.length as f64;
        let rounded = if self.windows.weight == Weight::Floored { ", rounded down" } else { "" };
        let (bound, count) = (if is_least { "at least" } else { "at most" }, end.previous);
        Some(format!(
            "the {count} {bound} of the window before weighed {count} × {share:.3} = {:.3}{rounded}",
            count as f64 * share
        ))
    }

    /// "The window from 10.000 s to 11.000 s".
    fn window(&self, end: &Contradiction) -> String {
        let furthest = if end.has_rivals { ", reaching furthest of several explanations," } else { "" };
        let Some((lo, hi)) = end.start else { return format!("no window{furthest}") };
        let middle = lo + (hi - lo) / 2;
        let (from, to) = (seconds(middle), seconds(middle.saturating_add(self.windows.length)));
        let slack = (hi - lo + 1) / 2 + self.windows.late + self.windows.early;
        match slack {
            0..500_000 => format!("the window from {from} to {to}{furthest}"),
            _ => format!("the window from {from} to {to} (give or take {}){furthest}", seconds(slack)),
        }
    }
}

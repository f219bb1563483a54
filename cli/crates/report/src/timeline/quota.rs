//! How much of each quota was used when, as clients saw it: windows with their admissions, or the admissions of the last
//! window's length. It is drawn and judges nothing: where an admission may belong to either of two windows, it is counted
//! where there is room.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap},
};

use saasbench_limiter::{Decision, Request};
use saasbench_model::{
    scenario::{Algorithm, TenantIndex},
    units::{Nanos, Quota},
};
use saasbench_record::reader::RecordedRun;
use saasbench_verify::limits::Judged;

/// Windows of a quota that are kept; of more, neighbours are taken together, and the fuller one counts.
const WINDOWS: usize = 4096;
/// Broken quotas that are kept of tenants without a history of their own; but of each limit at least one.
const OTHERS: usize = 48;

/// How a quota was used.
#[derive(Debug, Clone, PartialEq)]
pub struct QuotaUse {
    /// Number of the limit in the scenario.
    pub limit: usize,
    /// Whose.
    pub tenant: TenantIndex,
    /// What was promised.
    pub quota: Quota,
    /// How it is counted.
    pub algorithm: Algorithm,
    /// In order.
    pub windows: Vec<Window>,
    /// Of each window: more than this was not promised.
    pub promised: u64,
    /// Whether the promise is proven to be broken.
    pub is_broken: bool,
}

/// A span of time and what was admitted in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// When it began.
    pub from: Nanos,
    /// When it ended.
    pub to: Nanos,
    /// Admissions: in the span if windows are counted one by one, else in one window's length up to an instant of the span.
    pub admitted: u64,
}

impl QuotaUse {
    /// Whether the service counts window by window, too; else a window ends at every instant.
    pub fn has_windows(&self) -> bool {
        has_windows(self.algorithm)
    }
}

fn has_windows(algorithm: Algorithm) -> bool {
    matches!(algorithm, Algorithm::FixedWindow | Algorithm::AlignedWindow)
}

/// Quotas of the tenants that have a history, and those that were broken.
#[derive(Debug)]
pub(super) struct Quotas<'a> {
    run: &'a RecordedRun,
    shown: Vec<TenantIndex>,
    uses: Vec<QuotaUse>,
    /// Broken quotas of other tenants that are kept.
    others: usize,
    /// Limits of which a broken quota is kept.
    broken: BTreeSet<usize>,
}

impl<'a> Quotas<'a> {
    pub(super) fn new(run: &'a RecordedRun, shown: Vec<TenantIndex>) -> Self {
        Self { run, shown, uses: Vec::new(), others: 0, broken: BTreeSet::new() }
    }

    /// Looks at the history of a key.
    pub(super) fn add(&mut self, history: &Judged<'_>) {
        let Some(limit) = self.run.scenario.limits.get(history.limit) else { return };
        let Some((tenant, quota)) = limit.quota.get(history.key) else { return };
        if !self.shown.contains(tenant) {
            let is_first = history.is_broken && !self.broken.contains(&history.limit);
            if !is_first && (!history.is_broken || self.others >= OTHERS) {
                return;
            }
            self.others += 1;
        }
        if history.is_broken {
            self.broken.insert(history.limit);
        }
        let burst = match limit.algorithm {
            Algorithm::TokenBucket { burst, .. } => burst.unwrap_or(quota.limit),
            _ => 0,
        };
        let told = QuotaUse {
            limit: history.limit,
            tenant: *tenant,
            quota: *quota,
            algorithm: limit.algorithm,
            windows: Vec::new(),
            promised: quota.limit.saturating_add(burst),
            is_broken: history.is_broken,
        };
        let mut of = Use {
            told,
            tolerance: self.run.manifest.environment.clock_offset_ns,
            zero: Nanos(self.run.manifest.started_unix_ns),
            begun: Nanos::ZERO,
        };
        of.add_all(history.requests);
        self.uses.extend(Some(of.told).filter(|told| told.is_broken || !told.windows.is_empty()));
    }

    /// What was gathered, by limit and tenant.
    pub(super) fn uses(self) -> Vec<QuotaUse> {
        self.uses
    }
}

/// A quota whose use is being gathered.
#[derive(Debug)]
struct Use {
    told: QuotaUse,
    /// By how much two clocks may differ.
    tolerance: Nanos,
    /// The run's zero since the epoch: aligned windows begin there.
    zero: Nanos,
    /// The last instant at which the first admission of the current window can have been decided.
    begun: Nanos,
}

impl Use {
    /// Counts the admissions of a history, which is sorted by `sent`.
    fn add_all(&mut self, history: &[Request]) {
        let admitted = history.iter().filter(|request| request.decision == Decision::Admitted);
        match self.told.algorithm {
            Algorithm::FixedWindow => admitted.for_each(|request| self.add_to_fixed(request)),
            Algorithm::AlignedWindow => admitted.for_each(|request| self.add_to_aligned(request)),
            _ => self.add_recent(admitted),
        }
    }

    /// A window lasts from its first admission on, which was decided from its sending to its answer.
    fn add_to_fixed(&mut self, request: &Request) {
        let (length, limit) = (self.told.quota.window, self.told.quota.limit);
        let latest_end = self.begun + length + self.tolerance;
        if let Some(window) = self.told.windows.last_mut() {
            let surely_in = request.done < window.from + length - self.tolerance;
            let may_be_in = request.sent <= latest_end;
            if surely_in || (may_be_in && window.admitted < limit) {
                window.admitted += 1;
                return;
            }
        }
        self.begun = request.done;
        self.open(Window { from: request.sent, to: request.sent + length, admitted: 1 });
    }

    /// A window begins at each whole multiple of its length since the epoch.
    fn add_to_aligned(&mut self, request: &Request) {
        let length = self.told.quota.window;
        let number = |at: Nanos| (self.zero + at).0.div_euclid(length.0);
        let (first, last) = (number(request.sent - self.tolerance), number(request.done + self.tolerance));
        let begin = |number: i64| Nanos(number * length.0) - self.zero;
        let mut next = first;
        if let Some(window) = self.told.windows.last_mut() {
            let current = number(window.from);
            let fits = window.admitted < self.told.quota.limit;
            if current >= last || (current >= first && fits) {
                window.admitted += 1;
                return;
            }
            next = next.max(current + 1);
        }
        let from = begin(next);
        self.open(Window { from, to: from + length, admitted: 1 });
    }

    /// Without windows, what counts is how many admissions surely lie within one window's length.
    fn add_recent<'r>(&mut self, admitted: impl Iterator<Item = &'r Request>) {
        let length = self.told.quota.window;
        // Ten steps of a window's length are as fine as it is drawn.
        let step = Nanos(length.0 / 10);
        let mut ends: Vec<(Nanos, Nanos)> = admitted.map(|request| (request.done, request.sent)).collect();
        ends.sort_unstable();
        let mut recent = BinaryHeap::new();
        for (done, sent) in ends {
            recent.push(Reverse(sent));
            while recent.peek().is_some_and(|Reverse(sent)| *sent + length <= done) {
                recent.pop();
            }
            let used = recent.len() as u64;
            match self.told.windows.last_mut() {
                Some(last) if done < last.from + step => {
                    last.admitted = last.admitted.max(used);
                    last.to = done;
                }
                _ => self.open(Window { from: done, to: done, admitted: used }),
            }
        }
    }

    fn open(&mut self, window: Window) {
        let windows = &mut self.told.windows;
        if windows.len() >= WINDOWS {
            let fuller = |pair: &[Window]| Window {
                from: pair.first().map_or(Nanos::ZERO, |first| first.from),
                to: pair.last().map_or(Nanos::ZERO, |last| last.to),
                admitted: pair.iter().map(|window| window.admitted).max().unwrap_or_default(),
            };
            *windows = windows.chunks(2).map(fuller).collect();
        }
        windows.push(window);
    }
}

//! Quota usage over time, as seen by clients: admissions per window, or within the preceding window length.
//! It serves charts only and decides no verdict: an admission that may belong to either of two windows counts
//! where it fits.

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

/// Maximum windows per quota: beyond it, neighbours are merged and the fuller one counts.
const WINDOWS: usize = 4096;
/// Violated quotas kept for tenants without a history of their own; at least one per limit.
const OTHERS: usize = 48;

/// Usage of a quota.
#[derive(Debug, Clone, PartialEq)]
pub struct QuotaUse {
    /// Index of the limit in the scenario.
    pub limit: usize,
    /// Index of the tenant.
    pub tenant: TenantIndex,
    /// The promised quota.
    pub quota: Quota,
    /// Algorithm of the limit.
    pub algorithm: Algorithm,
    /// Windows in order of time.
    pub windows: Vec<Window>,
    /// Maximum admissions per window, including a burst.
    pub promised: u64,
    /// Whether a violation is proven.
    pub is_broken: bool,
}

/// A time span and its admissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Start.
    pub from: Nanos,
    /// End.
    pub to: Nanos,
    /// Admissions: within the span for windowed algorithms, else within the window length before an instant
    /// of the span.
    pub admitted: u64,
}

impl QuotaUse {
    /// Whether the algorithm counts window by window; else a window ends at every instant.
    pub fn has_windows(&self) -> bool {
        has_windows(self.algorithm)
    }
}

fn has_windows(algorithm: Algorithm) -> bool {
    matches!(algorithm, Algorithm::FixedWindow | Algorithm::AlignedWindow)
}

/// Collects usage of quotas: of tenants with a history, and violated ones of others.
#[derive(Debug)]
pub(super) struct QuotaCollector<'a> {
    run: &'a RecordedRun,
    shown: Vec<TenantIndex>,
    uses: Vec<QuotaUse>,
    /// Violated quotas kept for other tenants.
    others: usize,
    /// Limits with a violated quota kept.
    broken: BTreeSet<usize>,
}

impl<'a> QuotaCollector<'a> {
    pub(super) fn new(run: &'a RecordedRun, shown: Vec<TenantIndex>) -> Self {
        Self { run, shown, uses: Vec::new(), others: 0, broken: BTreeSet::new() }
    }

    /// Adds the history of a key.
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
        let usage = QuotaUse {
            limit: history.limit,
            tenant: *tenant,
            quota: *quota,
            algorithm: limit.algorithm,
            windows: Vec::new(),
            promised: quota.limit.saturating_add(burst),
            is_broken: history.is_broken,
        };
        let mut of = Use {
            usage,
            tolerance: self.run.manifest.environment.clock_offset_ns,
            zero: Nanos(self.run.manifest.started_unix_ns),
            latest_start: Nanos::ZERO,
        };
        of.add_all(history.requests);
        self.uses.extend(Some(of.usage).filter(|usage| usage.is_broken || !usage.windows.is_empty()));
    }

    /// The collected usage, by limit and tenant.
    pub(super) fn uses(self) -> Vec<QuotaUse> {
        self.uses
    }
}

/// A quota whose usage is being counted.
#[derive(Debug)]
struct Use {
    usage: QuotaUse,
    /// Maximum difference of two clocks.
    tolerance: Nanos,
    /// The run's zero since the epoch: aligned windows start at multiples of their length since then.
    zero: Nanos,
    /// The last instant at which the first admission of the current window can have been decided.
    latest_start: Nanos,
}

impl Use {
    /// Counts the admissions of a history, which is sorted by `sent`.
    fn add_all(&mut self, history: &[Request]) {
        let admitted = history.iter().filter(|request| request.decision == Decision::Admitted);
        match self.usage.algorithm {
            Algorithm::FixedWindow => admitted.for_each(|request| self.add_to_fixed(request)),
            Algorithm::AlignedWindow => admitted.for_each(|request| self.add_to_aligned(request)),
            _ => self.add_recent(admitted),
        }
    }

    /// A window starts with its first admission, which was decided between its send and its response.
    fn add_to_fixed(&mut self, request: &Request) {
        let (length, limit) = (self.usage.quota.window, self.usage.quota.limit);
        let latest_end = self.latest_start + length + self.tolerance;
        if let Some(window) = self.usage.windows.last_mut() {
            let surely_in = request.done < window.from + length - self.tolerance;
            let may_be_in = request.sent <= latest_end;
            if surely_in || (may_be_in && window.admitted < limit) {
                window.admitted += 1;
                return;
            }
        }
        self.latest_start = request.done;
        self.open(Window { from: request.sent, to: request.sent + length, admitted: 1 });
    }

    /// A window starts at each whole multiple of its length since the epoch.
    fn add_to_aligned(&mut self, request: &Request) {
        let length = self.usage.quota.window;
        let number = |at: Nanos| (self.zero + at).0.div_euclid(length.0);
        let (first, last) = (number(request.sent - self.tolerance), number(request.done + self.tolerance));
        let start = |number: i64| Nanos(number * length.0) - self.zero;
        let mut next = first;
        if let Some(window) = self.usage.windows.last_mut() {
            let current = number(window.from);
            let fits = window.admitted < self.usage.quota.limit;
            if current >= last || (current >= first && fits) {
                window.admitted += 1;
                return;
            }
            next = next.max(current + 1);
        }
        let from = start(next);
        self.open(Window { from, to: from + length, admitted: 1 });
    }

    /// Without windows: the admissions that certainly lie within one window length.
    fn add_recent<'r>(&mut self, admitted: impl Iterator<Item = &'r Request>) {
        let length = self.usage.quota.window;
        // Charts resolve a tenth of the window length.
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
            match self.usage.windows.last_mut() {
                Some(last) if done < last.from + step => {
                    last.admitted = last.admitted.max(used);
                    last.to = done;
                }
                _ => self.open(Window { from: done, to: done, admitted: used }),
            }
        }
    }

    fn open(&mut self, window: Window) {
        let windows = &mut self.usage.windows;
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

//! How much of each quota was used when, as clients saw it: windows with their admissions, or the admissions of the last
//! window's length. It is drawn and judges nothing: where an admission may belong to either of two windows, it is counted
//! where there is room.

use std::collections::VecDeque;

use crate::{
    record::{
        reader::RecordedRun,
        sample::{Outcome, Sample},
    },
    scenario::{Algorithm, StatusSet, TenantIndex},
    units::{Nanos, Quota},
    verify::limits,
};

/// Windows of a quota that are kept; of more, neighbours are taken together, and the fuller one counts.
const WINDOWS: usize = 4096;

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

/// All quotas of the tenants that have a history.
#[derive(Debug)]
pub(super) struct Quotas {
    uses: Vec<Use>,
    /// By step: the uses of each tenant.
    places: Vec<Vec<Vec<usize>>>,
}

#[derive(Debug)]
struct Use {
    told: QuotaUse,
    admitted: StatusSet,
    /// By how much two clocks may differ.
    tolerance: Nanos,
    /// The run's zero since the epoch: aligned windows begin there.
    zero: Nanos,
    /// When the admissions of the last window's length were sent.
    recent: VecDeque<Nanos>,
    /// The last instant at which the first admission of the current window can have been decided.
    begun: Nanos,
}

impl Quotas {
    pub(super) fn new(run: &RecordedRun, shown: &[TenantIndex]) -> Self {
        let scenario = &run.scenario;
        let mut uses = Vec::new();
        let mut numbers = std::collections::BTreeMap::new();
        for (number, limit) in scenario.limits.iter().enumerate() {
            for (entry, (tenant, quota)) in limit.quota.iter().enumerate() {
                if !shown.contains(tenant) {
                    continue;
                }
                numbers.insert((number, entry), uses.len());
                let burst = match limit.algorithm {
                    Algorithm::TokenBucket { burst, .. } => burst.unwrap_or(quota.limit),
                    _ => 0,
                };
                let told = QuotaUse {
                    limit: number,
                    tenant: *tenant,
                    quota: *quota,
                    algorithm: limit.algorithm,
                    windows: Vec::new(),
                    promised: quota.limit.saturating_add(burst),
                };
                uses.push(Use {
                    told,
                    admitted: limit.admitted.clone(),
                    tolerance: run.manifest.environment.clock_offset_ns,
                    zero: Nanos(run.manifest.started_unix_ns),
                    recent: VecDeque::new(),
                    begun: Nanos::ZERO,
                });
            }
        }
        let of_step = |step| {
            let mut places = vec![Vec::new(); scenario.tenants.len()];
            for (limit, entries) in limits::on_step(scenario, step) {
                for (places, entry) in places.iter_mut().zip(entries) {
                    places.extend(entry.and_then(|entry| numbers.get(&(limit, entry))));
                }
            }
            places
        };
        Self { uses, places: (0..scenario.steps.len()).map(of_step).collect() }
    }

    /// Counts an answered request.
    #[inline]
    pub(super) fn add(&mut self, sample: &Sample) {
        let Some(places) = self.places.get(sample.step).and_then(|tenants| tenants.get(sample.tenant)) else {
            return;
        };
        for place in places {
            if let Some(of) = self.uses.get_mut(*place) {
                of.add(sample);
            }
        }
    }

    pub(super) fn uses(&self) -> Vec<QuotaUse> {
        self.uses.iter().map(|of| of.told.clone()).filter(|told| !told.windows.is_empty()).collect()
    }
}

impl Use {
    fn add(&mut self, sample: &Sample) {
        let Outcome::Status(status) = sample.outcome else { return };
        if !self.admitted.contains(status) {
            return;
        }
        match self.told.algorithm {
            Algorithm::FixedWindow => self.add_to_fixed(sample),
            Algorithm::AlignedWindow => self.add_to_aligned(sample),
            _ => self.add_to_recent(sample),
        }
    }

    /// A window lasts from its first admission on, which was decided from its sending to its answer.
    fn add_to_fixed(&mut self, sample: &Sample) {
        let (length, limit) = (self.told.quota.window, self.told.quota.limit);
        let latest_end = self.begun + length + self.tolerance;
        if let Some(window) = self.told.windows.last_mut() {
            let surely_in = sample.done < window.from + length - self.tolerance;
            let may_be_in = sample.sent <= latest_end;
            if surely_in || (may_be_in && window.admitted < limit) {
                window.admitted += 1;
                return;
            }
        }
        self.begun = sample.done;
        self.open(Window { from: sample.sent, to: sample.sent + length, admitted: 1 });
    }

    /// A window begins at each whole multiple of its length since the epoch.
    fn add_to_aligned(&mut self, sample: &Sample) {
        let length = self.told.quota.window;
        let number = |at: Nanos| (self.zero + at).0.div_euclid(length.0);
        let (first, last) = (number(sample.sent - self.tolerance), number(sample.done + self.tolerance));
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
    fn add_to_recent(&mut self, sample: &Sample) {
        let length = self.told.quota.window;
        self.recent.push_back(sample.sent);
        while self.recent.front().is_some_and(|sent| *sent + length <= sample.done) {
            self.recent.pop_front();
        }
        let used = self.recent.len() as u64;
        // Ten steps of a window's length are as fine as it is drawn.
        let step = Nanos(length.0 / 10);
        match self.told.windows.last_mut() {
            Some(last) if sample.done < last.from + step => {
                last.admitted = last.admitted.max(used);
                last.to = last.to.max(sample.done);
            }
            _ => self.open(Window { from: sample.done, to: sample.done, admitted: used }),
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

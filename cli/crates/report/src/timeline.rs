//! A run over time, for charts: outcomes and latency in at most 240 intervals, in total, by tenant and by
//! replica; and quota usage (`quota`). It is collected in the same pass in which the run is judged, in memory
//! that does not grow with the run's length: when there are too many intervals, neighbours are merged.

mod quota;

pub use quota::{QuotaUse, Window};

use saasbench_model::{
    scenario::{LoadModel, Scenario, Stage, TenantIndex},
    units::Nanos,
};
use saasbench_record::{
    latencies::Latencies,
    reader::RecordedRun,
    sample::{NoResponseReason, RequestOutcome, Sample},
    segment::SegmentError,
};
use saasbench_verify::Report;

/// Maximum number of intervals.
pub const INTERVALS: usize = 240;
/// Tenants with a history of their own; all others are merged.
pub const TENANTS: usize = 24;
/// The shortest interval.
const SHORTEST: Nanos = Nanos::from_millis(100);
/// Factors by which intervals grow, repeated cyclically: 100 ms, 200 ms, 1 s, 2 s, 10 s, 20 s, 1 min, …
const GROWTH: [usize; 6] = [2, 5, 2, 5, 2, 3];

/// Outcome of a request, as coarse as a chart shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// 1xx and 2xx.
    Success,
    /// 3xx.
    Redirect,
    /// 429: rejected by a limit.
    Limited,
    /// Any other 4xx.
    ClientError,
    /// 5xx and invalid statuses.
    ServerError,
    /// Sent, without a complete response.
    NoResponse,
    /// Not sent, for example without a connection.
    NotSent,
    /// An arrival that the generator dropped.
    Dropped,
}

impl Kind {
    /// All kinds, in stacking order.
    pub const ALL: [Self; 8] = [
        Self::Success,
        Self::Redirect,
        Self::Limited,
        Self::ClientError,
        Self::ServerError,
        Self::NoResponse,
        Self::NotSent,
        Self::Dropped,
    ];

    /// Kind of an outcome.
    #[inline]
    pub fn of(outcome: RequestOutcome) -> Self {
        match outcome {
            RequestOutcome::Status(100..300) => Self::Success,
            RequestOutcome::Status(300..400) => Self::Redirect,
            RequestOutcome::Status(429) => Self::Limited,
            RequestOutcome::Status(400..500) => Self::ClientError,
            RequestOutcome::Status(_) => Self::ServerError,
            RequestOutcome::NoResponse(_) => Self::NoResponse,
            RequestOutcome::NotSent(_) => Self::NotSent,
            RequestOutcome::Dropped => Self::Dropped,
        }
    }
}

/// Outcomes and latency of a group of requests in one interval.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    counts: [u64; Kind::ALL.len()],
    /// Latency of responses, from the intended start.
    pub latency: Latencies,
}

impl Cell {
    /// Requests of a kind.
    pub fn count(&self, kind: Kind) -> u64 {
        self.counts[kind as usize]
    }

    /// Requests, excluding dropped arrivals.
    pub fn requests(&self) -> u64 {
        Kind::ALL.iter().filter(|kind| **kind != Kind::Dropped).map(|kind| self.count(*kind)).sum()
    }

    /// Adds another cell's counts.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.latency.merge(&other.latency);
    }

    #[inline]
    fn add(&mut self, kind: Kind, latency: Nanos) {
        self.counts[kind as usize] += 1;
        if kind < Kind::NoResponse {
            self.latency.add(latency);
        }
    }
}

/// A group of requests with its own history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// All requests.
    All,
    /// Requests of a tenant.
    Tenant(TenantIndex),
    /// Requests of all tenants without a history of their own.
    OtherTenants,
    /// Requests sent to a replica.
    Replica(usize),
}

/// A run over time. All instants are on the run's clock.
#[derive(Debug)]
pub struct Timeline {
    /// Start of the first interval; `None` before the first sample of a run whose load has no known start.
    origin: Option<Nanos>,
    width: Nanos,
    grown: usize,
    groups: Vec<Group>,
    /// Index of each tenant's group, and of the first replica's.
    tenants: Vec<usize>,
    first_replica: usize,
    /// By interval, then by group.
    cells: Vec<Vec<Cell>>,
    /// Start, end and index of the last sample's interval: the next sample is usually in it, too.
    current: (Nanos, Nanos, usize),
    ends: Nanos,
    quotas: Vec<QuotaUse>,
}

impl Timeline {
    /// An empty timeline.
    pub fn new(run: &RecordedRun) -> Self {
        let scenario = &run.scenario;
        let shown = busiest(scenario);
        let mut groups = vec![Group::All];
        groups.extend(shown.iter().map(|tenant| Group::Tenant(*tenant)));
        let others = groups.len();
        if shown.len() < scenario.tenants.len() {
            groups.push(Group::OtherTenants);
        }
        let group = |tenant| shown.iter().position(|shown| *shown == tenant).map_or(others, |at| at + 1);
        let first_replica = groups.len();
        groups.extend((0..run.replica_names().len()).map(Group::Replica));
        Self {
            origin: run.manifest.load.map(|load| load.from_ns),
            width: SHORTEST,
            grown: 0,
            tenants: (0..scenario.tenants.len()).map(group).collect(),
            groups,
            first_replica,
            cells: Vec::new(),
            current: (Nanos::ZERO, Nanos::ZERO, 0),
            ends: Nanos(i64::MIN),
            quotas: Vec::new(),
        }
    }

    /// Counts a sample in the interval of its completion.
    #[inline]
    pub fn add(&mut self, sample: &Sample) {
        if sample.outcome == RequestOutcome::NoResponse(NoResponseReason::Resent) {
            // The sample of its second sending follows.
            return;
        }
        let at = sample.done;
        if at < self.current.0 || at >= self.current.1 {
            self.seek(at);
        }
        self.ends = self.ends.max(at);
        let kind = Kind::of(sample.outcome);
        let latency = sample.latency_intended();
        if let Some(cells) = self.cells.get_mut(self.current.2) {
            let tenant = self.tenants.get(sample.tenant).copied();
            for group in [Some(0), tenant, Some(self.first_replica + sample.replica)].into_iter().flatten() {
                if let Some(cell) = cells.get_mut(group) {
                    cell.add(kind, latency);
                }
            }
        }
    }

    /// Makes the interval of an instant the current one, widening all intervals when there would be too many.
    fn seek(&mut self, at: Nanos) {
        let origin = *self.origin.get_or_insert(at);
        let number = |width: Nanos| ((at - origin).0.max(0) / width.0) as usize;
        while number(self.width) >= INTERVALS {
            self.widen();
        }
        let number = number(self.width);
        while self.cells.len() <= number {
            self.cells.push(vec![Cell::default(); self.groups.len()]);
        }
        let from = origin + Nanos(self.width.0 * number as i64);
        // Samples completed before the load's start count in the first interval.
        let first = if number == 0 { Nanos(i64::MIN) } else { from };
        self.current = (first, from + self.width, number);
    }

    fn widen(&mut self) {
        let factor = GROWTH[self.grown % GROWTH.len()];
        self.grown += 1;
        self.width = Nanos(self.width.0 * factor as i64);
        let together = |few: &[Vec<Cell>]| {
            let mut sum = vec![Cell::default(); self.groups.len()];
            few.iter().for_each(|cells| sum.iter_mut().zip(cells).for_each(|(sum, cell)| sum.merge(cell)));
            sum
        };
        self.cells = self.cells.chunks(factor).map(together).collect();
    }

    /// Finishes the timeline: a last interval of less than half the width is too short for a rate and merged
    /// into the one before.
    #[must_use]
    fn finished(mut self) -> Self {
        let is_short = self.intervals().last().is_some_and(|(from, to)| (*to - *from).0 < self.width.0 / 2);
        if is_short && self.cells.len() > 1 {
            let rest = self.cells.pop().unwrap_or_default();
            if let Some(last) = self.cells.last_mut() {
                last.iter_mut().zip(&rest).for_each(|(cell, more)| cell.merge(more));
            }
        }
        self
    }

    /// Tenants with a history of their own.
    fn shown(&self) -> Vec<TenantIndex> {
        let tenant = |group: &Group| match group {
            Group::Tenant(tenant) => Some(*tenant),
            _ => None,
        };
        self.groups.iter().filter_map(tenant).collect()
    }

    /// Groups with a history: all, tenants, all other tenants, replicas.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// History of a group, by interval; empty for an unknown group.
    pub fn history(&self, group: Group) -> Vec<&Cell> {
        let number = self.groups.iter().position(|of| *of == group);
        self.cells.iter().filter_map(|cells| cells.get(number?)).collect()
    }

    /// Start and end of each interval. The last one ends with the last sample.
    pub fn intervals(&self) -> Vec<(Nanos, Nanos)> {
        let origin = self.origin.unwrap_or_default();
        let start = |number: usize| origin + Nanos(self.width.0 * number as i64);
        let last = self.cells.len().saturating_sub(1);
        let end = |number| if number == last { self.ends.max(start(number)) } else { start(number + 1) };
        (0..self.cells.len()).map(|number| (start(number), end(number))).collect()
    }

    /// Width of an interval.
    pub fn width(&self) -> Nanos {
        self.width
    }

    /// Quota usage by limit and tenant, without unused quotas. For tenants without a history of their own it
    /// has violated quotas only.
    pub fn quotas(&self) -> &[QuotaUse] {
        &self.quotas
    }
}

/// Judges a run and collects its timeline in one pass; `each` receives every sample.
///
/// # Errors
/// When a segment cannot be read.
pub fn judge(run: &RecordedRun, mut each: impl FnMut(&Sample)) -> Result<(Report, Timeline), SegmentError> {
    let mut timeline = Timeline::new(run);
    let mut quotas = quota::QuotaCollector::new(run, timeline.shown());
    let gather = |_, sample: &Sample| {
        timeline.add(sample);
        each(sample);
    };
    let report = saasbench_verify::verify_with_observer(run, gather, |history| quotas.add(history))?;
    timeline.quotas = quotas.uses();
    Ok((report, timeline.finished()))
}

/// The [`TENANTS`] tenants with the highest planned load, in the scenario's order.
fn busiest(scenario: &Scenario) -> Vec<TenantIndex> {
    let mut shares = vec![0.0; scenario.tenants.len()];
    for load in &scenario.loads {
        // Users are not a rate; one request per second and user is a rough equivalent.
        let (LoadModel::Open { rate: stages, .. } | LoadModel::Closed { users: stages, .. }) = &load.model;
        let planned: f64 =
            stages.iter().map(|Stage { length, from, to }| (from + to) / 2.0 * length.as_secs_f64()).sum();
        for tenant in &load.tenants {
            if let Some(share) = shares.get_mut(*tenant) {
                *share += planned / load.tenants.len() as f64;
            }
        }
    }
    let mut order: Vec<TenantIndex> = (0..shares.len()).collect();
    order.sort_by(|a, b| shares[*b].total_cmp(&shares[*a]));
    order.truncate(TENANTS);
    order.sort_unstable();
    order
}

#[cfg(test)]
mod tests;

//! A run over time, for pictures: what was answered and how fast, in at most 240 intervals, over all, by tenant and by
//! replica; and how much of each quota was used (`quota`). It is gathered in the pass in which a run is judged, and takes
//! the same memory for an hour as for a minute: once there are too many intervals, neighbours are taken together.

mod quota;

pub use quota::{QuotaUse, Window};

use saasbench_model::{
    scenario::{LoadModel, Scenario, Stage, TenantIndex},
    units::Nanos,
};
use saasbench_record::{
    latencies::Latencies,
    reader::RecordedRun,
    sample::{Outcome, Sample},
    segment::SegmentError,
};
use saasbench_verify::Report;

/// Intervals, at the most.
pub const INTERVALS: usize = 240;
/// Tenants that have a history of their own; all others are taken together.
pub const TENANTS: usize = 24;
/// The shortest interval.
const SHORTEST: Nanos = Nanos::from_millis(100);
/// By how much intervals grow, again and again: 100 ms, 200 ms, 1 s, 2 s, 10 s, 20 s, 1 min, …
const GROWTH: [usize; 6] = [2, 5, 2, 5, 2, 3];

/// What came of a request, as coarsely as a picture shows it.
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
    /// 5xx, and what is no status at all.
    ServerError,
    /// Sent, no whole answer.
    Unanswered,
    /// It never left, because nothing took it.
    NotSent,
    /// An arrival that the generator could not serve.
    Dropped,
}

impl Kind {
    /// All of them, in the order in which they are stacked.
    pub const ALL: [Self; 8] = [
        Self::Success,
        Self::Redirect,
        Self::Limited,
        Self::ClientError,
        Self::ServerError,
        Self::Unanswered,
        Self::NotSent,
        Self::Dropped,
    ];

    /// The kind of an outcome.
    #[inline]
    pub fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Status(100..300) => Self::Success,
            Outcome::Status(300..400) => Self::Redirect,
            Outcome::Status(429) => Self::Limited,
            Outcome::Status(400..500) => Self::ClientError,
            Outcome::Status(_) => Self::ServerError,
            Outcome::Unknown(_) => Self::Unanswered,
            Outcome::NotSent(_) => Self::NotSent,
            Outcome::Dropped => Self::Dropped,
        }
    }
}

/// What happened to a group of requests in one interval.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    counts: [u64; Kind::ALL.len()],
    /// Latency of those that were answered, from the instant at which they were due.
    pub latency: Latencies,
}

impl Cell {
    /// How many of a kind.
    pub fn count(&self, kind: Kind) -> u64 {
        self.counts[kind as usize]
    }

    /// How many requests, dropped arrivals left out.
    pub fn requests(&self) -> u64 {
        Kind::ALL.iter().filter(|kind| **kind != Kind::Dropped).map(|kind| self.count(*kind)).sum()
    }

    /// Counts all of another's, too.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.latency.merge(&other.latency);
    }

    #[inline]
    fn add(&mut self, kind: Kind, latency: Nanos) {
        self.counts[kind as usize] += 1;
        if kind < Kind::Unanswered {
            self.latency.add(latency);
        }
    }
}

/// Requests whose history is told by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// All of them.
    All,
    /// A tenant's.
    Tenant(TenantIndex),
    /// Those of all tenants that have no history of their own.
    OtherTenants,
    /// Those that were sent to a replica.
    Replica(usize),
}

/// A run over time. All instants are on the run's clock.
#[derive(Debug)]
pub struct Timeline {
    /// Where the first interval begins; `None` before the first sample of a run whose load has no known begin.
    origin: Option<Nanos>,
    width: Nanos,
    grown: usize,
    groups: Vec<Group>,
    /// The number of each tenant's group, and of the first replica's.
    tenants: Vec<usize>,
    first_replica: usize,
    /// By interval and group.
    cells: Vec<Vec<Cell>>,
    /// The interval of the last sample: the next one mostly lies there, too.
    current: (Nanos, Nanos, usize),
    ends: Nanos,
    quotas: Vec<QuotaUse>,
}

impl Timeline {
    /// Nothing yet.
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

    /// Counts a sample in the interval in which its outcome became known.
    #[inline]
    pub fn add(&mut self, sample: &Sample) {
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

    /// Makes the interval of an instant the current one, and wider ones of all if there would be too many.
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
        // What became known before the load began is counted with its begin.
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

    /// The same when no sample is to come any more: a last interval that is hardly begun is no interval to tell a rate of, so
    /// it is taken together with the one before.
    #[must_use]
    fn finished(mut self) -> Self {
        let hardly_begun =
            self.intervals().last().is_some_and(|(from, to)| (*to - *from).0 < self.width.0 / 2);
        if hardly_begun && self.cells.len() > 1 {
            let rest = self.cells.pop().unwrap_or_default();
            if let Some(last) = self.cells.last_mut() {
                last.iter_mut().zip(&rest).for_each(|(cell, more)| cell.merge(more));
            }
        }
        self
    }

    /// Tenants that have a history of their own.
    fn shown(&self) -> Vec<TenantIndex> {
        let tenant = |group: &Group| match group {
            Group::Tenant(tenant) => Some(*tenant),
            _ => None,
        };
        self.groups.iter().filter_map(tenant).collect()
    }

    /// Groups that have a history: all, tenants, all other tenants, replicas.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The history of a group, by interval; empty for one that has none.
    pub fn history(&self, group: Group) -> Vec<&Cell> {
        let number = self.groups.iter().position(|of| *of == group);
        self.cells.iter().filter_map(|cells| cells.get(number?)).collect()
    }

    /// From when to when each interval lasts. The last one ends with the load.
    pub fn intervals(&self) -> Vec<(Nanos, Nanos)> {
        let origin = self.origin.unwrap_or_default();
        let begin = |number: usize| origin + Nanos(self.width.0 * number as i64);
        let last = self.cells.len().saturating_sub(1);
        let end = |number| if number == last { self.ends.max(begin(number)) } else { begin(number + 1) };
        (0..self.cells.len()).map(|number| (begin(number), end(number))).collect()
    }

    /// How long intervals are.
    pub fn width(&self) -> Nanos {
        self.width
    }

    /// How quotas were used, by limit and tenant; those without an admission are left out. Of tenants that have no history of
    /// their own only broken quotas are there.
    pub fn quotas(&self) -> &[QuotaUse] {
        &self.quotas
    }
}

/// Judges a run and gathers its timeline, in one pass, and shows each sample on the way.
///
/// # Errors
/// When a segment cannot be read.
pub fn judge(run: &RecordedRun, mut each: impl FnMut(&Sample)) -> Result<(Report, Timeline), SegmentError> {
    let mut timeline = Timeline::new(run);
    let mut quotas = quota::Quotas::new(run, timeline.shown());
    let gather = |_, sample: &Sample| {
        timeline.add(sample);
        each(sample);
    };
    let report = saasbench_verify::verify_with_observer(run, gather, |history| quotas.add(history))?;
    timeline.quotas = quotas.uses();
    Ok((report, timeline.finished()))
}

/// The tenants from whom most is meant to come, in the scenario's order: all of them if they are few.
fn busiest(scenario: &Scenario) -> Vec<TenantIndex> {
    let mut shares = vec![0.0; scenario.tenants.len()];
    for load in &scenario.loads {
        // Users are no rate, but of a user about one request a second comes to the same.
        let (LoadModel::Open { rate: stages, .. } | LoadModel::Closed { users: stages, .. }) = &load.model;
        let much: f64 =
            stages.iter().map(|Stage { length, from, to }| (from + to) / 2.0 * length.as_secs_f64()).sum();
        for tenant in &load.tenants {
            if let Some(share) = shares.get_mut(*tenant) {
                *share += much / load.tenants.len() as f64;
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

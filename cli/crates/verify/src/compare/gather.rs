//! Reads what a comparison needs of a run, by tenant and step: everything after the warm-up, in blocks of
//! time, so that the variation within a run can be estimated.
//!
//! Responses are left out of the latencies if they were due (or sent, depending on the clock) or completed
//! during a stall of the generator or just after it, because their latency may be the generator's. A request
//! that was in flight through a whole stall is kept. Whether an instant falls into a stall does not depend on
//! the request's duration, so this favours neither fast nor slow requests; leaving out everything that a
//! stall touched would remove the slow ones.

use std::collections::{BTreeMap, BTreeSet};

use super::distribution::Distribution;
use crate::{
    generator, grouped::Grouped, judged_from, noisy_neighbours::is_good, stall_attribution::StallExclusions,
};
use saasbench_model::{plan::time::PlanInstant, scenario::Scenario, units::Nanos};
use saasbench_record::{
    damage::Part,
    manifest::State,
    reader::RecordedRun,
    sample::{RequestOutcome, Sample},
    segment::SegmentError,
    stall::Stall,
};

/// Blocks that a run is cut into. Ten to thirty are enough to estimate the variation, and the fewer there
/// are, the less a block depends on its neighbours (Schmeiser, Batch size effects in the analysis of
/// simulation output, Operations Research 30, 1982).
pub(super) const BLOCKS: usize = 16;

/// After a stall, the backlog is taken to last as long as the stall did, but at most this long.
const AFTERMATH: Nanos = Nanos::from_millis(2);

/// Index of the latencies from intended minus the generator's own lateness.
pub(super) const PUNCTUAL: usize = 2;

/// Identifies rows of several runs that belong together, by the names of tenant, journey and step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowName {
    pub(super) tenant: String,
    pub(super) journey: String,
    pub(super) step: String,
}

/// One block of time of one row.
#[derive(Debug, Clone, Default)]
pub(super) struct Block {
    /// Requests. A dropped arrival is not one of them.
    pub(super) requests: u64,
    /// Requests that dropped arrivals would have led to.
    pub(super) missed: u64,
    /// Requests that count as errors.
    pub(super) errors: u64,
    /// Responses as their step expects, and not rejected by a limit.
    pub(super) served: u64,
    /// Latencies of responses from intended, from sent, and from intended without the generator's own
    /// lateness ([`PUNCTUAL`]).
    pub(super) latencies: [Distribution; 3],
}

/// One row of one run.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    /// By time.
    pub(super) blocks: [Block; BLOCKS],
    /// Responses whose latency may be the generator's own.
    pub(super) touched: u64,
    /// Arrivals that found no idle user.
    pub(super) dropped: u64,
}

/// What a comparison needs of a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Measured {
    /// Rows that have requests.
    pub(super) rows: BTreeMap<RowName, Cell>,
    /// All names, in the scenario's order.
    pub(super) order: Vec<RowName>,
    /// The scenario's rows, whether they had requests or not.
    pub(super) stated: Stated,
    /// The compared time of the load, in seconds.
    pub(super) seconds: f64,
    /// Why the measurement may be the generator's own, if so.
    pub(super) unfit: Option<Unfit>,
}

/// Why a run says less about the service than it seems to.
#[derive(Debug, Clone)]
pub(super) struct Unfit {
    pub(super) why: String,
    /// Whether the generator had time, and only its users were waiting for the service.
    pub(super) only_drops: bool,
}

/// Names in a scenario: tenants, and steps with their journeys.
#[derive(Debug, Clone, Default)]
pub(super) struct Stated {
    tenants: BTreeSet<String>,
    steps: BTreeSet<(String, String)>,
}

impl Stated {
    fn of(scenario: &Scenario) -> Self {
        let steps = scenario.steps.iter().filter_map(|step| {
            let journey = scenario.journeys.get(step.journey)?;
            Some((journey.name.clone(), step.name.clone()))
        });
        Self { tenants: scenario.tenants.iter().map(ToString::to_string).collect(), steps: steps.collect() }
    }

    /// Whether the scenario has this row.
    pub(super) fn has(&self, name: &RowName) -> bool {
        self.tenants.contains(&name.tenant) && self.steps.contains(&(name.journey.clone(), name.step.clone()))
    }
}

/// The compared span of a run, in plan time, which stands still during pauses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    from: Nanos,
    pub(super) length: Nanos,
    /// Whether requests due after the span are left out; otherwise they belong to the last block.
    is_cut: bool,
}

impl Span {
    /// Shortens the span to `length`.
    pub(super) fn cut(self, length: Nanos) -> Self {
        Self { length, is_cut: true, ..self }
    }
}

/// The planned length of a run or, if the load did not reach its planned end, the time up to the last due
/// request. Not up to the last response: one that hangs would shift all blocks. `None` for a run whose load
/// has no known start.
pub(super) fn span(run: &RecordedRun) -> Result<Option<Span>, SegmentError> {
    let Some(load) = run.manifest.load else { return Ok(None) };
    let time = run.manifest.plan_time();
    let PlanInstant(from) = time.to_plan_time(judged_from(run).max(load.start_ns));
    let loads = &run.scenario.loads;
    let planned = loads.iter().map(|load| load.after + load.duration).max().unwrap_or_default();
    let mut to = load.start_ns + planned;
    if !is_whole(run) || loads.iter().any(|load| load.iterations.is_some()) {
        let mut last = from;
        run.for_each_sample(|_, sample| last = last.max(sample.intended))?;
        to = to.min(time.to_plan_time(last).0);
    }
    Ok(Some(Span { from, length: (to - from).max(Nanos(1)), is_cut: false }))
}

/// Whether a run finished as planned.
pub(super) fn is_whole(run: &RecordedRun) -> bool {
    run.manifest.state == State::Finished
}

/// A record without the generator's stalls does not show which latencies are the generator's.
fn unmonitored(run: &RecordedRun) -> Option<Unfit> {
    let damage = run.damage.iter().find(|damage| damage.part == Part::Generator)?;
    Some(Unfit { why: format!("the record is damaged: {damage}"), only_drops: false })
}

/// Reads a run. A load without a known start leaves nothing to compare.
pub(super) fn measure(run: &RecordedRun, span: Option<Span>) -> Result<Measured, SegmentError> {
    let scenario = &run.scenario;
    let Some(Span { from, length, is_cut }) = span else { return Ok(Measured::default()) };
    let mut cells: Grouped<Cell> = Grouped::new(scenario, 1);
    let mut stalls = run.self_monitor.stalls.clone();
    stalls.sort_by_key(|stall| stall.from_ns);
    let mut exclusions = StallExclusions::new(&stalls);
    let mut generator = generator::GeneratorCollector::new(judged_from(run), &run.self_monitor.usage);
    let time = run.manifest.plan_time();
    run.for_each_sample(|_, sample| {
        let attribution = exclusions.of(sample);
        generator.add(sample, attribution);
        let planned = time.to_plan_time(sample.intended).0 - from;
        // Start steps of open loads ran before the load, and are not part of it.
        if planned < Nanos::ZERO || is_cut && planned > length {
            return;
        }
        let at = i128::from(planned.0) * BLOCKS as i128 / i128::from(length.0);
        let block = (at as usize).min(BLOCKS - 1);
        if let Some(cell) = cells.of(sample, Cell::default) {
            cell.add(block, sample, attribution.lateness, is_good(scenario, sample), &stalls);
        }
        if sample.outcome == RequestOutcome::Dropped {
            miss(&mut cells, scenario, block, sample);
        }
    })?;
    let mut measured = Measured {
        stated: Stated::of(scenario),
        seconds: length.as_secs_f64(),
        unfit: unmonitored(run).or_else(|| {
            let claim = generator.hindrance(run, &exclusions)?;
            Some(Unfit { only_drops: generator::is_only_drops(&claim), why: claim.summary })
        }),
        ..Measured::default()
    };
    for (key, cell) in cells.iter() {
        let step = scenario.steps.get(key.step);
        let journey = step.and_then(|step| scenario.journeys.get(step.journey));
        let (Some(tenant), Some(step), Some(journey)) = (scenario.tenants.get(key.tenant), step, journey)
        else {
            continue;
        };
        let name =
            RowName { tenant: tenant.to_string(), journey: journey.name.clone(), step: step.name.clone() };
        let mut cell = cell.clone();
        cell.blocks.iter_mut().flat_map(|block| &mut block.latencies).for_each(Distribution::settle);
        measured.order.push(name.clone());
        measured.rows.insert(name, cell);
    }
    Ok(measured)
}

/// Counts what a dropped arrival would have led to: all requests of its journey. It is recorded as the first
/// of them.
fn miss(cells: &mut Grouped<Cell>, scenario: &Scenario, block: usize, dropped: &Sample) {
    let journey = scenario.steps.get(dropped.step).and_then(|step| scenario.journeys.get(step.journey));
    for step in journey.iter().flat_map(|journey| &journey.steps) {
        let repeat = scenario.steps.get(*step).map_or(1, |step| step.turn.repeat);
        let of_step = Sample { step: *step, ..dropped.clone() };
        if let Some(block) = cells.of(&of_step, Cell::default).and_then(|cell| cell.blocks.get_mut(block)) {
            block.missed += repeat;
        }
    }
}

impl Measured {
    /// The same run as if each dropped arrival had been served at once.
    pub(super) fn in_favour(&self) -> Self {
        let mut best = self.clone();
        for block in best.rows.values_mut().flat_map(|cell| &mut cell.blocks) {
            block.requests += block.missed;
            block.served += block.missed;
            for latencies in &mut block.latencies {
                latencies.add_many(Nanos::ZERO, block.missed);
            }
        }
        best
    }
}

impl Cell {
    fn add(&mut self, block: usize, sample: &Sample, lateness: Nanos, served: bool, stalls: &[Stall]) {
        if sample.outcome == RequestOutcome::Dropped {
            self.dropped += 1;
            return;
        }
        if sample.outcome.tells_nothing() {
            return;
        }
        let Some(block) = self.blocks.get_mut(block) else { return };
        block.requests += 1;
        block.errors += u64::from(sample.is_error());
        block.served += u64::from(served);
        if !matches!(sample.outcome, RequestOutcome::Status(_)) {
            return;
        }
        let done_in_stall = stood_still(stalls, sample.done);
        let [intended, sent, punctual] = &mut block.latencies;
        if done_in_stall || stood_still(stalls, sample.intended) {
            self.touched += 1;
        } else {
            intended.add(sample.latency_intended());
            punctual.add(sample.latency_intended() - lateness.max(Nanos::ZERO));
        }
        if !done_in_stall && !stood_still(stalls, sample.sent) {
            sent.add(sample.latency_sent());
        }
    }

    pub(super) fn requests(&self) -> u64 {
        self.blocks.iter().map(|block| block.requests).sum()
    }

    pub(super) fn errors(&self) -> u64 {
        self.blocks.iter().map(|block| block.errors).sum()
    }

    pub(super) fn served(&self) -> u64 {
        self.blocks.iter().map(|block| block.served).sum()
    }

    /// The latencies of all blocks, from intended (0), from sent (1), or [`PUNCTUAL`].
    pub(super) fn latencies(&self, clock: usize) -> Distribution {
        let mut all = Distribution::default();
        self.blocks.iter().filter_map(|block| block.latencies.get(clock)).for_each(|block| all.merge(block));
        all
    }

    /// Merges several runs of the same row, block by block.
    pub(super) fn pooled<'a>(cells: impl Iterator<Item = &'a Self>) -> Self {
        let mut all = Self::default();
        for cell in cells {
            all.touched += cell.touched;
            all.dropped += cell.dropped;
            for (sum, block) in all.blocks.iter_mut().zip(&cell.blocks) {
                sum.requests += block.requests;
                sum.missed += block.missed;
                sum.errors += block.errors;
                sum.served += block.served;
                for (merged, latencies) in sum.latencies.iter_mut().zip(&block.latencies) {
                    merged.merge(latencies);
                }
            }
        }
        all
    }
}

/// Whether the generator was stalled at an instant, or had just been. `stalls` must be sorted.
fn stood_still(stalls: &[Stall], at: Nanos) -> bool {
    let after = stalls.partition_point(|stall| stall.from_ns <= at);
    let last = after.checked_sub(1).and_then(|index| stalls.get(index));
    last.is_some_and(|stall| at <= stall.to_ns + stall.length().min(AFTERMATH))
}

//! The ledger's progress at each scrape: what must have been counted by then, and what can have been.
//!
//! A request whose response came more than `settle` before a scrape started must be in it, because a service
//! counts no later than that after its response (not counting the generator's stalls, which may have affected
//! the service, too). A request that was sent after the scrape ended cannot be in it. Tenants are not
//! distinguished, so that the memory for a long run stays small.

use std::collections::BTreeMap;

use crate::{ledger::Cell, stall_attribution::StallExclusions};
use saasbench_model::{scenario::Scenario, units::Nanos};
use saasbench_record::{
    observations::Scrape,
    reader::RecordedRun,
    sample::{RequestOutcome, Sample},
};

/// The ledger's progress from scrape to scrape of each replica.
#[derive(Debug)]
pub struct Progress {
    settle: Nanos,
    /// Start and end of each replica's scrapes, in order.
    spans: Vec<Vec<(Nanos, Nanos)>>,
    /// By replica and step, then by status; `None` for requests without a response.
    counts: Vec<Vec<BTreeMap<Option<u16>, Counts>>>,
}

/// For each scrape, how many requests count from it on; the last entry is for those that no scrape shows.
#[derive(Debug, Clone)]
struct Counts {
    must_count: Vec<u32>,
    can_count: Vec<u32>,
}

/// The ledger's state for one cell at one scrape.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LedgerState {
    /// Responses, by status, that must have been counted.
    pub(super) must_count: BTreeMap<u16, u64>,
    /// Responses, by status, that can have been counted.
    pub(super) can_count: BTreeMap<u16, u64>,
    /// Requests without a response that can have been counted.
    pub(super) unknown: u64,
}

/// The ledger's state at one scrape, by cell.
pub type Standings = BTreeMap<Cell, LedgerState>;

impl Progress {
    /// No requests yet, for the run's scrapes.
    pub fn new(run: &RecordedRun) -> Self {
        let spans = |scrapes: &Vec<Scrape>| scrapes.iter().map(|scrape| (scrape.from, scrape.to)).collect();
        let spans: Vec<Vec<_>> = run.observations.scrapes.iter().map(spans).collect();
        Self {
            settle: run.scenario.metrics.as_ref().map_or(Nanos::ZERO, |contract| contract.settle),
            counts: vec![vec![BTreeMap::new(); run.scenario.steps.len()]; spans.len()],
            spans,
        }
    }

    /// Enters a sample; requests that were never sent have no effect.
    pub fn add(&mut self, sample: &Sample, exclusions: &StallExclusions) {
        let status = match sample.outcome {
            RequestOutcome::Status(status) => Some(status),
            RequestOutcome::NoResponse(_) => None,
            RequestOutcome::NotSent(_) | RequestOutcome::Dropped => return,
        };
        let steps = self.counts.get_mut(sample.replica);
        let Some(statuses) = steps.and_then(|steps| steps.get_mut(sample.step)) else { return };
        let spans = &self.spans[sample.replica];
        let none = || Counts { must_count: vec![0; spans.len() + 1], can_count: vec![0; spans.len() + 1] };
        let counts = statuses.entry(status).or_insert_with(none);
        counts.can_count[spans.partition_point(|(_, to)| *to < sample.sent)] += 1;
        let early = |(from, _): &(Nanos, Nanos)| exclusions.clear(sample.done, *from) <= self.settle;
        counts.must_count[spans.partition_point(early)] += 1;
    }

    /// The ledger's state at each scrape of a replica.
    pub fn standings(&self, scenario: &Scenario, replica: usize) -> Vec<Standings> {
        let scrapes = self.spans.get(replica).map_or(0, Vec::len);
        let mut standings = vec![Standings::new(); scrapes];
        let Some(contract) = &scenario.metrics else { return standings };
        let steps = self.counts.get(replica).map(Vec::as_slice).unwrap_or_default();
        for (step, statuses) in scenario.steps.iter().zip(steps) {
            let Some(cell) = Cell::of_route(contract, step) else { continue };
            for (status, counts) in statuses {
                let (mut must_count, mut can_count) = (0, 0);
                for (index, standings) in standings.iter_mut().enumerate() {
                    must_count += u64::from(counts.must_count[index]);
                    can_count += u64::from(counts.can_count[index]);
                    let standing = standings.entry(cell.clone()).or_default();
                    match status {
                        Some(status) => {
                            *standing.must_count.entry(*status).or_default() += must_count;
                            *standing.can_count.entry(*status).or_default() += can_count;
                        }
                        None => standing.unknown += can_count,
                    }
                }
            }
        }
        standings
    }
}

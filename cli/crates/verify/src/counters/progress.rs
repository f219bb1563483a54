//! How far the ledger had come at each scrape: what must have been counted by then, and what can have been.
//!
//! A request that was answered more than `settle` before a scrape began must be in it, because a service counts no later
//! than that after it answers (time in which the generator stood still does not count: the service may have, too). One that
//! was sent after the scrape had ended cannot be in it. Tenants are not distinguished, so that a long run stays small.

use std::collections::BTreeMap;

use crate::{ledger::Cell, stall_attribution::StallExclusions};
use saasbench_model::{scenario::Scenario, units::Nanos};
use saasbench_record::{
    observations::Scrape,
    reader::RecordedRun,
    sample::{Outcome, Sample},
};

/// The ledger's progress from scrape to scrape of each replica.
#[derive(Debug)]
pub struct Progress {
    settle: Nanos,
    /// When the scrapes of each replica began and ended, in order.
    spans: Vec<Vec<(Nanos, Nanos)>>,
    /// By replica and step; then by status, `None` for what was not answered.
    counts: Vec<Vec<BTreeMap<Option<u16>, Counts>>>,
}

/// How many requests count from which scrape on, for each scrape; the last is for those that no scrape shows.
#[derive(Debug, Clone)]
struct Counts {
    surely: Vec<u32>,
    maybe: Vec<u32>,
}

/// What the ledger says of one cell at one scrape.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// Answers, by status, that must have counted.
    pub(super) surely: BTreeMap<u16, u64>,
    /// Answers, by status, that can have counted.
    pub(super) maybe: BTreeMap<u16, u64>,
    /// Unanswered requests that can have counted.
    pub(super) unknown: u64,
}

/// By cell, what the ledger says at one scrape.
pub type Standings = BTreeMap<Cell, Standing>;

impl Progress {
    /// Nothing sent yet.
    pub fn new(run: &RecordedRun) -> Self {
        let spans = |scrapes: &Vec<Scrape>| scrapes.iter().map(|scrape| (scrape.from, scrape.to)).collect();
        let spans: Vec<Vec<_>> = run.observations.scrapes.iter().map(spans).collect();
        Self {
            settle: run.scenario.metrics.as_ref().map_or(Nanos::ZERO, |contract| contract.settle),
            counts: vec![vec![BTreeMap::new(); run.scenario.steps.len()]; spans.len()],
            spans,
        }
    }

    /// Enters a sample. What was never sent has not counted anywhere.
    pub fn add(&mut self, sample: &Sample, excuses: &StallExclusions) {
        let status = match sample.outcome {
            Outcome::Status(status) => Some(status),
            Outcome::Unknown(_) => None,
            Outcome::NotSent(_) | Outcome::Dropped => return,
        };
        let steps = self.counts.get_mut(sample.replica);
        let Some(statuses) = steps.and_then(|steps| steps.get_mut(sample.step)) else { return };
        let spans = &self.spans[sample.replica];
        let none = || Counts { surely: vec![0; spans.len() + 1], maybe: vec![0; spans.len() + 1] };
        let counts = statuses.entry(status).or_insert_with(none);
        counts.maybe[spans.partition_point(|(_, to)| *to < sample.sent)] += 1;
        let early = |(from, _): &(Nanos, Nanos)| excuses.clear(sample.done, *from) <= self.settle;
        counts.surely[spans.partition_point(early)] += 1;
    }

    /// What the ledger says of a replica at each of its scrapes.
    pub fn standings(&self, scenario: &Scenario, replica: usize) -> Vec<Standings> {
        let scrapes = self.spans.get(replica).map_or(0, Vec::len);
        let mut standings = vec![Standings::new(); scrapes];
        let Some(contract) = &scenario.metrics else { return standings };
        let steps = self.counts.get(replica).map(Vec::as_slice).unwrap_or_default();
        for (step, statuses) in scenario.steps.iter().zip(steps) {
            let Some(cell) = Cell::of_route(contract, step) else { continue };
            for (status, counts) in statuses {
                let (mut surely, mut maybe) = (0, 0);
                for (index, standings) in standings.iter_mut().enumerate() {
                    surely += u64::from(counts.surely[index]);
                    maybe += u64::from(counts.maybe[index]);
                    let standing = standings.entry(cell.clone()).or_default();
                    match status {
                        Some(status) => {
                            *standing.surely.entry(*status).or_default() += surely;
                            *standing.maybe.entry(*status).or_default() += maybe;
                        }
                        None => standing.unknown += maybe,
                    }
                }
            }
        }
        standings
    }
}

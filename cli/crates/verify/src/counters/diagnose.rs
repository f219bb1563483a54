//! Which fault explains counters that disagree with the ledger? A hypothesis must explain every series of the
//! counter, including those that agree, so that a far-fetched one cannot displace a simple one. A diagnosis
//! is an explanation, not a proof.

mod hypotheses;

use std::collections::{BTreeMap, BTreeSet};

use super::{Expected, Gains, during::CounterHistory};
use crate::counters::diagnose::hypotheses::{
    counted_twice, lost, mislabelled_status, mislabelled_tenant, raw_path,
};
use crate::{ledger::Cell, verdict::Diagnosis};

/// A counter's increases next to what clients saw.
#[derive(Debug)]
pub(super) struct Accounts {
    rows: Vec<Row>,
    /// Requests without a response, each of which may have counted once under any label.
    unknown: f64,
    /// Paths that the load requested.
    paths: BTreeSet<String>,
}

#[derive(Debug, Clone)]
struct Row {
    cell: Cell,
    status: String,
    seen: f64,
    gained: f64,
}

impl Row {
    /// Requests that clients saw and the counter did not count.
    fn lack(&self) -> f64 {
        (self.seen - self.gained).max(0.0)
    }

    /// Requests that the counter counted and clients did not see.
    fn surplus(&self) -> f64 {
        (self.gained - self.seen).max(0.0)
    }
}

impl Accounts {
    pub(super) fn new(expected: &BTreeMap<Cell, Expected>, gains: &Gains) -> Self {
        let answered = expected.iter().flat_map(|(cell, of)| {
            of.answered.iter().map(move |(status, count)| ((cell.clone(), status.clone()), *count as f64))
        });
        let mut seen: BTreeMap<(Cell, String), f64> = answered.collect();
        for key in gains.keys() {
            seen.entry(key.clone()).or_default();
        }
        let rows = seen.into_iter().map(|((cell, status), seen)| {
            let gained = gains.get(&(cell.clone(), status.clone())).copied().unwrap_or(0.0);
            Row { cell, status, seen, gained }
        });
        Self {
            rows: rows.filter(|row| row.seen != 0.0 || row.gained != 0.0).collect(),
            unknown: expected.values().map(|of| of.unknown as f64).sum(),
            paths: expected.keys().map(|cell| cell.path.clone()).collect(),
        }
    }

    /// The fault that explains all series, at the end and, where the counter's course is known, at every
    /// scrape.
    pub(super) fn diagnose(&self, course: Option<&CounterHistory<'_>>) -> Option<Diagnosis> {
        let swapped = [raw_path, mislabelled_tenant, mislabelled_status];
        let swapped = swapped.into_iter().find_map(|hypothesis| hypothesis(self));
        let evenly = |_: &Diagnosis| {
            let share = (self.surplus() - self.lack()) / self.seen().max(1.0);
            course.is_none_or(|course| course.runs_evenly(1.0 + share))
        };
        swapped
            .or_else(|| {
                [counted_twice, lost].into_iter().find_map(|hypothesis| hypothesis(self)).filter(evenly)
            })
            .or_else(|| course.and_then(CounterHistory::interrupted))
    }

    fn seen(&self) -> f64 {
        self.rows.iter().map(|row| row.seen).sum()
    }

    pub(super) fn lack(&self) -> f64 {
        self.rows.iter().map(Row::lack).sum()
    }

    fn surplus(&self) -> f64 {
        self.rows.iter().map(Row::surplus).sum()
    }

    /// Whether deficits and surpluses cancel out within each group of rows with the same key, except for
    /// requests without a response.
    fn balanced<K: Ord>(&self, key: impl Fn(&Row) -> K) -> bool {
        let mut groups: BTreeMap<K, f64> = BTreeMap::new();
        for row in &self.rows {
            *groups.entry(key(row)).or_default() += row.gained - row.seen;
        }
        groups.values().all(|difference| (0.0..=self.unknown).contains(difference))
    }

    /// Whether errors are spread over the series as evenly as every N-th request of a replica is.
    fn spread_evenly(&self, wrong: impl Fn(&Row) -> f64) -> bool {
        let share = self.rows.iter().map(&wrong).sum::<f64>() / self.seen().max(1.0);
        self.rows.iter().all(|row| {
            let meant = row.seen * share;
            // Which requests of a series are affected is as good as random.
            (wrong(row) - meant).abs() <= 4.0 * meant.sqrt() + 2.0 + self.unknown
        })
    }
}

//! Which rows (tenant and step) are compared, and by which quantities. Every row of the baselines is expected
//! in the new run: a tenant that is no longer served must not go unnoticed.

use std::collections::BTreeSet;

use super::{
    Clock, Row, Terms,
    gather::{Cell, Measured, PUNCTUAL, RowName},
    interval::Pair,
    judge::{self, Subject},
};

/// Compared quantiles, each with the factor on the tolerance: the further out, the more a quantile varies.
const QUANTILES: [(&str, f64, f64); 3] = [("p50", 0.5, 1.0), ("p90", 0.9, 1.5), ("p99", 0.99, 2.0)];

/// Rows that are named; of any others only the number is reported.
const NAMED: usize = 5;

/// All rows of the baselines, judged together, except those that the new run's scenario does not have.
pub(super) fn rows(baselines: &[Measured], new: &Measured, terms: Terms) -> Vec<Row> {
    let (mut rows, mut subjects) = (Vec::new(), Vec::new());
    for name in names(baselines, new) {
        let before = Before::of(baselines, name);
        let none = Cell::default();
        let now = new.rows.get(name).unwrap_or(&none);
        let of_row = before.subjects(now, new.seconds, terms);
        rows.push((row(name, &before.pooled, now), of_row.len()));
        subjects.extend(of_row);
    }
    let mut quantities = judge::judge(&subjects, terms.error_probability).into_iter();
    let judged = rows
        .into_iter()
        .map(|(row, count)| Row { quantities: quantities.by_ref().take(count).collect(), ..row });
    judged.collect()
}

/// Rows of the baselines that the new run could have: in the scenario's order, missing ones last.
fn names<'a>(baselines: &'a [Measured], new: &'a Measured) -> Vec<&'a RowName> {
    let is_before = |name: &&RowName| baselines.iter().any(|base| base.rows.contains_key(*name));
    let mut names: Vec<&RowName> = new.order.iter().filter(is_before).collect();
    let gone: BTreeSet<&RowName> = baselines.iter().flat_map(|base| &base.order).collect();
    names.extend(gone.into_iter().filter(|name| !new.rows.contains_key(*name) && new.stated.has(name)));
    names
}

/// A row of the baselines.
struct Before {
    /// Each baseline's cell, with its seconds; empty where the baseline lacks the row.
    cells: Vec<(Cell, f64)>,
    pooled: Cell,
}

impl Before {
    fn of(baselines: &[Measured], name: &RowName) -> Self {
        let cells: Vec<(Cell, f64)> = baselines
            .iter()
            .map(|base| (base.rows.get(name).cloned().unwrap_or_default(), base.seconds))
            .collect();
        let pooled = Cell::pooled(cells.iter().map(|(cell, _)| cell));
        Self { cells, pooled }
    }

    /// The quantities of the row compared with `now`; a row without requests now has only one.
    fn subjects(&self, now: &Cell, seconds: f64, terms: Terms) -> Vec<Subject> {
        let (pooled, clock) = (&self.pooled, terms.clock as usize);
        let cells: Vec<&Cell> = self.cells.iter().map(|(cell, _)| cell).collect();
        // For several baselines, the average of one.
        let more = |base: u64, new: u64| (base / cells.len().max(1) as u64).max(new);
        let together: f64 = self.cells.iter().map(|(_, seconds)| seconds).sum();
        let of_bases: Vec<(&Cell, f64)> = self.cells.iter().map(|(cell, seconds)| (cell, *seconds)).collect();
        let rate = Pair::rate((pooled, together), &of_bases, (now, seconds));
        let served = Subject::served(terms.tolerance, more(pooled.served(), now.served()), rate);
        if now.requests() == 0 {
            return vec![served];
        }
        let answers = more(pooled.latencies(clock).count(), now.latencies(clock).count());
        let latency = |(label, q, times): (&'static str, f64, f64)| {
            let pair = |clock| Pair::latency(pooled, &cells, now, clock, q);
            let punctual = (terms.clock == Clock::Intended).then(|| pair(PUNCTUAL)).flatten();
            let tolerance = (times * terms.tolerance, terms.floor_ns);
            Subject::latency(label, q, tolerance, answers, pair(clock)).unless(punctual)
        };
        let requests = more(pooled.requests(), now.requests());
        let errors = Subject::errors(terms.error_tolerance, requests, Pair::errors(pooled, &cells, now));
        QUANTILES.map(latency).into_iter().chain([errors, served]).collect()
    }
}

fn row(name: &RowName, base: &Cell, new: &Cell) -> Row {
    Row {
        tenant: name.tenant.clone(),
        journey: name.journey.clone(),
        step: name.step.clone(),
        base_requests: base.requests(),
        new_requests: new.requests(),
        dropped: base.dropped + new.dropped,
        excluded: base.touched + new.touched,
        quantities: Vec::new(),
    }
}

/// Names of rows that are new, and of rows that the new run's scenario no longer has, as long as they are
/// few.
pub(super) fn only_in_one(baselines: &[Measured], new: &Measured) -> Vec<String> {
    let is_before = |name: &&RowName| baselines.iter().any(|base| base.rows.contains_key(*name));
    let added: Vec<&RowName> = new.order.iter().filter(|name| !is_before(name)).collect();
    let gone: BTreeSet<&RowName> =
        baselines.iter().flat_map(|base| &base.order).filter(|name| !new.stated.has(name)).collect();
    let reported = |names: Vec<&RowName>, what: &str| {
        let shown =
            names.iter().take(NAMED).map(|name| format!("{}, {}/{}", name.tenant, name.journey, name.step));
        let mut shown = shown.collect::<Vec<_>>().join("; ");
        if let Some(more) = names.len().checked_sub(NAMED).filter(|more| *more > 0) {
            shown += &format!("; and {more} more");
        }
        (!names.is_empty()).then(|| format!("{what}, so there is nothing to compare: {shown}"))
    };
    let added = reported(added, "requests in the new run only");
    added.into_iter().chain(reported(gone.into_iter().collect(), "not in the new run's scenario")).collect()
}

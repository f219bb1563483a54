//! Do several processes answer under one address? Each has counters of its own, so nothing that is computed from
//! one scrape and another holds, and a second process that is met by chance looks like a restart.
//!
//! A restart ends the old process: its start time never returns. One process's counters do not fall and then go on
//! where they were. Either shows several processes, whatever the load did.

use std::collections::BTreeMap;

use saasbench_model::{scenario::MetricsContract, units::Nanos};
use saasbench_record::{
    contract_view::ContractView,
    observations::{START_TIME, Scrape},
    scrape::Phase,
};

/// The name that Prometheus client libraries give to the processor time of a process, which never falls.
const CPU_TIME: &str = "process_cpu_seconds_total";

/// How many processes are known to have answered scrapes of one replica at the same time; `None` unless several.
pub(super) fn several(scrapes: &[Scrape], contract: &MetricsContract) -> Option<usize> {
    let alive = alive_together(&start_times(scrapes));
    if alive > 1 {
        return Some(alive);
    }
    let phases = [Phase::Before, Phase::After];
    let readings = |phase| scrapes.iter().filter(move |scrape| scrape.phase == phase);
    let is_met_again = |phase| returns(readings(phase).filter_map(|scrape| view(scrape, contract)));
    let falls_in = |phase| cpu_time_falls(&readings(phase).collect::<Vec<_>>());
    phases.into_iter().any(|phase| is_met_again(phase) || falls_in(phase)).then_some(2)
}

/// The start time of the process that answered each scrape, where it says it.
pub(super) fn start_times(scrapes: &[Scrape]) -> Vec<(&Scrape, f64)> {
    scrapes.iter().filter_map(|scrape| Some((scrape, process_value(scrape, START_TIME)?))).collect()
}

/// The most processes that lived at one time: each from the first to the last scrape that it answered.
fn alive_together(starts: &[(&Scrape, f64)]) -> usize {
    // Times are not negative, so their bits are ordered as they are.
    let mut lives: BTreeMap<u64, (Nanos, Nanos)> = BTreeMap::new();
    for (scrape, start) in starts {
        let life = lives.entry(start.to_bits()).or_insert((scrape.from, scrape.to));
        life.1 = scrape.to;
    }
    let alive_at = |at: Nanos| lives.values().filter(|(from, to)| (*from..=*to).contains(&at)).count();
    lives.values().map(|(from, _)| alive_at(*from)).max().unwrap_or(0)
}

/// Whether counts, read while nothing is sent, fall and later are again at least what they were: one process
/// would have needed as many requests again.
fn returns(readings: impl Iterator<Item = ContractView>) -> bool {
    // Of a large exposition few are kept at a time.
    let (mut left, mut previous): (Vec<ContractView>, Option<ContractView>) = (Vec::new(), None);
    for reading in readings {
        if left.iter().any(|left| reaches(&reading, left)) {
            return true;
        }
        if let Some(previous) = previous.filter(|previous| !reaches(&reading, previous)) {
            left.push(previous);
        }
        previous = Some(reading);
    }
    false
}

/// Whether every series of `earlier` is at least as high in `later`.
fn reaches(later: &ContractView, earlier: &ContractView) -> bool {
    earlier.series.iter().all(|(name, values)| {
        let now = later.series.get(name);
        values
            .iter()
            .all(|(labels, value)| now.and_then(|now| now.get(labels)).copied().unwrap_or(0.0) >= *value)
    })
}

/// Whether the processor time falls although the start time is the same.
fn cpu_time_falls(scrapes: &[&Scrape]) -> bool {
    let read = |scrape: &&Scrape| {
        Some((process_value(scrape, START_TIME)?.to_bits(), process_value(scrape, CPU_TIME)?))
    };
    let readings: Vec<(u64, f64)> = scrapes.iter().filter_map(read).collect();
    readings.windows(2).any(|pair| pair[0].0 == pair[1].0 && pair[1].1 < pair[0].1)
}

fn view(scrape: &Scrape, contract: &MetricsContract) -> Option<ContractView> {
    ContractView::parse(scrape.text.as_deref().ok()?, contract).ok()
}

/// The value of a series without labels that client libraries export about their process.
fn process_value(scrape: &Scrape, name: &str) -> Option<f64> {
    let text = scrape.text.as_deref().ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    let exposition = saasbench_exposition::parse(&format!("{line}\n")).ok()?;
    Some(exposition.named(name).next()?.value)
}

#[cfg(test)]
mod tests;

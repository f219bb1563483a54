//! Judges the counter of requests at every scrape during the load, not only at its end. This finds a counter
//! that was wrong in between and right at the end, and for a restarted replica it judges everything but what
//! the restart lost.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    Assumptions, Cell, Counter, Gains, cell,
    progress::{LedgerState, Standings},
};
use crate::verdict::{Diagnosis, Evidence, Outcome};
use saasbench_model::units::Nanos;
use saasbench_record::{observations::Scrape, scrape::Phase};

/// The counter of requests of one replica from scrape to scrape.
#[derive(Debug)]
pub(super) struct CounterHistory<'a> {
    /// Readable scrapes, each with the number of the replica's process, what it counts, and the ledger's
    /// state.
    looks: Vec<Reading<'a>>,
    counter: Counter<'a>,
}

/// One scrape of the counter.
#[derive(Debug)]
struct Reading<'a> {
    scrape: &'a Scrape,
    process: usize,
    values: Gains,
    standings: &'a Standings,
}

impl<'a> CounterHistory<'a> {
    pub(super) fn new(
        counter: Counter<'a>,
        scrapes: &'a [Scrape],
        restarts: &[(Nanos, Nanos)],
        standings: &'a [Standings],
    ) -> Self {
        let look = |(scrape, standings): (&'a Scrape, &'a Standings)| {
            let exposition = saasbench_exposition::parse(scrape.text.as_deref().ok()?).ok()?;
            let mut values = Gains::new();
            for series in exposition.named(counter.name) {
                if let Some(key) = cell(counter, &series.labels) {
                    *values.entry(key).or_default() += series.value;
                }
            }
            let process = restarts.partition_point(|(_, to)| *to <= scrape.to);
            Some(Reading { scrape, process, values, standings })
        };
        // Whatever moved before the last scrape before the load may belong to earlier requests, which are not
        // in the record.
        let is_before = |scrape: &Scrape| scrape.phase == Phase::Before && scrape.text.is_ok();
        let begin = scrapes.iter().rposition(is_before).unwrap_or(0);
        let looks = scrapes.iter().zip(standings).skip(begin).filter_map(look).collect();
        Self { looks, counter }
    }

    /// The increase that each process but the last showed, between its first and last scrape.
    pub(super) fn by_earlier_processes(&self) -> Vec<((Cell, String), f64)> {
        let mut gained = Vec::new();
        let last = self.looks.last().map_or(0, |look| look.process);
        for process in 0..last {
            let mut looks = self.looks.iter().filter(|look| look.process == process);
            let Some(first) = looks.next() else { continue };
            for (key, value) in looks.next_back().into_iter().flat_map(|look| &look.values) {
                gained.push((key.clone(), value - first.values.get(key).copied().unwrap_or(0.0)));
            }
        }
        gained
    }

    /// For each series, the first scrape at which it cannot be right, compared with the first scrape of the
    /// same process.
    pub(super) fn judge(&self, assumptions: Assumptions) -> Vec<Evidence> {
        let mut found: BTreeMap<&(Cell, String), Evidence> = BTreeMap::new();
        for (index, look) in self.looks.iter().enumerate() {
            let base = self.looks[..index].iter().find(|base| base.process == look.process);
            let Some(base) = base else { continue };
            for (key, value) in &look.values {
                let before = base.values.get(key).copied().unwrap_or(0.0);
                let bounds = self.bounds(base, look, key);
                if let Some(finding) = finding(key, value - before, bounds, (base, look), assumptions) {
                    found.entry(key).or_insert(finding);
                }
            }
        }
        found.into_values().collect()
    }

    /// Whether a series falls, and later is again at least what it was, by more than its process can have counted
    /// in between. A counter that was reset rises from there only by what clients send.
    pub(super) fn is_met_again(&self) -> bool {
        let value = |look: &Reading<'_>, key: &(Cell, String)| look.values.get(key).copied().unwrap_or(0.0);
        let returns = |next: usize, key: &(Cell, String), old: f64| {
            let fallen = &self.looks[next];
            self.looks[next + 1..].iter().any(|look| {
                let (_, most) = self.bounds(fallen, look, key);
                value(look, key) >= old && value(look, key) - value(fallen, key) > most as f64
            })
        };
        (1..self.looks.len()).any(|next| {
            let mut before = self.looks[next - 1].values.iter();
            before.any(|(key, old)| value(&self.looks[next], key) < *old && returns(next, key, *old))
        })
    }

    /// Whether the counter stood at about this share of the ledger's count at every scrape, as it does if
    /// every N-th request is counted wrongly.
    pub(super) fn runs_evenly(&self, share: f64) -> bool {
        let Some(base) = self.looks.first() else { return true };
        self.looks.iter().all(|look| {
            let (least, most) = look.totals();
            let gained = look.gained_since(base);
            let slack = 4.0 * (most * (1.0 - share).abs()).sqrt() + 2.0;
            (least * share - slack..=most * share + slack).contains(&gained)
        })
    }

    /// Diagnoses a counter that is right except for one break: a scrape body that did not change for a while,
    /// or a counter that was reset between two scrapes.
    pub(super) fn interrupted(&self) -> Option<Diagnosis> {
        let (first, last) = (self.looks.first()?, self.looks.last()?);
        let at = |look: &Reading<'_>| look.scrape.from.as_secs_f64();
        let right = |from: usize, to: usize| {
            let looks = &self.looks[from..to];
            looks.iter().all(|look| self.agrees(&looks[0], look))
        };
        let shown = last.gained_since(first);
        let stood = self.looks.windows(2).find(|pair| {
            let ((least, _), (_, most)) = (pair[0].totals(), pair[1].totals());
            pair[1].scrape.phase != Phase::After && (least..=most).contains(&shown)
        });
        // Without two equal scrape bodies it is not stale data: the counter merely lost what it counted
        // before some instant.
        let still = self
            .looks
            .windows(2)
            .any(|pair| pair[0].values == pair[1].values && pair[1].totals().0 > pair[0].totals().1);
        if let Some(pair) = stood.filter(|_| still && last.totals().0 > shown) {
            let (from, to) = (at(&pair[0]), at(&pair[1]));
            return Some(Diagnosis::new(
                "metrics-stale",
                json!({ "as_of_s": [from, to], "shown_at_s": at(last) }),
                format!(
                    "the exposition is stale: at {:.1} s it shows the state of between {from:.1} and {to:.1} s",
                    at(last)
                ),
            ));
        }
        let lacking = (1..self.looks.len()).find(|index| !self.agrees(first, &self.looks[*index]))?;
        if !right(0, lacking) || !right(lacking, self.looks.len()) {
            return None;
        }
        let (from, to) = (at(&self.looks[lacking - 1]), at(&self.looks[lacking]));
        let missing = last.totals().0 - shown;
        Some(Diagnosis::new(
            "counter-reset",
            json!({ "between_s": [from, to], "missing": missing }),
            format!(
                "counters restarted from zero between {from:.1} and {to:.1} s although the process did not restart: {missing} requests of before \
                 are missing from then on, and none of after"
            ),
        ))
    }

    /// Whether the increase of every series from one scrape to another is one that the ledger allows.
    fn agrees(&self, base: &Reading<'_>, look: &Reading<'_>) -> bool {
        look.values.iter().all(|(key, value)| {
            let gain = value - base.values.get(key).copied().unwrap_or(0.0);
            let (least, most) = self.bounds(base, look, key);
            (least as f64..=most as f64).contains(&gain)
        })
    }

    /// The least and the most that a series can have increased from one scrape to another of the same
    /// process.
    fn bounds(&self, base: &Reading<'_>, look: &Reading<'_>, (cell, label): &(Cell, String)) -> (u64, u64) {
        let none = LedgerState::default();
        let of = |counts: &BTreeMap<u16, u64>| -> u64 {
            let counts =
                counts.iter().filter(|(status, _)| self.counter.contract.status_of(**status) == *label);
            counts.map(|(_, count)| count).sum()
        };
        let (base, look) =
            (base.standings.get(cell).unwrap_or(&none), look.standings.get(cell).unwrap_or(&none));
        let least = of(&look.must_count).saturating_sub(of(&base.can_count));
        let most = of(&look.can_count).saturating_sub(of(&base.must_count)) + look.unknown;
        (least, most)
    }
}

impl Reading<'_> {
    /// The least and the most that all series together can have counted by now.
    fn totals(&self) -> (f64, f64) {
        let sum = |counts: &BTreeMap<u16, u64>| counts.values().sum::<u64>();
        let least: u64 = self.standings.values().map(|standing| sum(&standing.must_count)).sum();
        let most: u64 =
            self.standings.values().map(|standing| sum(&standing.can_count) + standing.unknown).sum();
        (least as f64, most as f64)
    }

    fn gained_since(&self, base: &Reading<'_>) -> f64 {
        self.values.values().sum::<f64>() - base.values.values().sum::<f64>()
    }
}

/// A finding, if an increase between two scrapes cannot be right.
fn finding(
    (cell, status): &(Cell, String),
    gain: f64,
    (least, most): (u64, u64),
    (base, look): (&Reading<'_>, &Reading<'_>),
    assumptions: Assumptions,
) -> Option<Evidence> {
    let surplus = assumptions.exclusive && assumptions.complete && gain > most as f64;
    if gain >= least as f64 && !surplus {
        return None;
    }
    let at = look.scrape.from.as_secs_f64();
    let observed =
        format!("{cell} {status}: {gain} counted at {at:.1} s, when clients had seen {least} to {most}");
    let name = |look: &Reading<'_>| look.scrape.file.clone().unwrap_or_default();
    let finding = Evidence::new(
        Outcome::Fail,
        format!("{cell} {status} at {at:.1} s"),
        format!("{least} to {most} by then"),
        observed,
    );
    Some(finding.detail(format!("see {}, and {} before it", name(look), name(base))))
}

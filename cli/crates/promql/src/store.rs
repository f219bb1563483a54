//! Samples by series, in memory. A series that its source no longer provides is marked as stale (with
//! Prometheus's `NaN`), so that it disappears at once and not after five minutes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{PoisonError, RwLock, RwLockReadGuard},
};

use promql_parser::parser::VectorSelector;

use crate::{
    chunk::Chunks,
    labels::{self, Labels, METRIC_NAME},
    selector::{self, Selector},
    value::Point,
};

/// Prometheus's stale marker (`value.StaleNaN`).
const STALE: u64 = 0x7ff0_0000_0000_0002;

/// The series that one scrape target or one rule provided last time.
#[derive(Debug, Default)]
pub struct Source(BTreeSet<Labels>);

/// All samples of all series.
#[derive(Debug)]
pub struct Store {
    database: RwLock<Database>,
    retention: i64,
}

/// The series, by their metric's name.
#[derive(Debug, Default)]
pub(crate) struct Database {
    names: BTreeMap<String, BTreeMap<Labels, Chunks>>,
    pruned: i64,
}

impl Store {
    /// An empty store, which drops samples older than `retention` milliseconds.
    pub fn new(retention: i64) -> Self {
        Self { database: RwLock::default(), retention }
    }

    /// Adds what a source provides at `time`, in milliseconds since the epoch. Series that it provided last
    /// time but not now become stale; a sample that is not later than the last of its series is dropped.
    pub fn append(&self, source: &mut Source, time: i64, samples: impl IntoIterator<Item = (Labels, f64)>) {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        let mut shown = BTreeSet::new();
        for (mut series, value) in samples {
            series.retain(|_, value| !value.is_empty());
            database.push(&series, Point { time, value });
            shown.insert(series);
        }
        for gone in source.0.difference(&shown) {
            database.push(gone, Point { time, value: f64::from_bits(STALE) });
        }
        source.0 = shown;
        database.prune(time, self.retention);
    }

    /// The labels of each series with a sample between two instants (milliseconds since the epoch) that one
    /// of the selectors matches; without selectors, of every series.
    pub fn series(&self, selectors: &[Selector], from: i64, to: i64) -> Vec<Labels> {
        let database = self.read();
        let fits = |series: &Labels| {
            selectors.is_empty() || selectors.iter().any(|selector| selector.matches(series))
        };
        let all = database.names.values().flatten();
        all.filter(|(series, chunks)| fits(series) && chunks.range(from, to).next().is_some())
            .map(|(series, _)| series.clone())
            .collect()
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Database> {
        self.database.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Database {
    fn push(&mut self, series: &Labels, point: Point) {
        let name = labels::value(series, METRIC_NAME);
        if !self.names.contains_key(name) {
            self.names.insert(name.to_owned(), BTreeMap::new());
        }
        let Some(named) = self.names.get_mut(name) else { return };
        match named.get_mut(series) {
            Some(chunks) => chunks.push(point),
            None => named.entry(series.clone()).or_default().push(point),
        }
    }

    /// Occasionally drops what is too old.
    fn prune(&mut self, time: i64, retention: i64) {
        let before = time - retention;
        if before - self.pruned < retention / 16 {
            return;
        }
        self.pruned = before;
        for named in self.names.values_mut() {
            named.values_mut().for_each(|chunks| chunks.prune(before));
            named.retain(|_, chunks| !chunks.is_empty());
        }
        self.names.retain(|_, named| !named.is_empty());
    }

    /// The series that a selector selects, in order of their labels.
    fn select<'a>(&'a self, selector: &'a VectorSelector) -> impl Iterator<Item = (&'a Labels, &'a Chunks)> {
        let name = selector::name(selector);
        let named = name.and_then(|name| self.names.get(name)).into_iter().flatten();
        let all = self.names.values().filter(move |_| name.is_none()).flatten();
        named.chain(all).filter(|(series, _)| selector::matches(selector, series))
    }

    /// The last sample of every selected series within `lookback` before `time`, unless it is stale.
    pub(crate) fn latest(&self, selector: &VectorSelector, time: i64, lookback: i64) -> Vec<(Labels, Point)> {
        self.select(selector)
            .filter_map(|(series, chunks)| {
                let last =
                    chunks.latest(time).filter(|point| point.time >= time - lookback && !is_stale(point));
                last.map(|point| (series.clone(), point))
            })
            .collect()
    }

    /// Every selected series with samples within `[from, to]`, and those samples.
    pub(crate) fn range(&self, selector: &VectorSelector, from: i64, to: i64) -> Vec<(Labels, Vec<Point>)> {
        self.select(selector)
            .map(|(series, chunks)| {
                let points: Vec<Point> = chunks.range(from, to).filter(|point| !is_stale(point)).collect();
                (series, points)
            })
            .filter(|(_, points)| !points.is_empty())
            .map(|(series, points)| (series.clone(), points))
            .collect()
    }
}

fn is_stale(point: &Point) -> bool {
    point.value.to_bits() == STALE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(name: &str, job: &str) -> Labels {
        Labels::from([("__name__".to_owned(), name.to_owned()), ("job".to_owned(), job.to_owned())])
    }

    fn latest(store: &Store, text: &str, time: i64) -> Vec<f64> {
        let promql_parser::parser::Expr::VectorSelector(selector) =
            promql_parser::parser::parse(text).unwrap()
        else {
            panic!()
        };
        store.read().latest(&selector, time, 300_000).iter().map(|(_, point)| point.value).collect()
    }

    #[test]
    fn a_series_is_seen_for_five_minutes_after_its_last_sample() {
        let (store, mut source) = (Store::new(i64::MAX), Source::default());
        store.append(&mut source, 1000, [(labels("up", "a"), 1.0), (labels("up", "b"), 2.0)]);
        assert_eq!(latest(&store, "up", 999), [0.0; 0]);
        assert_eq!(latest(&store, "up", 1000), [1.0, 2.0]);
        assert_eq!(latest(&store, "up", 301_000), [1.0, 2.0]);
        assert_eq!(latest(&store, "up", 301_001), [0.0; 0]);
    }

    #[test]
    fn series_that_a_source_drops_disappear_until_they_come_back() {
        let (store, mut source, mut other) = (Store::new(i64::MAX), Source::default(), Source::default());
        store.append(&mut other, 1000, [(labels("up", "c"), 3.0)]);
        store.append(&mut source, 1000, [(labels("up", "a"), 1.0), (labels("up", "b"), 2.0)]);
        store.append(&mut source, 2000, [(labels("up", "b"), 2.5)]);
        assert_eq!(latest(&store, "up", 1999), [1.0, 2.0, 3.0]);
        assert_eq!(latest(&store, "up", 2000), [2.5, 3.0]);
        store.append(&mut source, 3000, [(labels("up", "a"), 4.0)]);
        assert_eq!(latest(&store, "up", 3000), [4.0, 3.0]);
        let points = store.read().range(&promql_parser::parser::VectorSelector::from("up"), 0, 3000);
        let of_a: Vec<f64> = points[0].1.iter().map(|point| point.value).collect();
        assert_eq!(of_a, [1.0, 4.0], "a stale marker is no sample of a range");
    }

    #[test]
    fn samples_of_the_past_and_labels_without_a_value_are_dropped() {
        let (store, mut source) = (Store::new(i64::MAX), Source::default());
        let mut zoned = labels("up", "a");
        zoned.insert("zone".to_owned(), String::new());
        store.append(&mut source, 2000, [(labels("up", "a"), 1.0), (zoned, 2.0)]);
        store.append(&mut source, 1000, [(labels("up", "a"), 3.0)]);
        assert_eq!(latest(&store, "up", 9000), [1.0]);
        assert_eq!(latest(&store, "up", 1500), [0.0; 0]);
    }

    #[test]
    fn old_samples_and_series_are_dropped() {
        let (store, mut source, mut other) = (Store::new(600_000), Source::default(), Source::default());
        store.append(&mut other, 1000, [(labels("old", "a"), 1.0)]);
        for second in 1..=7200 {
            store.append(&mut source, second * 1000, [(labels("up", "a"), 1.0)]);
        }
        assert_eq!(store.series(&[], 0, 7_200_000), [labels("up", "a")]);
        let range = store.read().range(&VectorSelector::from("up"), 0, 7_200_000);
        let kept = range[0].1.len();
        assert!((600..=600 + 120 + 38).contains(&kept), "{kept}");
    }

    #[test]
    fn series_are_found_by_selectors_and_times() {
        let (store, mut source) = (Store::new(i64::MAX), Source::default());
        store.append(&mut source, 1000, [(labels("up", "a"), 1.0), (labels("down", "a"), 2.0)]);
        store.append(&mut source, 9000, [(labels("up", "a"), 1.0), (labels("up", "b"), 2.0)]);
        let found = |texts: &[&str], from, to| {
            let selectors: Vec<Selector> = texts.iter().map(|text| Selector::parse(text).unwrap()).collect();
            store.series(&selectors, from, to).len()
        };
        assert_eq!(found(&[], 0, 9000), 3);
        assert_eq!(found(&[], 0, 8000), 2);
        assert_eq!(found(&["up"], 0, 9000), 2);
        assert_eq!(found(&["up", "{job=\"a\"}"], 0, 9000), 3);
        assert_eq!(found(&["{job=\"b\"}"], 0, 8000), 0);
    }
}

//! Samples by series, in memory. Series that a scrape or a rule no longer shows are marked as gone (a stale marker, as
//! Prometheus writes one), so that they vanish at once and not after five minutes.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use tsink::{DataPoint, Label, Row, SeriesSelection, Storage, StorageBuilder, TimestampPrecision};

use super::TsdbError;
use saasbench_exposition::Labels;

/// The bits of Prometheus's stale marker, a NaN of its own (`pkg/value/value.go`), as the engine knows it.
const STALE: f64 = f64::from_bits(tsink::promql::types::PROMETHEUS_STALE_NAN_BITS);

/// A series: its metric name and its other labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeriesId {
    /// The metric's name.
    pub name: String,
    /// All other labels; none is empty.
    pub labels: Labels,
}

impl SeriesId {
    /// A series of that name; labels without a value are none, as for Prometheus.
    pub fn new(name: &str, labels: Labels) -> Self {
        let labels = labels.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        Self { name: name.to_owned(), labels }
    }
}

/// The series that one source (a target, a rule) showed the last time.
#[derive(Debug, Default)]
pub struct Shown(Mutex<BTreeSet<SeriesId>>);

/// All samples.
pub struct Store {
    storage: Arc<dyn Storage>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// An empty one.
    ///
    /// # Errors
    /// The library's.
    pub fn new() -> Result<Self, TsdbError> {
        let builder = StorageBuilder::new().with_timestamp_precision(TimestampPrecision::Milliseconds);
        Ok(Self { storage: builder.build().map_err(|error| failed(&error))? })
    }

    pub(super) fn storage(&self) -> Arc<dyn Storage> {
        Arc::clone(&self.storage)
    }

    /// Adds what a source shows at `time` (milliseconds since the epoch); what it showed the last time and does not now is gone.
    ///
    /// # Errors
    /// The library's.
    pub fn append(
        &self,
        source: &Shown,
        time: i64,
        samples: impl IntoIterator<Item = (SeriesId, f64)>,
    ) -> Result<(), TsdbError> {
        let mut rows = Vec::new();
        let mut now = BTreeSet::new();
        for (series, value) in samples {
            rows.push(row(&series, time, value));
            now.insert(series);
        }
        let mut before = source.0.lock().unwrap_or_else(PoisonError::into_inner);
        rows.extend(before.difference(&now).map(|series| row(series, time, STALE)));
        *before = now;
        if rows.is_empty() { Ok(()) } else { self.storage.insert_rows(&rows).map_err(|error| failed(&error)) }
    }

    /// Every series that has a sample between the two instants, in milliseconds since the epoch.
    ///
    /// # Errors
    /// The library's.
    pub fn series(&self, from: i64, to: i64) -> Result<Vec<SeriesId>, TsdbError> {
        let selection = SeriesSelection::new().with_time_range(from, to.saturating_add(1));
        let found = self.storage.select_series(&selection).map_err(|error| failed(&error))?;
        Ok(found
            .into_iter()
            .map(|series| SeriesId {
                name: series.name,
                labels: series.labels.into_iter().map(|label| (label.name, label.value)).collect(),
            })
            .collect())
    }
}

fn row(series: &SeriesId, time: i64, value: f64) -> Row {
    let labels = series.labels.iter().map(|(name, value)| Label::new(name, value)).collect();
    Row::with_labels(&series.name, labels, DataPoint::new(time, value))
}

fn failed(error: &tsink::TsinkError) -> TsdbError {
    TsdbError::Store(error.to_string())
}

//! Latency by tenant, step and replica: for each group two histograms over the whole run, from intended and
//! from sent.
//!
//! The buckets are those of HdrHistogram with two significant digits (an error of less than 1 %). Thousands
//! of groups would take 37 KB each in the library's layout; here a histogram stores only those parts in which
//! something was counted.

use std::{fs::File, io, path::Path, time::Duration};

use hdrhistogram::{
    Histogram,
    serialization::{V2DeflateSerializer, interval_log},
};

use super::{
    batch::{Batch, NONE, Row},
    log_linear::{LONGEST, LogLinear},
    sample::RequestOutcome,
    segment::Names,
};
use saasbench_model::scenario::Scenario;

/// Significant digits …
const DIGITS: u8 = 2;
/// … which need 128 buckets per power of two.
type Buckets = LogLinear<128>;
/// Buckets per part.
const PART: usize = 64;
/// Parts of a histogram up to an hour (2⁴² ns): 36 powers of two with two parts each.
const PARTS: usize = 72;

/// Name of the log in the run's directory.
pub const FILE: &str = "groups.hlog";

/// Histograms of latency by tenant, step and replica.
#[derive(Debug)]
pub struct Groups {
    steps: usize,
    replicas: usize,
    /// Group numbers by tenant, step and replica, or [`NONE`].
    numbers: Vec<u32>,
    /// For each group its two histograms, from intended and from sent, as indices into `parts`.
    histograms: Vec<[[u32; PARTS]; 2]>,
    parts: Vec<[u32; PART]>,
}

impl Groups {
    /// No groups yet.
    pub fn new(scenario: &Scenario, replicas: usize) -> Self {
        let steps = scenario.steps.len();
        let numbers = vec![NONE; scenario.tenants.len() * steps * replicas];
        Self { steps, replicas, numbers, histograms: Vec::new(), parts: Vec::new() }
    }

    /// Counts the responses of a batch.
    pub fn add(&mut self, batch: &Batch) {
        for row in batch.rows.iter().filter(|row| matches!(row.outcome, RequestOutcome::Status(_))) {
            if let Some(group) = self.group(row) {
                self.count(group, 0, row.done - row.intended);
                self.count(group, 1, row.done - row.sent);
            }
        }
    }

    /// The number of a request's group; `None` if the scenario has no such step or replica.
    #[inline]
    fn group(&mut self, row: &Row) -> Option<usize> {
        let (step, replica) = (usize::from(row.step), usize::from(row.replica));
        if step >= self.steps || replica >= self.replicas {
            return None;
        }
        let key = (row.tenant as usize * self.steps + step) * self.replicas + replica;
        let number = self.numbers.get_mut(key)?;
        if *number == NONE {
            *number = self.histograms.len() as u32;
            self.histograms.push([[NONE; PARTS]; 2]);
        }
        Some(*number as usize)
    }

    #[inline]
    fn count(&mut self, group: usize, clock: usize, latency: i64) {
        let bucket = Buckets::bucket(latency.clamp(1, LONGEST.0).unsigned_abs());
        let part = &mut self.histograms[group][clock][bucket / PART];
        if *part == NONE {
            *part = self.parts.len() as u32;
            // Doubling would need twice the memory while growing.
            if self.parts.len() == self.parts.capacity() {
                self.parts.reserve_exact(self.parts.len() / 8 + PART);
            }
            self.parts.push([0; PART]);
        }
        let count = &mut self.parts[*part as usize][bucket % PART];
        *count = count.saturating_add(1);
    }

    /// Writes the log to `path`, with one interval of length `lasted` for each group and clock.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn write(&self, path: &Path, names: &Names<'_>, lasted: Duration) -> io::Result<()> {
        let mut file = io::BufWriter::new(File::create(path)?);
        let mut serializer = V2DeflateSerializer::new();
        let mut log = interval_log::IntervalLogWriterBuilder::new()
            .add_comment("[saasbench: latency in nanoseconds, by tenant/journey/step/replica/clock, maxima in milliseconds]")
            .with_max_value_divisor(1e6)
            .begin_log_with(&mut file, &mut serializer)?;
        for (key, number) in self.numbers.iter().enumerate() {
            let Some(clocks) = self.histograms.get(*number as usize) else { continue };
            let (replica, key) = (key % self.replicas, key / self.replicas);
            let group = names.group(key / self.steps, key % self.steps, replica);
            for (clock, parts) in ["intended", "sent"].into_iter().zip(clocks) {
                let histogram = self.histogram(parts).map_err(io::Error::other)?;
                let tag: String = format!("{group}/{clock}")
                    .replace(|character: char| character == ',' || character.is_whitespace(), "_");
                let tag = interval_log::Tag::new(&tag);
                log.write_histogram(&histogram, Duration::ZERO, lasted, tag).map_err(io::Error::other)?;
            }
        }
        drop(log);
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_data()
    }

    /// The same counts as the library's histogram.
    fn histogram(&self, parts: &[u32; PARTS]) -> Result<Histogram<u64>, String> {
        let mut histogram = Histogram::new_with_bounds(1, LONGEST.0.unsigned_abs(), DIGITS)
            .map_err(|error| error.to_string())?;
        for (number, part) in parts.iter().enumerate() {
            let counts = self.parts.get(*part as usize).into_iter().flatten().enumerate();
            for (position, count) in counts.filter(|(_, count)| **count > 0) {
                histogram.saturating_record_n(Buckets::least(number * PART + position), (*count).into());
            }
        }
        Ok(histogram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::sample;
    use saasbench_model::{
        scenario::testing::{SCENARIO, scenario},
        units::Nanos,
    };

    #[test]
    fn the_longest_latency_has_a_part() {
        assert!(Buckets::bucket(LONGEST.0.unsigned_abs()) < PARTS * PART);
    }

    #[test]
    fn the_log_has_an_interval_per_group() {
        let (scenario, replicas) = (scenario(SCENARIO), ["a".to_owned(), "b c".to_owned()]);
        let late = |millis, replica| {
            let sample = sample(millis, replica, RequestOutcome::Status(200));
            crate::sample::Sample { intended: sample.sent - Nanos::from_millis(30), ..sample }
        };
        let samples = [late(40, 0), late(50, 0), late(60, 1), sample(70, 1, RequestOutcome::Dropped)];
        let mut groups = Groups::new(&scenario, replicas.len());
        groups.add(&samples.iter().collect());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        groups.write(&path, &Names::new(&scenario, &replicas), Duration::from_secs(1)).unwrap();
        let found: Vec<String> = super::super::latency_log::read(&std::fs::read(path).unwrap())
            .iter()
            .map(|(tag, histogram)| {
                format!("{tag}: {} of {} ms", histogram.len(), histogram.max() / 1_000_000)
            })
            .collect();
        insta::assert_snapshot!(found.join("\n"));
    }
}

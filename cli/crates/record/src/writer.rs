//! Writes a recorded run while it runs: a separate thread takes batches of samples, updates the running
//! totals, and completes a segment every two seconds, so that a killed run is readable up to its last
//! seconds.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use super::{
    batch::Batch,
    checksum::Checksum,
    groups::{self, Groups},
    manifest::Recorded,
    sample::{RequestOutcome, Sample},
    segment::{self, Growing, Names},
    tally::{Tally, count_latency, latency_histogram},
};
use hdrhistogram::{
    Histogram,
    serialization::{V2DeflateSerializer, interval_log},
};
use saasbench_model::{scenario::Scenario, units::Nanos};

/// A segment is completed this often …
const SEGMENT_TIME: Duration = Duration::from_secs(2);
/// … or with this many samples, so that memory stays bounded.
const SEGMENT_SAMPLES: u64 = 125_000;
/// Empty batches that are kept for reuse.
const EMPTY_BATCHES: usize = 64;

/// Why recording stopped.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A file could not be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The I/O error.
        source: io::Error,
    },
    /// The HTTP client could not be set up.
    #[error("no HTTP client: {0}")]
    Client(String),
    /// The load could not be driven.
    #[error("the load engine cannot work: {0}")]
    Engine(io::Error),
    /// A thread or task ended by itself, which is a bug.
    #[error("a part of the recorder ended before the run did")]
    Ended,
}

impl RecordError {
    /// Maps an I/O error to the file that could not be written.
    pub fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Write { path, source }
    }

    /// The error for a load that could not be driven.
    pub fn engine(error: io::Error) -> Self {
        Self::Engine(error)
    }

    /// The error for an HTTP client that could not be set up.
    pub fn tls(error: impl std::fmt::Display) -> Self {
        Self::Client(error.to_string())
    }
}

/// Creates the directory of a new run, `<out>/<UTC time>-<name>`, with a number appended if it exists
/// already.
///
/// # Errors
/// Any I/O error.
pub fn create_directory(out: &Path, name: &str) -> Result<PathBuf, RecordError> {
    let dir = create_place(out, name)?;
    create_run(&dir)?;
    Ok(dir)
}

/// Creates a run's directory at the given path.
///
/// # Errors
/// Any I/O error.
pub fn create_run(dir: &Path) -> Result<(), RecordError> {
    let samples = dir.join("samples");
    fs::create_dir_all(&samples).map_err(RecordError::write(&samples))
}

/// Creates an empty directory, named like that of a run, to hold several runs.
///
/// # Errors
/// Any I/O error.
pub fn create_place(out: &Path, name: &str) -> Result<PathBuf, RecordError> {
    fs::create_dir_all(out).map_err(RecordError::write(out))?;
    let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let mut number = 1;
    loop {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let dir = out.join(format!("{time}-{name}{suffix}"));
        match fs::create_dir(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(RecordError::write(&dir)(error)),
        }
    }
}

/// Accepts samples; cheap to clone.
#[derive(Debug, Clone)]
pub struct Sink {
    full: mpsc::Sender<Batch>,
    empty: Arc<Mutex<Vec<Batch>>>,
}

/// The receiving end of a [`Sink`].
#[derive(Debug)]
pub struct SampleReceiver {
    full: mpsc::Receiver<Batch>,
    empty: Arc<Mutex<Vec<Batch>>>,
}

impl Sink {
    /// A sink and its receiving end.
    pub fn channel() -> (Self, SampleReceiver) {
        let (sender, receiver) = mpsc::channel();
        let empty = Arc::default();
        (Self { full: sender, empty: Arc::clone(&empty) }, SampleReceiver { full: receiver, empty })
    }

    /// Hands over the samples of a batch and replaces it by an empty one, reused if possible. Samples are
    /// lost after the recorder has failed; [`Recorder::finish`] reports the failure.
    pub fn hand_over(&self, batch: &mut Batch) {
        if batch.is_empty() {
            return;
        }
        let empty = self.empty.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let _ = self.full.send(std::mem::replace(batch, empty.unwrap_or_default()));
    }
}

impl SampleReceiver {
    /// The samples, until every [`Sink`] is dropped.
    pub fn iter(&self) -> impl Iterator<Item = Sample> {
        self.full.iter().flat_map(|batch| batch.iter().collect::<Vec<_>>())
    }

    /// Returns a batch for reuse.
    fn give_back(&self, mut batch: Batch) {
        batch.clear();
        let mut empty = self.empty.lock().unwrap_or_else(PoisonError::into_inner);
        if empty.len() < EMPTY_BATCHES {
            empty.push(batch);
        }
    }
}

/// The handle of the recording thread.
#[derive(Debug)]
pub struct Recorder {
    thread: JoinHandle<Result<Recorded, RecordError>>,
    tally: Arc<Mutex<Tally>>,
}

/// Read access to the running totals.
#[derive(Debug, Clone)]
pub struct TallyReader(Arc<Mutex<Tally>>);

impl TallyReader {
    /// Locks the totals. This blocks the recorder, so the guard must be dropped quickly.
    pub fn lock(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorder {
    /// Starts recording the run of this identity into `dir`. If a file cannot be written, `on_failure` is called, so that the load can
    /// be ended.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        dir: PathBuf,
        scenario: Arc<Scenario>,
        replicas: Vec<String>,
        identity: Checksum,
        on_failure: impl FnOnce() + Send + 'static,
    ) -> Result<(Self, Sink), RecordError> {
        Self::start_with_observer(dir, scenario, replicas, identity, on_failure, |_| {})
    }

    /// Like [`Self::start`], and calls `each` with what is recorded, on the recording thread.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start_with_observer(
        dir: PathBuf,
        scenario: Arc<Scenario>,
        replicas: Vec<String>,
        identity: Checksum,
        on_failure: impl FnOnce() + Send + 'static,
        each: impl FnMut(&Batch) + Send + 'static,
    ) -> Result<(Self, Sink), RecordError> {
        let (sink, handed) = Sink::channel();
        let tally = Arc::new(Mutex::new(Tally::new(scenario.tenants.len())));
        let totals = TallyReader(Arc::clone(&tally));
        let path = dir.clone();
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || {
                let segment = Growing::of_run(identity);
                let result = record(&dir, &handed, &Names::new(&scenario, &replicas), segment, &totals, each);
                if result.is_err() {
                    on_failure();
                }
                result
            })
            .map_err(RecordError::write(&path))?;
        Ok((Self { thread, tally }, sink))
    }

    /// The running totals.
    pub fn tally(&self) -> TallyReader {
        TallyReader(Arc::clone(&self.tally))
    }

    /// Waits until everything is written. Every [`Sink`] must have been dropped, or it never returns.
    ///
    /// # Errors
    /// When a file could not be written.
    pub fn finish(self) -> Result<Recorded, RecordError> {
        self.thread.join().map_err(|_| RecordError::Ended)?
    }
}

/// The recording thread: runs until every sender is dropped.
#[expect(clippy::disallowed_types, reason = "a thread without a runtime, on which no paused clock is seen")]
fn record(
    dir: &Path,
    handed: &SampleReceiver,
    names: &Names<'_>,
    mut segment: Growing,
    totals: &TallyReader,
    mut each: impl FnMut(&Batch),
) -> Result<Recorded, RecordError> {
    let log_path = dir.join("latency.hlog");
    let mut log_file = fs::File::create(&log_path).map_err(RecordError::write(&log_path))?;
    let mut serializer = V2DeflateSerializer::new();
    let start = std::time::Instant::now();
    let mut log = interval_log::IntervalLogWriterBuilder::new()
        .add_comment("[saasbench: latency in nanoseconds, maxima in milliseconds]")
        .with_max_value_divisor(1e6)
        .begin_log_with(&mut log_file, &mut serializer)
        .map_err(RecordError::write(&log_path))?;

    let mut recorded = Recorded::default();
    let mut groups = Groups::new(names.scenario(), names.replicas().len());
    let mut latencies = [latency_histogram(), latency_histogram()];
    let mut open = true;
    while open {
        let started = std::time::Instant::now();
        while segment.len() < SEGMENT_SAMPLES {
            match handed.full.recv_timeout(SEGMENT_TIME.saturating_sub(started.elapsed())) {
                Ok(batch) => {
                    totals.lock().add(&batch);
                    each(&batch);
                    count(&mut latencies, &batch);
                    groups.add(&batch);
                    segment.add(&batch);
                    handed.give_back(batch);
                }
                Err(mpsc::RecvTimeoutError::Timeout) => break,
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    open = false;
                    break;
                }
            }
        }
        if segment.is_empty() {
            continue;
        }
        recorded.segments += 1;
        recorded.samples += segment.len();
        let path = segment_path(dir, recorded.segments);
        segment.write(&path, names).map_err(RecordError::write(&path))?;
        recorded.last = segment.last();
        for (tag, histogram) in ["intended", "sent"].into_iter().zip(&mut latencies) {
            log.write_histogram(histogram, started - start, started.elapsed(), interval_log::Tag::new(tag))
                .map_err(|error| RecordError::write(&log_path)(io::Error::other(error)))?;
            histogram.reset();
        }
    }
    let path = dir.join(groups::FILE);
    groups.write(&path, names, start.elapsed()).map_err(RecordError::write(&path))?;
    // Syncing to disk happens after the load, so as not to disturb it.
    for number in 1..=recorded.segments {
        let path = segment_path(dir, number);
        segment::keep(&path).map_err(RecordError::write(&path))?;
    }
    Ok(recorded)
}

fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join("samples").join(format!("{number:06}.parquet"))
}

/// Counts the latencies of a batch's responses from intended and from sent.
fn count([intended, sent]: &mut [Histogram<u64>; 2], batch: &Batch) {
    for row in batch.rows.iter().filter(|row| matches!(row.outcome, RequestOutcome::Status(_))) {
        count_latency(intended, Nanos(row.done - row.intended));
        count_latency(sent, Nanos(row.done - row.sent));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::latency_log;
    use crate::testing::sample;
    use saasbench_model::scenario::testing::{SCENARIO, scenario};

    #[test]
    fn samples_are_on_disk_when_the_recorder_is_done() {
        let out = tempfile::tempdir().unwrap();
        let dir = create_directory(out.path(), "test").unwrap();
        let has_failed = Arc::new(AtomicBool::new(false));
        let failed = Arc::clone(&has_failed);
        let on_failure = move || failed.store(true, Ordering::SeqCst);
        let scenario = Arc::new(scenario(SCENARIO));
        let replicas = vec!["a".to_owned()];
        let (recorder, sink) = Recorder::start(
            dir.clone(),
            Arc::clone(&scenario),
            replicas.clone(),
            Checksum::default(),
            on_failure,
        )
        .unwrap();
        let mut batch = Batch::default();
        for i in 0..1000 {
            batch.push(&sample(i, 0, RequestOutcome::Status(200)));
            if i % 300 == 0 {
                sink.hand_over(&mut batch);
                assert!(batch.is_empty());
            }
        }
        sink.hand_over(&mut batch);
        let tally = recorder.tally();
        drop(sink);
        let recorded = recorder.finish().unwrap();
        assert_eq!((recorded.segments, recorded.samples), (1, 1000));
        assert_eq!(tally.lock().requests, 1000);
        assert!(!has_failed.load(Ordering::SeqCst));
        let mut read = 0;
        for entry in fs::read_dir(dir.join("samples")).unwrap() {
            read += segment::read(&entry.unwrap().path(), &Names::new(&scenario, &replicas)).unwrap().0.len();
        }
        assert_eq!(read, 1000);
        // As other tools read the log: its intervals' histograms have what was put, by both clocks.
        let counts: Vec<(String, u64)> = latency_log::read(&fs::read(dir.join("latency.hlog")).unwrap())
            .into_iter()
            .map(|(tag, histogram)| (tag, histogram.len()))
            .collect();
        for tag in ["intended", "sent"] {
            assert_eq!(counts.iter().filter(|(of, _)| of == tag).map(|(_, n)| n).sum::<u64>(), 1000);
        }
    }

    #[test]
    fn a_record_that_cannot_be_written_stops_the_load() {
        let out = tempfile::tempdir().unwrap();
        let dir = create_directory(out.path(), "test").unwrap();
        fs::remove_dir(dir.join("samples")).unwrap();
        let has_failed = Arc::new(AtomicBool::new(false));
        let failed = Arc::clone(&has_failed);
        let on_failure = move || failed.store(true, Ordering::SeqCst);
        let (recorder, sink) = Recorder::start(
            dir,
            Arc::new(scenario(SCENARIO)),
            vec!["a".to_owned()],
            Checksum::default(),
            on_failure,
        )
        .unwrap();
        sink.hand_over(&mut [sample(0, 0, RequestOutcome::Status(200))].iter().collect());
        drop(sink);
        let error = recorder.finish().unwrap_err().to_string();
        assert!(error.starts_with("cannot write ") && error.contains("000001.parquet"), "{error}");
        assert!(has_failed.load(Ordering::SeqCst));
    }

    #[test]
    fn two_runs_of_one_second_get_two_directories() {
        let out = tempfile::tempdir().unwrap();
        let dirs: Vec<PathBuf> = (0..3).map(|_| create_directory(out.path(), "test").unwrap()).collect();
        assert!(dirs[0] != dirs[1] && dirs[1] != dirs[2] && dirs[0] != dirs[2]);
    }
}

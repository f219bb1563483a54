//! Writes a recorded run while it goes: a thread of its own takes samples from a channel, keeps the running totals, and
//! completes a segment every two seconds, so that a killed run is readable up to its last seconds.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use hdrhistogram::{
    Histogram,
    serialization::{V2DeflateSerializer, interval_log},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    manifest::Recorded,
    sample::{Outcome, Sample},
    segment::{self, Names},
    tally::{Tally, count_latency, latency_histogram},
};
use crate::scenario::Scenario;

/// A segment is completed this often …
const SEGMENT_TIME: Duration = Duration::from_secs(2);
/// … or when it has so many samples, so that memory stays bounded.
const SEGMENT_SAMPLES: usize = 50_000;

/// Why recording stopped.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A file could not be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The HTTP client could not be set up.
    #[error("no HTTP client: {0}")]
    Client(String),
    /// The load could not be driven.
    #[error("the load engine cannot work: {0}")]
    Engine(io::Error),
    /// A thread or task of ours ended by itself: a defect.
    #[error("a part of the recorder ended before the run did")]
    Ended,
}

impl RecordError {
    /// Says which file could not be written.
    pub fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Write { path, source }
    }

    /// Says that the load could not be driven.
    pub fn engine(error: io::Error) -> Self {
        Self::Engine(error)
    }

    /// Says that there is no HTTP client.
    pub fn tls(error: impl std::fmt::Display) -> Self {
        Self::Client(error.to_string())
    }
}

/// Makes the directory of a new run, `<out>/<UTC time>-<name>`, with a number behind it if there is one already.
///
/// # Errors
/// The file system's.
pub fn create_directory(out: &Path, name: &str) -> Result<PathBuf, RecordError> {
    fs::create_dir_all(out).map_err(RecordError::write(out))?;
    let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let mut number = 1;
    loop {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let dir = out.join(format!("{time}-{name}{suffix}"));
        match fs::create_dir(&dir) {
            Ok(()) => {
                let samples = dir.join("samples");
                fs::create_dir(&samples).map_err(RecordError::write(&samples))?;
                return Ok(dir);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(RecordError::write(&dir)(error)),
        }
    }
}

/// Takes samples; cheap to clone.
#[derive(Debug, Clone)]
pub struct Sink(mpsc::Sender<Sample>);

impl Sink {
    /// A sink, and where its samples come out.
    pub fn channel() -> (Self, mpsc::Receiver<Sample>) {
        let (sender, receiver) = mpsc::channel();
        (Self(sender), receiver)
    }

    /// Hands over many samples at once.
    pub fn hand_over(&self, samples: Vec<Sample>) {
        for sample in samples {
            self.put(sample);
        }
    }

    /// Hands over a sample. One that comes after the recorder failed is lost; the failure is told by
    /// [`Recorder::finish`].
    pub fn put(&self, sample: Sample) {
        let _ = self.0.send(sample);
    }
}

/// The recording thread.
#[derive(Debug)]
pub struct Recorder {
    thread: JoinHandle<Result<Recorded, RecordError>>,
    tally: Arc<Mutex<Tally>>,
}

/// A reader's view of the running totals.
#[derive(Debug, Clone)]
pub struct TallyReader(Arc<Mutex<Tally>>);

impl TallyReader {
    /// The totals, held still while the guard lives: be quick.
    pub fn lock(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorder {
    /// Starts recording into `dir`. When a file cannot be written, `stop` is cancelled so that the load ends.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        dir: PathBuf,
        scenario: Arc<Scenario>,
        replicas: Vec<String>,
        stop: CancellationToken,
    ) -> Result<(Self, Sink), RecordError> {
        let (sink, receiver) = Sink::channel();
        let tally = Arc::new(Mutex::new(Tally::new(scenario.tenants.len())));
        let totals = TallyReader(Arc::clone(&tally));
        let path = dir.clone();
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || {
                let result = record(&dir, &receiver, &Names::new(&scenario, &replicas), &totals);
                if result.is_err() {
                    stop.cancel();
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

    /// Waits until everything is written; every [`Sink`] must be gone, or it waits for ever.
    ///
    /// # Errors
    /// When a file could not be written.
    pub fn finish(self) -> Result<Recorded, RecordError> {
        self.thread.join().map_err(|_| RecordError::Ended)?
    }
}

/// The recording thread's work: until every sender is gone.
fn record(
    dir: &Path,
    receiver: &mpsc::Receiver<Sample>,
    names: &Names<'_>,
    totals: &TallyReader,
) -> Result<Recorded, RecordError> {
    let log_path = dir.join("latency.hlog");
    let mut log_file = fs::File::create(&log_path).map_err(RecordError::write(&log_path))?;
    let mut serializer = V2DeflateSerializer::new();
    let start = Instant::now();
    let mut log = interval_log::IntervalLogWriterBuilder::new()
        .add_comment("[saasbench: latency in nanoseconds, maxima in milliseconds]")
        .with_max_value_divisor(1e6)
        .begin_log_with(&mut log_file, &mut serializer)
        .map_err(RecordError::write(&log_path))?;

    let mut recorded = Recorded::default();
    let mut open = true;
    while open {
        let begun = Instant::now();
        let mut samples = Vec::new();
        while samples.len() < SEGMENT_SAMPLES {
            match receiver.recv_timeout(SEGMENT_TIME.saturating_sub(begun.elapsed())) {
                Ok(sample) => {
                    totals.lock().add(&sample);
                    samples.push(sample);
                }
                Err(mpsc::RecvTimeoutError::Timeout) => break,
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    open = false;
                    break;
                }
            }
        }
        if samples.is_empty() {
            continue;
        }
        recorded.segments += 1;
        let path = dir.join("samples").join(format!("{:06}.parquet", recorded.segments));
        segment::write(&path, &samples, names).map_err(RecordError::write(&path))?;
        recorded.samples += samples.len() as u64;
        for (tag, histogram) in ["intended", "sent"].into_iter().zip(latencies(&samples)) {
            log.write_histogram(&histogram, begun - start, begun.elapsed(), interval_log::Tag::new(tag))
                .map_err(|error| RecordError::write(&log_path)(io::Error::other(error)))?;
        }
    }
    Ok(recorded)
}

/// Latency of the answered requests from intended and from sent.
fn latencies(samples: &[Sample]) -> [Histogram<u64>; 2] {
    let (mut intended, mut sent) = (latency_histogram(), latency_histogram());
    for sample in samples.iter().filter(|sample| matches!(sample.outcome, Outcome::Status(_))) {
        count_latency(&mut intended, sample.latency_intended());
        count_latency(&mut sent, sample.latency_sent());
    }
    [intended, sent]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::testing::{SCENARIO, sample, scenario};

    #[test]
    fn what_was_put_is_on_disk_when_the_recorder_is_done() {
        let out = tempfile::tempdir().unwrap();
        let dir = create_directory(out.path(), "test").unwrap();
        let stop = CancellationToken::new();
        let scenario = Arc::new(scenario(SCENARIO));
        let replicas = vec!["a".to_owned()];
        let (recorder, sink) =
            Recorder::start(dir.clone(), Arc::clone(&scenario), replicas.clone(), stop.clone()).unwrap();
        for i in 0..1000 {
            sink.put(sample(i, 0, Outcome::Status(200)));
        }
        let tally = recorder.tally();
        drop(sink);
        assert_eq!(recorder.finish().unwrap(), Recorded { segments: 1, samples: 1000 });
        assert_eq!(tally.lock().requests, 1000);
        assert!(!stop.is_cancelled());
        let mut read = 0;
        for entry in fs::read_dir(dir.join("samples")).unwrap() {
            read += segment::read(&entry.unwrap().path(), &Names::new(&scenario, &replicas)).unwrap().len();
        }
        assert_eq!(read, 1000);
        // Others' tools read the log: its intervals' histograms are what was put, by both clocks.
        let log = fs::read(dir.join("latency.hlog")).unwrap();
        let mut deserializer = hdrhistogram::serialization::Deserializer::new();
        let counts: Vec<(String, u64)> = interval_log::IntervalLogIterator::new(&log)
            .filter_map(|entry| match entry.unwrap() {
                interval_log::LogEntry::Interval(interval) => {
                    use base64::Engine as _;
                    let bytes = base64::engine::general_purpose::STANDARD
                        .decode(interval.encoded_histogram())
                        .unwrap();
                    let histogram: Histogram<u64> = deserializer.deserialize(&mut &bytes[..]).unwrap();
                    Some((interval.tag().unwrap().as_str().to_owned(), histogram.len()))
                }
                _ => None,
            })
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
        let stop = CancellationToken::new();
        let (recorder, sink) =
            Recorder::start(dir, Arc::new(scenario(SCENARIO)), vec!["a".to_owned()], stop.clone()).unwrap();
        sink.put(sample(0, 0, Outcome::Status(200)));
        drop(sink);
        let error = recorder.finish().unwrap_err().to_string();
        assert!(error.starts_with("cannot write ") && error.contains("000001.parquet"), "{error}");
        assert!(stop.is_cancelled());
    }

    #[test]
    fn two_runs_of_one_second_get_two_directories() {
        let out = tempfile::tempdir().unwrap();
        let dirs: Vec<PathBuf> = (0..3).map(|_| create_directory(out.path(), "test").unwrap()).collect();
        assert!(dirs[0] != dirs[1] && dirs[1] != dirs[2] && dirs[0] != dirs[2]);
    }
}

//! Opens recorded runs: the starting point of verification and reports.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::mpsc,
};

use super::{
    batch::Batch,
    manifest::{Manifest, ManifestError},
    sample::Sample,
    segment::{self, Names, SegmentError},
};
use crate::{json_lines::ObservationsError, observations::Observations, self_monitor::SelfMonitorRecord};
use saasbench_model::scenario::{
    Scenario,
    overrides::OverrideError,
    problem::Problems,
    resolve::{Sources, declare_metrics, resolve},
};

/// Threads that decode segments, at most: more cannot keep a single judging thread busier.
const READERS: usize = 4;

/// A recorded run with everything but its samples in memory.
#[derive(Debug)]
pub struct RecordedRun {
    /// Its directory.
    pub dir: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
    /// Its scenario, resolved again from the manifest.
    pub scenario: Scenario,
    /// What the service's side showed.
    pub observations: Observations,
    /// What the generator measured of itself.
    pub self_monitor: SelfMonitorRecord,
    segments: Vec<PathBuf>,
    replica_names: Vec<String>,
}

/// Why a recorded run could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no manifest.
    #[error("{0} is not a recorded run: it has no manifest.json")]
    NotARun(PathBuf),
    /// The manifest cannot be read.
    #[error("{path}: {source}")]
    Manifest {
        /// Path of the manifest.
        path: PathBuf,
        /// The cause.
        source: ManifestError,
    },
    /// The recorded scenario does not resolve (any more).
    #[error("the recorded scenario has problems:\n{}", .0.render(false))]
    Scenario(Problems),
    /// The recorded overrides do not fit the scenario (any more).
    #[error("the recorded scenario cannot be changed as its manifest says: {0}")]
    Overrides(OverrideError),
    /// The segments cannot be listed.
    #[error("{path}: {source}")]
    Io {
        /// The directory.
        path: PathBuf,
        /// The I/O error.
        source: io::Error,
    },
    /// An observation cannot be read.
    #[error(transparent)]
    Observations(#[from] ObservationsError),
}

impl RecordedRun {
    /// Opens the run in `dir`. Samples are read later, by [`Self::for_each_sample`].
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let manifest = Manifest::read(dir).map_err(|source| match source {
            ManifestError::Io(error) if error.kind() == io::ErrorKind::NotFound => {
                OpenError::NotARun(dir.to_owned())
            }
            source => OpenError::Manifest { path: dir.join(super::manifest::FILE), source },
        })?;
        let mut scenario =
            recorded_scenario(&manifest.scenario.text, &manifest.scenario.file, &manifest.scenario.files)
                .map_err(OpenError::Scenario)?;
        manifest.scenario.overrides.apply(&mut scenario).map_err(OpenError::Overrides)?;
        if let Some(metrics) = &manifest.environment.metrics {
            let name = format!("[environment.{}.metrics]", manifest.environment.name);
            declare_metrics(&mut scenario, metrics, &name, &[]).map_err(OpenError::Scenario)?;
        }
        let samples = dir.join("samples");
        let listing = |source| OpenError::Io { path: samples.clone(), source };
        let mut segments = Vec::new();
        for entry in fs::read_dir(&samples).map_err(listing)? {
            let path = entry.map_err(listing)?.path();
            if path.extension().is_some_and(|extension| extension == "parquet") {
                segments.push(path);
            }
        }
        segments.sort();
        let observations = Observations::read(dir, &manifest.environment, scenario.metrics.as_ref())?;
        let self_monitor = SelfMonitorRecord::read(dir)?;
        let replica_names = manifest.environment.replicas.iter().map(|r| r.name.clone()).collect();
        Ok(Self {
            dir: dir.to_owned(),
            manifest,
            scenario,
            observations,
            self_monitor,
            segments,
            replica_names,
        })
    }

    /// Names of the replicas, in order.
    pub fn replica_names(&self) -> &[String] {
        &self.replica_names
    }

    /// Calls `each` with every sample and its number (from 0). Segments are decoded ahead on separate
    /// threads, at most one per thread, so that memory stays bounded.
    ///
    /// # Errors
    /// When a segment cannot be read, or is missing.
    pub fn for_each_sample(&self, mut each: impl FnMut(u64, &Sample)) -> Result<(), SegmentError> {
        let names = Names::new(&self.scenario, &self.replica_names);
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = threads.min(READERS).min(self.segments.len().max(1));
        let mut number = 0;
        std::thread::scope(|scope| {
            // Each thread decodes every n-th segment; taking from them in turn yields the original order.
            let decode = |first: usize| {
                let (decoded, taken) = mpsc::sync_channel(0);
                let names = &names;
                scope.spawn(move || {
                    for path in self.segments.iter().skip(first).step_by(threads) {
                        if decoded.send(segment::read(path, names)).is_err() {
                            return;
                        }
                    }
                });
                taken
            };
            let decoders: Vec<mpsc::Receiver<Result<Batch, SegmentError>>> =
                (0..threads).map(decode).collect();
            for (path, decoder) in self.segments.iter().zip(decoders.iter().cycle()) {
                let ended = |_| SegmentError::Damaged {
                    path: path.clone(),
                    message: "its reader ended by itself".to_owned(),
                };
                for sample in decoder.recv().map_err(ended)??.iter() {
                    each(number, &sample);
                    number += 1;
                }
            }
            Ok(())
        })?;
        let segments = self.segments.len() as u64;
        match self.manifest.recorded {
            Some(recorded) if recorded.samples != number || recorded.segments != segments => {
                Err(SegmentError::Incomplete {
                    path: self.dir.join("samples"),
                    found: number,
                    segments,
                    recorded,
                })
            }
            _ => Ok(()),
        }
    }
}

/// Resolves a scenario from the manifest; secrets are no longer needed.
fn recorded_scenario(text: &str, file: &str, files: &BTreeMap<String, String>) -> Result<Scenario, Problems> {
    let read_file = |path: &Path| {
        files.get(&*path.to_string_lossy()).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    };
    resolve(text, file, &Sources { read_file: &read_file, environment: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        manifest::Recorded,
        sample::RequestOutcome,
        testing::{TestRun, sample},
    };
    use saasbench_model::units::Nanos;

    #[test]
    fn a_run_that_lacks_a_segment_is_not_judged() {
        let mut made = TestRun::new("", &[sample(0, 0, RequestOutcome::Status(200))]);
        made.manifest.recorded = Some(Recorded { segments: 2, samples: 9 });
        made.manifest.write(made.dir.path()).unwrap();
        let run = RecordedRun::open(made.dir.path()).unwrap();
        let error = run.for_each_sample(|_, _| {}).unwrap_err().to_string();
        assert!(
            error.ends_with("1 samples in 1 segments, 9 samples in 2 were recorded: a part is gone"),
            "{error}"
        );
    }

    #[test]
    fn unreadable_run_directories_are_reported() {
        let made = TestRun::new("", &[]);
        let dir = made.dir.path();
        let open =
            || RecordedRun::open(dir).unwrap_err().to_string().replace(&dir.display().to_string(), "DIR");
        let mut all = open() + "\n";
        std::fs::write(dir.join("manifest.json"), "{\n \"format\": 1,").unwrap();
        all += &(open() + "\n");
        std::fs::write(dir.join("manifest.json"), "{\"format\": 99}").unwrap();
        all += &(open() + "\n");
        made.manifest.write(dir).unwrap();
        std::fs::write(dir.join("observations/scrapes.jsonl"), "{}\n").unwrap();
        all += &(open() + "\n");
        insta::assert_snapshot!(all);
    }

    #[test]
    fn overrides_apply_when_a_run_is_judged_again() {
        let mut made = TestRun::new("", &[sample(0, 0, RequestOutcome::Status(200))]);
        made.manifest.scenario.overrides.duration = Some(Nanos::from_secs(3));
        made.open();
        let duration = || RecordedRun::open(made.dir.path()).map(|run| run.scenario.loads[0].duration);
        assert_eq!(duration().unwrap(), Nanos::from_secs(3));
        made.manifest.scenario.overrides.users = Some(3);
        made.manifest.write(made.dir.path()).unwrap();
        insta::assert_snapshot!(
            duration().unwrap_err().to_string(),
            @"the recorded scenario cannot be changed as its manifest says: no load of the scenario has users whose number could be changed: all of them have a rate"
        );
    }

    #[test]
    fn an_environments_metrics_are_read_from_the_record() {
        let mut made = TestRun::new("", &[sample(0, 0, RequestOutcome::Status(200))]);
        made.open();
        assert_eq!(RecordedRun::open(made.dir.path()).unwrap().scenario.metrics.unwrap().path, "/metrics");
        made.manifest.environment.metrics = Some("preset = \"micrometer\"\n".to_owned());
        made.open();
        let metrics = RecordedRun::open(made.dir.path()).unwrap().scenario.metrics.unwrap();
        assert_eq!(metrics.path, "/actuator/prometheus");
        made.manifest.environment.metrics = Some("preset = \"other\"\n".to_owned());
        made.manifest.write(made.dir.path()).unwrap();
        insta::assert_snapshot!(RecordedRun::open(made.dir.path()).unwrap_err().to_string());
    }
}

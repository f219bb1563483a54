//! Opens recorded runs: the starting point of verification and reports.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::mpsc,
};

use super::{
    batch::Batch,
    damage::{self, Damage, Files},
    manifest::{Manifest, ManifestError, Recorded},
    sample::Sample,
    segment::{self, Names, Seal, SegmentError},
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
    /// Files that are missing or were changed since they were written; nothing of them is used.
    pub damage: Vec<Damage>,
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
        let damage = damage::of_files(dir, &manifest, !segments.is_empty());
        let mut files = Files { dir, damage };
        let observations = Observations::read(&mut files, &manifest.environment, scenario.metrics.as_ref())?;
        let self_monitor = SelfMonitorRecord::read_from(&mut files)?;
        let damage = files.damage;
        let replica_names = manifest.environment.replicas.iter().map(|r| r.name.clone()).collect();
        Ok(Self {
            dir: dir.to_owned(),
            manifest,
            scenario,
            observations,
            self_monitor,
            damage,
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
    /// When a segment is damaged or missing, or there are others than were recorded.
    pub fn for_each_sample(&self, mut each: impl FnMut(u64, &Sample)) -> Result<(), SegmentError> {
        let names = Names::new(&self.scenario, &self.replica_names);
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = threads.min(READERS).min(self.segments.len().max(1));
        let (mut number, mut last) = (0, self.manifest.identity());
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
            let decoders: Vec<mpsc::Receiver<Result<(Batch, Seal), SegmentError>>> =
                (0..threads).map(decode).collect();
            for (path, decoder) in self.segments.iter().zip(decoders.iter().cycle()) {
                let damaged =
                    |message: &str| SegmentError::Damaged { path: path.clone(), message: message.to_owned() };
                let decoded = decoder.recv().map_err(|_| damaged("its reader ended by itself"))?;
                let (batch, seal) = decoded?;
                if seal.previous != last {
                    return Err(damaged(
                        "it does not follow what was recorded before it: a segment is missing, or this one is of another run",
                    ));
                }
                last = seal.own;
                for sample in batch.iter() {
                    each(number, &sample);
                    number += 1;
                }
            }
            Ok(())
        })?;
        let segments = self.segments.len() as u64;
        match self.manifest.recorded {
            Some(recorded) if recorded != (Recorded { segments, samples: number, last }) => {
                Err(SegmentError::Different {
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
pub(crate) fn recorded_scenario(
    text: &str,
    file: &str,
    files: &BTreeMap<String, String>,
) -> Result<Scenario, Problems> {
    let read_file = |path: &Path| {
        files.get(&*path.to_string_lossy()).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    };
    resolve(text, file, &Sources { read_file: &read_file, environment: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        sample::RequestOutcome,
        testing::{TestRun, sample},
    };
    use saasbench_model::units::Nanos;

    #[test]
    fn a_run_with_other_samples_than_were_recorded_is_not_judged() {
        let mut made = TestRun::new("", &[sample(0, 0, RequestOutcome::Status(200))]);
        let mut reported = String::new();
        for (segments, samples) in [(2, 9), (1, 2), (0, 0), (1, 0), (1, 1)] {
            made.manifest.recorded = Some(Recorded { segments, samples, ..Recorded::default() });
            made.manifest.write(made.dir.path()).unwrap();
            let run = RecordedRun::open(made.dir.path()).unwrap();
            let error = run.for_each_sample(|_, _| {}).unwrap_err().to_string();
            reported += error.split_once("samples: ").unwrap().1;
            reported += "\n";
        }
        insta::assert_snapshot!(reported);
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
        std::fs::write(
            dir.join("observations/scrapes.jsonl"),
            crate::testing::sealed_lines("{\"number\":0}\n"),
        )
        .unwrap();
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

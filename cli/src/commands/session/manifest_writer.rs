//! The manifest of a run in progress: every change is written to disk at once, so that the record of a killed
//! run has it, too.

use std::{path::Path, pin::pin};

use tokio_util::sync::CancellationToken;

use crate::commands::session::abort_monitor::Aborted;
use crate::output::Output;
use saasbench_engine::rate_control::RateControlReceiver;
use saasbench_record::{
    damage,
    event::Event,
    manifest::{LoadPhase, Manifest, Recorded, State},
    writer::RecordError,
};

/// The manifest of a run in progress.
#[derive(Debug)]
pub(super) struct ManifestWriter<'a> {
    dir: &'a Path,
    manifest: Manifest,
    /// Number of pace changes written so far.
    turned: usize,
    /// Whether the load was ended because it was hopeless.
    aborted: bool,
}

impl<'a> ManifestWriter<'a> {
    /// Writes the manifest before the run.
    ///
    /// # Errors
    /// Any I/O error, as in all further methods.
    pub(super) fn begin(dir: &'a Path, manifest: Manifest) -> Result<Self, RecordError> {
        let journal = Self { dir, manifest, turned: 0, aborted: false };
        journal.write()?;
        Ok(journal)
    }

    /// The run's directory.
    pub(super) fn dir(&self) -> &'a Path {
        self.dir
    }

    /// The current manifest.
    pub(super) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Waits for the end of the load. Events meanwhile, changes by hand (`turns`) or an abort (`halt`, with
    /// the reason in `aborted`), are written as they happen, so that the record of a killed run has them.
    pub(super) async fn follow<T>(
        &mut self,
        driving: impl Future<Output = T>,
        mut turns: RateControlReceiver,
        halt: &CancellationToken,
        aborted: &Aborted,
        output: &mut Output<'_>,
    ) -> T {
        let mut driving = pin!(driving);
        let mut halted = false;
        loop {
            // Some of it may have been done before.
            let changes = turns.changes().split_off(self.turned);
            self.turned += changes.len();
            let mut events: Vec<Event> = changes.into_iter().map(Event::PaceChanged).collect();
            events.iter().for_each(|event| output.event(event));
            if let Some(event) = aborted.get().filter(|_| halted && !self.aborted) {
                self.aborted = true;
                output.note(&event.to_string());
                events.push(event.clone());
            }
            self.add(events);
            let ended = tokio::select! {
                biased;
                () = halt.cancelled(), if !halted => { halted = true; None }
                () = turns.changed() => None,
                ended = &mut driving => Some(ended),
            };
            if let Some(ended) = ended {
                return ended;
            }
        }
    }

    /// Adds events. What cannot be written now cannot be written at the end either, and is reported then.
    fn add(&mut self, events: Vec<Event>) {
        if !events.is_empty() {
            self.manifest.events.extend(events);
            self.manifest.events.sort_by_key(Event::at);
            let _ = self.write();
        }
    }

    /// Records the load's end, and what was recorded of it.
    pub(super) fn load_ended(&mut self, phase: LoadPhase, recorded: Recorded) -> Result<(), RecordError> {
        (self.manifest.load, self.manifest.recorded) = (Some(phase), Some(recorded));
        self.write()
    }

    /// Records the run's end, with the checksums of what was written besides the samples.
    pub(super) fn end(mut self, interrupted: bool) -> Result<(), RecordError> {
        self.manifest.state = match (interrupted, self.aborted) {
            (true, _) => State::Interrupted,
            (false, true) => State::Aborted,
            (false, false) => State::Finished,
        };
        let files = damage::checksums(self.dir).map_err(RecordError::write(self.dir))?;
        self.manifest.files.extend(files);
        self.write()
    }

    fn write(&self) -> Result<(), RecordError> {
        self.manifest.write(self.dir).map_err(RecordError::write(self.dir))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saasbench_engine::rate_control::RateControl;
    use saasbench_model::units::Nanos;
    use saasbench_record::testing::TestRun;

    /// Waits until the manifest on disk has these events, as a reader would see after a kill.
    async fn on_disk(dir: &Path, expected: &[&str]) {
        let mut found = Vec::new();
        for _ in 0..1000 {
            let events = Manifest::read(dir).unwrap().events;
            found = events.iter().map(ToString::to_string).collect();
            if found == expected {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("{found:?} instead of {expected:?}");
    }

    #[tokio::test]
    async fn events_during_the_load_are_written_at_once() {
        let made = TestRun::new("", &[]);
        let dir = made.dir.path();
        let mut journal =
            ManifestWriter::begin(dir, Manifest { state: State::Running, ..made.manifest.clone() }).unwrap();
        let (controls, halt, aborted) =
            (RateControl::default(), CancellationToken::new(), Aborted::default());
        let turns = controls.subscribe();
        controls.pause(Nanos::from_secs(1));
        let driving = async {
            on_disk(dir, &["paused"]).await;
            controls.pause(Nanos::from_secs(2));
            on_disk(dir, &["paused", "resumed"]).await;
            let reason = "hopeless".to_owned();
            aborted.set(Event::Aborted { at_ns: Nanos::from_secs(3), reason }).unwrap();
            halt.cancel();
            on_disk(dir, &["paused", "resumed", "aborted: hopeless"]).await;
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut output = Output::new(&mut out, &mut err, false);
        journal.follow(driving, turns, &halt, &aborted, &mut output).await;
        controls.pause(Nanos::from_secs(4));
        assert!(!controls.pace().paused, "there is no load any more");
        journal.end(false).unwrap();
        assert_eq!(Manifest::read(dir).unwrap().state, State::Aborted);
        assert!(String::from_utf8(err).unwrap().contains("aborted: hopeless"));
    }
}

//! Judges a recorded run from its record alone, and writes the report beside it.

use std::path::{Path, PathBuf};

use crate::{
    exit::{Exit, Failure},
    run_store,
};
use saasbench_record::{manifest::write_whole, reader::RecordedRun, sample::Sample, writer::RecordError};
use saasbench_report::{
    html,
    timeline::{self, Timeline},
};

/// A judged run.
#[derive(Debug)]
pub(in crate::commands) struct Judged {
    pub(in crate::commands) report: saasbench_verify::Report,
    /// Path of its HTML page in the run's directory, or the error if it could not be written. `None` for a
    /// record that was cut off: there is no room for it.
    pub(in crate::commands) page: Option<Result<PathBuf, RecordError>>,
}

/// Judges a run from its record alone, and writes the verdict and the HTML page beside it, unless the record
/// was cut off.
///
/// # Errors
/// When there is not enough to judge, or the verdict cannot be written.
pub(in crate::commands) fn judge(dir: &Path, recorded: &Result<(), RecordError>) -> Result<Judged, Failure> {
    judge_record(dir, recorded.is_ok()).map_err(|failure| match recorded {
        Err(error) => record_failure(error),
        Ok(()) => failure,
    })
}

/// Like [`judge`], and shows the run, and each sample, to an observer.
///
/// # Errors
/// As [`judge`].
pub(in crate::commands) fn judge_with_observer<T>(
    dir: &Path,
    begin: impl FnOnce(&RecordedRun) -> T,
    mut each: impl FnMut(&mut T, &Sample),
) -> Result<(saasbench_verify::Report, T), Failure> {
    let run = open(dir)?;
    let mut seen = begin(&run);
    let (report, timeline) =
        timeline::judge(&run, |sample| each(&mut seen, sample)).map_err(|error| broken(&error))?;
    let Judged { report, page } = keep(&run, report, &timeline)?;
    match page {
        Some(Err(error)) => Err(record_failure(&error)),
        _ => Ok((report, seen)),
    }
}

fn judge_record(dir: &Path, is_whole: bool) -> Result<Judged, Failure> {
    let run = open(dir)?;
    let (report, timeline) = timeline::judge(&run, |_| {}).map_err(|error| broken(&error))?;
    if is_whole { keep(&run, report, &timeline) } else { Ok(Judged { report, page: None }) }
}

fn open(dir: &Path) -> Result<RecordedRun, Failure> {
    RecordedRun::open(dir).map_err(|error| broken(&error))
}

fn broken(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::InternalError, error.to_string())
}

fn keep(run: &RecordedRun, report: saasbench_verify::Report, timeline: &Timeline) -> Result<Judged, Failure> {
    let path = run.dir.join("verdict.json");
    run_store::verdict_document(&report, &run.dir)
        .and_then(|json| write_whole(&path, &json))
        .map_err(|error| record_failure(&RecordError::write(&path)(error)))?;
    let path = run.dir.join(html::FILE);
    let written = write_whole(&path, html::render(&report, run, timeline).as_bytes());
    Ok(Judged { report, page: Some(written.map_err(RecordError::write(&path)).map(|()| path)) })
}

/// The failure for a run that could not be recorded.
pub(in crate::commands) fn record_failure(error: &RecordError) -> Failure {
    Failure::new(Exit::InternalError, record_failure_text(error))
}

/// Its message.
pub(in crate::commands) fn record_failure_text(error: &RecordError) -> String {
    format!("the run could not be recorded: {error}")
}

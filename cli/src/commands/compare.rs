//! `saasbench compare`: holds a recorded run against those before it.

use std::path::{Path, PathBuf};

use super::show;
use crate::{
    args::{CompareArgs, ReportArgs, SessionArgs},
    exit::{Exit, Failure},
    record::{
        manifest::{ScenarioText, to_json, write_whole},
        reader::RecordedRun,
    },
    report::{files, output::Output},
    verify::compare::{self, CompareError, Comparison, Terms},
};

/// Opens the runs, compares them, and reports. The runs stay as they are.
///
/// # Errors
/// When a run cannot be read, they cannot be compared, or the report not written.
pub fn compare(args: &CompareArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let Some((new, baselines)) = args.runs.split_last() else {
        return Err(Failure::new(Exit::Usage, "no run is named"));
    };
    let baselines: Vec<PathBuf> = baselines.iter().chain(&args.baselines).cloned().collect();
    if baselines.is_empty() {
        return Err(Failure::new(Exit::Usage, format!("there is nothing to compare {} with", new.display()))
            .hint("name the baseline first: `saasbench compare BASELINE NEW`, or give it with --baseline"));
    }
    files::check(&ReportArgs { json: args.json.clone(), junit: None, markdown: args.markdown.clone() })?;
    let comparison = hold_against(&open_all(&baselines)?, new, args.terms.terms())?;
    output.comparison(&comparison, args.json.as_deref(), args.markdown.as_deref())?;
    Ok(Exit::of_run(comparison.outcome, false, false))
}

/// Opens the baselines.
pub(super) fn open_all(dirs: &[PathBuf]) -> Result<Vec<RecordedRun>, Failure> {
    dirs.iter().map(|dir| open(dir)).collect()
}

/// Compares the run in a directory with its baselines.
pub(super) fn hold_against(
    baselines: &[RecordedRun],
    new: &Path,
    terms: Terms,
) -> Result<Comparison, Failure> {
    let new = open(new)?;
    compare::compare(baselines, &new, terms).map_err(|error| {
        let failure = Failure::new(Exit::Usage, error.to_string());
        match error {
            CompareError::Different { .. } => failure.hint(
                "compare runs of one scenario, or say --force: then what they have in common is compared",
            ),
            CompareError::NothingInCommon { .. } => {
                failure.hint("a comparison needs requests of the same tenant and step in every run")
            }
            CompareError::Segment(_) => failure,
        }
    })
}

fn open(name: &Path) -> Result<RecordedRun, Failure> {
    show::open(&show::found(name)?)
}

/// Whether runs are of the scenario that is about to run: what is not could not be compared with it afterwards.
///
/// # Errors
/// When one is of another.
pub(super) fn is_of(baselines: &[RecordedRun], text: &ScenarioText) -> Result<(), Failure> {
    let other = baselines.iter().find(|base| {
        let of = &base.manifest.scenario;
        (&of.sha256, &of.files, of.overrides) != (&text.sha256, &text.files, text.overrides)
    });
    match other {
        None => Ok(()),
        Some(base) => Err(Failure::new(
            Exit::Usage,
            format!(
                "--baseline {}: it is a run of another scenario, of another version of it, or with other loads by the command line",
                base.dir.display()
            ),
        )
        .hint("run the scenario as it is now, and take that for the baseline")),
    }
}

/// Holds a run that was judged against its baselines, if it has any: its directory keeps what that came to.
///
/// # Errors
/// When they cannot be compared, or that cannot be kept.
pub(super) fn compare_with(
    baselines: &[RecordedRun],
    dir: &Path,
    args: &SessionArgs,
) -> Option<Result<Comparison, Failure>> {
    if baselines.is_empty() {
        return None;
    }
    let terms = Terms { tolerance: args.baseline.tolerance, ..Terms::default() };
    let kept = |comparison: Comparison| {
        let path = dir.join("comparison.json");
        let written = to_json(&comparison).and_then(|json| write_whole(&path, &json));
        written.map(|()| comparison).map_err(|error| {
            Failure::new(Exit::Broken, format!("cannot write the comparison to {}: {error}", path.display()))
        })
    };
    Some(hold_against(baselines, dir, terms).and_then(kept))
}

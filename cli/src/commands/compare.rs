//! `saasbench compare`: compares a recorded run with baselines.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::show;
use crate::{
    args::{CompareArgs, ReportArgs, SessionArgs},
    exit::{Exit, Failure},
    output::{Output, files},
};
use saasbench_record::{
    manifest::{ScenarioText, to_json, write_whole},
    reader::RecordedRun,
};
use saasbench_verify::compare::{self, CompareError, Comparison, Terms};

/// Opens the runs, compares them, and reports. The runs are not changed.
///
/// # Errors
/// When a run cannot be read, they cannot be compared, or the report cannot be written.
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
    let (baselines, new) = (opened(&baselines)?, open(new)?);
    are_distinguished(&baselines, Some(&new))?;
    let hint = "compare runs of one scenario, or say --force: then what they have in common is compared";
    let comparison = compare_all(&baselines, &new, args.terms.terms(), hint)?;
    output.comparison(&comparison, args.json.as_deref(), args.markdown.as_deref())?;
    Ok(Exit::of_run(comparison.outcome, false, false))
}

/// Opens the baselines of a run that has not been made yet.
///
/// # Errors
/// When one cannot be read, or is named twice.
pub(super) fn open_all(names: &[PathBuf]) -> Result<Vec<RecordedRun>, Failure> {
    let baselines = opened(names)?;
    are_distinguished(&baselines, None)?;
    Ok(baselines)
}

fn opened(names: &[PathBuf]) -> Result<Vec<RecordedRun>, Failure> {
    names.iter().map(|name| open(name)).collect()
}

/// Checks that all runs are different, whatever their paths: a run compared with itself never changes, and
/// one baseline named five times shows nothing about how much runs differ.
fn are_distinguished(baselines: &[RecordedRun], new: Option<&RecordedRun>) -> Result<(), Failure> {
    let place = |run: &RecordedRun| run.dir.canonicalize().unwrap_or_else(|_| run.dir.clone());
    let mut times: BTreeMap<PathBuf, usize> = BTreeMap::new();
    baselines.iter().for_each(|base| *times.entry(place(base)).or_default() += 1);
    let itself = new.filter(|new| times.contains_key(&place(new)));
    let mut wrong: Vec<String> = itself
        .map(|new| format!("{} cannot be compared with itself: it is among the baselines", new.dir.display()))
        .into_iter()
        .collect();
    let repeated = times.iter().filter(|(_, times)| **times > 1);
    wrong.extend(repeated.map(|(dir, times)| {
        format!("{} is named {times} times as a baseline, and is one run all the same", dir.display())
    }));
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(Exit::Usage, wrong.join("\n"))
            .hint("name each run once: the baselines, and last the new one; `saasbench list` shows them")),
    }
}

/// Compares a run with its baselines; `hint` says what to do if they are not comparable.
fn compare_all(
    baselines: &[RecordedRun],
    new: &RecordedRun,
    terms: Terms,
    hint: &str,
) -> Result<Comparison, Failure> {
    compare::compare(baselines, new, terms).map_err(|error| {
        let failure = Failure::new(Exit::Usage, error.to_string());
        match error {
            CompareError::Different { .. } => failure.hint(hint),
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

/// Checks that runs are of the scenario that is about to run: otherwise they could not be compared
/// afterwards.
///
/// # Errors
/// When one is of another scenario.
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

/// Compares a judged run with its baselines, if there are any, and writes the comparison into its directory.
///
/// # Errors
/// When they cannot be compared, or the comparison cannot be written.
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
            Failure::new(
                Exit::InternalError,
                format!("cannot write the comparison to {}: {error}", path.display()),
            )
        })
    };
    // That the scenario is the same was checked before the load, but not what would be changed by hand.
    let hint = format!(
        "the run was recorded and judged; `saasbench compare --force BASELINE {}` compares what they have in common",
        dir.display()
    );
    let compared = open(dir).and_then(|new| compare_all(baselines, &new, terms, &hint));
    Some(compared.and_then(kept))
}

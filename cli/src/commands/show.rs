//! `saasbench show`: the report of a recorded run, which need not be judged again for that; and how a run is found by its name.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    args::ShowArgs,
    exit::{Exit, Failure},
    record::reader::{OpenError, RecordedRun},
    report::{beside::Beside, files, output::Output},
    shelf,
    verify::{self, REPORT_VERSION, Report},
};

/// Where runs are recorded, unless a command is told otherwise.
const SHELF: &str = "runs";

/// Shows the report, as its run left it, or where the run is.
///
/// # Errors
/// When there is no such run, or it can neither be read nor judged.
pub fn show(args: &ShowArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    files::check(&args.report)?;
    let dir = found_in(&args.run, &args.out)?;
    if args.path {
        output.say(&format!("{}\n", dir.display()))?;
        return Ok(Exit::Pass);
    }
    let report = match kept(&dir) {
        Some(report) => report,
        None => judged(&dir)?,
    };
    output.report(&report, Beside::default(), &args.report)?;
    Ok(Exit::Pass)
}

/// The directory of the run that is meant by `name`, as [`shelf::find`] has it.
///
/// # Errors
/// When there is none.
pub(super) fn found(name: &Path) -> Result<PathBuf, Failure> {
    found_in(name, Path::new(SHELF))
}

fn found_in(name: &Path, shelf: &Path) -> Result<PathBuf, Failure> {
    shelf::find(name, shelf).map_err(|error| Failure::new(Exit::Usage, error.to_string()).hint(error.hint()))
}

/// Opens a recorded run.
///
/// # Errors
/// When it cannot be read.
pub(super) fn open(dir: &Path) -> Result<RecordedRun, Failure> {
    RecordedRun::open(dir).map_err(|error| {
        let failure = Failure::new(Exit::Usage, error.to_string());
        match &error {
            OpenError::NotARun(_) => failure.hint("`saasbench list` shows the runs that there are"),
            _ => failure,
        }
    })
}

/// The report that the run left, if it is one of this version.
fn kept(dir: &Path) -> Option<Report> {
    let text = fs::read_to_string(dir.join("verdict.json")).ok()?;
    let report: Report = serde_json::from_str(&text).ok()?;
    // It may have been moved since.
    (report.version == REPORT_VERSION).then(|| Report { run: dir.display().to_string(), ..report })
}

fn judged(dir: &Path) -> Result<Report, Failure> {
    verify::verify(&open(dir)?).map_err(|error| Failure::new(Exit::Usage, error.to_string()))
}

//! `saasbench show`: shows the report of a recorded run, without judging it again, or of a capacity search;
//! and finds both by name.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{
    args::ShowArgs,
    exit::{Exit, Failure},
    output::{Output, files},
    run_store::{self, RunKind},
};
use saasbench_record::{
    checksum::check_document,
    reader::{OpenError, RecordedRun},
};
use saasbench_report::gate::GateInputs;
use saasbench_verify::{
    REPORT_VERSION, Report,
    capacity::result::{self, CapacityReport},
};

/// The default directory of runs.
const RUNS_DIRECTORY: &str = "runs";

/// Shows the report as its run left it, or the path of the run.
///
/// # Errors
/// When there is no such run, or it can neither be read nor judged.
pub fn show(args: &ShowArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    files::check(&args.report)?;
    let dir = found_in(&args.run, &args.out, RunKind::Any)?;
    if args.path {
        output.say(&format!("{}\n", dir.display()))?;
        return Ok(Exit::Pass);
    }
    if let Some(report) = search(&dir)? {
        if args.report.junit.is_some() || args.report.markdown.is_some() {
            let message = format!("{} is a search for the capacity, which has no claims", dir.display());
            return Err(Failure::new(Exit::Usage, message).hint("leave out --junit and --markdown"));
        }
        output.capacity(&report, args.report.json.as_deref())?;
        return Ok(Exit::Pass);
    }
    let report = match kept(&dir) {
        Some(report) => report,
        None => judged(&dir)?,
    };
    output.report(&report, GateInputs::default(), &args.report)?;
    Ok(Exit::Pass)
}

/// The directory of the run that `name` refers to, by the rules of [`run_store::find`].
///
/// # Errors
/// When there is none.
pub(super) fn found(name: &Path) -> Result<PathBuf, Failure> {
    found_in(name, Path::new(RUNS_DIRECTORY), RunKind::Run)
}

/// Like [`found`], but also accepts a capacity search.
///
/// # Errors
/// As [`found`].
pub(super) fn found_any(name: &Path) -> Result<PathBuf, Failure> {
    found_in(name, Path::new(RUNS_DIRECTORY), RunKind::Any)
}

fn found_in(name: &Path, runs: &Path, sought: RunKind) -> Result<PathBuf, Failure> {
    run_store::find(name, runs, sought)
        .map_err(|error| Failure::new(Exit::Usage, error.to_string()).hint(error.hint()))
}

/// Opens a recorded run.
///
/// # Errors
/// When it cannot be read.
pub(super) fn open(dir: &Path) -> Result<RecordedRun, Failure> {
    RecordedRun::open(dir).map_err(|error| {
        let failure = Failure::new(Exit::Usage, error.to_string());
        match &error {
            OpenError::NotARun(_) if dir.join(result::FILE).is_file() => failure.hint(format!(
                "it is a search for the capacity: `saasbench show` shows it, and its steps are runs, in {}",
                dir.join(result::STEPS).display()
            )),
            OpenError::NotARun(_) => failure.hint("`saasbench list` shows the runs that there are"),
            _ => failure,
        }
    })
}

/// The report of a capacity search; `None` if the directory is not one.
///
/// # Errors
/// When it cannot be read.
pub(super) fn search(dir: &Path) -> Result<Option<CapacityReport>, Failure> {
    let path = dir.join(result::FILE);
    let wrong = |why: String| Failure::new(Exit::Usage, format!("{}: {why}", path.display()));
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(error.to_string())),
    };
    let version = serde_json::from_str::<Version>(&text).map_err(|error| wrong(error.to_string()))?.version;
    if version != result::VERSION {
        let why = format!("its version is {version}, and this saasbench reads version {}", result::VERSION);
        return Err(wrong(why).hint("read it with the saasbench that wrote it"));
    }
    check_document(text.as_bytes()).map_err(|error| wrong(error.to_string()))?;
    let report: CapacityReport = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    // It may have been moved since.
    Ok(Some(CapacityReport { directory: dir.display().to_string(), ..report }))
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// The report that the run left, if it is of this version and of this run, and as it was written.
fn kept(dir: &Path) -> Option<Report> {
    let report: Report = run_store::verdict(dir)?;
    // It may have been moved since.
    (report.version == REPORT_VERSION).then(|| Report { run: dir.display().to_string(), ..report })
}

fn judged(dir: &Path) -> Result<Report, Failure> {
    saasbench_verify::verify(&open(dir)?).map_err(|error| Failure::new(Exit::Usage, error.to_string()))
}

//! `saasbench report`: the HTML report of recorded runs.

use std::path::Path;

use super::show::{found, open};
use crate::{
    args::PageArgs,
    exit::{Exit, Failure},
    record::manifest::write_whole,
    report::{html, output::Output, timeline},
};

/// Makes a page for each run; one that cannot be read is named, and the others are made all the same.
///
/// # Errors
/// When a page cannot be written, or `--out` is given for several runs.
pub fn report(args: &PageArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    if args.out.is_some() && args.runs.len() > 1 {
        let message = format!("--out names one file, and there are {} runs", args.runs.len());
        return Err(Failure::new(Exit::Usage, message)
            .hint("leave it out: each run gets a report.html in its own directory"));
    }
    let mut exit = Exit::Pass;
    for dir in &args.runs {
        match found(dir).and_then(|dir| Ok((page(&dir)?, dir))) {
            Ok((page, dir)) => write(&dir, args.out.as_deref(), &page, output)?,
            Err(failure) => {
                output.failure(&failure);
                exit = failure.exit;
            }
        }
    }
    Ok(exit)
}

/// The page of the run in a directory.
fn page(dir: &Path) -> Result<String, Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::new(Exit::Usage, error.to_string());
    let run = open(dir)?;
    let (report, timeline) = timeline::judge(&run, |_| {}).map_err(|error| wrong(&error))?;
    Ok(html::render(&report, &run, &timeline))
}

/// Writes it to standard output, to a file, or into the run's directory, and says where it is.
fn write(dir: &Path, out: Option<&Path>, page: &str, output: &mut Output<'_>) -> Result<(), Failure> {
    if out == Some(Path::new("-")) {
        return output.say(page);
    }
    let path = out.map_or_else(|| dir.join(html::FILE), Path::to_owned);
    // A pipe or /dev/null is written to as it is, a file is replaced at once.
    let written = if path.exists() && !path.is_file() {
        std::fs::write(&path, page)
    } else {
        write_whole(&path, page.as_bytes())
    };
    written.map_err(|error| {
        Failure::new(Exit::Broken, format!("cannot write the report to {}: {error}", path.display()))
    })?;
    output.say(&format!("{}\n", path.display()))
}

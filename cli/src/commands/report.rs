//! `saasbench report`: writes the HTML report of recorded runs and capacity searches.

use std::path::Path;

use super::show::{found_any, open, search};
use crate::{
    args::PageArgs,
    exit::{Exit, Failure},
    output::Output,
};
use saasbench_record::manifest::write_whole;
use saasbench_report::{html, timeline};

/// Writes a page for each run; runs that cannot be read are reported, and the others are written
/// nevertheless.
///
/// # Errors
/// When a page cannot be written, or `--out` is given with several runs.
pub fn report(args: &PageArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    if args.out.is_some() && args.runs.len() > 1 {
        let message = format!("--out names one file, and there are {} runs", args.runs.len());
        return Err(Failure::new(Exit::Usage, message)
            .hint("leave it out: each run gets a report.html in its own directory"));
    }
    let mut exit = Exit::Pass;
    for dir in &args.runs {
        match found_any(dir).and_then(|dir| Ok((page(&dir)?, dir))) {
            Ok(((file, page), dir)) => write(&dir.join(file), args.out.as_deref(), &page, output)?,
            Err(failure) => {
                output.failure(&failure);
                exit = failure.exit;
            }
        }
    }
    Ok(exit)
}

/// The page for a directory, and its file name.
fn page(dir: &Path) -> Result<(&'static str, String), Failure> {
    if let Some(report) = search(dir)? {
        return Ok((html::capacity::FILE, html::capacity::render(&report)));
    }
    let wrong = |error: &dyn std::fmt::Display| Failure::new(Exit::Usage, error.to_string());
    let run = open(dir)?;
    let (report, timeline) = timeline::judge(&run, |_| {}).map_err(|error| wrong(&error))?;
    Ok((html::FILE, html::render(&report, &run, &timeline)))
}

/// Writes it to standard output, to the file `out`, or to its default path, and says where it is.
fn write(usual: &Path, out: Option<&Path>, page: &str, output: &mut Output<'_>) -> Result<(), Failure> {
    if out == Some(Path::new("-")) {
        return output.say_document(page);
    }
    let path = out.unwrap_or(usual);
    // A pipe or `/dev/null` is written to directly; a file is replaced atomically.
    let written = if path.exists() && !path.is_file() {
        std::fs::write(path, page)
    } else {
        write_whole(path, page.as_bytes())
    };
    written.map_err(|error| {
        Failure::new(Exit::InternalError, format!("cannot write the report to {}: {error}", path.display()))
    })?;
    output.say(&format!("{}\n", path.display()))
}

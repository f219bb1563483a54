//! The files of a report: which are requested, whether they can be written (checked before the load), and
//! writing each atomically.

use std::{fs, io, io::Write as _, path::Path};

use serde::Serialize;

use crate::{
    args::ReportArgs,
    exit::{Exit, Failure},
    safe_output,
};
use saasbench_record::manifest::{to_json, write_whole};
use saasbench_report::{gate::GateInputs, github::GitHub, junit, markdown};
use saasbench_verify::Report;

/// Formats of report files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The report as JSON.
    Json,
    /// For test reports of CI systems.
    Junit,
    /// For job summaries.
    Markdown,
}

impl Form {
    /// The contents of the file. JSON has the report only; the comparison has a JSON file of its own.
    pub(super) fn render(self, report: &Report, beside: GateInputs<'_>) -> io::Result<String> {
        match self {
            Self::Json => json(report),
            Self::Junit => {
                let xml = junit::render(report, beside).map_err(io::Error::other)?;
                Ok(safe_output::document(&xml))
            }
            Self::Markdown => Ok(safe_output::document(&markdown::render(report, beside))),
        }
    }

    fn option(self) -> &'static str {
        match self {
            Self::Json => "--json",
            Self::Junit => "--junit",
            Self::Markdown => "--markdown",
        }
    }
}

/// A JSON document.
///
/// # Errors
/// Never for the types of this crate.
pub(super) fn json(value: &impl Serialize) -> io::Result<String> {
    let text = String::from_utf8(to_json(value)?).map_err(io::Error::other)?;
    Ok(safe_output::json(&text))
}

/// All requested files.
pub(super) fn asked(args: &ReportArgs) -> impl Iterator<Item = (Form, &Path)> {
    let all =
        [(Form::Json, &args.json), (Form::Junit, &args.junit), (Form::Markdown, &args.markdown)].into_iter();
    all.filter_map(|(form, path)| Some((form, path.as_deref()?)))
}

/// Checks that every requested file can be written, as far as that can be known in advance.
///
/// # Errors
/// All problems at once.
pub fn check(args: &ReportArgs) -> Result<(), Failure> {
    let asked: Vec<(Form, &Path)> = asked(args).collect();
    let mut wrong = Vec::new();
    for (index, (form, path)) in asked.iter().enumerate() {
        if let Some((other, _)) = asked.iter().take(index).find(|(_, other)| other == path) {
            let place =
                if *path == Path::new("-") { "standard output".into() } else { path.to_string_lossy() };
            wrong.push((
                format!("{} and {} cannot both go to {place}", other.option(), form.option()),
                "give each a file of its own",
            ));
        } else if *path != Path::new("-")
            && let Err((error, hint)) = check_one(path)
        {
            wrong.push((format!("{} cannot be written to {}: {error}", form.option(), path.display()), hint));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let (messages, mut hints): (Vec<String>, Vec<&str>) = wrong.into_iter().unzip();
    hints.dedup();
    Err(Failure::new(Exit::Usage, messages.join("\n")).hint(hints.join("; ")))
}

/// Why a file cannot be written, and what to do about it.
fn check_one(path: &Path) -> Result<(), (String, &'static str)> {
    if path.is_dir() {
        return Err(("it is a directory".to_owned(), "name a file in it"));
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !parent.is_dir() {
        return Err((format!("there is no directory {}", parent.display()), "make it first: mkdir -p"));
    }
    // A stream (a pipe, `/dev/null`) is written to directly, and opening it now could affect its reader.
    if path.exists() && !path.is_file() {
        return Ok(());
    }
    // Creating a file in the same directory meets the same obstacles.
    match tempfile::Builder::new().prefix(".saasbench-").tempfile_in(parent) {
        Ok(_) => Ok(()),
        Err(error) => {
            let cause = error.get_ref().and_then(|inner| inner.source()).map(ToString::to_string);
            Err((cause.unwrap_or_else(|| error.to_string()), "choose a directory that can be written to"))
        }
    }
}

/// Replaces a file atomically. Anything else (`/dev/null`, a named pipe) is written to directly, and the
/// summary of a GitHub job is appended to, because its steps share it.
///
/// # Errors
/// Any I/O error.
pub(super) fn write(path: &Path, text: &[u8], github: Option<&GitHub>) -> io::Result<()> {
    if github.is_some_and(|github| github.is_summary(path)) {
        return fs::OpenOptions::new().create(true).append(true).open(path)?.write_all(text);
    }
    if path.exists() && !path.is_file() { fs::write(path, text) } else { write_whole(path, text) }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn failure(args: &ReportArgs, dir: &Path) -> String {
        let failure = check(args).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        let text = format!("{}\nhint: {}", failure.message, failure.hint.unwrap_or_default());
        text.replace(&dir.display().to_string(), "DIR")
    }

    #[test]
    fn unwritable_report_files_are_reported_early() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| Some(dir.path().join(name));
        let args = ReportArgs { json: at("no/such.json"), junit: at(""), markdown: at("summary.md") };
        insta::assert_snapshot!(failure(&args, dir.path()));
        let both = ReportArgs { json: Some("-".into()), junit: Some("-".into()), markdown: None };
        insta::assert_snapshot!(failure(&both, dir.path()));
        let same = ReportArgs { json: None, junit: Some("x".into()), markdown: Some("x".into()) };
        insta::assert_snapshot!(failure(&same, dir.path()));
        let good =
            ReportArgs { json: Some("-".into()), junit: at("x.xml"), markdown: Some("/dev/null".into()) };
        assert_eq!(check(&good), Ok(()));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "looking leaves nothing behind");
    }

    #[test]
    fn a_job_summary_is_appended_to_and_any_other_file_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let [summary, other]: [PathBuf; 2] = ["summary.md", "other.md"].map(|name| dir.path().join(name));
        let github = GitHub::new(Some(summary.clone()), None);
        for path in [&summary, &other] {
            for text in ["one\n", "two\n"] {
                write(path, text.as_bytes(), Some(&github)).unwrap();
            }
        }
        assert_eq!(fs::read_to_string(summary).unwrap(), "one\ntwo\n");
        assert_eq!(fs::read_to_string(other).unwrap(), "two\n");
    }
}

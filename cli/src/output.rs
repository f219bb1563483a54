//! Output streams: reports go to standard output, everything else to standard error, as far as `--quiet` and
//! `--progress` permit. What a command prints is in the module of its name; `live` is the display of a run in
//! progress.

mod capacity;
mod compare;
pub mod dashboards;
pub mod details;
pub mod failure;
pub mod files;
mod live;
pub mod metrics;
mod run;
pub mod run_list;
pub mod stack;

use std::{
    io::{self, Write},
    path::Path,
};

use serde::Serialize;

use self::live::Live;
use crate::{
    exit::{Exit, Failure},
    live::json::Object,
};
use saasbench_record::manifest::to_json;
use saasbench_report::{
    github::GitHub,
    style::{BAD, FAINT, paint},
};

/// The outputs and their verbosity. The writers strip colours where they are off.
pub struct Output<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    err_is_coloured: bool,
    github: Option<GitHub>,
    live: Live,
}

impl std::fmt::Debug for Output<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").finish_non_exhaustive()
    }
}

impl<'a> Output<'a> {
    /// Reports go to `out`, everything else to `err`.
    pub fn new(out: &'a mut dyn Write, err: &'a mut dyn Write, err_is_coloured: bool) -> Self {
        Self { out, err, err_is_coloured, github: None, live: Live::default() }
    }

    /// Adds annotations for GitHub Actions, if it runs there.
    #[must_use]
    pub fn on_github(self, github: Option<GitHub>) -> Self {
        Self { github, ..self }
    }

    /// Whether texts for standard error may have colours.
    pub fn err_is_coloured(&self) -> bool {
        self.err_is_coloured
    }

    /// Prints a note about progress, unless `--quiet` was given.
    pub fn note(&mut self, text: &str) {
        match self.is_quiet() {
            true => {}
            false if self.is_json() => self.object(Object::Note, text),
            false => self.print(&paint(FAINT, text)),
        }
    }

    /// Prints a command's text on standard output.
    ///
    /// # Errors
    /// When it cannot be written; a closed pipe is not an error.
    pub fn say(&mut self, text: &str) -> Result<(), Failure> {
        self.follow_no_more();
        self.write_out(text.as_bytes())
            .map_err(|error| Failure::new(Exit::Broken, format!("cannot write to standard output: {error}")))
    }

    /// Prints a warning.
    pub fn warn(&mut self, text: &str) {
        match self.is_json() {
            true => self.object(Object::Warning, text),
            false => self.print(&format!("{} {text}", paint(BAD, "error:"))),
        }
    }

    /// Prints a failure of a part of the work; the command continues.
    pub fn failure(&mut self, problem: &Failure) {
        let mut text = Vec::new();
        let _ = failure::print(problem, &mut text);
        let text = String::from_utf8_lossy(&text);
        match self.is_json() {
            true => self.object(Object::Warning, text.trim_end()),
            false => self.print(text.trim_end()),
        }
    }

    /// Writes to standard output. A reader that went away (`| head`) has read enough.
    fn write_out(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.out.write_all(bytes).and_then(|()| self.out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// Prints to standard error; errors are ignored, because they must not stop a run.
    fn print(&mut self, text: &str) {
        if !self.shows_beside_progress(text) {
            let _ = writeln!(self.err, "{text}");
        }
    }

    /// Writes a document as JSON to a file or (`-`) standard output.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn document(&mut self, value: &impl Serialize, path: &Path) -> Result<(), Failure> {
        let written = to_json(value).and_then(|text| {
            if path == Path::new("-") {
                return self.write_out(&text);
            }
            files::write(path, &text, None)
        });
        written.map_err(|error| {
            Failure::new(Exit::Broken, format!("cannot write {}: {error}", path.display()))
                .hint("leave the file out, and it goes to standard output")
        })
    }

    fn deliver(
        &mut self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
        json: Option<&Path>,
    ) -> Result<(), Failure> {
        let to_stdout = json.is_some_and(|path| path == Path::new("-"));
        let written = json.map_or(Ok(()), |path| {
            let written = to_json(value).and_then(|json| {
                if to_stdout { self.write_out(&json) } else { files::write(path, &json, None) }
            });
            written.map_err(|error| unwritable(path, &error))
        });
        if to_stdout {
            return written;
        }
        // A file that cannot be written leaves the text at least.
        let printed = self
            .write_out(text().as_bytes())
            .map_err(|error| unwritable(Path::new("standard output"), &error));
        written.and(printed)
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Broken, format!("cannot write the report to {}: {error}", path.display()))
}

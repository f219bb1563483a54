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
    safe_output,
};
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
        self.write_out(&safe_output::text(text)).map_err(|error| unprintable(&error))
    }

    /// Prints a document for another program on standard output.
    ///
    /// # Errors
    /// When it cannot be written; a closed pipe is not an error.
    pub fn say_document(&mut self, text: &str) -> Result<(), Failure> {
        self.follow_no_more();
        self.write_out(&safe_output::document(text)).map_err(|error| unprintable(&error))
    }

    /// Prints annotations for a CI system, whose commands must not be made harmless.
    fn say_annotations(&mut self, text: &str) -> Result<(), Failure> {
        self.write_out(&safe_output::annotations(text)).map_err(|error| unprintable(&error))
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
        let text = failure::text(problem);
        match self.is_json() {
            true => self.object(Object::Warning, &text),
            false => self.print(&text),
        }
    }

    /// Writes a safe text to standard output. A reader that went away (`| head`) has read enough.
    fn write_out(&mut self, text: &str) -> io::Result<()> {
        match self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// Prints to standard error; errors are ignored, because they must not stop a run.
    fn print(&mut self, text: &str) {
        if !self.shows_beside_progress(text) {
            let _ = writeln!(self.err, "{}", safe_output::text(text));
        }
    }

    /// Writes a document as JSON to a file or (`-`) standard output.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn document(&mut self, value: &impl Serialize, path: &Path) -> Result<(), Failure> {
        let written = files::json(value).and_then(|text| {
            if path == Path::new("-") {
                return self.write_out(&text);
            }
            files::write(path, text.as_bytes(), None)
        });
        written.map_err(|error| {
            Failure::new(Exit::InternalError, format!("cannot write {}: {error}", path.display()))
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
            let written = files::json(value).and_then(|json| {
                if to_stdout { self.write_out(&json) } else { files::write(path, json.as_bytes(), None) }
            });
            written.map_err(|error| unwritable(path, &error))
        });
        if to_stdout {
            return written;
        }
        // A file that cannot be written leaves the text at least.
        let printed = self
            .write_out(&safe_output::text(&text()))
            .map_err(|error| unwritable(Path::new("standard output"), &error));
        written.and(printed)
    }
}

fn unprintable(error: &io::Error) -> Failure {
    Failure::new(Exit::InternalError, format!("cannot write to standard output: {error}"))
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::InternalError, format!("cannot write the report to {}: {error}", path.display()))
}

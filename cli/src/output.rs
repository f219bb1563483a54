//! Output: reports go to standard output, everything else to standard error. `live` is the display of a run
//! in progress.

pub mod dashboards;
pub mod details;
pub mod failure;
pub mod files;
mod live;
pub mod metrics;
pub mod run_list;
pub mod stack;

use std::{
    io::{self, IsTerminal as _, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

use self::live::Live;
use crate::{
    args::ReportArgs,
    exit::{Exit, Failure},
    observe::{guess::Proposal, inspection::Inspection},
    run_store::RunEntry,
};
use crate::{
    live::json::Object,
    output::{dashboards::DashboardsReport, run_list::RunList},
};
use saasbench_model::scenario::Scenario;
use saasbench_record::{
    manifest::{Environment, Replica, to_json},
    writer::RecordError,
};
use saasbench_report::{
    capacity, comparison,
    gate::GateInputs,
    github::GitHub,
    style::{BAD, FAINT, STRONG, UNSURE, paint},
    terminal,
};
use saasbench_verify::{Report, capacity::result::CapacityReport, compare::Comparison};

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

    /// Announces what is about to run, where, and where it will be recorded.
    pub fn banner(&mut self, scenario: &Scenario, environment: &Environment, dir: &Path) {
        if self.is_quiet() || self.is_json() {
            return self.begin(scenario, environment, dir);
        }
        let shown = |replica: &Replica| {
            let http2 = if environment.http2.contains(&replica.name) { " (HTTP/2)" } else { "" };
            format!("{} {}{http2}", replica.name, replica.url)
        };
        let replicas: Vec<String> = environment.replicas.iter().map(shown).collect();
        let about = scenario.about.as_ref().map(|about| format!(": {about}")).unwrap_or_default();
        self.print(&format!("{}{about}", paint(STRONG, &scenario.name)));
        self.print(&paint(FAINT, format!("{} · {}", environment.name, replicas.join(" · "))));
        if !environment.faults.is_empty() {
            let faults = environment.faults.join(", ");
            self.print(&format!("{} injected into the service: {faults}", paint(UNSURE, "faults:")));
        }
        if environment.insecure {
            self.print(&format!("{} any certificate is accepted", paint(UNSURE, "insecure:")));
        }
        self.print(&paint(FAINT, format!("recording into {}", dir.display())));
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
        quiet_pipe(self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()))
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

    /// Prints to standard error; errors are ignored, because they must not stop a run.
    fn print(&mut self, text: &str) {
        if !self.shows_beside_progress(text) {
            let _ = writeln!(self.err, "{text}");
        }
    }

    /// Delivers a finished report: as text on standard output, and in every requested file (`-` for standard
    /// output, in place of the text). On GitHub Actions, claims that did not pass are annotated.
    ///
    /// # Errors
    /// When a file cannot be written; the others are written nevertheless.
    pub fn report(
        &mut self,
        report: &Report,
        beside: GateInputs<'_>,
        args: &ReportArgs,
    ) -> Result<(), Failure> {
        self.judged(beside.and(report.outcome));
        let mut failure = None;
        let mut is_stdout_taken = false;
        for (form, path) in files::asked(args) {
            let written = form.render(report, beside).and_then(|text| {
                if path != Path::new("-") {
                    return files::write(path, &text, self.github.as_ref());
                }
                is_stdout_taken = true;
                quiet_pipe(self.out.write_all(&text).and_then(|()| self.out.flush()))
            });
            failure = failure.or(written.err().map(|error| unwritable(path, &error)));
        }
        if !is_stdout_taken {
            let annotations = self.github.as_ref().map(|github| github.annotations(report, beside));
            self.say(&(terminal::render_within(report, columns()) + &annotations.unwrap_or_default()))?;
        }
        failure.map_or(Ok(()), Err)
    }

    /// Prints the path of the HTML page, or why there is none. A record that was cut off has none, which was
    /// reported already.
    pub fn page(&mut self, page: Option<&Result<PathBuf, RecordError>>) {
        match page {
            Some(Ok(path)) => self.note(&format!("report: {}", path.display())),
            Some(Err(error)) => self.warn(&format!("the report could not be written: {error}")),
            None => {}
        }
    }

    /// Delivers inspected expositions: as text on standard output, and as JSON in the file `json` (`-` for
    /// standard output, in place of the text).
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn inspections(&mut self, pages: &[Inspection], json: Option<&Path>) -> Result<(), Failure> {
        self.deliver(&Pages { version: PAGES_VERSION, pages }, || metrics::render(pages), json)
    }

    /// Delivers the result of a capacity search, like [`Self::dashboards`].
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn capacity(&mut self, report: &CapacityReport, json: Option<&Path>) -> Result<(), Failure> {
        self.deliver(report, || capacity::render(report), json)
    }

    /// Delivers mistakes in dashboards, like [`Self::inspections`].
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn dashboards(&mut self, report: &DashboardsReport, json: Option<&Path>) -> Result<(), Failure> {
        self.deliver(report, || dashboards::render(report), json)
    }

    /// Writes a document as JSON to a file or (`-`) standard output.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn document(&mut self, value: &impl Serialize, path: &Path) -> Result<(), Failure> {
        let written = to_json(value).and_then(|text| {
            if path == Path::new("-") {
                return quiet_pipe(self.out.write_all(&text).and_then(|()| self.out.flush()));
            }
            files::write(path, &text, None)
        });
        written.map_err(|error| {
            Failure::new(Exit::Broken, format!("cannot write {}: {error}", path.display()))
                .hint("leave the file out, and it goes to standard output")
        })
    }

    /// Delivers the list of runs, like [`Self::report`]; `now_unix_ns` is the current time.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn run_list(
        &mut self,
        runs: &[RunEntry],
        now_unix_ns: i64,
        json: Option<&Path>,
    ) -> Result<(), Failure> {
        let text = || if runs.is_empty() { String::new() } else { run_list::render(runs, now_unix_ns) };
        self.deliver(&RunList::new(runs), text, json)
    }

    /// Delivers a comparison of runs, like [`Self::report`]; and as Markdown in a file (`-` for standard
    /// output, in place of the text).
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn comparison(
        &mut self,
        comparison: &Comparison,
        json: Option<&Path>,
        markdown: Option<&Path>,
    ) -> Result<(), Failure> {
        let mut is_stdout_taken = false;
        if let Some(path) = markdown {
            let text = comparison::markdown(comparison);
            if path == Path::new("-") {
                is_stdout_taken = true;
                self.say(&text)?;
            } else {
                files::write(path, text.as_bytes(), self.github.as_ref())
                    .map_err(|error| unwritable(path, &error))?;
            }
        }
        let annotations = self.github.as_ref().map(|_| GitHub::of_comparison(comparison)).unwrap_or_default();
        let text =
            || if is_stdout_taken { String::new() } else { comparison::render(comparison) + &annotations };
        self.deliver(comparison, text, json)
    }

    /// Delivers the comparison of a run whose report was just delivered: its text follows the report's, on
    /// standard error if standard output has something other than text.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn comparison_of_run(&mut self, comparison: &Comparison, args: &ReportArgs) -> Result<(), Failure> {
        let text = comparison::render(comparison);
        if files::asked(args).any(|(_, path)| path == Path::new("-")) {
            self.print(text.trim_end());
            return Ok(());
        }
        self.say(&text)
    }

    /// Prints proposed contracts for the exposition `name`, the likeliest first, in a scenario's notation.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn proposals(&mut self, name: &str, proposals: &[Proposal]) -> Result<(), Failure> {
        let text = metrics::proposals(name, proposals);
        quiet_pipe(self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush())).map_err(|error| {
            Failure::new(Exit::Broken, format!("cannot write the proposal to standard output: {error}"))
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
                if to_stdout {
                    quiet_pipe(self.out.write_all(&json).and_then(|()| self.out.flush()))
                } else {
                    files::write(path, &json, None)
                }
            });
            written.map_err(|error| unwritable(path, &error))
        });
        if to_stdout {
            return written;
        }
        // If a file cannot be written, the text is printed nevertheless.
        let printed = quiet_pipe(self.out.write_all(text().as_bytes()).and_then(|()| self.out.flush()))
            .map_err(|error| unwritable(Path::new("standard output"), &error));
        written.and(printed)
    }
}

/// The width of standard output: a terminal's width within limits, otherwise 80 columns.
fn columns() -> usize {
    let width = std::io::stdout().is_terminal().then(ratatui::crossterm::terminal::size);
    width.and_then(Result::ok).map_or(terminal::WIDTH, |(columns, _)| usize::from(columns).clamp(40, 120))
}

/// Version of the JSON about expositions; incremented when a reader of the old one would be misled.
const PAGES_VERSION: u32 = 1;

/// Inspected expositions in JSON.
#[derive(Serialize)]
struct Pages<'a> {
    version: u32,
    pages: &'a [Inspection],
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Broken, format!("cannot write the report to {}: {error}", path.display()))
}

/// Ignores a closed pipe (`| head`).
fn quiet_pipe(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_path_or_the_reason_for_its_absence_is_printed() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut output = Output::new(&mut out, &mut err, false);
        let path = PathBuf::from("runs/x/report.html");
        output.page(Some(&Ok(path.clone())));
        output.page(None);
        let full = RecordError::write(&path)(io::Error::from(io::ErrorKind::StorageFull));
        output.page(Some(&Err(full)));
        let err = anstream::adapter::strip_str(std::str::from_utf8(&err).unwrap()).to_string();
        insta::assert_snapshot!(err, @r"
        report: runs/x/report.html
        error: the report could not be written: cannot write runs/x/report.html: no storage space
        ");
    }
}

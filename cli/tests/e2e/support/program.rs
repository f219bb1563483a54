//! The program under test, in its own directory.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::{Process, wait_for, wait_for_some};

/// `saasbench`, with a clean environment.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_saasbench"));
    for variable in [
        "NO_COLOR",
        "CLICOLOR",
        "CLICOLOR_FORCE",
        "COLUMNS",
        "RATE_LIMIT_STORAGE_URI",
        "GITHUB_ACTIONS",
        "GITHUB_STEP_SUMMARY",
    ] {
        command.env_remove(variable);
    }
    command
}

/// A working directory for the program, with its input files and recorded runs.
#[derive(Debug)]
pub(crate) struct Sandbox(TempDir);

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A sandbox with a scenario and its tenants.
    pub(crate) fn with(scenario: &str, tenants: &str) -> Self {
        let sandbox = Self::new();
        sandbox.write("scenario.toml", scenario);
        sandbox.write("tenants.jsonl", tenants);
        sandbox
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.args(arguments).current_dir(self.0.path());
        command
    }

    /// Starts the program.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        self.start_command(&mut self.command(arguments))
    }

    pub(crate) fn start_command(&self, command: &mut Command) -> Running {
        let dir = tempfile::tempdir().unwrap();
        let process = Process::start("saasbench", command, dir.path());
        Running { process, runs: self.0.path().join("runs"), _dir: dir }
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).end()
    }

    /// Runs `scenario.toml` with further arguments; returns how it ended and its report.
    pub(crate) fn report(&self, arguments: &[&str]) -> (Ended, Report) {
        let mut all = vec!["run", "scenario.toml", "--json", "report.json"];
        all.extend(arguments);
        let ended = self.run(&all);
        let text = fs::read_to_string(self.0.path().join("report.json"));
        let text = text.unwrap_or_else(|error| panic!("no report ({error}): {ended:?}"));
        (ended, Report::parse(&text))
    }

    /// Recorded runs, oldest first.
    pub(crate) fn runs(&self) -> Vec<PathBuf> {
        runs(&self.0.path().join("runs"))
    }

    /// The only recorded run.
    pub(crate) fn only_run(&self) -> PathBuf {
        let mut runs = self.runs();
        assert_eq!(runs.len(), 1, "{runs:?}");
        runs.remove(0)
    }
}

fn runs(dir: &Path) -> Vec<PathBuf> {
    let mut runs: Vec<PathBuf> =
        fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    runs.sort();
    runs
}

/// A running program.
#[derive(Debug)]
pub(crate) struct Running {
    process: Process,
    runs: PathBuf,
    _dir: TempDir,
}

impl Running {
    /// Waits until its run has this many complete segments, so that the load is running.
    pub(crate) fn wait_for_segments(&mut self, count: usize) {
        let process = &mut self.process;
        wait_for("a complete segment", || {
            process.assert_lives();
            let Some(run) = runs(&self.runs).pop() else { return false };
            let segments = fs::read_dir(run.join("samples")).into_iter().flatten();
            segments.filter(|entry| ends_in_parquet(&entry.as_ref().unwrap().path())).count() >= count
        });
    }

    /// Its standard error so far.
    pub(crate) fn err(&self) -> String {
        self.process.err()
    }

    /// Its standard output so far.
    pub(crate) fn out(&self) -> String {
        self.process.out()
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Panics, showing its output, if it has ended.
    pub(crate) fn assert_lives(&mut self) {
        self.process.assert_lives();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.ended().is_some()
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Waits until it ends.
    pub(crate) fn end(mut self) -> Ended {
        let status = wait_for_some("saasbench to end", || self.process.ended());
        let ended = Ended { code: status.code(), out: self.process.out(), err: self.process.err() };
        // The caller now has all of the output.
        self.process = self.process.unreported();
        ended
    }
}

fn ends_in_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "parquet")
}

/// Exit code and output of the program.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Exit code; `None` if it was ended by a signal.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// Panics, showing its output, unless it ended with this code.
    #[track_caller]
    pub(crate) fn assert_code(&self, code: i32) {
        assert_eq!(self.code, Some(code), "standard output:\n{}\nstandard error:\n{}", self.out, self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
    }

    /// Panics if a claim failed. The run may be inconclusive if the machine stalled.
    #[track_caller]
    pub(crate) fn assert_nothing_failed(&self) {
        assert!(matches!(self.code, Some(0 | 3)), "{:?}:\n{}\n{}", self.code, self.out, self.err);
    }

    /// Panics unless its output contains each of these texts.
    #[track_caller]
    pub(crate) fn assert_says(&self, texts: &[&str]) {
        for text in texts {
            let said = self.out.contains(text) || self.err.contains(text);
            assert!(said, "nothing of {text:?} in\n{}\n{}", self.out, self.err);
        }
    }
}

/// A JSON report.
#[derive(Debug, PartialEq)]
pub(crate) struct Report(pub(crate) Value);

impl Report {
    /// Without the checksums of a report that is kept beside a record.
    pub(crate) fn parse(text: &str) -> Self {
        let mut report: Value =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"));
        if let Some(fields) = report.as_object_mut() {
            fields.remove("checksum");
            fields.remove("manifest_sha256");
        }
        Self(report)
    }

    pub(crate) fn outcome(&self) -> &str {
        self.0["outcome"].as_str().unwrap()
    }

    /// `(subject, outcome, summary)` of every verdict of a claim.
    pub(crate) fn verdicts(&self, claim: &str) -> Vec<(&str, &str, &str)> {
        let all = self.0["verdicts"].as_array().unwrap().iter().filter(|verdict| verdict["claim"] == claim);
        all.map(|verdict| {
            let [subject, outcome, summary] =
                ["subject", "outcome", "summary"].map(|key| verdict[key].as_str().unwrap());
            (subject, outcome, summary)
        })
        .collect()
    }

    /// Panics, showing the report, unless there is a verdict of this claim whose subject contains
    /// `description`, and all of them have this outcome.
    #[track_caller]
    pub(crate) fn assert_all(&self, claim: &str, about: &str, outcome: &str) {
        let verdicts = self.verdicts(claim);
        let chosen: Vec<_> = verdicts.iter().filter(|(subject, ..)| subject.contains(about)).collect();
        assert!(!chosen.is_empty(), "no verdict on {claim} {about:?} among {verdicts:?}");
        assert!(chosen.iter().all(|(_, found, _)| *found == outcome), "not all {outcome}: {chosen:#?}");
    }

    /// A number of the summary, by its path; 0 if absent.
    pub(crate) fn count(&self, pointer: &str) -> u64 {
        let value = self.0["summary"].pointer(pointer);
        value.map_or(0, |value| value.as_u64().unwrap())
    }
}

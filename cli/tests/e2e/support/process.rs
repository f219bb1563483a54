//! A process started by a test: it ends with the test, and its output is shown if the test fails.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

/// A running process, killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    logs: [PathBuf; 2],
    /// Whether its output is shown if the test fails.
    tell: bool,
}

impl Process {
    /// Starts `command`; its output is written to files in `dir` named after it.
    pub(crate) fn start(name: &str, command: &mut Command, dir: &Path) -> Self {
        Self::spawn(name, command.stdin(Stdio::null()), dir)
    }

    /// Like `start`, with a pipe as standard input.
    pub(crate) fn start_typed(name: &str, command: &mut Command, dir: &Path) -> (Self, ChildStdin) {
        let mut process = Self::spawn(name, command.stdin(Stdio::piped()), dir);
        let keys = process.child.stdin.take().unwrap();
        (process, keys)
    }

    fn spawn(name: &str, command: &mut Command, dir: &Path) -> Self {
        let logs = ["out", "err"].map(|stream| dir.join(format!("{name}.{stream}")));
        let [out, err] = [0, 1].map(|i| File::options().create(true).append(true).open(&logs[i]).unwrap());
        let child = command.stdout(out).stderr(err).spawn().unwrap_or_else(|error| {
            panic!("cannot start {:?}: {error}; run ci/test, which installs it", command.get_program())
        });
        Self { name: name.to_owned(), child, logs, tell: true }
    }

    /// Hides its output from a failing test, because the caller shows it.
    pub(crate) fn unreported(mut self) -> Self {
        self.tell = false;
        self
    }

    /// Its standard output so far.
    pub(crate) fn out(&self) -> String {
        read(&self.logs[0])
    }

    /// Its standard error so far.
    pub(crate) fn err(&self) -> String {
        read(&self.logs[1])
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its exit status, if it has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Panics, showing its output, if it has ended.
    pub(crate) fn assert_lives(&mut self) {
        if let Some(status) = self.ended() {
            panic!("{} has ended ({status}):\n{}{}", self.name, self.out(), self.err());
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Kills it (SIGKILL).
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if self.tell && std::thread::panicking() {
            eprintln!("---- {} wrote:\n{}{}", self.name, self.out(), self.err());
        }
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

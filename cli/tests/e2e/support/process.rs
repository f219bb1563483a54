//! A process that a test started: it ends with the test, and what it wrote is shown when the test fails.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

/// A running process. Killed when dropped, by its own id.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    logs: [PathBuf; 2],
    /// Whether its logs belong to a failing test's output.
    tell: bool,
}

impl Process {
    /// Starts `command`; what it writes goes to files in `dir` that are named after it.
    pub(crate) fn start(name: &str, command: &mut Command, dir: &Path) -> Self {
        Self::spawn(name, command.stdin(Stdio::null()), dir)
    }

    /// The same with something to type into.
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

    /// The same, without its logs in a failing test's output: the caller shows them.
    pub(crate) fn unreported(mut self) -> Self {
        self.tell = false;
        self
    }

    /// What it wrote to standard output so far.
    pub(crate) fn out(&self) -> String {
        read(&self.logs[0])
    }

    /// What it wrote to standard error so far.
    pub(crate) fn err(&self) -> String {
        read(&self.logs[1])
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its status, if it has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Fails, with what it wrote, if it has ended.
    pub(crate) fn assert_lives(&mut self) {
        if let Some(status) = self.ended() {
            panic!("{} has ended ({status}):\n{}{}", self.name, self.out(), self.err());
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it at once (SIGKILL).
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

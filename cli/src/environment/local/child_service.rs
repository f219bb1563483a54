//! One process of the stack: started with a log of its own, waited for until it answers, and ended with this process.
//!
//! It is started through `saasbench part`, which has the kernel kill it when its parent is gone ([`exec_with_parent_death_signal`]): so it
//! cannot outlive even a `kill -9` of this process. The kernel takes the *thread* that started it for its parent, so parts
//! are started from the main thread, or one that lives as long.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io,
    os::unix::{ffi::OsStrExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};
use tokio::time::{Instant, sleep, timeout};

use super::{LocalError, Role, ServiceExit};
use crate::observe::store;

/// How long a part may take to answer after its start; a machine can be busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long one probe may take.
const PROBE: Duration = Duration::from_secs(2);
/// Lines of a log that are shown.
const TAIL: usize = 12;
/// What the server would otherwise read in place of its arguments.
const FOREIGN: [&str; 3] = ["TENANCY_LISTEN", "TENANCY_TENANTS", "RATE_LIMIT_STORAGE_URI"];
/// What the Redis exporter would: another server's password among them.
const FOREIGN_PREFIX: &[u8] = b"REDIS_";

/// A process to start.
#[derive(Debug)]
pub(super) struct Launch<'a> {
    pub(super) role: Role,
    pub(super) url: String,
    pub(super) program: &'a Path,
    pub(super) arguments: Vec<OsString>,
    pub(super) probe: Probe,
}

/// How to tell that a part is ready.
#[derive(Debug, Clone, Copy)]
pub(super) enum Probe {
    /// It accepts Redis's greeting.
    Redis,
    /// A GET of `path` is answered 200, and `says` is in the body.
    Http { path: &'static str, says: &'static str },
}

/// A running process. Killed when dropped.
#[derive(Debug)]
pub struct Part {
    /// What it is for.
    pub role: Role,
    /// Where it answers.
    pub url: String,
    /// What it writes.
    pub log: PathBuf,
    child: Child,
}

impl Part {
    /// Starts a process in `dir`, and waits until it answers.
    pub(super) async fn start(
        launch: Launch<'_>,
        dir: &Path,
        http: &reqwest::Client,
    ) -> Result<Self, LocalError> {
        let Launch { role, url, program, arguments, probe } = launch;
        let failed = |cause| LocalError::System { what: format!("cannot start {role}"), cause };
        let log = dir.join(format!("{}.log", role.to_string().replace(' ', "-")));
        let file = File::create(&log).map_err(failed)?;
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command.args(["part", "--parent", &std::process::id().to_string(), "--"]);
        command.arg(program).args(arguments).current_dir(dir);
        for (variable, _) in std::env::vars_os().filter(|(variable, _)| is_foreign(variable)) {
            command.env_remove(variable);
        }
        // A group of its own: Ctrl-C at the terminal is ours to hear, and its end ours to arrange.
        command.process_group(0).stdin(Stdio::null());
        command.stdout(file.try_clone().map_err(failed)?).stderr(file);
        let child = command.spawn().map_err(failed)?;
        let mut part = Self { role, url, log, child };
        part.become_ready(probe, http).await?;
        Ok(part)
    }

    async fn become_ready(&mut self, probe: Probe, http: &reqwest::Client) -> Result<(), LocalError> {
        let started = Instant::now();
        loop {
            // Whether it lives is asked first: what answers in place of the dead is somebody else.
            if let Some(death) = self.death() {
                return Err(LocalError::Ended(death));
            }
            if timeout(PROBE, probe.is_answered(&self.url, http)).await == Ok(true) && self.is_alive() {
                return Ok(());
            }
            if started.elapsed() > PATIENCE {
                let (role, log) = (self.role.clone(), self.log.clone());
                return Err(LocalError::NotReady { role, within: PATIENCE, tail: tail(&log), log });
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it runs.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// How it ended, if it has.
    pub(super) fn death(&mut self) -> Option<ServiceExit> {
        let status = self.child.try_wait().ok().flatten()?;
        Some(ServiceExit {
            role: self.role.clone(),
            status: status.to_string(),
            tail: tail(&self.log),
            log: self.log.clone(),
        })
    }

    /// Asks it to end.
    pub(super) fn terminate(&self) {
        // One that has ended needs no asking.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Probe {
    async fn is_answered(self, url: &str, http: &reqwest::Client) -> bool {
        match self {
            Self::Redis => store::reachable(url).await.is_ok(),
            Self::Http { path, says } => match http.get(format!("{url}{path}")).send().await {
                Ok(answer) if answer.status().is_success() => {
                    answer.text().await.is_ok_and(|body| body.contains(says))
                }
                _ => false,
            },
        }
    }
}

/// Whether a variable of the environment is for other programs than these parts.
fn is_foreign(variable: &OsStr) -> bool {
    FOREIGN.iter().any(|foreign| variable == *foreign) || variable.as_bytes().starts_with(FOREIGN_PREFIX)
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}

/// Turns this process into `program`, which the kernel kills as soon as the process `parent` is gone.
///
/// # Errors
/// When that is not possible; else it does not return.
pub fn exec_with_parent_death_signal(parent: u32, program: &Path, arguments: &[OsString]) -> io::Error {
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return error.into();
    }
    // A parent that was gone before the kernel was asked sends no signal any more.
    if getppid().is_none_or(|pid| pid.as_raw_pid().cast_unsigned() != parent) {
        return io::Error::other("whoever started it is gone");
    }
    // The request survives exec, unless the program is set-uid.
    Command::new(program).args(arguments).exec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_of_a_log_is_its_last_lines() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("part.log");
        assert_eq!(tail(&log), "");
        fs::write(&log, (1..=20).map(|n| format!("line {n}\n")).collect::<String>()).unwrap();
        assert!(tail(&log).starts_with("line 9\n") && tail(&log).ends_with("line 20"), "{}", tail(&log));
    }

    #[test]
    fn parts_do_not_hear_what_is_meant_for_others() {
        let all = ["TENANCY_LISTEN", "REDIS_PASSWORD", "REDIS_EXPORTER_LOG_FORMAT", "PATH", "MY_REDIS_URL"];
        let foreign = all.map(|variable| is_foreign(OsStr::new(variable)));
        assert_eq!(foreign, [true, true, true, false, false]);
    }
}

//! One process of the stack: it is started with a log of its own, waited for until it is ready, and ends with
//! this process.
//!
//! It is started through `saasbench supervise-child`, which has the kernel kill it when its parent is gone
//! ([`exec_with_parent_death_signal`]), so that it cannot outlive even a `kill -9` of this process. For the
//! kernel the parent is the *thread* that started it, so services are started from the main thread, or from
//! one that lives as long.

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
use crate::observe::{http_body, store};

/// How long a service may take until it is ready; a machine can be busy.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long one probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// Lines of a log that are shown.
const TAIL: usize = 12;
/// Variables that the server would read instead of its arguments.
const FOREIGN: [&str; 3] = ["TENANCY_LISTEN", "TENANCY_TENANTS", "RATE_LIMIT_STORAGE_URI"];
/// Variables that the Redis exporter would read, among them another server's password.
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

/// How to find out that a service is ready.
#[derive(Debug, Clone, Copy)]
pub(super) enum Probe {
    /// It accepts a connection of a Redis client.
    Redis,
    /// The response to a GET of `path` has a status of 2xx and `says` in its body.
    Http { path: &'static str, says: &'static str },
}

/// A running process. Killed when dropped.
#[derive(Debug)]
pub struct ChildService {
    /// Its role in the stack.
    pub role: Role,
    /// Its base URL.
    pub url: String,
    /// Its log file.
    pub log: PathBuf,
    child: Child,
}

impl ChildService {
    /// Starts a process in `dir`, and waits until it is ready.
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
        command.args(["supervise-child", "--parent", &std::process::id().to_string(), "--"]);
        command.arg(program).args(arguments).current_dir(dir);
        for (variable, _) in std::env::vars_os().filter(|(variable, _)| is_foreign(variable)) {
            command.env_remove(variable);
        }
        // A process group of its own: Ctrl-C at the terminal is for this process, which ends the service.
        command.process_group(0).stdin(Stdio::null());
        command.stdout(file.try_clone().map_err(failed)?).stderr(file);
        let child = command.spawn().map_err(failed)?;
        let mut service = Self { role, url, log, child };
        service.become_ready(probe, http).await?;
        Ok(service)
    }

    async fn become_ready(&mut self, probe: Probe, http: &reqwest::Client) -> Result<(), LocalError> {
        let started = Instant::now();
        loop {
            // Checked first: if it has ended, another program may respond at its address.
            if let Some(exit) = self.exit() {
                return Err(LocalError::Ended(exit));
            }
            if timeout(PROBE_TIMEOUT, probe.succeeds(&self.url, http)).await == Ok(true) && self.is_alive() {
                return Ok(());
            }
            if started.elapsed() > READY_TIMEOUT {
                let (role, log) = (self.role.clone(), self.log.clone());
                return Err(LocalError::NotReady { role, within: READY_TIMEOUT, tail: tail(&log), log });
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
    pub(super) fn exit(&mut self) -> Option<ServiceExit> {
        let status = self.child.try_wait().ok().flatten()?;
        Some(ServiceExit {
            role: self.role.clone(),
            status: status.to_string(),
            tail: tail(&self.log),
            log: self.log.clone(),
        })
    }

    /// Sends it SIGTERM.
    pub(super) fn terminate(&self) {
        // Fails where it has ended.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
    }
}

impl Drop for ChildService {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Probe {
    async fn succeeds(self, url: &str, http: &reqwest::Client) -> bool {
        match self {
            Self::Redis => store::reachable(url).await.is_ok(),
            Self::Http { path, says } => match http.get(format!("{url}{path}")).send().await {
                Ok(response) if response.status().is_success() => {
                    let body = http_body::read(response, http_body::OF_AN_ERROR).await;
                    body.is_ok_and(|body| http_body::into_text(body).contains(says))
                }
                _ => false,
            },
        }
    }
}

/// Whether an environment variable is meant for other programs than these services.
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
        return io::Error::other("its parent process is gone");
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
        let log = dir.path().join("service.log");
        assert_eq!(tail(&log), "");
        fs::write(&log, (1..=20).map(|n| format!("line {n}\n")).collect::<String>()).unwrap();
        assert!(tail(&log).starts_with("line 9\n") && tail(&log).ends_with("line 20"), "{}", tail(&log));
    }

    #[test]
    fn variables_for_other_programs_are_removed() {
        let all = ["TENANCY_LISTEN", "REDIS_PASSWORD", "REDIS_EXPORTER_LOG_FORMAT", "PATH", "MY_REDIS_URL"];
        let foreign = all.map(|variable| is_foreign(OsStr::new(variable)));
        assert_eq!(foreign, [true, true, true, false, false]);
    }
}

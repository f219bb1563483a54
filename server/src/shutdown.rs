//! The signals that ask a process to shut down: SIGINT, SIGTERM and SIGHUP.

use std::fs;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT, SIGTERM and SIGHUP. A SIGHUP that the process was started with as ignored stays ignored, so that a
/// process under `nohup` survives its terminal. A signal whose handler cannot be installed keeps its default
/// action, which ends the process.
#[derive(Debug)]
pub struct ShutdownSignals([Option<Signal>; 3]);

impl ShutdownSignals {
    /// Installs the handlers: no signal is missed from now on. Must run inside a tokio runtime with I/O
    /// enabled.
    #[must_use]
    pub fn listen() -> Self {
        let hangup = SignalKind::hangup();
        let is_ignored = is_ignored(hangup.as_raw_value());
        let [interrupt, terminate] =
            [SignalKind::interrupt(), SignalKind::terminate()].map(|kind| signal(kind).ok());
        Self([interrupt, terminate, if is_ignored { None } else { signal(hangup).ok() }])
    }

    /// Waits for the next of these signals.
    pub async fn next(&mut self) {
        let Self([interrupt, terminate, hangup]) = self;
        tokio::select! {
            () = received(interrupt) => {}
            () = received(terminate) => {}
            () = received(hangup) => {}
        }
    }
}

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether this process was started with `signal` ignored. Known on Linux only; elsewhere the result is
/// `false`.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored_mask(&status).is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// The mask of ignored signals in `/proc/PID/status`: bit `n − 1` stands for signal `n`.
fn ignored_mask(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_parsed() {
        let status = "Name:\tsaasbench\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t0\n";
        assert_eq!(ignored_mask(status), Some(0x1001));
        assert_eq!(ignored_mask("Name:\tx\n"), None);
        assert!(!is_ignored(9), "SIGKILL cannot be ignored");
    }
}

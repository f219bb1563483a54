//! Signals that end a run.

use std::fs;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{exit::Exit, live::full};

/// Ctrl-C, SIGTERM and a closed terminal: the first ends the load, a second one the process.
#[derive(Debug)]
pub(in crate::commands) struct Signals {
    /// No more iterations may start: interrupted, or the record cannot be written.
    pub(in crate::commands) stop: CancellationToken,
    /// The user has interrupted the run.
    pub(in crate::commands) interrupt: CancellationToken,
}

impl Signals {
    /// Listens from now on.
    pub(in crate::commands) fn listen() -> Self {
        let signals = Self { stop: CancellationToken::new(), interrupt: CancellationToken::new() };
        let (stop, interrupt) = (signals.stop.clone(), signals.interrupt.clone());
        let mut asked = ShutdownSignals::listen();
        tokio::spawn(async move {
            asked.next().await;
            interrupt.cancel();
            stop.cancel();
            asked.next().await;
            full::restore();
            std::process::exit(Exit::Interrupted as i32);
        });
        signals
    }

    /// Whether the user has interrupted the run.
    pub(in crate::commands) fn interrupted(&self) -> bool {
        self.interrupt.is_cancelled()
    }
}

/// SIGINT, SIGTERM and, unless it is ignored as under `nohup`, SIGHUP. If a handler cannot be installed, the
/// default remains, which ends the process.
#[derive(Debug)]
pub(in crate::commands) struct ShutdownSignals([Option<Signal>; 3]);

impl ShutdownSignals {
    /// Listens from now on: no later signal is missed.
    pub(in crate::commands) fn listen() -> Self {
        let hangup = SignalKind::hangup();
        // `nohup` lets the run continue when its terminal is closed.
        let is_ignored = is_ignored(hangup.as_raw_value());
        let [interrupt, terminate] =
            [SignalKind::interrupt(), SignalKind::terminate()].map(|kind| signal(kind).ok());
        Self([interrupt, terminate, if is_ignored { None } else { signal(hangup).ok() }])
    }

    /// Waits for the next signal.
    pub(in crate::commands) async fn next(&mut self) {
        let Self([interrupt, terminate, hangup]) = self;
        tokio::select! {
            () = one(interrupt) => {}
            () = one(terminate) => {}
            () = one(hangup) => {}
        }
    }
}

async fn one(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether this process was started with a signal ignored. Known on Linux only; false elsewhere.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored(&status).is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// The mask of ignored signals in `/proc/PID/status`: one bit each, the lowest for the first.
fn ignored(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signals_that_nohup_ignores_are_read() {
        let status = "Name:\tsaasbench\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t0\n";
        assert_eq!(ignored(status), Some(0x1001));
        assert_eq!(ignored("Name:\tx\n"), None);
        assert!(!is_ignored(9), "nobody can ignore it");
    }
}

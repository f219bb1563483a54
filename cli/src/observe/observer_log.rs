//! A log of the observers' polls and scrapes, for the terminal. Their results are in the record either way.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError, mpsc::Sender},
};

use saasbench_model::units::Nanos;

/// A poll that takes longer is logged.
const SLOW: Nanos = Nanos::from_secs(1);

/// Sends log lines to the output, without blocking.
#[derive(Debug, Clone)]
pub struct ObserverLog {
    to: Sender<String>,
    /// Whether each poll is logged, and not only unusual ones.
    each: bool,
}

impl ObserverLog {
    /// A log that sends its lines to `to`; with `each`, of every poll.
    pub fn new(to: Sender<String>, each: bool) -> Self {
        Self { to, each }
    }
}

/// The polls of several subjects, each polled repeatedly.
#[derive(Debug, Default)]
pub struct ProbeLog {
    log: Option<ObserverLog>,
    /// Consecutive failures of each.
    failed: Mutex<BTreeMap<String, u32>>,
}

impl ProbeLog {
    /// Logs them to `log`, if there is one.
    pub fn new(log: Option<ObserverLog>) -> Self {
        Self { log, failed: Mutex::default() }
    }

    /// Notes a poll of `subject` between two instants, and its result: what was seen, or why it failed. The
    /// first failure, the first success after failures, and slow polls are logged.
    pub fn note(&self, subject: &str, from: Nanos, to: Nanos, seen: Result<&str, &str>) {
        let Some(log) = &self.log else { return };
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let before = failed.get(subject).copied().unwrap_or_default();
        let text = match seen {
            Err(reason) => {
                failed.insert(subject.to_owned(), before + 1);
                (before == 0 || log.each).then(|| format!("failed: {reason}"))
            }
            Ok(what) => {
                failed.remove(subject);
                let took = to - from;
                match before {
                    0 if took > SLOW || log.each => Some(format!("{what} in {took}")),
                    0 => None,
                    _ => Some(format!("{what} in {took}, after {before} that failed")),
                }
            }
        };
        if let Some(text) = text {
            // Fails if the output no longer reads the log.
            let _ = log.to.send(format!("{:8.3} s  {subject}: {text}", from.as_secs_f64()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// The log of some polls.
    fn logged(each: bool) -> String {
        let (to, lines) = mpsc::channel();
        let probes = ProbeLog::new(Some(ObserverLog::new(to, each)));
        let millis = Nanos::from_millis;
        let rejected = Err("connection refused");
        probes.note("metrics of a", millis(1000), millis(1003), Ok("14000 bytes"));
        probes.note("metrics of a", millis(2000), millis(2001), rejected);
        probes.note("metrics of b", millis(2000), millis(2001), Ok("14000 bytes"));
        probes.note("metrics of a", millis(3000), millis(3001), rejected);
        probes.note("metrics of a", millis(4000), millis(4002), Ok("900 bytes"));
        probes.note("Redis", millis(4500), millis(6250), Ok("16 keys"));
        lines.try_iter().collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn unusual_polls_are_logged_once_and_each_poll_on_request() {
        insta::assert_snapshot!(format!("{}\n\n{}", logged(false), logged(true)));
        ProbeLog::default().note("without a log", Nanos::ZERO, Nanos::ZERO, Err("failed"));
    }
}

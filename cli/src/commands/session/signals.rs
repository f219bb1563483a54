//! Signals that end a run.

use std::time::Duration;

use tenancy::ShutdownSignals;
use tokio_util::sync::CancellationToken;

use crate::{exit::Exit, live::full};

/// How long after an interruption what does not respond is still waited for.
const GRACE: Duration = Duration::from_millis(300);

/// Ctrl-C, SIGTERM and a terminal that is closed: the first ends the load, a second one the process.
#[derive(Debug, Clone)]
pub(in crate::commands) struct Signals {
    /// No iteration is to begin any more: interrupted, or the record cannot be written.
    pub(in crate::commands) stop: CancellationToken,
    /// The user has interrupted the run.
    pub(in crate::commands) interrupt: CancellationToken,
    /// Shortly after an interruption: nothing is waited for any more.
    pub(in crate::commands) give_up: CancellationToken,
}

impl Signals {
    /// Listens from now on.
    pub(in crate::commands) fn listen() -> Self {
        let token = CancellationToken::new;
        let signals = Self { stop: token(), interrupt: token(), give_up: token() };
        let Self { stop, interrupt, give_up } = &signals;
        let (stop, interrupt, give_up) = (stop.clone(), interrupt.clone(), give_up.clone());
        let mut asked = ShutdownSignals::listen();
        tokio::spawn(async move {
            asked.next().await;
            interrupt.cancel();
            stop.cancel();
            tokio::select! {
                () = tokio::time::sleep(GRACE) => give_up.cancel(),
                () = asked.next() => return end_process(),
            }
            asked.next().await;
            end_process();
        });
        signals
    }

    /// Whether the user has interrupted the run.
    pub(in crate::commands) fn interrupted(&self) -> bool {
        self.interrupt.is_cancelled()
    }
}

/// Ends the process at the second signal.
fn end_process() {
    full::restore();
    std::process::exit(Exit::Interrupted as i32);
}

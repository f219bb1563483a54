//! Signals that end a run.

use tenancy::ShutdownSignals;
use tokio_util::sync::CancellationToken;

use crate::{exit::Exit, live::full};

/// Ctrl-C, SIGTERM and a terminal that is closed: the first ends the load, a second one the process.
#[derive(Debug)]
pub(in crate::commands) struct Signals {
    /// No iteration is to begin any more: interrupted, or the record cannot be written.
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

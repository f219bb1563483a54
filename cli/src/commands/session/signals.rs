//! How a run is ended from outside.

use tokio_util::sync::CancellationToken;

use crate::{exit::Exit, report::progress::full};

/// Ctrl-C and SIGTERM: the first ends the load, a second one the process.
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
        tokio::spawn(async move {
            next_signal().await;
            interrupt.cancel();
            stop.cancel();
            next_signal().await;
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

async fn next_signal() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(terminate) => terminate,
        // Without a handler the default one stays, which ends the process: nothing to wait for.
        Err(_) => return std::future::pending().await,
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

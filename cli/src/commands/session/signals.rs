//! How a run is ended from outside.

use tokio::signal::unix::{Signal, SignalKind, signal};
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
        let mut asked = Asked::listen();
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

/// The two signals. Without a handler the default one stays, which ends the process.
struct Asked([Option<Signal>; 2]);

impl Asked {
    /// Nothing that comes from now on is missed.
    fn listen() -> Self {
        Self([SignalKind::interrupt(), SignalKind::terminate()].map(|kind| signal(kind).ok()))
    }

    async fn next(&mut self) {
        let Self([interrupt, terminate]) = self;
        tokio::select! {
            () = one(interrupt) => {}
            () = one(terminate) => {}
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

//! Takes over the terminal for the display, and restores it on every way out.
//!
//! There is one terminal per process, and a signal or a panic may end the process at any time; so its state
//! is global, and kept here.

use std::{
    io,
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
};

use ratatui::crossterm::{
    cursor::Show,
    execute,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use rustix::{
    process::{Signal, getpgrp, getpid, kill_process},
    termios::tcgetpgrp,
};

static TAKEN: AtomicBool = AtomicBool::new(false);
static ON_PANIC: Once = Once::new();

/// Takes over the terminal: keys are read one by one, and the alternate screen is shown.
///
/// # Errors
/// When it is not available; it is left unchanged then.
pub(super) fn take() -> io::Result<()> {
    ON_PANIC.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            before(panic);
        }));
    });
    TAKEN.store(true, Ordering::SeqCst);
    let taken = enable_raw_mode().and_then(|()| execute!(io::stderr(), EnterAlternateScreen));
    if taken.is_err() {
        restore();
    }
    taken
}

/// Restores it, if it was taken over.
pub fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = disable_raw_mode();
        let _ = execute!(io::stderr(), LeaveAlternateScreen, Show);
    }
}

/// Whether it is taken over.
pub(super) fn is_taken() -> bool {
    TAKEN.load(Ordering::SeqCst)
}

/// Whether it may be taken over: a background process that touches it is stopped.
pub(super) fn is_ours() -> bool {
    tcgetpgrp(io::stdin()).is_ok_and(|foreground| foreground == getpgrp())
}

/// Suspends all processes of the job, as Ctrl-Z does when the terminal itself handles it.
pub(super) fn suspend_job() {
    let _ = rustix::process::kill_current_process_group(Signal::TSTP);
}

/// Stops this process until it is continued.
pub(in crate::live) fn stop() {
    let _ = kill_process(getpid(), Signal::STOP);
}

/// Interrupts this process as Ctrl-C does: the first ends the load, a second one the process.
pub(super) fn interrupt() {
    let _ = kill_process(getpid(), Signal::INT);
}

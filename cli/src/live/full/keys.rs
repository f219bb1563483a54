//! The keys of the full display, read by a separate thread, so that drawing and recording never delay a
//! pause.

use std::{
    io,
    os::fd::AsFd,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, poll},
};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::terminal;
use saasbench_engine::{clock::RunClock, rate_control::RateControl};

/// How long keys are still read after the display is gone, at most, in milliseconds.
const TIMEOUT_MILLIS: u8 = 50;
const TIMEOUT: Duration = Duration::from_millis(TIMEOUT_MILLIS as u64);

/// The action of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Quit,
    Suspend,
    Pause,
    Step(i32),
    Show(Shown),
}

/// What to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// Select the tenant this many rows further.
    Tenant(isize),
    /// Show or hide the help.
    Help,
}

/// Reads keys and runs their actions, until the display is dropped (`alive`). Returns the requests to show
/// something else.
pub(super) fn read(controls: RateControl, clock: RunClock, alive: &Arc<()>) -> mpsc::Receiver<Shown> {
    let (show, shown) = mpsc::channel();
    let alive = Arc::downgrade(alive);
    let reading = move || {
        while alive.strong_count() > 0 {
            if !terminal::is_taken() {
                // Suspended: keys belong to the shell.
                thread::sleep(TIMEOUT);
                continue;
            }
            let typed = match wait(io::stdin()) {
                KeyCommand::Nothing => continue,
                KeyCommand::Something => typed(),
                KeyCommand::NoMore => return,
            };
            let Ok(keys) = typed else { return };
            for action in keys.into_iter().filter_map(action) {
                match action {
                    Action::Quit => terminal::interrupt(),
                    Action::Suspend => terminal::suspend_job(),
                    Action::Pause => controls.pause(clock.now()),
                    Action::Step(tenths) => controls.step(clock.now(), tenths),
                    Action::Show(what) => {
                        let _ = show.send(what);
                    }
                }
            }
        }
    };
    // Without the thread there are no keys, and Ctrl-C works as an external signal.
    let _ = thread::Builder::new().name("keys".to_owned()).spawn(reading);
    shown
}

/// Result of waiting for input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyCommand {
    Nothing,
    Something,
    /// The terminal is closed.
    NoMore,
}

/// Waits briefly for input. `event::poll` would wait, too, but spins on a closed terminal.
pub(super) fn wait(terminal: impl AsFd) -> KeyCommand {
    let mut watched = [PollFd::new(terminal.as_fd(), PollFlags::POLLIN)];
    match poll(&mut watched, TIMEOUT_MILLIS) {
        Ok(0) | Err(Errno::EINTR) => KeyCommand::Nothing,
        // Anything but `POLLIN` alone is its end, or an error.
        Ok(_) if watched[0].revents() == Some(PollFlags::POLLIN) => KeyCommand::Something,
        Ok(_) | Err(_) => KeyCommand::NoMore,
    }
}

/// The keys that were typed. Reading one may consume more of them from the terminal, which a later poll would
/// not see.
fn typed() -> io::Result<Vec<KeyEvent>> {
    let mut keys = Vec::new();
    // `event::poll` may have missed input; polling again without a delay would spin.
    let mut patience = TIMEOUT;
    while event::poll(patience)? {
        if let Event::Key(key) = event::read()? {
            keys.push(key);
        }
        patience = Duration::ZERO;
    }
    Ok(keys)
}

/// The action of a key.
pub(super) fn action(key: KeyEvent) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Action::Quit),
            KeyCode::Char('z') => Some(Action::Suspend),
            _ => None,
        };
    }
    match key.code {
        KeyCode::Char('q') => Some(Action::Quit),
        KeyCode::Char('p' | ' ') => Some(Action::Pause),
        KeyCode::Char('+' | '=') => Some(Action::Step(1)),
        KeyCode::Char('-' | '_') => Some(Action::Step(-1)),
        KeyCode::Down | KeyCode::Right | KeyCode::Tab | KeyCode::Char('j') => {
            Some(Action::Show(Shown::Tenant(1)))
        }
        KeyCode::Up | KeyCode::Left | KeyCode::BackTab | KeyCode::Char('k') => {
            Some(Action::Show(Shown::Tenant(-1)))
        }
        KeyCode::Char('?' | 'h') => Some(Action::Show(Shown::Help)),
        _ => None,
    }
}

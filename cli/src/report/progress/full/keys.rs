//! What keys ask for, read by a thread of its own: whoever draws or records keeps nobody from pausing a load.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::terminal;
use crate::{clock::RunClock, load::pace::Controls};

/// The longest that a display that is gone still reads keys.
const PATIENCE: Duration = Duration::from_millis(50);

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Quit,
    Suspend,
    Pause,
    Step(i32),
    Show(Shown),
}

/// What is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// The tenant that comes so many rows later.
    Tenant(isize),
    /// The keys, or not any more.
    Help,
}

/// Reads keys and does what they ask for, until the display is gone, which `alive` tells. What is to be shown comes out here.
pub(super) fn read(controls: Controls, clock: RunClock, alive: &Arc<()>) -> mpsc::Receiver<Shown> {
    let (show, shown) = mpsc::channel();
    let alive = Arc::downgrade(alive);
    let reading = move || {
        while alive.strong_count() > 0 {
            if !terminal::is_taken() {
                // Suspended: keys are somebody else's.
                thread::sleep(PATIENCE);
                continue;
            }
            let key = match event::poll(PATIENCE).and_then(|is_there| is_there.then(event::read).transpose())
            {
                Ok(Some(Event::Key(key))) => key,
                Ok(_) => continue,
                // The terminal is gone.
                Err(_) => return,
            };
            match action(key) {
                None => {}
                Some(Action::Quit) => terminal::interrupt(),
                Some(Action::Suspend) => terminal::suspend_job(),
                Some(Action::Pause) => controls.pause(clock.now()),
                Some(Action::Step(tenths)) => controls.step(clock.now(), tenths),
                Some(Action::Show(what)) => {
                    let _ = show.send(what);
                }
            }
        }
    };
    // Without it there are no keys, and Ctrl-C comes as a signal from outside.
    let _ = thread::Builder::new().name("keys".to_owned()).spawn(reading);
    shown
}

/// What a key asks for.
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

//! `--ui full`: the whole terminal for a run, with charts, and keys that turn its pace.
//!
//! `draw` is what it looks like, `charts` its pictures. The terminal is given back on every way out: when the display is dropped, and
//! by [`restore`] where the process ends at once.

mod charts;
mod draw;

use std::{
    collections::VecDeque,
    io::{self, IsTerminal as _, Stderr, Write as _},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use ratatui::{
    Terminal,
    backend::CrosstermBackend,
    crossterm::{
        cursor::Show,
        event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
        execute,
        terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
    },
};

use super::view::View;
use crate::{
    exit::{Exit, Failure},
    load::pace::Controls,
    units::Nanos,
};

/// Lines of the log that are kept.
const LOG: usize = 200;

/// Whether the terminal is taken: it is one for the whole process, and a signal may end that at any time.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal, taken for a run.
#[derive(Debug)]
pub struct Full {
    terminal: Terminal<CrosstermBackend<Stderr>>,
    state: State,
    controls: Controls,
}

/// What is shown beside the run itself.
#[derive(Debug, Default)]
struct State {
    /// Which tenant is looked at.
    selected: usize,
    help: bool,
    coloured: bool,
    /// What was said, oldest first.
    log: VecDeque<String>,
    /// What of it is to be read afterwards, too.
    told: Vec<String>,
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Quit,
    Pause,
    Step(i32),
    Select(isize),
    Help,
}

/// Whether there is a terminal to take.
///
/// # Errors
/// When there is none.
pub fn check() -> Result<(), Failure> {
    if io::stderr().is_terminal() && io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Failure::new(Exit::Usage, "--ui full needs a terminal: standard input or standard error is none")
        .hint("leave it out: progress is shown as lines then, and --progress json is for programs"))
}

/// Gives the terminal back, if it is taken.
pub fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = disable_raw_mode();
        let _ = execute!(io::stderr(), LeaveAlternateScreen, Show);
    }
}

impl Full {
    /// Takes the terminal.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn take(controls: Controls, coloured: bool) -> io::Result<Self> {
        TAKEN.store(true, Ordering::SeqCst);
        let taken = enable_raw_mode()
            .and_then(|()| execute!(io::stderr(), EnterAlternateScreen))
            .and_then(|()| Terminal::new(CrosstermBackend::new(io::stderr())));
        match taken {
            Ok(terminal) => Ok(Self { terminal, state: State { coloured, ..State::default() }, controls }),
            Err(error) => {
                restore();
                Err(error)
            }
        }
    }

    /// Does what keys ask for, and draws the run. A terminal that is gone is no reason to stop it.
    pub fn draw(&mut self, view: &View, now: Nanos) {
        while event::poll(Duration::ZERO).unwrap_or(false) {
            if let Ok(Event::Key(key)) = event::read()
                && let Some(action) = action(key)
            {
                self.act(action, view, now);
            }
        }
        let (state, pace) = (&self.state, self.controls.pace());
        let _ = self.terminal.draw(|frame| draw::draw(frame, view, state, pace));
    }

    fn act(&mut self, action: Action, view: &View, now: Nanos) {
        match action {
            // As if it came from outside: the first ends the load, a second one the process.
            Action::Quit => {
                let _ =
                    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::INT);
            }
            Action::Pause => self.controls.pause(now),
            Action::Step(tenths) => self.controls.step(now, tenths),
            Action::Select(by) => {
                let tenants = view.plan.tenants.len().max(1);
                self.state.selected = (self.state.selected + tenants).saturating_add_signed(by) % tenants;
            }
            Action::Help => self.state.help = !self.state.help,
        }
    }

    /// Adds a line to the log.
    pub fn log(&mut self, text: &str) {
        if self.state.log.len() == LOG {
            self.state.log.pop_front();
        }
        self.state.log.push_back(anstream::adapter::strip_str(text).to_string());
    }

    /// The same for what is to be read afterwards, too.
    pub fn tell(&mut self, text: &str) {
        self.log(text);
        self.state.told.push(text.to_owned());
    }
}

/// The terminal is given back, and what was said follows where it can be read.
impl Drop for Full {
    fn drop(&mut self) {
        restore();
        for text in &self.state.told {
            let _ = writeln!(anstream::stderr(), "{text}");
        }
    }
}

/// What a key asks for.
fn action(key: KeyEvent) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Action::Quit),
        KeyCode::Char('q') => Some(Action::Quit),
        KeyCode::Char('p' | ' ') => Some(Action::Pause),
        KeyCode::Char('+' | '=') => Some(Action::Step(1)),
        KeyCode::Char('-' | '_') => Some(Action::Step(-1)),
        KeyCode::Down | KeyCode::Right | KeyCode::Tab | KeyCode::Char('j') => Some(Action::Select(1)),
        KeyCode::Up | KeyCode::Left | KeyCode::BackTab | KeyCode::Char('k') => Some(Action::Select(-1)),
        KeyCode::Char('?' | 'h') => Some(Action::Help),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

//! `--ui full`: the whole terminal for a run, with charts, and keys that change its rate.
//!
//! `draw` is what it looks like, `charts` its pictures, `keys` what can be asked for, `terminal` takes the terminal and gives it back.

mod charts;
mod draw;
mod keys;
mod terminal;

use std::{
    collections::VecDeque,
    io::{self, IsTerminal as _, Stderr, Write as _},
    sync::{Arc, mpsc},
};

use ratatui::{
    Terminal,
    backend::CrosstermBackend,
    layout::{Position, Rect},
};

use self::keys::Shown;
pub use self::terminal::restore;
pub(super) use self::terminal::stop;
use super::view::View;
use crate::exit::{Exit, Failure};
use saasbench_engine::{clock::RunClock, rate_control::RateControl};

/// Lines of the log that are kept.
const LOG: usize = 200;

/// The terminal, taken for a run.
#[derive(Debug)]
pub struct Full {
    terminal: Terminal<CrosstermBackend<Stderr>>,
    state: State,
    controls: RateControl,
    shown: mpsc::Receiver<Shown>,
    /// Whether the terminal was given back until the job is in the foreground again.
    suspended: bool,
    /// Dropped with the display: keys are no longer read.
    _alive: Arc<()>,
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
    reported: Vec<String>,
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

impl Full {
    /// Takes the terminal.
    ///
    /// # Errors
    /// When it is not available.
    pub fn take(controls: RateControl, clock: RunClock, coloured: bool) -> io::Result<Self> {
        terminal::take()?;
        let terminal = Terminal::new(CrosstermBackend::new(io::stderr())).inspect_err(|_| restore())?;
        let alive = Arc::new(());
        let shown = keys::read(controls.clone(), clock, &alive);
        let state = State { coloured, ..State::default() };
        Ok(Self { terminal, state, controls, shown, suspended: false, _alive: alive })
    }

    /// Draws the run, as keys have asked for. A terminal that is gone is no reason to stop it.
    pub fn draw(&mut self, view: &View) {
        while let Ok(what) = self.shown.try_recv() {
            self.state.show(what, view.plan.tenants.len());
        }
        if self.suspended {
            // A job that went on in the background (`bg`) gets no signal when it returns to the foreground.
            self.resume();
        }
        if terminal::is_taken() {
            let (state, pace) = (&self.state, self.controls.pace());
            let _ = self.terminal.draw(|frame| draw::draw(frame, view, state, pace));
        }
    }

    /// Gives the terminal back and stops the process, until it is continued.
    pub fn suspend(&mut self) {
        self.suspended |= terminal::is_taken();
        restore();
        terminal::stop();
    }

    /// The process was continued: takes the terminal again, unless another job has it by now, or was given back for good.
    pub fn resume(&mut self) {
        if !(self.suspended || terminal::is_taken()) || !terminal::is_ours() {
            return;
        }
        restore();
        if terminal::take().is_ok() {
            self.suspended = false;
            // `clear` would ask the terminal for its cursor, by way of standard output, which may be a file.
            let _ = self
                .terminal
                .size()
                .and_then(|size| self.terminal.resize(Rect::from((Position::ORIGIN, size))));
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
    pub fn print(&mut self, text: &str) {
        self.log(text);
        self.state.reported.push(text.to_owned());
    }
}

impl State {
    fn show(&mut self, what: Shown, tenants: usize) {
        match what {
            Shown::Tenant(later) => {
                let tenants = tenants.max(1);
                self.selected = (self.selected + tenants).saturating_add_signed(later) % tenants;
            }
            Shown::Help => self.help = !self.help,
        }
    }
}

/// The terminal is given back, and what was said follows where it can be read.
impl Drop for Full {
    fn drop(&mut self) {
        restore();
        for text in &self.state.reported {
            let _ = writeln!(anstream::stderr(), "{text}");
        }
    }
}

#[cfg(test)]
mod tests;

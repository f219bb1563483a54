//! `--ui full`: uses the whole terminal for a run, with charts, and keys that change its rate.
//!
//! `draw` is the layout, `charts` the charts, `keys` the actions, `terminal` takes over the terminal and
//! restores it.

mod charts;
mod draw;
mod keys;
mod terminal;

use std::{
    collections::VecDeque,
    io::{self, IsTerminal as _, Stderr},
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
use crate::{
    exit::{Exit, Failure},
    safe_output,
};
use saasbench_engine::{clock::RunClock, rate_control::RateControl};

/// Lines of the log that are kept.
const LOG: usize = 200;

/// The full display.
#[derive(Debug)]
pub struct Full {
    terminal: Terminal<CrosstermBackend<Stderr>>,
    state: State,
    controls: RateControl,
    shown: mpsc::Receiver<Shown>,
    /// Whether the terminal was restored until the job is in the foreground again.
    suspended: bool,
    /// Dropped with the display: keys are no longer read.
    _alive: Arc<()>,
}

/// What is shown besides the run itself.
#[derive(Debug, Default)]
struct State {
    /// The selected tenant.
    selected: usize,
    help: bool,
    coloured: bool,
    /// Messages, oldest first.
    log: VecDeque<String>,
    /// Messages that must also be readable afterwards.
    reported: Vec<String>,
}

/// Checks that there is a terminal.
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
    /// Takes over the terminal.
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

    /// Draws the run, as selected by keys. Errors of the terminal are ignored: they must not stop the run.
    pub fn draw(&mut self, view: &View) {
        while let Ok(what) = self.shown.try_recv() {
            self.state.show(what, view.plan.tenants.len());
        }
        if self.suspended {
            // A job that continued in the background (`bg`) gets no signal when it returns to the foreground.
            self.resume();
        }
        if terminal::is_taken() {
            let (state, pace) = (&self.state, self.controls.pace());
            let _ = self.terminal.draw(|frame| draw::draw(frame, view, state, pace));
        }
    }

    /// Restores the terminal and stops the process, until it is continued.
    pub fn suspend(&mut self) {
        self.suspended |= terminal::is_taken();
        restore();
        terminal::stop();
    }

    /// The process was continued: takes over the terminal again, unless another job has it by now, or it was
    /// restored for good.
    pub fn resume(&mut self) {
        if !(self.suspended || terminal::is_taken()) || !terminal::is_ours() {
            return;
        }
        restore();
        if terminal::take().is_ok() {
            self.suspended = false;
            // `clear` would query the cursor through standard output, which may be a file.
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
        let text = safe_output::text(text);
        self.state.log.push_back(anstream::adapter::strip_str(&text).to_string());
    }

    /// Adds a line to the log that must also be readable afterwards.
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

/// Restores the terminal, and prints the messages that must be readable afterwards.
impl Drop for Full {
    fn drop(&mut self) {
        restore();
        for text in &self.state.reported {
            safe_output::to_stderr(&format!("{text}\n"));
        }
    }
}

#[cfg(test)]
mod tests;

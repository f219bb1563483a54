//! Displays of a run in progress. They only read the running totals; no worker ever waits for them.
//!
//! `window` holds the latest samples, `view` everything that a display draws from. There are four displays:
//! `bars` draws the rows of `status_block` on a terminal, plain lines are for anything else, `json` is for
//! programs, and `full` uses the whole terminal, with charts and keys. `job_control` handles Ctrl-Z, `fg` and
//! `bg`.

mod bars;
pub mod full;
mod job_control;
pub mod json;
pub mod status_block;
pub mod view;
pub mod window;

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use self::{
    full::Full,
    view::{Phase, Plan, View},
    window::Window,
};
use crate::live::bars::Bars;
use crate::publish::self_metrics::Live;
use crate::safe_output::{json_to_stderr as write_json, to_stderr as write};
use crate::{
    args::{DisplayArgs, ProgressForm, Ui},
    observe::observer_log::ObserverLog,
};
use saasbench_engine::{clock::RunClock, rate_control::RateControl};
use saasbench_model::units::Nanos;
use saasbench_report::style::{FAINT, paint};

/// Redraw interval on a terminal.
const REDRAW: Duration = Duration::from_millis(100);
/// Interval of reading the totals: figures that change more often are not readable.
const STEP: Nanos = Nanos::from_secs(1);
/// Interval of lines without a terminal.
const LINE: Nanos = Nanos::from_secs(5);
/// Shown once the user has interrupted a run.
pub const INTERRUPTED: &str = "interrupted: waiting for responses (again to quit at once)";

/// A display that updates itself until it is dropped.
#[derive(Debug)]
pub struct Progress {
    follower: Arc<Mutex<Follower>>,
    stop: CancellationToken,
    observer_log: Option<ObserverLog>,
}

/// The kind of display.
#[derive(Debug)]
enum DisplayMode {
    Nothing,
    Lines { next: Nanos },
    Bars(Bars),
    Full(Box<Full>),
    Json,
}

/// Follows a run for a display.
#[derive(Debug)]
struct Follower {
    view: View,
    mode: DisplayMode,
    verbose: bool,
    /// Messages of observers.
    reported: mpsc::Receiver<String>,
    clock: RunClock,
    live: Option<Live>,
    /// The start of the load, once it has started.
    started: Arc<OnceLock<Nanos>>,
    /// When the totals were last read.
    stepped: Nanos,
    interrupt: CancellationToken,
    controls: RateControl,
}

impl DisplayMode {
    /// The requested display, as far as standard error supports it.
    fn of(args: DisplayArgs, coloured: bool, clock: RunClock, controls: RateControl) -> Self {
        let lines = Self::Lines { next: LINE };
        match args.progress {
            _ if args.quiet => Self::Nothing,
            // That there is a terminal was checked before; if it is closed by now, lines are lost.
            _ if args.ui == Ui::Full => {
                Full::take(controls, clock, coloured).map_or(lines, |full| Self::Full(Box::new(full)))
            }
            ProgressForm::Auto if bars::can_redraw(columns()) => Self::Bars(Bars::on_stderr(coloured)),
            ProgressForm::Auto | ProgressForm::Plain => lines,
            ProgressForm::Json => Self::Json,
            ProgressForm::None => Self::Nothing,
        }
    }
}

impl Progress {
    /// Shows a run that is being prepared, on a runtime of several threads.
    pub fn start(
        plan: Plan,
        args: DisplayArgs,
        coloured: bool,
        clock: RunClock,
        interrupt: &CancellationToken,
        controls: RateControl,
    ) -> Self {
        let (tell, reported) = mpsc::channel();
        let observer_log =
            (args.verbose > 0 && !args.quiet).then(|| ObserverLog::new(tell, args.verbose > 1));
        let follower = Follower {
            view: View::new(plan),
            mode: DisplayMode::of(args, coloured, clock, controls.clone()),
            verbose: args.verbose > 0,
            reported,
            clock,
            live: None,
            started: Arc::default(),
            stepped: Nanos::ZERO,
            interrupt: interrupt.clone(),
            controls,
        };
        let (follower, stop) = (Arc::new(Mutex::new(follower)), CancellationToken::new());
        let progress = Self { follower, stop, observer_log };
        progress.lock().begin(Phase::Preparing);
        let (follower, stop) = (Arc::clone(&progress.follower), progress.stop.clone());
        tokio::spawn(async move {
            while stop.run_until_cancelled(tokio::time::sleep(REDRAW)).await.is_some() {
                locked(&follower).tick();
            }
        });
        job_control::follow(&progress.follower);
        progress
    }

    fn lock(&self) -> MutexGuard<'_, Follower> {
        locked(&self.follower)
    }

    /// Requests are sent from now on, with these totals; the load itself starts with `started`.
    pub fn loads(&self, live: Live, started: Arc<OnceLock<Nanos>>) {
        let mut follower = self.lock();
        follower.started = started;
        // If nothing is shown, nothing is counted for it either.
        if !matches!(follower.mode, DisplayMode::Nothing) {
            let now = follower.clock.now();
            follower.view.window = Window::new(follower.view.plan.tenants.len(), now);
            follower.view.window.follow(&mut live.tally.lock());
            follower.stepped = now;
            follower.live = Some(live);
        }
    }

    /// The load is over, and its totals are complete; the next phase is `phase`.
    pub fn enter_phase(&self, phase: Phase) {
        let mut follower = self.lock();
        let now = follower.clock.now();
        follower.go_on(now);
        if follower.view.is_loading() {
            follower.step();
            if matches!(follower.mode, DisplayMode::Json) {
                follower.write_progress();
            }
        }
        follower.begin(phase);
    }

    /// Something was changed by hand at an instant.
    pub fn event(&self, at: Nanos, text: &str) {
        self.lock().event(at, text);
    }

    /// The log of observers, with `-v`.
    pub fn observer_log(&self) -> Option<ObserverLog> {
        self.observer_log.clone()
    }

    /// Prints a text beside the display; `false` if the display does not do that.
    pub fn print(&self, text: &str) -> bool {
        match &mut self.lock().mode {
            DisplayMode::Bars(bars) => {
                bars.print(text);
                true
            }
            DisplayMode::Full(full) => {
                full.print(text);
                true
            }
            DisplayMode::Nothing | DisplayMode::Lines { .. } | DisplayMode::Json => false,
        }
    }
}

/// Removes the display and everything that it drew.
impl Drop for Progress {
    fn drop(&mut self) {
        self.stop.cancel();
        let mut follower = self.lock();
        follower.handle_events();
        follower.mode = DisplayMode::Nothing;
    }
}

impl Follower {
    fn begin(&mut self, phase: Phase) {
        self.view.phase = phase;
        let now = self.clock.now();
        match &mut self.mode {
            DisplayMode::Json => write_json(&json::phase(&self.view, now)),
            DisplayMode::Full(full) => full.log(&reported(phase, now)),
            DisplayMode::Bars(bars) if self.verbose => bars.print(&reported(phase, now)),
            DisplayMode::Lines { .. } if self.verbose => write(&format!("{}\n", reported(phase, now))),
            _ => {}
        }
        self.draw();
    }

    fn tick(&mut self) {
        self.handle_events();
        let now = self.clock.now();
        if self.interrupt.is_cancelled() && !self.view.interrupted {
            self.view.interrupted = true;
            match self.mode {
                // These show it as long as they are active.
                DisplayMode::Bars(_) | DisplayMode::Nothing => {}
                DisplayMode::Lines { .. } => write(&format!("{INTERRUPTED}\n")),
                DisplayMode::Full(_) | DisplayMode::Json => self.event(now, "interrupted"),
            }
        }
        self.go_on(now);
        if self.live.is_some() && now - self.stepped >= STEP {
            self.step();
            if matches!(self.mode, DisplayMode::Json) {
                self.write_progress();
            }
        }
        self.draw();
    }

    fn event(&mut self, at: Nanos, text: &str) {
        let line = format!("{:8.3} s  {text}", at.as_secs_f64());
        match &mut self.mode {
            DisplayMode::Json => write_json(&json::event(at, text)),
            DisplayMode::Full(full) => full.log(&line),
            DisplayMode::Bars(bars) => bars.print(&line),
            DisplayMode::Lines { .. } => write(&format!("{line}\n")),
            DisplayMode::Nothing => {}
        }
    }

    /// Prints new messages of observers.
    fn handle_events(&mut self) {
        while let Ok(text) = self.reported.try_recv() {
            let text = one_line(&text);
            match &mut self.mode {
                DisplayMode::Json => write_json(&json::note(&text)),
                DisplayMode::Full(full) => full.log(&text),
                DisplayMode::Bars(bars) => bars.print(&paint(FAINT, text)),
                DisplayMode::Lines { .. } | DisplayMode::Nothing => {
                    write(&format!("{}\n", paint(FAINT, text)));
                }
            }
        }
    }

    /// Updates the load's position in its plan, whose time stands still during pauses.
    fn go_on(&mut self, now: Nanos) {
        let Some(started) = self.started.get().copied() else { return };
        if self.view.phase != Phase::Preparing && !self.view.is_loading() {
            return;
        }
        self.view.elapsed = self.controls.plan_time(started).to_plan_time(now).0 - started;
        let phase = self.view.phase_of_load(self.view.elapsed);
        if phase != self.view.phase {
            self.begin(phase);
        }
    }

    /// Reads the totals.
    fn step(&mut self) {
        let Some(live) = &self.live else { return };
        self.stepped = self.clock.now();
        self.view.in_flight = live.in_flight.total();
        self.view.stalls = live.stalled.total();
        self.view.window.step(&mut live.tally.lock(), self.stepped);
    }

    fn write_progress(&self) {
        write_json(&json::progress(&self.view, self.clock.now()));
    }

    fn draw(&mut self) {
        match &mut self.mode {
            DisplayMode::Bars(bars) => {
                // A row that reaches the last column would wrap the cursor on some terminals.
                bars.draw(status_block::rows(&self.view, columns().saturating_sub(1)));
            }
            DisplayMode::Full(full) => full.draw(&self.view),
            DisplayMode::Lines { next } if self.view.is_loading() && self.view.elapsed >= *next => {
                *next = *next + LINE;
                write(&format!("{}\n", status_block::plain(&self.view)));
            }
            _ => {}
        }
    }
}

fn locked(follower: &Mutex<Follower>) -> MutexGuard<'_, Follower> {
    // After a panic while drawing, everything is redrawn anyway.
    follower.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A phase with its instant.
fn reported(phase: Phase, now: Nanos) -> String {
    paint(FAINT, format!("{:8.3} s  {}", now.as_secs_f64(), phase.words()))
}

/// External text in one line without control characters, which could move the cursor.
fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_control()).filter(|words| !words.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// The width of the terminal.
fn columns() -> usize {
    ratatui::crossterm::terminal::size().map_or(80, |(columns, _)| usize::from(columns).max(1))
}

#[cfg(test)]
pub(crate) mod tests;

//! The output of a run in progress: its display, the notes beside it, and all of it as JSON for programs.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use tokio_util::sync::CancellationToken;

use super::Output;
use crate::{
    args::{DisplayArgs, ProgressForm, Ui},
    exit::{Exit, Failure},
    live::{
        Progress, full,
        json::{self, Object},
        view::{Phase, Plan},
    },
    observe::observer_log::ObserverLog,
    publish::self_metrics,
    safe_output,
};
use saasbench_engine::{clock::RunClock, rate_control::RateControl};
use saasbench_model::{scenario::Scenario, units::Nanos};
use saasbench_record::{event::Event, manifest::Environment};
use saasbench_verify::verdict::Outcome;

/// The state of the output during a run.
#[derive(Debug, Default)]
pub(super) struct Live {
    args: DisplayArgs,
    /// Shown from the run's start until something is written to standard output.
    progress: Option<Progress>,
    run: Option<String>,
    outcome: Option<Outcome>,
}

impl Output<'_> {
    /// Sets the display and its verbosity.
    ///
    /// # Errors
    /// When it needs a terminal, and there is none.
    pub fn set_display(&mut self, args: DisplayArgs) -> Result<(), Failure> {
        if args.ui == Ui::Full {
            full::check()?;
        }
        self.live.args = args;
        Ok(())
    }

    /// Whether notes and progress are suppressed.
    pub(super) fn is_quiet(&self) -> bool {
        self.live.args.quiet
    }

    /// Suppresses notes and progress, or not; returns the previous setting.
    pub fn set_quiet(&mut self, quiet: bool) -> bool {
        std::mem::replace(&mut self.live.args.quiet, quiet)
    }

    /// Shows a run that is being prepared.
    pub fn follow(
        &mut self,
        scenario: &Scenario,
        clock: RunClock,
        interrupt: &CancellationToken,
        controls: &RateControl,
    ) {
        self.follow_no_more();
        let args = self.live.args;
        let plan = Plan::of(scenario);
        let (coloured, controls) = (self.err_is_coloured, controls.clone());
        self.live.progress = Some(Progress::start(plan, args, coloured, clock, interrupt, controls));
    }

    /// Requests are sent from now on, with these totals; the load itself starts with `started`.
    pub fn loads(&self, live: self_metrics::Live, started: Arc<OnceLock<Nanos>>) {
        if let Some(progress) = &self.live.progress {
            progress.loads(live, started);
        }
    }

    /// The run has reached a phase after its load.
    pub fn enter_phase(&self, phase: Phase) {
        if let Some(progress) = &self.live.progress {
            progress.enter_phase(phase);
        }
    }

    /// Something was changed by hand at an instant of the run.
    pub fn event(&self, event: &Event) {
        if let Some(progress) = &self.live.progress {
            progress.event(event.at(), &event.to_string());
        }
    }

    /// The log of observers, with `-v`.
    pub fn observer_log(&self) -> Option<ObserverLog> {
        self.live.progress.as_ref()?.observer_log()
    }

    /// Prints details, with `-v`.
    pub fn details(&mut self, lines: impl IntoIterator<Item = String>) {
        if self.live.args.verbose > 0 {
            lines.into_iter().for_each(|line| self.note(&line));
        }
    }

    /// Reports the end of a run. With JSON progress this includes a failure, which then need not be printed.
    ///
    /// # Errors
    /// The failure, if it still has to be printed.
    pub fn ended(&mut self, ended: Result<Exit, Failure>) -> Result<Exit, Failure> {
        self.follow_no_more();
        if !self.is_json() {
            return ended;
        }
        let failure = ended.as_ref().err();
        let exit = ended.as_ref().map_or_else(|failure| failure.exit, |exit| *exit);
        self.line(&json::line(Object::End(self.end(exit, failure))));
        Ok(exit)
    }

    fn end(&self, exit: Exit, failure: Option<&Failure>) -> json::End {
        let plain = |text: &str| anstream::adapter::strip_str(text).to_string();
        json::End {
            outcome: self.live.outcome,
            exit: exit as u8,
            run: self.live.run.clone(),
            error: failure.map(|failure| plain(&failure.message)),
            hint: failure.and_then(|failure| failure.hint.as_deref()).map(plain),
        }
    }

    /// Whether progress is JSON for a program.
    pub(super) fn is_json(&self) -> bool {
        self.live.args.progress == ProgressForm::Json
    }

    /// The banner of a run, as JSON.
    pub(super) fn begin(&mut self, scenario: &Scenario, environment: &Environment, dir: &Path) {
        let run = dir.display().to_string();
        if self.is_json() {
            self.line(&json::begin(scenario, environment, &run));
        }
        self.live.run = Some(run);
    }

    /// A text, as JSON.
    pub(super) fn object(&mut self, kind: fn(json::Text) -> Object, text: &str) {
        let text = anstream::adapter::strip_str(text).to_string();
        self.line(&json::line(kind(json::Text { text })));
    }

    fn line(&mut self, line: &str) {
        let _ = self.err.write_all(safe_output::json(line).as_bytes());
    }

    /// Whether the display has shown the text beside the progress.
    pub(super) fn shows_beside_progress(&self, text: &str) -> bool {
        self.live.progress.as_ref().is_some_and(|progress| progress.print(text))
    }

    /// Removes the progress display.
    pub(super) fn follow_no_more(&mut self) {
        self.live.progress = None;
    }

    /// The run has its outcome, and its report follows.
    pub(super) fn judged(&mut self, outcome: Outcome) {
        self.follow_no_more();
        self.live.outcome = Some(outcome);
    }
}

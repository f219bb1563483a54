//! What is said while a run goes: its progress, beside whatever else there is to say; and all of it as JSON where a program
//! reads along.

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
};
use saasbench_engine::{clock::RunClock, rate_control::RateControl};
use saasbench_model::{scenario::Scenario, units::Nanos};
use saasbench_record::manifest::{Environment, Event};
use saasbench_verify::verdict::Outcome;

/// What is known of a run while it goes.
#[derive(Debug, Default)]
pub(super) struct Live {
    args: DisplayArgs,
    /// Shown from the run's begin until something is said on standard output.
    progress: Option<Progress>,
    run: Option<String>,
    outcome: Option<Outcome>,
}

impl Output<'_> {
    /// How much is said on the way, and how.
    ///
    /// # Errors
    /// When a terminal is needed for that, and there is none.
    pub fn set_display(&mut self, args: DisplayArgs) -> Result<(), Failure> {
        if args.ui == Ui::Full {
            full::check()?;
        }
        self.live.args = args;
        Ok(())
    }

    /// Shows a run that gets ready; nothing at all if `quiet`.
    pub fn follow(
        &mut self,
        scenario: &Scenario,
        clock: RunClock,
        interrupt: &CancellationToken,
        controls: &RateControl,
        quiet: bool,
    ) {
        self.follow_no_more();
        let args = DisplayArgs { quiet: quiet || self.live.args.quiet, ..self.live.args };
        let plan = Plan::of(scenario);
        let (coloured, controls) = (self.err_is_coloured, controls.clone());
        self.live.progress = Some(Progress::start(plan, args, coloured, clock, interrupt, controls));
    }

    /// Requests are made from now on, and their totals are here; the load itself begins when `begun` says so.
    pub fn loads(&self, live: self_metrics::Live, begun: Arc<OnceLock<Nanos>>) {
        if let Some(progress) = &self.live.progress {
            progress.loads(live, begun);
        }
    }

    /// The run has come to a phase after its load.
    pub fn goes_on(&self, phase: Phase) {
        if let Some(progress) = &self.live.progress {
            progress.goes_on(phase);
        }
    }

    /// Something was done by hand at an instant of the run.
    pub fn event(&self, event: &Event) {
        if let Some(progress) = &self.live.progress {
            progress.event(event.at_ns, &event.text);
        }
    }

    /// Where observers tell what they see, if anybody wants to hear it.
    pub fn tidings(&self) -> Option<ObserverLog> {
        self.live.progress.as_ref()?.tidings()
    }

    /// Says more, to those who want to hear it.
    pub fn details(&mut self, lines: impl IntoIterator<Item = String>, quiet: bool) {
        if self.live.args.verbose > 0 {
            lines.into_iter().for_each(|line| self.note(&line, quiet));
        }
    }

    /// How a run ended, for a program that reads along: a failure has been told then.
    ///
    /// # Errors
    /// The failure, where it has yet to be told.
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

    /// Whether a program reads along.
    pub(super) fn is_json(&self) -> bool {
        self.live.args.progress == ProgressForm::Json
    }

    /// The banner of a run for programs.
    pub(super) fn begin(&mut self, scenario: &Scenario, environment: &Environment, dir: &Path) {
        let run = dir.display().to_string();
        if self.is_json() {
            self.line(&json::begin(scenario, environment, &run));
        }
        self.live.run = Some(run);
    }

    /// A text for programs.
    pub(super) fn object(&mut self, kind: fn(json::Text) -> Object, text: &str) {
        let text = anstream::adapter::strip_str(text).to_string();
        self.line(&json::line(kind(json::Text { text })));
    }

    fn line(&mut self, line: &str) {
        let _ = self.err.write_all(line.as_bytes());
    }

    /// Whether the display has shown the text beside the progress.
    pub(super) fn is_told_beside_progress(&self, text: &str) -> bool {
        self.live.progress.as_ref().is_some_and(|progress| progress.tell(text))
    }

    /// Takes the progress away.
    pub(super) fn follow_no_more(&mut self) {
        self.live.progress = None;
    }

    /// The run came to this, and its report follows.
    pub(super) fn judged(&mut self, outcome: Outcome) {
        self.follow_no_more();
        self.live.outcome = Some(outcome);
    }
}
